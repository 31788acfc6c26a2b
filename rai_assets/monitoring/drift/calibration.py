"""P-values that hold their level: closed forms where they hold, else permutation of the pooled rows.

Both sides are redrawn: on a table of counts a permutation of all rows is a multivariate hypergeometric draw. Bins that
depend on the reference are cut anew in every draw, because they are part of the statistic.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rai_assets.monitoring.drift.columns import Sample, aligned
from rai_assets.monitoring.drift.statistics import Measure, chi_squared, least_expected

Name = TypeVar("Name")

DRAWS = 1999
EXCEEDANCES = 10
CELLS = 1000
TABLES = 10_000  # 2 x 2 tables of the same margins up to which all are looked at
_BATCH = 50
_ROWS_A_CELL, _SHUFFLED = 8, 1_000_000  # fewer rows than that a cell are sooner drawn one by one, from so many at most
_EXACT_KS = 10_000  # rows of a side up to which the exact distribution is used, as in scipy
_LEAST_EXPECTED = 5
_CERTAIN = 60.0  # beyond, the first term of the asymptotic series is all there is: p < 2e-26


@dataclass(frozen=True)
class PValue:
    """The probability of a value as large as the observed one if nothing has changed, and how it was found."""

    value: float
    null: str


def permuted(
    reference: NDArray[np.int64],
    current: NDArray[np.int64],
    statistics: Mapping[Name, Measure],
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> dict[Name, PValue]:
    """P-values of statistics of one table by permutation of its rows, which are drawn once for all of them.

    Args:
        reference: Counts of the reference, shape (k,).
        current: Counts of the current rows, shape (k,).
        statistics: By name; large values speak for drift.
        rng: Draws.
        draws: At most so many.
    """
    pooled, n = reference + current, int(current.sum())
    by_row = min(n, int(reference.sum())) < _ROWS_A_CELL * len(pooled) and pooled.sum() <= _SHUFFLED
    observed = {name: float(of(reference[None], current[None])[0]) for name, of in statistics.items()}

    def redraw(rows: int, waiting: Collection[Name]) -> Mapping[Name, NDArray[np.float64]]:
        drawn = rng.multivariate_hypergeometric(pooled, n, size=rows, method="count" if by_row else "marginals")
        cut = {cells: cells(pooled - drawn, drawn) for cells in {statistics[name].cells for name in waiting}}
        return {name: statistics[name].of(*cut[statistics[name].cells]) for name in waiting}

    return sequential(observed, redraw, draws)


def sequential(
    observed: Mapping[Name, float],
    redraw: Callable[[int, Collection[Name]], Mapping[Name, NDArray[np.float64]]],
    draws: int,
    at_once: int = _BATCH,
) -> dict[Name, PValue]:
    """P-values of statistics against redrawn ones, each stopped at its 10th exceedance.

    Besag and Clifford (1991), Biometrika 78: p = h / L where the h-th redrawn value as large as the observed one came
    with the L-th draw, else (exceedances + 1) / (draws + 1). P(p <= a) <= a for every a.

    Args:
        observed: The statistics; large values speak for drift.
        redraw: So many values of the statistics that are not done yet, under the null.
        draws: At most so many.
        at_once: So many are asked for together; 1 where a draw costs more than what is saved by drawing in bulk.
    """
    exceeded, found, done = dict.fromkeys(observed, 0), dict[Name, PValue](), 0
    while done < draws and len(found) < len(observed):
        batch = min(at_once, draws - done)
        for name, values in redraw(batch, [name for name in observed if name not in found]).items():
            reached = exceeded[name] + np.cumsum(values >= _least(observed[name]))
            stopped = np.flatnonzero(reached >= EXCEEDANCES)
            if len(stopped):
                length = done + int(stopped[0]) + 1
                found[name] = PValue(EXCEEDANCES / length, f"permutation, {length:,} draws")
            exceeded[name] = int(reached[-1])
        done += batch
    for name in observed.keys() - found.keys():
        found[name] = PValue((exceeded[name] + 1) / (done + 1), f"permutation, {done:,} draws")
    return found


def _least(observed: float) -> float:
    """What counts as large as the observed value, but for rounding."""
    return observed * (1 - 1e-9) - 1e-15


def ks_p(reference: Sample, current: Sample, distance: float) -> PValue:
    """P-value of the Kolmogorov-Smirnov distance of two samples: exact up to 10,000 rows a side, else asymptotic.

    With ties it is an upper bound.
    """
    from scipy import stats

    if max(reference.n, current.n) <= _EXACT_KS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # it says where it takes the asymptotic form
            sides = (np.repeat(side.values, side.counts) for side in (reference, current))
            return PValue(float(stats.ks_2samp(*sides).pvalue), "closed form")
    size = reference.n * current.n / (reference.n + current.n)
    if 2 * size * distance**2 > _CERTAIN:
        return PValue(2 * math.exp(-2 * size * distance**2), "closed form")
    return PValue(float(np.clip(stats.kstwo.sf(distance, round(size)), 0, 1)), "closed form")


def chi_squared_p(reference: NDArray[np.int64], current: NDArray[np.int64]) -> PValue:
    """The textbook's p-value of the 2 x k table."""
    from scipy.special import gammaincc

    degrees = int((reference + current > 0).sum()) - 1
    value = float(chi_squared(reference, current))
    return PValue(float(gammaincc(degrees / 2, value / 2)) if degrees > 0 else 1.0, "closed form")


