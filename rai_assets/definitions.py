"""Dagster's entry: finds the use cases and builds their graphs."""

from __future__ import annotations

import os

import dagster as dg

from rai_assets.use_case.declaration import load_all
from rai_assets.use_case.graph import broken_definitions, build, location_definitions


@dg.definitions
def defs() -> dg.Definitions:
    """Every use case as assets, checks, jobs and sensors.

    A declaration that cannot be loaded becomes a visible `broken_use_case` asset; under `dagster definitions
    validate` it is an error.
    """
    declared, broken = load_all()
    if broken and os.environ.get("DAGSTER_IS_DEFS_VALIDATION_CLI") == "1":
        raise broken[0].error
    return dg.Definitions.merge(
        location_definitions(declared),
        *[build(item) for item in declared],
        *[broken_definitions(item) for item in broken],
    )
