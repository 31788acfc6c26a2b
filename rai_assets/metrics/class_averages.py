"""Averages over classes, read from the count table of several classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.class_table import ClassTable
from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.intervals import Bounds, Floats, effective_size, normal_quantile, proportion_interval
from rai_assets.metrics.rates import MATTHEWS_SMOOTHING, rate_estimates

AVERAGED = ("true_positive_rate", "precision", "f1")
NEVER_DECIDED = "a class of the target is never decided"
ONE_TARGET = "all rows have the same target"


def table_estimates(table: ClassTable) -> list[Estimates]:
    """Accuracy, Matthews' correlation and the averages over the classes, in every group."""
    classes = range(table.counts.shape[1])
    recalls, precisions = (
        [rate_estimates(table.cells(of_class), name) for of_class in classes]
        for name in ("true_positive_rate", "precision")
    )
    of_target = table.counts.sum(axis=2) > 0
    occurs = of_target | (table.counts.sum(axis=1) > 0)
    several = np.where(of_target.sum(axis=1) > 1, 1.0, np.nan)
    balanced = _independent_mean("balanced_accuracy", recalls, of_target, ONE_TARGET)
    return [
        _accuracy(table, "accuracy"),
        replace(balanced, value=balanced.value * several),
        _smoothed(table, "matthews_correlation"),
        *(_accuracy(table, f"micro_{name}") for name in AVERAGED),
        _accuracy(table, "weighted_true_positive_rate"),
        _independent_mean("macro_true_positive_rate", recalls, occurs, "a class is decided and is no row's target"),
        _independent_mean("macro_precision", precisions, occurs, NEVER_DECIDED),
        *(_smoothed(table, name) for name in ("macro_f1", "weighted_precision", "weighted_f1")),
    ]


def _accuracy(table: ClassTable, name: str) -> Estimates:
    """Share of the rows whose decision is their class, under one of the names it has."""
    total = table.weights.sum(axis=(1, 2))
    hits = np.einsum("gcc->g", table.weights)
    value = np.divide(hits, total, out=np.full(len(total), np.nan), where=total > 0)
    trials = effective_size(total, table.squares.sum(axis=(1, 2)))

    def limits(level: float) -> Bounds:
        return proportion_interval(np.nan_to_num(value) * trials, trials, level)

    return Estimates(name, value, table.counts.sum(axis=(1, 2)), limits, undefined="no row")


def _independent_mean(name: str, parts: Sequence[Estimates], included: NDArray[np.bool_], undefined: str) -> Estimates:
    """Mean over classes of rates on disjoint rows, with MOVER's interval.

    Args:
        name: Name of the average.
        parts: One rate per class.
        included: Classes that enter, (G, k).
        undefined: Why the mean may be undefined.
    """
    values = np.where(included, np.stack([part.value for part in parts], axis=1), 0.0)
    n_included = np.maximum(included.sum(axis=1), 1)
    value = np.where(included.any(axis=1), values.sum(axis=1) / n_included, np.nan)

    def limits(level: float) -> Bounds:
        low, high = (np.stack(side, axis=1) for side in zip(*(part.bounds(level) for part in parts), strict=True))
        below = np.sqrt((np.where(included, values - low, 0.0) ** 2).sum(axis=1)) / n_included
        above = np.sqrt((np.where(included, high - values, 0.0) ** 2).sum(axis=1)) / n_included
        return value - below, value + above

    rows = np.stack([part.n for part in parts], axis=1)
    scarcest = np.where(included, rows, np.iinfo(np.int64).max).min(axis=1)
    return Estimates(name, value, rows.sum(axis=1), limits, undefined=undefined, support=scarcest)


# A statistic of tables of shares (G, k, k): its value, and its derivative by the diagonal, the rows and the columns.
_Statistic = Callable[[Floats, Floats, Floats], tuple[Floats, Floats, Floats, Floats]]


