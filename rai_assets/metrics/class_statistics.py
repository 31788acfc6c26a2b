"""Statistics of a whole count table of classes, Matthews' correlation among them, with delta-method intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.intervals import Bounds, Floats, clopper_pearson, effective_size, normal_quantile

NEVER_DECIDED = "a class of the target is never decided"
SMOOTHING = 2.0
"""Rows spread over all cells of a table before the delta method is used: a half per cell of two classes."""

# Of the weights on the diagonal, of the targets and of the decisions, each (G, k): the value, and up to a constant its
# derivative by each of them where all weights sum to 1.
_Statistic = Callable[[Floats, Floats, Floats], tuple[Floats, Floats, Floats, Floats]]


def _matthews(hit: Floats, target: Floats, decision: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Gorodkin's R_K (2004, Comput. Biol. Chem. 28:367): covariance over deviations of the class indicators."""
    size = target.sum(axis=1, keepdims=True)
    spread_t = size**2 - (target**2).sum(axis=1, keepdims=True)
    spread_d = size**2 - (decision**2).sum(axis=1, keepdims=True)
    scale = np.sqrt(spread_t) * np.sqrt(spread_d)
    value = (size * hit.sum(axis=1, keepdims=True) - (target * decision).sum(axis=1, keepdims=True)) / scale
    by_target = -decision / scale + value * target / spread_t
    by_decision = -target / scale + value * decision / spread_d
    return np.clip(value[:, 0], -1, 1), np.broadcast_to(1 / scale, hit.shape), by_target, by_decision


def _macro_f1(hit: Floats, target: Floats, decision: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    either = target + decision
    present = either > 0
    share = np.divide(1.0, either, out=np.zeros_like(either), where=present)
    count = np.maximum(present.sum(axis=1, keepdims=True), 1)
    by_margin = -2 * hit * share**2 / count
    return (2 * hit * share).sum(axis=1) / count[:, 0], 2 * share / count, by_margin, by_margin


def _weighted_f1(hit: Floats, target: Floats, decision: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    either = target + decision
    share = np.divide(1.0, either, out=np.zeros_like(either), where=either > 0)
    by_margin = -2 * target * hit * share**2
    f1 = 2 * hit * share
    return (target * f1).sum(axis=1) / target.sum(axis=1), 2 * target * share, by_margin + f1, by_margin


def _weighted_precision(hit: Floats, target: Floats, decision: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    share = np.divide(1.0, decision, out=np.zeros_like(decision), where=decision > 0)
    precision = hit * share
    never_decided = ((target > 0) & (decision <= 0)).any(axis=1)
    value = np.where(never_decided, np.nan, (target * precision).sum(axis=1) / target.sum(axis=1))
    return value, target * share, precision, -target * precision * share


STATISTICS: dict[str, tuple[_Statistic, str, float]] = {
    "matthews_correlation": (_matthews, "all rows have the same target or the same decision", -1.0),
    "macro_f1": (_macro_f1, "no row", 0.0),
    "weighted_f1": (_weighted_f1, "no row", 0.0),
    "weighted_precision": (_weighted_precision, NEVER_DECIDED, 0.0),
}
"""Formula, why it may be undefined, and the least value."""


def table_statistic(name: str, counts: NDArray[np.int64], weights: Floats, squares: Floats) -> Estimates:
    """A statistic of the tables of G groups with an interval that holds where cells are empty.

    The interval is the delta method's on a smoothed table and a logistic scale, so that it cannot leave the statistic's
    range. As one error may come from a far rarer kind, the upper bound reaches at least to the statistic of the table
    with its errors scaled to the exact lower bound of their share.

    Args:
        name: A name in `STATISTICS`.
        counts: Unweighted rows by target and decision, (G, k, k).
        weights: Sums of the weights, (G, k, k).
        squares: Sums of the squared weights, (G, k, k).
    """
    statistic, undefined, least = STATISTICS[name]
    total = weights.sum(axis=(1, 2))
    value = _statistic_of(statistic, weights)[0]
    effective = effective_size(total, squares.sum(axis=(1, 2)))
    scale = np.divide(effective, total, out=np.zeros(len(total)), where=total > 0)[:, None, None]
    tables = weights * scale
    smoothed, deviation = _statistic_of(statistic, tables + _spread_evenly(weights, SMOOTHING))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (smoothed - least) / (1 - least)
        centre, spread = np.log(share / (1 - share)), deviation / (1 - least) / (share * (1 - share))

    def limits(level: float) -> Bounds:
        half = normal_quantile(level) * spread
        with np.errstate(over="ignore"):
            low, high = (least + (1 - least) / (1 + np.exp(-end)) for end in (centre - half, centre + half))
        fewer = _statistic_of(statistic, _with_fewest_errors(tables, effective, level))[0]
        return low, np.fmax(high, fewer)

    per_class = counts.sum(axis=2)
    scarcest = np.where(per_class > 0, per_class, np.iinfo(np.int64).max).min(axis=1)
    one_class = np.full(len(value), "only one class occurs")
    return Estimates(
        name, value, counts.sum(axis=(1, 2)), limits, undefined=undefined, unbounded=one_class, support=scarcest
    )


def _spread_evenly(weights: Floats, rows: float) -> Floats:
    """So many rows over the cells of the classes that occur in a group; a class that does not stays empty."""
    occurs = (weights.sum(axis=2) + weights.sum(axis=1)) > 0
    cells = (occurs[:, :, None] & occurs[:, None, :]).astype(float)
    return rows * cells / np.maximum(cells.sum(axis=(1, 2), keepdims=True), 1)


def _with_fewest_errors(tables: Floats, effective: Floats, level: float) -> Floats:
    """The tables with their errors scaled to the exact lower bound of their share, every target keeping its rows."""
    hits = np.einsum("gcc->gc", tables)
    errors = tables.sum(axis=(1, 2)) - hits.sum(axis=1)
    least, _ = clopper_pearson(np.minimum(errors, effective), np.maximum(effective, 1e-9), level)
    # The bound of a fraction of an error can be too small to divide by; it is none.
    fewest = np.where(least > 1e-12, least * effective, 0.0)
    factor = np.divide(fewest, errors, out=np.zeros(len(errors)), where=errors > 0)[:, None]
    fewer = tables * factor[:, :, None]
    np.einsum("gcc->gc", fewer)[...] = hits + (tables.sum(axis=2) - hits) * (1 - factor)
    return fewer


def _statistic_of(statistic: _Statistic, table: Floats) -> tuple[Floats, Floats]:
    """Value and standard error of a statistic of tables (G, k, k)."""
    total = table.sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        # Whole counts keep the value exact where shares would round.
        value = statistic(np.einsum("gcc->gc", table), table.sum(axis=2), table.sum(axis=1))[0]
        share = table / total[:, None, None]
        _, by_hit, by_target, by_decision = statistic(np.einsum("gcc->gc", share), share.sum(axis=2), share.sum(axis=1))
        influence = by_target[:, :, None] + by_decision[:, None, :]
        np.einsum("gcc->gc", influence)[...] += by_hit
        centred = influence - (share * influence).sum(axis=(1, 2), keepdims=True)
        deviation = np.sqrt((share * centred**2).sum(axis=(1, 2)) / total)
    return np.where(np.isfinite(value), value, np.nan), deviation