def chi_squared_holds(reference: NDArray[np.int64], current: NDArray[np.int64]) -> bool:
    """Whether every expected count is large enough for the textbook's p-value."""
    return least_expected(reference, current) >= _LEAST_EXPECTED


def beyond_draws(found: PValue, reference: NDArray[np.int64], current: NDArray[np.int64], draws: int) -> PValue:
    """A p-value by permutation; where no draw came near, the textbook's of the common values if that is smaller.

    A p-value of draws is never below 1 / (draws + 1), too much to stand among many batches. P(p <= a) <= a holds on:
    below that bound by the textbook's test, whose expected counts are large enough once rare values are taken together.

    Args:
        found: By permutation.
        reference: Counts of the reference, shape (k,).
        current: Counts of the current rows, shape (k,).
        draws: How many there were.
    """
    if found.value > (1 + 1e-9) / (draws + 1):
        return found
    closed = chi_squared_p(*_common(np.stack([reference, current]))).value
    return PValue(closed, f"{found.null}, none near; textbook of common values") if closed < found.value else found


def _common(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts, shape (2, k), with the rare values of the pooled rows taken together until all expected ones are 5."""
    pooled, sizes = counts.sum(0), counts.sum(1)
    rare = pooled * sizes.min() / sizes.sum() < _LEAST_EXPECTED
    order = np.argsort(pooled, kind="stable")
    while rare.any() and not rare.all() and pooled[rare].sum() * sizes.min() / sizes.sum() < _LEAST_EXPECTED:
        rare[order[~rare[order]][0]] = True
    if not rare.any():
        return counts
    return np.concatenate([counts[:, ~rare], counts[:, rare].sum(1, keepdims=True)], axis=1)


def two_cells_p(reference: NDArray[np.int64], current: NDArray[np.int64], of: Measure) -> PValue:
    """Exact permutation p-value of a 2 x 2 table: of all tables with its margins, those as far by the statistic."""
    from scipy.special import gammaln

    pooled, n_current = reference + current, int(current.sum())
    first = np.arange(max(0, n_current - int(pooled[1])), min(int(pooled[0]), n_current) + 1)
    tables = np.stack([first, n_current - first], axis=1)
    log = -(gammaln(tables + 1) + gammaln(pooled - tables + 1)).sum(1)
    weights = np.exp(log - log.max())
    observed = float(of(reference[None], current[None])[0])
    as_far = of(pooled - tables, tables) >= _least(observed)
    return PValue(float(weights[as_far].sum() / weights.sum()), "exact")


def table(reference: Sample, current: Sample) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Two numeric samples on at most about 1,000 values: those that occur, or the means between pooled quantiles.

    The cuts depend on the pooled rows only, so that a permutation leaves them where they are.
    """
    values, counts = aligned(reference, current)
    if len(values) <= CELLS:
        return values, counts
    pooled = counts.sum(0)
    reached = np.cumsum(pooled)
    cuts = np.unique(np.searchsorted(reached, np.arange(1, CELLS) / CELLS * reached[-1])) + 1
    starts = np.concatenate([[0], cuts[cuts < len(values)]])
    merged = np.add.reduceat(counts, starts, axis=1)
    with np.errstate(invalid="ignore"):
        means = np.add.reduceat(values * pooled, starts) / merged.sum(0)
    return means, merged


def few_cells(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of categories, shape (2, k), with the rarest of the pooled rows merged where there are over 1,000."""
    if counts.shape[1] <= CELLS:
        return counts
    order = np.argsort(-counts.sum(0), kind="stable")
    kept, rest = order[: CELLS - 1], order[CELLS - 1 :]
    return np.concatenate([counts[:, kept], counts[:, rest].sum(1, keepdims=True)], axis=1)


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values adjusted by Holm's method: each at most the level means a family-wise error of at most the level."""
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted


def draws_for(tests: int, level: float) -> int:
    """Draws that the smallest p-value of so many tests needs to be able to reach the level after Holm."""
    return max(DRAWS, math.ceil(tests / level))
