"""The statistics of drift on tables of counts, of one pair of samples or of many redrawn ones at once.

`reference` and `current` have shape (..., k): rows of every value, in the order of the values. Shares are within one
side; every statistic is 0 for equal shares. Each side has at least one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Values = NDArray[np.float64]
Statistic = Callable[[Counts, Counts], Values]
Cutting = Callable[[Counts, Counts], tuple[Counts, Counts]]

PSI_FLOOR = 1e-4  # shares below it count as it
PSI_BINS = 10
_FEW_VALUES, _FEW_SHARE = 50, 0.1  # numbers with so few values in the reference are compared value by value


def as_they_are(reference: Counts, current: Counts) -> tuple[Counts, Counts]:
    """Every value is a cell."""
    return reference, current


@dataclass(frozen=True)
class Measure:
    """A statistic and the cells that it looks at, which may depend on the reference.

    Attributes:
        of: The statistic of the counts of both sides in the cells.
        cells: From the counts of values to those of cells.
    """

    of: Statistic
    cells: Cutting = as_they_are

    def __call__(self, reference: Counts, current: Counts) -> Values:
        """The statistic of the counts of values."""
        return self.of(*self.cells(reference, current))


def shares(counts: Counts) -> Values:
    """Share of every value."""
    return counts / counts.sum(-1, keepdims=True)


def ks(reference: Counts, current: Counts) -> Values:
    """Largest difference of the two distribution functions."""
    return np.abs(np.cumsum(shares(current) - shares(reference), -1)).max(-1)


def wasserstein(reference: Counts, current: Counts, values: Values) -> Values:
    """Integral of |F - G|, in the unit of the values."""
    apart = np.abs(np.cumsum(shares(current) - shares(reference), -1))[..., :-1]
    with np.errstate(invalid="ignore"):
        return apart @ np.diff(values)


def psi(reference: Counts, current: Counts) -> Values:
    """Population stability index: sum of (q - p) ln(q / p), shares below `PSI_FLOOR` counted as it."""
    p, q = (np.maximum(shares(side), PSI_FLOOR) for side in (reference, current))
    return ((q - p) * np.log(q / p)).sum(-1)


def jensen_shannon(reference: Counts, current: Counts) -> Values:
    """Jensen-Shannon distance, the root of the divergence in bits, in [0, 1]."""
    p, q = shares(reference), shares(current)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(p > 0, p * np.log2(p / middle), 0) + np.where(q > 0, q * np.log2(q / middle), 0)
    return np.sqrt(np.maximum(parts.sum(-1) / 2, 0))


def hellinger(reference: Counts, current: Counts) -> Values:
    """Hellinger distance, in [0, 1]."""
    return np.sqrt(np.square(np.sqrt(shares(current)) - np.sqrt(shares(reference))).sum(-1) / 2)


def l_infinity(reference: Counts, current: Counts) -> Values:
    """Largest difference of a share."""
    return np.abs(shares(current) - shares(reference)).max(-1)


def unseen(reference: Counts, current: Counts) -> Values:
    """Share of the current rows whose value the reference does not have."""
    return (current * (reference == 0)).sum(-1) / current.sum(-1)


def chi_squared(reference: Counts, current: Counts) -> Values:
    """Pearson's statistic of the 2 x k table, with Yates' correction where only two values occur."""
    pooled = reference + current
    total = pooled.sum(-1, keepdims=True)
    corrected = ((pooled > 0).sum(-1) == 2)[..., None]
    found = np.zeros(pooled.shape[:-1])
    for side in (reference, current):
        expected = pooled * (side.sum(-1, keepdims=True) / total)
        apart = np.abs(side - expected)
        apart = apart - np.where(corrected, np.minimum(apart, 0.5), 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = found + np.where(pooled > 0, apart * apart / expected, 0).sum(-1)
    return found


def least_expected(reference: Counts, current: Counts) -> float:
    """The smallest expected count of the 2 x k table."""
    pooled = reference + current
    smaller = min(reference.sum(), current.sum())
    return float(pooled[pooled > 0].min() * smaller / pooled.sum()) if pooled.any() else 0.0


def quantile_bins(reference: Counts, current: Counts) -> tuple[Counts, Counts]:
    """Both sides in the bins between the deciles of the reference; each bin has its upper bound.

    A decile is the smallest value that the share of the reference does not exceed. Equal deciles make empty bins.
    """
    reached, other = np.cumsum(reference, -1), np.cumsum(current, -1)
    n = reached[..., -1:]
    last = reference.shape[-1] - 1
    cuts = []
    for decile in range(1, PSI_BINS):
        at = (reached < n * (decile / PSI_BINS) * (1 - 1e-12)).sum(-1, keepdims=True)
        cuts.append(np.minimum(at, last))
    at = np.concatenate([*cuts, np.full_like(cuts[0], last)], -1)
    return tuple(  # type: ignore[return-value]
        np.diff(np.take_along_axis(side, at, -1), prepend=0, axis=-1) for side in (reached, other)
    )


def value_by_value(reference: Counts) -> bool:
    """Whether a number has so few values in the reference that each is a cell of its own (NannyML's rule)."""
    distinct, n = int((reference > 0).sum()), int(reference.sum())
    return distinct <= _FEW_VALUES and distinct <= _FEW_SHARE * n


def doane_bins(reference: Counts, current: Counts, values: Values) -> tuple[Counts, Counts]:
    """Both sides in bins of one width over the range of the reference, and a last one of what lies outside.

    Their number is Doane's (1976), as in numpy. A bin has its lower bound, the last one both.

    Args:
        reference: Counts, shape (..., k).
        current: Counts, shape (..., k).
        values: The values, shape (k,).
    """
    lead, k = reference.shape[:-1], len(values)
    one, other = (np.broadcast_to(side, reference.shape).reshape(-1, k) for side in (reference, current))
    low, high, bins = doane_range(one, values)
    reached = [np.concatenate([np.zeros((len(one), 1), np.int64), np.cumsum(side, -1)], -1) for side in (one, other)]
    found = np.zeros((2, len(one), int(bins.max()) + 1), np.int64)
    for count in np.unique(bins):
        rows = np.flatnonzero(bins == count)
        edges = np.linspace(low[rows], high[rows], count + 1, axis=1)
        # Left-closed bins, the last one closed on both sides.
        at = np.searchsorted(values, edges, side="left")
        at[:, -1] = np.searchsorted(values, edges[:, -1], side="right")
        for side, upto in zip(found, reached, strict=True):
            inside = np.diff(np.take_along_axis(upto[rows], at, -1), axis=-1)
            side[rows, :count] = inside
            side[rows, -1] = upto[rows, -1] - inside.sum(-1)
    return found[0].reshape(*lead, -1), found[1].reshape(*lead, -1)


def doane_range(reference: Counts, values: Values) -> tuple[Values, Values, Counts]:
    """Where Doane's bins of the finite values begin and end and how many they are, shape (b,) each.

    Args:
        reference: Counts of every reference, shape (b, k).
        values: The values, shape (k,).
    """
    finite = np.isfinite(values)
    x, w = values[finite], reference[:, finite]
    if not len(x):
        return np.zeros(len(reference)), np.ones(len(reference)), np.ones(len(reference), np.int64)
    n = np.maximum(w.sum(1), 1)
    low, high = x[np.argmax(w > 0, 1)], x[len(x) - 1 - np.argmax(w[:, ::-1] > 0, 1)]
    # About the mean of all, the powers of one row lose no digits.
    apart = x - (w.sum(0) @ x) / max(w.sum(), 1)
    first, second, third = (w.astype(np.float64) @ np.stack([apart, apart**2, apart**3], 1) / n[:, None]).T
    variance = np.maximum(second - first**2, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = np.abs(third - 3 * first * second + 2 * first**3) / variance**1.5
        error = np.sqrt(6.0 * (n - 2) / ((n + 1.0) * (n + 3)))
        width = (high - low) / (1.0 + np.log2(n) + np.log2(1.0 + skewness / error))
        bins = np.where((n > 2) & (variance > 0), np.ceil((high - low) / width), 1)
    flat = 0.5 * (low == high)
    return low - flat, high + flat, bins.astype(np.int64)
