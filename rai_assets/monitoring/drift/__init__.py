"""Drift: has a column of production changed against its reference, by how much, and which values drive it.

Usable on two files, two pandas frames or two Arrow tables: `drift(reference, current)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rai_assets.monitoring.drift.settings import DriftSettings

if TYPE_CHECKING:
    from rai_assets.monitoring.drift.compute import drift
    from rai_assets.monitoring.drift.result import DriftResult, DriftRow

__all__ = ["DriftResult", "DriftRow", "DriftSettings", "drift"]


def __getattr__(name: str) -> Any:
    # What computes is imported when it is asked for: the settings alone belong to the definitions, which load fast.
    from rai_assets.monitoring.drift import compute, result

    if name in ("DriftResult", "DriftRow"):
        return getattr(result, name)
    if name == "drift":
        return compute.drift
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
