"""Drift: has a column of production changed against its reference, by how much, and which values drive it.

Usable on two files, two pandas frames or two Arrow tables: `drift(reference, current)`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rai_assets.monitoring.drift.settings import DriftSettings

if TYPE_CHECKING:
    from rai_assets.monitoring.drift.compute import drift
    from rai_assets.monitoring.drift.result import DriftResult, DriftRow

__all__ = ["DriftResult", "DriftRow", "DriftSettings", "drift"]


_PLACES = {"drift": "compute", "DriftResult": "result", "DriftRow": "result"}


def __getattr__(name: str) -> Any:
    # What computes is imported when it is asked for: the settings alone belong to the definitions, which load fast.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
