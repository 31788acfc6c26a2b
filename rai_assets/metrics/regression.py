"""Errors of a predicted number: every metric of every group."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.intervals import Bounds, Floats, t_interval
from rai_assets.metrics.means import NO_SPREAD, SIZE_REACH, Groups, Moments, mean_estimates, skewed_interval, unbounded
from rai_assets.metrics.rates import ONE_TARGET

SQUARE_REACH = 3.0
"""How many times the largest square that was seen one that was not may be; found by simulation."""


def regression_estimates(target: NDArray | None, prediction: NDArray | None, groups: Groups) -> list[Estimates]:
    """Every metric that can be read from targets and predictions, in every group.

    Args:
        target: True values, (rows,), or None.
        prediction: Predicted values, (rows,), or None. At least one of the two is given.
        groups: The groups of the rows.
    """
    found = []
    if prediction is not None:
        found.append(mean_estimates("mean_prediction", Moments.of(prediction, groups)))
    if target is not None:
        found.append(mean_estimates("mean_target", Moments.of(target, groups)))
    if prediction is None or target is None:
        return found
    error = np.asarray(prediction, float) - np.asarray(target, float)
    size = np.abs(error)
    return [
        *found,
        mean_estimates("mean_error", Moments.of(error, groups)),
        mean_estimates("mean_absolute_error", Moments.of(size, groups), positive=True, reach=SIZE_REACH),
        _root_mean_squared_error(error, groups),
        _median_absolute_error(size, groups),
        _r2(np.asarray(target, float), error, groups),
    ]


def _root_mean_squared_error(error: Floats, groups: Groups) -> Estimates:
    """Root of the mean squared error, and of the bounds of that mean.

    The squares of skewed errors have rare values so large that 30 rows hardly show their spread: without an allowance
    for them the interval of exponential errors covers 73 % at 10 rows.
    """
    moments = Moments.of(error * error, groups)

    def limits(level: float) -> Bounds:
        low, high = skewed_interval(moments, level, positive=True, reach=SQUARE_REACH)
        return np.sqrt(low), np.sqrt(high)

    return Estimates(
        "root_mean_squared_error",
        np.sqrt(moments.mean),
        moments.rows,
        limits,
        unbounded=unbounded(moments.effective, NO_SPREAD),
    )


def _r2(target: Floats, error: Floats, groups: Groups) -> Estimates:
    """Share of the target's variance that is predicted.

    The interval is Student's on log(1 - r2), with the jackknife's standard error; it reaches as far as the same
    interval without the logarithm where that is farther, which skewed errors need.
    """
    weight = groups.weight if groups.weight is not None else np.ones(len(target))
    moments = Moments.of(target, groups)
    weight_sum = groups.total(weight)
    residual = groups.total(weight * error**2)
    deviation = (target - groups.spread(moments.mean)) ** 2
    total = groups.total(weight * deviation)
    with np.errstate(divide="ignore", invalid="ignore"):
        unexplained = np.where(moments.usable, residual / total, np.nan)
        # Without one row: its error leaves the residual, and its distance, seen from the others' mean, the total.
        others = groups.spread(weight_sum)
        left_residual = groups.spread(residual) - weight * error**2
        left_total = groups.spread(total) - weight * deviation * others / (others - weight)
        # What is left of either by rounding alone is nothing.
        left_residual = np.where(left_residual > 1e-12 * groups.spread(residual), left_residual, 0.0)
        left_total = np.where(left_total > 1e-12 * groups.spread(total), left_total, 0.0)
        without = np.log(left_residual) - np.log(left_total)
        n = moments.effective
        centre = groups.total(without) / moments.rows
        standard_error = np.sqrt(groups.total((without - groups.spread(centre)) ** 2) * (n - 1) / n)

    def limits(level: float) -> Bounds:
        with np.errstate(over="ignore", invalid="ignore"):
            _, half = t_interval(0.0, standard_error, n - 1, level)
            low = 1 - unexplained * np.maximum(np.exp(half), 1 + half)
            high = 1 - unexplained * np.minimum(np.exp(-half), np.maximum(1 - half, 0))
        return low, high

    causes = np.where(residual > 0, unbounded(n, "one row alone decides it"), "every prediction is exact")
    return Estimates("r2", 1.0 - unexplained, moments.rows, limits, undefined=ONE_TARGET, unbounded=causes)


def _median_absolute_error(size: Floats, groups: Groups) -> Estimates:
    """Weighted median of the absolute error with the interval of the sign test: order statistics."""
    parts = _sorted_groups(size, groups)
    effective = Moments.of(size, groups).effective

    def limits(level: float) -> Bounds:
        ranks = _sign_test_rank(effective, level)
        shares = ranks / np.maximum(np.floor(effective + 1e-9), 1)
        low, high = zip(
            *(_order_statistics(*part, share) for part, share in zip(parts, shares, strict=True)), strict=True
        )
        return np.array(low), np.array(high)

    value = np.array([_median(*part) for part in parts], np.float64)
    too_few = np.full(len(value), "the rows are too few for an upper bound at this level")
    return Estimates("median_absolute_error", value, groups.rows(size), limits, unbounded=too_few)


def _sorted_groups(values: Floats, groups: Groups) -> list[tuple[Floats, Floats]]:
    """Every group's values in ascending order, with the weight up to and including each."""
    order = np.argsort(values)
    if groups.codes is not None:
        order = order[np.argsort(groups.codes[order], kind="stable")]
    ordered = values[order]
    weight = np.ones(len(values)) if groups.weight is None else groups.weight[order]
    ends = np.cumsum(groups.rows(values))
    slices = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return [(ordered[rows], np.cumsum(weight[rows])) for rows in slices]


def _median(values: Floats, running: Floats) -> float:
    """The middle value; the mean of the two next to the middle where half of the weight lies exactly between them."""
    if not len(values) or running[-1] <= 0:
        return math.nan
    half = running[-1] / 2
    at = int(np.searchsorted(running, half))
    if running[at] - half > np.finfo(float).eps:
        return float(values[at])
    following = int(np.searchsorted(running, running[at], side="right"))
    return float(values[at] + values[min(following, len(values) - 1)]) / 2


def _order_statistics(values: Floats, running: Floats, share: float) -> tuple[float, float]:
    """The values with a share of the weight at or beyond them, from below and from above; 0 and no end for none."""
    if not len(values) or running[-1] <= 0:
        return math.nan, math.nan
    if not share > 0:
        return 0.0, math.inf
    total, slack = running[-1], 1e-12 * running[-1]
    low = int(np.searchsorted(running, share * total - slack))
    high = int(np.searchsorted(running, (1 - share) * total + slack, side="right"))
    return float(values[low]), float(values[min(high, len(values) - 1)])


def _sign_test_rank(effective: Floats, level: float) -> Floats:
    """Largest rank r with P(Binomial(n, 1/2) < r) <= (1 - level) / 2: x(r) and x(n + 1 - r) bound the median."""
    from scipy.special import betainc, ndtri

    n = np.floor(effective + 1e-9)
    tail = (1 - level) / 2
    rank = np.floor(n / 2 + ndtri(tail) * np.sqrt(n) / 2) + 2
    for _ in range(5):
        below = np.clip(rank - 1, 0, np.maximum(n - 1, 0))
        # P(Binomial(n, 1/2) <= k) as an incomplete beta integral.
        too_high = (rank > 0) & (betainc(np.maximum(n - below, 1), below + 1, 0.5) > tail)
        rank = np.where(too_high, rank - 1, rank)
    return np.maximum(rank, 0.0)
