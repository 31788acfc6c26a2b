"""P-values of row-wise comparisons of two samples by permutation of the pooled rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rai_assets.metrics.intervals import Floats
from rai_assets.monitoring.drift.calibration import DRAWS, sequential

MEANS_ARE_NORMAL = 20_000
"""Rows of the smaller side from which the permutation distribution of a mean is taken to be normal."""


def sequential_p_value(observed: float, draw: Callable[[], float]) -> float:
    """P-value of a statistic, large when extreme, against draws from its null distribution.

    Args:
        observed: The statistic.
        draw: One value of it under the null.
    """
    return sequential({"": observed}, lambda *_: {"": np.array([draw()])}, DRAWS, at_once=1)[""].value


def mean_difference_p_value(one: Floats, other: Floats, rng: np.random.Generator) -> float:
    """Two-sided p-value that the rows of two samples are exchangeable, by the difference of their means.

    Args:
        one: Values of the rows of one sample, (n,).
        other: Those of the other, (m,).
        rng: Of the draws; not used from 20,000 rows of the smaller side on, where the normal limit stands in.
    """
    pooled, few = np.concatenate([one, other]), min(len(one), len(other))
    rounding = 1e-12 * float(np.abs(pooled).sum())
    pooled = pooled - pooled.mean()
    observed = abs(float(pooled[: len(one)].sum()))
    if observed <= rounding:
        return 1.0
    if few < MEANS_ARE_NORMAL:
        return sequential_p_value(
            observed,
            lambda: abs(float(pooled[rng.choice(len(pooled), few, replace=False, shuffle=False)].sum())),
        )
    from scipy.special import ndtr

    deviation = np.sqrt(len(one) * len(other) / (len(pooled) - 1) * pooled.var())
    return float(2 * ndtr(-observed / deviation))