def _matthews(hit: Floats, target: Floats, decision: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Gorodkin's R_K (2004, Comput. Biol. Chem. 28:367): covariance over deviations of the class indicators."""
    spread_t = 1 - (target**2).sum(axis=1, keepdims=True)
    spread_d = 1 - (decision**2).sum(axis=1, keepdims=True)
    scale = np.sqrt(spread_t * spread_d)
    value = (hit.sum(axis=1, keepdims=True) - (target * decision).sum(axis=1, keepdims=True)) / scale
    by_target = -decision / scale + value * target / spread_t
    by_decision = -target / scale + value * decision / spread_d
    return value[:, 0], np.broadcast_to(1 / scale, hit.shape), by_target, by_decision


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
    return (target * f1).sum(axis=1), 2 * target * share, by_margin + f1, by_margin


def _weighted_precision(hit: Floats, target: Floats, decision: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    share = np.divide(1.0, decision, out=np.zeros_like(decision), where=decision > 0)
    precision = hit * share
    never_decided = ((target > 0) & (decision <= 0)).any(axis=1)
    value = np.where(never_decided, np.nan, (target * precision).sum(axis=1))
    return value, target * share, precision, -target * precision * share


_STATISTICS: dict[str, tuple[_Statistic, str]] = {
    "matthews_correlation": (_matthews, "all rows have the same target or the same decision"),
    "macro_f1": (_macro_f1, "no row"),
    "weighted_f1": (_weighted_f1, "no row"),
    "weighted_precision": (_weighted_precision, NEVER_DECIDED),
}


def _smoothed(table: ClassTable, name: str) -> Estimates:
    """A statistic of the whole table, with the delta-method interval on a scale without ends.

    As for Matthews' correlation of two classes, the hull of the intervals on two smoothed tables; the classes that do
    not occur in a group stay empty.
    """
    statistic, undefined = _STATISTICS[name]
    total = table.weights.sum(axis=(1, 2))
    value = _statistic_of(statistic, table.weights)[0]
    margins = table.weights.sum(axis=2), table.weights.sum(axis=1)
    occurs = (margins[0] + margins[1]) > 0
    cells = (occurs[:, :, None] & occurs[:, None, :]).astype(float)
    effective = effective_size(total, table.squares.sum(axis=(1, 2)))
    scale = np.divide(effective, total, out=np.zeros(len(total)), where=total > 0)[:, None, None]
    # Correlations run over (-1, 1), shares over (0, 1).
    start, width = (-1.0, 2.0) if name == "matthews_correlation" else (0.0, 1.0)
    parts = []
    for smoothing in MATTHEWS_SMOOTHING:
        extra = cells * 4 * smoothing / np.maximum(cells.sum(axis=(1, 2), keepdims=True), 1)
        smooth = table.weights * scale + extra
        centre, deviation = _statistic_of(statistic, smooth)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (centre - start) / width
            parts.append((np.log(share / (1 - share)), deviation / width / (share * (1 - share))))

    def limits(level: float) -> Bounds:
        z = normal_quantile(level)
        low = np.min([centre - z * deviation for centre, deviation in parts], axis=0)
        high = np.max([centre + z * deviation for centre, deviation in parts], axis=0)
        return start + width / (1 + np.exp(-low)), start + width / (1 + np.exp(-high))

    per_class = table.counts.sum(axis=2)
    scarcest = np.where(per_class > 0, per_class, np.iinfo(np.int64).max).min(axis=1)
    return Estimates(name, value, table.counts.sum(axis=(1, 2)), limits, undefined=undefined, support=scarcest)


def _statistic_of(statistic: _Statistic, table: Floats) -> tuple[Floats, Floats]:
    """Value and standard error of a statistic of tables (G, k, k)."""
    total = table.sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = table / total[:, None, None]
        value, by_hit, by_target, by_decision = statistic(
            np.einsum("gcc->gc", share), share.sum(axis=2), share.sum(axis=1)
        )
        influence = by_target[:, :, None] + by_decision[:, None, :]
        np.einsum("gcc->gc", influence)[...] += by_hit
        centred = influence - (share * influence).sum(axis=(1, 2), keepdims=True)
        deviation = np.sqrt((share * centred**2).sum(axis=(1, 2)) / total)
    return np.where(total > 0, value, np.nan), deviation
