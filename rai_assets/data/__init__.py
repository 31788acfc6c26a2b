"""Datasets: readers, contract, validation, splits, statistics, groups."""
