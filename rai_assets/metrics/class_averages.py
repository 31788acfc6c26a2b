"""Averages over classes, read from the count table of several classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.class_statistics import NEVER_DECIDED, table_statistic
from rai_assets.metrics.class_table import ClassTable
from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.intervals import Bounds, effective_size, proportion_interval
from rai_assets.metrics.rates import ONE_TARGET, rate_estimates

AVERAGED = ("true_positive_rate", "precision", "f1")


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
        _statistic(table, "matthews_correlation"),
        *(_accuracy(table, f"micro_{name}") for name in AVERAGED),
        _accuracy(table, "weighted_true_positive_rate"),
        _independent_mean("macro_true_positive_rate", recalls, occurs, "a class is decided and is no row's target"),
        _independent_mean("macro_precision", precisions, occurs, NEVER_DECIDED),
        *(_statistic(table, name) for name in ("macro_f1", "weighted_precision", "weighted_f1")),
    ]


def _accuracy(table: ClassTable, name: str) -> Estimates:
    """Share of the rows whose decision is their class, under one of the names it has."""
    total = table.weights.sum(axis=(1, 2))
    hits = np.einsum("gcc->g", table.weights)
    value = np.divide(hits, total, out=np.full(len(total), np.nan), where=total > 0)
    trials = effective_size(total, table.squares.sum(axis=(1, 2)))

    def limits(level: float) -> Bounds:
        return proportion_interval(np.nan_to_num(value) * trials, trials, level)

    return Estimates(name, value, table.counts.sum(axis=(1, 2)), limits)


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


def _statistic(table: ClassTable, name: str) -> Estimates:
    return table_statistic(name, table.counts, table.weights, table.squares)
