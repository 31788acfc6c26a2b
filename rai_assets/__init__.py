"""Responsible AI as a Dagster asset graph: every number pinned to its data, its model and its formula."""

__version__ = "0.1.0"
