"""Where a numeric sensitive column is cut into groups when nobody said."""

from __future__ import annotations

import math

import numpy as np

from rai_assets.data.profiling import Profile


def guess_edges(profile: Profile, *, whole: bool) -> list[float]:
    """The quartiles, rounded so that people remember them; each bin has rows.

    Args:
        profile: The evidence about a column of numbers.
        whole: Whether they are whole numbers, and the edges are to be.

    Returns:
        One to three inner bounds, rising; each bin takes its lower bound in.
    """
    sketch, low, high = profile.quantiles, profile.low, profile.high
    if low == high:
        return [low]
    quartiles = sketch.quantiles([0.25, 0.5, 0.75])
    unit = _round_unit((quartiles[2] - quartiles[0]) / 4 or (high - low) / 4)
    if whole:
        unit = max(unit, 1.0)
    digits = max(-math.floor(math.log10(unit)), 0)
    rounded = {round(round(quartile / unit) * unit, digits) for quartile in quartiles}
    inside = np.array(sorted(edge for edge in rounded if low < edge <= high) or [high])
    # Quartiles rounded away from each other may leave a bin between them without a row.
    return [float(edge) for edge in inside[np.diff(sketch.ranks(inside), prepend=0) > 0]]


def _round_unit(size: float) -> float:
    """The nearest of 1, 2, 5, 10, ... at any power of ten, nearest by ratio."""
    power = 10.0 ** math.floor(math.log10(size))
    return min((step * power for step in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / size)))
