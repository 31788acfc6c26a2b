"""Gaps between groups at equal values of something else: rates standardised over the strata of a declared column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.class_table import against_rest
from rai_assets.metrics.counts import Cells, confusion_cells
from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.formulas import CONDITIONAL
from rai_assets.metrics.gaps import Comparison
from rai_assets.metrics.intervals import Bounds, Floats, Limits, proportion_interval, t_interval
from rai_assets.metrics.means import Groups, Moments
from rai_assets.metrics.number import Number
from rai_assets.metrics.rates import RATES, rate_values, readable
from rai_assets.metrics.rows import Grouping, Rows


@dataclass(frozen=True)
class _Strata:
    """One metric in every group and stratum; arrays of shape (G, S).

    Attributes:
        metric: Name of the metric.
        value: NaN where undefined.
        effective: Effective rows in the denominator.
        rows: Unweighted rows in the denominator.
        variance: Variance of one row's value; None for a proportion.
        kind: What the rows of the denominator are, for people: `with a negative target`; empty for any rows.
    """

    metric: str
    value: Floats
    effective: Floats
    rows: NDArray[np.int64]
    variance: Floats | None
    kind: str


def measure_conditional(
    rows: Rows,
    grouping: Grouping,
    strata: Grouping,
    *,
    level: float = 0.95,
    minimum_size: int = 5,
) -> list[Number]:
    """`R_conditional_difference`: largest less smallest rate of the groups, each standardised over the same strata.

    The standardised rate of a group is sum over strata s of w_s * (its rate in s), w_s the share of s among all rows.
    Only strata in which every compared group has a value enter; how many rows that leaves out is said in the reason.

    Args:
        rows: The rows. Binary and several classes: every rate that is a proportion, and the mean score of a binary one;
            regression: mean prediction, target, error and absolute error.
        grouping: The groups that are compared.
        strata: The column, or columns, held equal.
        level: Confidence level of the intervals.
        minimum_size: Groups with fewer rows, in all or in the denominator, do not enter.
    """
    if rows.weight is not None and not rows.weight.all():
        weighing = rows.weight > 0
        rows, grouping, strata = rows.take(weighing), grouping.take(weighing), strata.take(weighing)
    shape = (len(grouping.groups), len(strata.groups))
    cell = grouping.codes.astype(np.int64) * shape[1] + strata.codes
    cells = Groups(shape[0] * shape[1], cell, rows.weight)
    sizes = np.bincount(cell, minlength=cells.n).reshape(shape)
    mass = sizes if rows.weight is None else np.bincount(cell, rows.weight, minlength=cells.n).reshape(shape)
    comparison = Comparison(grouping, sizes.sum(axis=1), level, minimum_size, rows.split)
    numbers = []
    for metric, places in _per_stratum(rows, cells, shape):
        placed = replace(comparison, coordinates={**places, "stratifier": strata.name})
        numbers.append(_gap(metric, mass.sum(axis=0), sizes.sum(axis=0), placed))
    return numbers


def _gap(metric: _Strata, mass: Floats, sizes: NDArray, comparison: Comparison) -> Number:
    """One conditional gap.

    Args:
        metric: The metric in every group and stratum.
        mass: Weight of every stratum, (S,).
        sizes: Rows of every stratum, (S,).
        comparison: How the groups are compared.
    """
    name = f"{metric.metric}_conditional_difference"
    compared = np.minimum(comparison.sizes, metric.rows.sum(axis=1)) >= comparison.minimum_size
    usable = ~np.isnan(metric.value[compared]).any(axis=0) & (mass > 0)
    if not usable.any():
        return comparison.undefined(name, "no stratum holds rows of every compared group")
    estimates = _standardised(metric, mass * usable / (mass * usable).sum(), usable)
    left_out = int(sizes[~usable].sum())
    if left_out:
        lacking = f"no row {metric.kind}".rstrip()
        which = f"{left_out} of {int(sizes.sum())} rows left out, in strata where a group has {lacking}"
        estimates = replace(estimates, note=which)
    return comparison.difference(estimates, name)


def _standardised(metric: _Strata, shares: Floats, usable: NDArray[np.bool_]) -> Estimates:
    """The metric of every group, averaged over the strata with given shares, (S,), that sum to 1."""
    value = np.where(usable, metric.value, 0.0) @ shares
    rows = metric.rows[:, usable].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        per_row = np.where(usable, shares**2 / metric.effective, 0.0)
    value = np.where(np.isnan(per_row).any(axis=1) | np.isinf(per_row).any(axis=1), np.nan, value)
    kind = f"{metric.kind} in a compared stratum".lstrip()
    bounding = _mean_limits if metric.variance is not None else _proportion_limits
    return Estimates(
        metric.metric,
        value,
        rows,
        bounding(metric, value, per_row, shares),
        undefined=f"no row {kind}",
        unbounded=np.full(len(value), "within every stratum all rows have the same value"),
        kind=kind,
    )


def _proportion_limits(metric: _Strata, value: Floats, per_row: Floats, shares: Floats) -> Limits:
    """A standardised proportion as a proportion of as many trials as give it the same variance.

    The variance, sum over strata of share^2 p (1 - p) / n, is taken at rates moved by half a row towards 1/2, so that a
    stratum without a case is not certain.
    """
    moved = (np.nan_to_num(metric.value) * metric.effective + 0.5) / (metric.effective + 1)
    centre = moved @ shares
    with np.errstate(divide="ignore", invalid="ignore"):
        trials = centre * (1 - centre) / (per_row * moved * (1 - moved)).sum(axis=1)
    trials = np.where(np.isfinite(trials), trials, 0.0)

    def limits(level: float) -> Bounds:
        return proportion_interval(np.nan_to_num(value) * trials, trials, level)

    return limits


def _mean_limits(metric: _Strata, value: Floats, per_row: Floats, shares: Floats) -> Limits:
    """Student's interval of a standardised mean, with the variance pooled over the strata of a group."""
    assert metric.variance is not None  # noqa: S101 - narrows the type
    degrees = np.where(shares > 0, np.maximum(metric.effective - 1, 0), 0.0)
    squares = (np.where(degrees > 0, metric.variance, 0.0) * degrees).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(squares / degrees.sum(axis=1) * per_row.sum(axis=1))
    # What rounding leaves of a spread is none.
    error = np.where(error > 1e-12 * np.abs(value), error, np.nan)
    return lambda level: t_interval(value, error, degrees.sum(axis=1), level)


