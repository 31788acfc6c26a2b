"""Means over the rows of every group, with intervals that allow for skewed and for bounded values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.estimates import FEWEST_EFFECTIVE, LOPSIDED, Causes, Estimates
from rai_assets.metrics.intervals import Bounds, Floats, effective_size

NO_SPREAD = "all rows have the same value"
SIZE_REACH = 2.0
"""How many times the largest size that was seen, of an error or an effect, one that was not may be; by simulation."""
LARGEST_EXPONENT = 300.0
"""Beyond it an upper bound on a logarithmic scale is kept finite."""


@dataclass(frozen=True)
class Groups:
    """The rows of one measurement, by group.

    Attributes:
        n: Number of groups G.
        codes: Group of every row, (rows,); None where there is one group.
        weight: Weights of the rows, (rows,); None for equal weights.
    """

    n: int = 1
    codes: NDArray | None = None
    weight: Floats | None = None

    def total(self, values: Floats) -> Floats:
        """Unweighted sum of a value per group, (G,)."""
        if self.codes is None:
            return np.array([values.sum()])
        return np.asarray(np.bincount(self.codes, values, minlength=self.n), float)

    def rows(self, like: NDArray) -> NDArray[np.int64]:
        """Rows per group, (G,); `like` is any array with one entry per row."""
        if self.codes is None:
            return np.array([len(like)])
        return np.bincount(self.codes, minlength=self.n).astype(np.int64)

    def extremes(self, values: Floats) -> tuple[Floats, Floats]:
        """The smallest and the largest value per group, each (G,)."""
        codes = np.zeros(len(values), np.int8) if self.codes is None else self.codes
        least, most = np.full(self.n, np.inf), np.full(self.n, -np.inf)
        np.minimum.at(least, codes, values)
        np.maximum.at(most, codes, values)
        return least, most

    def spread(self, per_group: Floats) -> Floats:
        """A value per group, (G,), repeated for its rows, (rows,)."""
        return per_group[0] if self.codes is None else per_group[self.codes]

    def sums(self, values: NDArray) -> Floats:
        """Weighted sum of a value per group, (G,)."""
        return self.total(values if self.weight is None else values * self.weight)


@dataclass(frozen=True)
class Moments:
    """Mean of one value per row and group, and what its interval needs; arrays of shape (G,).

    Attributes:
        rows: Unweighted rows.
        effective: Effective rows.
        mean: Weighted mean, NaN in a group without weight.
        variance: Variance of the value of one row.
        third: Third central moment of the value of one row.
        least: The smallest value of a row; infinite in a group without rows.
        most: The largest value of a row; minus infinity in a group without rows.
    """

    rows: NDArray[np.int64]
    effective: Floats
    mean: Floats
    variance: Floats
    third: Floats
    least: Floats
    most: Floats

    @classmethod
    def of(cls, values: NDArray, groups: Groups) -> Moments:
        """The moments of a value, (rows,), in every group."""
        values = np.asarray(values, float)
        rows = groups.rows(values)
        weight = groups.weight
        weight_sum = rows.astype(float) if weight is None else groups.total(weight)
        square_sum = weight_sum if weight is None else groups.total(weight * weight)
        n = effective_size(weight_sum, square_sum)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = groups.sums(values) / weight_sum
            rest = values - groups.spread(mean)
            rest = rest if weight is None else rest * weight
            power = rest * rest
            # Of the mean, sum w^2 r^2 / W^2 and sum w^3 r^3 / W^3; per row these times n and n^2, less their bias.
            variance = groups.total(power) / weight_sum**2 * n * n / (n - 1)
            third = groups.total(power * rest) / weight_sum**3 * n**4 / ((n - 1) * (n - 2))
        return cls(rows, n, mean, variance, third, *groups.extremes(values))

    def at_least(self, variance: Floats, third: Floats) -> Moments:
        """The moments with a spread and a skew towards high values that are not below those given, each (G,)."""
        return replace(self, variance=np.fmax(self.variance, variance), third=np.fmax(self.third, third))

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Groups with any spread, (G,): more than one effective row and values that differ beyond rounding."""
        with np.errstate(invalid="ignore"):
            return (self.effective > FEWEST_EFFECTIVE) & (self.variance > (1e-12 * self.mean) ** 2)


