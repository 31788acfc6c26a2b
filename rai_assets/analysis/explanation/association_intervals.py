"""Intervals of three measures of association, each shown by simulation to cover (tests of this module).

The two squared measures have two kinds of error: near 0 they are a noncentral chi-squared or F, far from it a mean of
influences that is nearly normal. Neither covers everywhere, so the interval is the hull of both.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]

_ROWS_PER_CELL = 5
_LARGE = 5_000.0  # scipy's inverse of the noncentral F ends at a noncentrality of 10,000


def table_interval(counts: NDArray[np.float64], level: float) -> Interval | None:
    """Interval of Cramér's V of the population that a table (r, c) without empty rows and columns was drawn from.

    The hull of the noncentral chi-squared interval (Smithson, Confidence Intervals, 2003) and the delta method (Bishop,
    Fienberg and Holland, Discrete Multivariate Analysis, 1975, 14.6). None below 5 rows per cell, where neither covers.
    """
    from scipy.special import chdtr, chndtr, chndtrinc

    n, (r, c) = float(counts.sum()), counts.shape
    if n < _ROWS_PER_CELL * r * c:
        return None
    shares = counts / n
    expected = shares.sum(axis=1, keepdims=True) * shares.sum(axis=0)
    ratio = shares / expected
    squared = float((shares * ratio).sum()) - 1.0
    degrees = (r - 1) * (c - 1)
    tail = (1.0 - level) / 2.0
    low = chndtrinc(n * squared, degrees, 1.0 - tail) if chndtr(n * squared, degrees, 1e-9) > 1.0 - tail else 0.0
    high = chndtrinc(n * squared, degrees, tail) if chdtr(degrees, n * squared) > tail else 0.0
    # How one more row in a cell changes the squared measure.
    over_rows = (shares * ratio).sum(axis=1, keepdims=True) / shares.sum(axis=1, keepdims=True)
    over_columns = (shares * ratio).sum(axis=0) / shares.sum(axis=0)
    influence = 2.0 * ratio - over_rows - over_columns
    variance = float((shares * influence**2).sum() - (shares * influence).sum() ** 2)
    centre = max(0.0, squared - degrees / (n - 1.0))
    reach = _reach(level) * math.sqrt(max(0.0, variance) / n)
    fewer = min(r, c) - 1
    return _root((min(low / n, centre - reach) / fewer, max(high / n, centre + reach) / fewer))


def ratio_interval(groups: NDArray[np.int64], values: NDArray[np.float64], level: float) -> Interval | None:
    """Interval of the correlation ratio of the population that groups 0..k-1, (n,), each with rows, were drawn from.

    The hull of the noncentral F interval (Steiger, Psychological Methods 9, 2004) and the delta method. None with fewer
    than 5 rows per group.
    """
    from scipy.special import fdtr, ncfdtr, ncfdtrinc

    n, sizes = len(values), np.bincount(groups)
    k = len(sizes)
    if n < _ROWS_PER_CELL * k:
        return None
    off_mean = (values - values.mean()) ** 2
    off_group = (values - (np.bincount(groups, values) / sizes)[groups]) ** 2
    total, within = float(off_mean.mean()), float(off_group.mean())
    if within <= 0.0:
        return 1.0, 1.0
    one, two, tail = k - 1, n - k, (1.0 - level) / 2.0
    f = (total / within - 1.0) * two / one
    beyond = one * f - one
    if beyond > _LARGE:
        spread = _reach(level) * math.sqrt(2.0 * (one + 2.0 * beyond) + 2.0 * beyond**2 / two)
        low, high = beyond - spread, beyond + spread
    else:
        low = ncfdtrinc(one, two, 1.0 - tail, f) if ncfdtr(one, two, 1e-9, f) > 1.0 - tail else 0.0
        high = ncfdtrinc(one, two, tail, f) if fdtr(one, two, f) > tail else 0.0
    influence = within * (off_mean - total) / total**2 - (off_group - within) / total
    centre = max(0.0, 1.0 - within / total * (n - 1.0) / two)
    reach = _reach(level) * math.sqrt(float((influence**2).mean()) / n)
    return _root((min(low / (low + n), centre - reach), max(high / (high + n), centre + reach)))


def rank_interval(a: NDArray[np.int64], b: NDArray[np.int64], level: float) -> Interval | None:
    """Interval of |Spearman's rho|, mid-ranks, of two columns given by the places of their distinct values, from 0.

    On Fisher's scale with the larger of two standard errors: that of the influences, ranks and ties included, and
    that of Bonett and Wright (Psychometrika 65, 2000). None below 5 rows.
    """
    n = len(a)
    if n < _ROWS_PER_CELL:
        return None
    u, v = mid_ranks(a) / n, mid_ranks(b) / n
    u, v = u - u.mean(), v - v.mean()
    product, left, right = float(u @ v) / n, float(u @ u) / n, float(v @ v) / n
    scale = math.sqrt(left * right)
    rho = min(max(product / scale, -1.0 + 1e-9), 1.0 - 1e-9)
    of_product = u * v + _mean_above(a, v) + _mean_above(b, u) - 3.0 * product
    of_left = u * u + 2.0 * _mean_above(a, u) - 3.0 * left
    of_right = v * v + 2.0 * _mean_above(b, v) - 3.0 * right
    influence = of_product / scale - rho / 2.0 * (of_left / left + of_right / right)
    error = math.sqrt(float(influence @ influence) / (n - 1) / n) / (1.0 - rho**2)
    reach = _reach(level) * max(error, math.sqrt((1.0 + rho**2 / 2.0) / (n - 3)))
    low, high = math.tanh(math.atanh(rho) - reach), math.tanh(math.atanh(rho) + reach)
    return (0.0 if low <= 0.0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


def mid_ranks(places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Ranks from 1 of rows given by the place of their value; ties share the mean of their ranks."""
    counts = np.bincount(places)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def _mean_above(places: NDArray[np.int64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """For every row the sum of `other` over the rows with a larger value, ties by half, divided by all rows."""
    sums = np.bincount(places, other)
    return ((sums.sum() - np.cumsum(sums) + sums / 2.0) / len(places))[places]


def _reach(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2.0)


def _root(squared: Interval) -> Interval:
    return math.sqrt(max(0.0, squared[0])), math.sqrt(min(1.0, max(0.0, squared[1])))