def _per_stratum(rows: Rows, cells: Groups, shape: tuple[int, int]) -> list[tuple[_Strata, Mapping[str, str]]]:
    """Every metric that can be standardised, with the coordinates beside the group."""
    found: list[tuple[_Strata, Mapping[str, str]]] = []
    if rows.task == "binary" and (rows.target is not None or rows.decision is not None):
        table = confusion_cells(rows.target, rows.decision, cells.codes, cells.n, cells.weight)
        found += [(item, {}) for item in _rates(table, shape)]
    if rows.task == "multiclass":
        per_class = against_rest(rows.target, rows.decision, len(rows.classes), cells)
        for label, table in zip(rows.classes, per_class, strict=False):
            found += [(item, {"class": label}) for item in _rates(table, shape)]
    return found + [(item, {}) for item in _means(rows, cells, shape)]


def _rates(table: Cells, shape: tuple[int, int]) -> list[_Strata]:
    return [
        _Strata(
            name,
            rate_values(table, name)[0].reshape(shape),
            table.effective(RATES[name].denominator).reshape(shape),
            table.counts[:, list(RATES[name].denominator)].sum(axis=1).reshape(shape),
            None,
            RATES[name].kind,
        )
        for name in RATES
        if name in CONDITIONAL and readable(table, name)
    ]


def _means(rows: Rows, cells: Groups, shape: tuple[int, int]) -> list[_Strata]:
    values: dict[str, NDArray] = {}
    if rows.task == "binary" and rows.score is not None:
        values["mean_score"] = rows.score
    if rows.task == "regression":
        if rows.score is not None:
            values["mean_prediction"] = rows.score
        if rows.target is not None:
            values["mean_target"] = rows.target
        if rows.score is not None and rows.target is not None:
            error = rows.score - rows.target
            values.update(mean_error=error, mean_absolute_error=np.abs(error))
    found = []
    for name, value in values.items():
        moments = Moments.of(value, cells)
        mean, effective = moments.mean.reshape(shape), moments.effective.reshape(shape)
        spread = moments.variance.reshape(shape)
        found.append(_Strata(name, mean, effective, moments.rows.reshape(shape), spread, ""))
    return found
