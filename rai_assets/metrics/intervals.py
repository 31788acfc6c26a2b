"""Confidence intervals that hold their level in small groups and at rates of zero and one.

Every function is vectorised: numbers of one shape (...), or of shapes that broadcast, go in, float64 arrays of that
shape come out. A bound that cannot be given is NaN, one without end is infinite. A level lies in (0, 1).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bounds = tuple[Floats, Floats]
Limits = Callable[[float], Bounds]

PAIRWISE_UP_TO = 64
"""Groups up to which every pair gets an interval of its own; beyond, every group does (as tight, and linear)."""


def normal_quantile(level: float) -> float:
    """The two-sided standard normal quantile: 1.96 for a level of 0.95."""
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def effective_size(weight_sum: ArrayLike, square_sum: ArrayLike) -> Floats:
    """Kish's effective number of rows, (sum w)^2 / sum w^2; 0 where there is no weight."""
    total, squares = np.asarray(weight_sum, float), np.asarray(square_sum, float)
    return np.divide(total**2, squares, out=np.zeros(np.broadcast(total, squares).shape), where=squares > 0)


def wilson(successes: ArrayLike, trials: ArrayLike, level: float = 0.95) -> Bounds:
    """Wilson's score interval of a proportion (Wilson 1927, JASA 22:209).

    Args:
        successes: Number of successes in [0, trials], shape (...); may be a fraction.
        trials: Number of trials > 0, shape (...); may be a fraction.
        level: Confidence level in (0, 1).
    """
    return wilson_at(successes, trials, normal_quantile(level))


def wilson_at(successes: ArrayLike, trials: ArrayLike, quantile: ArrayLike) -> Bounds:
    """Wilson's interval at a standard normal quantile > 0, which may differ between entries; else as `wilson`."""
    x, n, z = np.asarray(successes, float), np.asarray(trials, float), np.asarray(quantile, float)
    centre = x + z * z / 2
    half = z * np.sqrt(np.maximum(x * (n - x) / n, 0) + z * z / 4)
    return np.clip((centre - half) / (n + z * z), 0, 1), np.clip((centre + half) / (n + z * z), 0, 1)


def clopper_pearson(successes: ArrayLike, trials: ArrayLike, level: float = 0.95) -> Bounds:
    """The exact interval of a proportion (Clopper & Pearson 1934, Biometrika 26:404) by beta quantiles.

    Never covers less than `level`. Fractions (effective sizes) are interpolated by the beta distribution. Arguments as
    in `wilson`.
    """
    from scipy.special import betaincinv

    x, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(trials, float))
    tail = (1 - level) / 2
    some, others = x > 0, x < n
    low, high = np.zeros(x.shape), np.ones(x.shape)
    low[some] = betaincinv(x[some], n[some] - x[some] + 1, tail)
    high[others] = betaincinv(x[others] + 1, n[others] - x[others], 1 - tail)
    return low, high


def proportion_interval(successes: ArrayLike, trials: ArrayLike, level: float = 0.95) -> Bounds:
    """Wilson's interval, and the exact one where few successes or few failures make Wilson's cover too little.

    "Few" is 8 at levels from 0.95, 20 from 0.9, and any number below. By exact enumeration of the binomial over
    every n from 5, with this rule no proportion is covered less than `level` - 0.03.

    Args:
        successes: Number, or effective number, of successes. Shape (...).
        trials: Rows, or effective rows, in the denominator; NaN bounds where 0.
        level: Confidence level in (0, 1).
    """
    shape = np.broadcast(successes, trials).shape
    n = np.broadcast_to(np.asarray(trials, float), shape)
    x = np.clip(np.broadcast_to(np.asarray(successes, float), shape), 0, n)
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    few = 8 if level >= 0.95 else 20 if level >= 0.9 else np.inf
    exact = (n > 0) & (np.minimum(x, n - x) <= few)
    score = (n > 0) & ~exact
    low[exact], high[exact] = clopper_pearson(x[exact], n[exact], level)
    low[score], high[score] = wilson(x[score], n[score], level)
    return low, high


def t_interval(mean: ArrayLike, standard_error: ArrayLike, degrees: ArrayLike, level: float = 0.95) -> Bounds:
    """Student's interval of a mean, all of shape (...); NaN where `degrees` of freedom are <= 0."""
    from scipy.special import stdtrit

    centre, df = np.asarray(mean, float), np.asarray(degrees, float)
    usable = np.where(df > 0, df, np.nan)
    half = stdtrit(usable, (1 + level) / 2) * np.asarray(standard_error, float)
    return centre - half, centre + half


def difference_interval(
    value: ArrayLike, bounds: Bounds, other: ArrayLike, other_bounds: Bounds
) -> tuple[Floats, Floats]:
    """Interval of `value - other` from the two single intervals, both at the wanted level.

    With proportion intervals this is Newcombe's hybrid score interval (1998, Statist. Med. 17:873, method 10);
    for any other pair of independent estimates, Zou & Donner's MOVER (2008, Statist. Med. 27:1693). Shapes (...).
    """
    a, b = np.asarray(value, float), np.asarray(other, float)
    (low_a, high_a), (low_b, high_b) = bounds, other_bounds
    return a - b - np.hypot(a - low_a, high_b - b), a - b + np.hypot(high_a - a, b - low_b)