def skewed_interval(moments: Moments, level: float, *, positive: bool = False, reach: float = 1.0) -> Bounds:
    """Interval of a mean of values that may be skewed: the hull of Student's, of Hall's, and of what is not seen.

    Hall's (1992, J. R. Statist. Soc. B 54:221) corrects Student's t for the sample's skewness by a monotone cubic. A
    sample that misses rare large values shows too little of it. A share -ln((1 - level) / 2) / n of the population is
    missed by n rows with probability (1 - level) / 2; the bounds allow for such a share with values `reach` times as
    far out as the farthest row. For values that are not negative Student's on the logarithm of the mean is included
    too. NaN where all values are equal or there are fewer than two rows. What is covered from 5 rows on, and what is
    not, is simulated in `docs/statistics.md`.

    Args:
        moments: Of the values.
        level: Confidence level.
        positive: The values cannot be below 0, and neither can the bounds.
        reach: Distance from the mean, or from 0 where `positive`, of what is not seen: 1 is the farthest row's.
    """
    from scipy.special import stdtrit

    usable, n, mean = moments.usable, moments.effective, moments.mean
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quantile = stdtrit(np.where(usable, n - 1, 1.0), (1 + level) / 2) / np.sqrt(n)
        deviation = np.sqrt(moments.variance)
        half = quantile * deviation
        skew = np.where(n > 2, moments.third / deviation**3, 0.0)
        skew = np.where(np.abs(skew) < 1e-6, 1e-6, skew)

        def corrected(t: Floats) -> Floats:
            return (np.cbrt(1 + skew * (t - skew / (6 * n))) - 1) * 3 / skew

        low = np.minimum(mean - half, mean - deviation * corrected(quantile))
        high = np.maximum(mean + half, mean - deviation * corrected(-quantile))
        unseen = np.minimum(-np.log((1 - level) / 2) / n, 1.0)
        if not positive:
            low = np.minimum(low, mean - unseen * reach * (mean - moments.least))
            high = np.maximum(high, mean + unseen * reach * (moments.most - mean))
        if positive:
            low = np.maximum(low, 0.0)
            high = np.maximum(high, mean + unseen * (reach * moments.most - mean))
            high = np.maximum(high, mean * np.exp(np.minimum(half / mean, LARGEST_EXPONENT)))
    return np.where(usable, low, np.nan), np.where(usable, high, np.nan)


def bounded_interval(moments: Moments, level: float) -> Bounds:
    """Interval of a mean of values in [0, 1]: Wilson's, with the values' own dispersion in place of a proportion's.

    The variance of such a mean m is phi m (1 - m) / n with phi in [0, 1], which is 1 when every value is 0 or 1. phi is
    estimated with half a row spread over both ends of the scale, so that equal values do not give an empty interval,
    and the normal quantile is Student's.
    """
    from scipy.special import stdtrit

    n, m = moments.effective, moments.mean
    usable = n > FEWEST_EFFECTIVE
    with np.errstate(divide="ignore", invalid="ignore"):
        z = stdtrit(np.where(usable, n - 1, 1.0), (1 + level) / 2)
        largest = m * (1 - m)
        ends = (m**2 + (1 - m) ** 2) / 4
        phi = np.minimum((moments.variance * (n - 1) + ends) / ((n - 1) * largest + ends), 1.0)
        square = z * z * phi / n
        half = z * np.sqrt(np.maximum(largest * phi / n + square * phi / n / 4, 0))
        low, high = (m + square / 2 - half) / (1 + square), (m + square / 2 + half) / (1 + square)
    return np.where(usable, np.clip(low, 0, 1), np.nan), np.where(usable, np.clip(high, 0, 1), np.nan)


def mean_estimates(
    metric: str, moments: Moments, *, bounded: bool = False, positive: bool = False, reach: float = 1.0
) -> Estimates:
    """The mean of a value in every group.

    Args:
        metric: Name of the metric.
        moments: Of the value.
        bounded: The value lies in [0, 1].
        positive: The value cannot be below 0.
        reach: How far rows that were not seen may lie beyond those that were, see `skewed_interval`.
    """

    def limits(level: float) -> Bounds:
        if bounded:
            return bounded_interval(moments, level)
        return skewed_interval(moments, level, positive=positive, reach=reach)

    return Estimates(metric, moments.mean, moments.rows, limits, unbounded=unbounded(moments.effective, NO_SPREAD))


def unbounded(effective: Floats, otherwise: str) -> Causes:
    """Why groups with so many effective rows, (G,), have no interval."""
    return np.where(effective > FEWEST_EFFECTIVE, otherwise, LOPSIDED)
