"""Drift: has a column of production changed against its reference, by how much, and which values drive it.

Usable on two files, two pandas frames or two Arrow tables: `drift(reference, current)`.
"""

from rai_assets.monitoring.drift.compute import drift
from rai_assets.monitoring.drift.result import DriftResult, DriftRow
from rai_assets.monitoring.drift.settings import DriftSettings

__all__ = ["DriftResult", "DriftRow", "DriftSettings", "drift"]