def ratio_interval(value: ArrayLike, bounds: Bounds, other: ArrayLike, other_bounds: Bounds) -> Bounds:
    """Interval of `value / other` of two independent estimates from their single intervals, valid at zero cells.

    Donner & Zou's MOVER-R (2012, Stat. Methods Med. Res. 21:347). The log method has no answer when the numerator is
    0; this one gives [0, high]. All values and bounds must be >= 0; NaN where `other` is 0 or a bound is negative.
    The upper bound is infinite where `value` has none or `other` may be 0.
    """
    a, b = np.broadcast_arrays(np.asarray(value, float), np.asarray(other, float))
    (low_a, high_a), (low_b, high_b) = bounds, other_bounds
    usable = (b > 0) & (np.minimum(np.minimum(a, low_a), low_b) >= 0)
    product = a * b
    with np.errstate(divide="ignore", invalid="ignore"):
        under = np.maximum(product**2 - low_a * high_b * (2 * a - low_a) * (2 * b - high_b), 0)
        over = np.maximum(product**2 - high_a * low_b * (2 * a - high_a) * (2 * b - low_b), 0)
        # (p - sqrt(under)) / (high_b (2b - high_b)), written so that it does not cancel when 2b = high_b.
        low = low_a * (2 * a - low_a) / (product + np.sqrt(under))
        high = (product + np.sqrt(over)) / (low_b * (2 * b - low_b))
    low = np.where((low_a <= 0) | np.isinf(high_b), 0.0, low)
    high = np.where((low_b <= 0) | np.isinf(high_a), np.inf, high)
    return np.where(usable, low, np.nan), np.where(usable, high, np.nan)


def simultaneous(level: float, groups: int, *, by_pair: bool = True) -> float:
    """Level of every single interval so that those of all pairs, or of all of many groups, hold at once: Bonferroni."""
    pairs = max(1, groups * (groups - 1) // 2)
    return 1 - (1 - level) / (pairs if by_pair and groups <= PAIRWISE_UP_TO else groups)


def max_min_difference(
    value: Floats, limits: Limits, level: float = 0.95, *, by_pair: bool = True
) -> tuple[float, float]:
    """Interval of the largest less the smallest of K >= 2 independent values, valid when all are equal.

    Every pair's interval holds at once (Bonferroni over the pairs), so the largest lower bound and the largest upper
    bound of a pair's absolute difference cover the true gap whichever groups are the true extremes. Above 64 groups
    every group's interval holds at once instead.

    Args:
        value: Estimates, (K,).
        limits: Their bounds, each (K,), at any level.
        level: Confidence level of the gap in (0, 1).
        by_pair: False bounds group by group also where there are few, as biased estimates need.

    Returns:
        Bounds from 0 on; NaN where a group has no interval, infinite where one has no upper bound.
    """
    low, high = limits(simultaneous(level, len(value), by_pair=by_pair))
    if not by_pair or len(value) > PAIRWISE_UP_TO:
        return float(np.maximum(np.max(low) - np.min(high), 0)), float(np.max(high) - np.min(low))
    first, second = np.triu_indices(len(value), 1)
    below, above = difference_interval(
        value[first], (low[first], high[first]), value[second], (low[second], high[second])
    )
    return float(np.maximum(np.max(np.maximum(below, -above)), 0)), float(np.max(np.maximum(above, -below)))


def max_min_ratio(value: Floats, limits: Limits, level: float = 0.95, *, by_pair: bool = True) -> tuple[float, float]:
    """Interval in [0, 1] of the smallest over the largest of K >= 2 independent values that are not all 0.

    The same construction and arguments as `max_min_difference`, on the ratios of every pair; NaN where a bound is
    negative.
    """
    low, high = limits(simultaneous(level, len(value), by_pair=by_pair))
    if not by_pair or len(value) > PAIRWISE_UP_TO:
        with np.errstate(divide="ignore", invalid="ignore"):
            least, most = np.maximum(np.min(low), 0) / np.max(high), np.min(high) / np.max(low)
        return float(least), float(np.minimum(most, 1)) if np.max(low) > 0 else 1.0
    first, second = np.triu_indices(len(value), 1)
    swap = value[first] > value[second]
    lesser, greater = np.where(swap, second, first), np.where(swap, first, second)
    below, above = ratio_interval(
        value[lesser], (low[lesser], high[lesser]), value[greater], (low[greater], high[greater])
    )
    # A pair that may be tied either way is bounded from both sides; two zeros say nothing about their ratio.
    with np.errstate(divide="ignore"):
        below = np.where(above > 1, np.minimum(below, 1 / above), below)
    both_zero = value[greater] <= 0
    below, above = np.where(both_zero, 0.0, below), np.where(both_zero, 1.0, np.minimum(above, 1.0))
    return float(np.min(below)), float(np.min(above))
