"""The one call that the rooms use: rows and groups in, published numbers out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.class_table import against_rest
from rai_assets.metrics.counts import Cells, confusion_cells
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.estimates import SMALL, Estimates, missing_bounds, too_small
from rai_assets.metrics.gaps import Comparison, join
from rai_assets.metrics.means import Groups
from rai_assets.metrics.multiclass import multiclass_estimates
from rai_assets.metrics.named import named_gaps
from rai_assets.metrics.number import Number, measured
from rai_assets.metrics.rates import BINARY_METRICS, rate_estimates, readable
from rai_assets.metrics.regression import regression_estimates
from rai_assets.metrics.rows import Grouping, Rows
from rai_assets.metrics.scores import score_estimates

Places = Mapping[str, str]
CELL_COUNTS = ("true_negatives", "false_positives", "false_negatives", "true_positives")
"""Names of a count table's columns."""


@dataclass(frozen=True)
class Measurement:
    """What was measured in the groups of one grouping, before it is published.

    Attributes:
        grouping: The groups; None for all rows as one.
        sizes: Unweighted rows per group, (G,).
        weight_sum: Sum of the weights per group, (G,); None for equal weights.
        estimates: Every metric with its coordinates beside the group (the class).
        tables: Count tables with their coordinates: one of a binary target, one per class against the rest of several.
    """

    grouping: Grouping | None
    sizes: NDArray[np.int64]
    weight_sum: NDArray[np.float64] | None
    estimates: list[tuple[Estimates, Places]]
    tables: list[tuple[Cells, Places]]

    @property
    def groups(self) -> tuple[Places, ...]:
        """The label of every group; one without columns for all rows."""
        return ({},) if self.grouping is None else self.grouping.groups


def estimate(rows: Rows, grouping: Grouping | None = None) -> Measurement:
    """Measure every metric that the rows allow in every group, in one pass over the rows per kind of metric."""
    if rows.weight is not None and not rows.weight.all():
        weighing = rows.weight > 0
        rows, grouping = rows.take(weighing), None if grouping is None else grouping.take(weighing)
    codes = None if grouping is None else grouping.codes
    n_groups = 1 if grouping is None else len(grouping.groups)
    groups = Groups(n_groups, codes, rows.weight)
    estimates: list[tuple[Estimates, Places]] = []
    tables: list[tuple[Cells, Places]] = []
    if rows.task == "binary" and (rows.target is not None or rows.decision is not None):
        cells = confusion_cells(rows.target, rows.decision, codes, n_groups, rows.weight)
        tables = [(cells, {})]
        estimates += [(rate_estimates(cells, name), {}) for name in BINARY_METRICS if readable(cells, name)]
    if rows.task == "binary" and rows.score is not None:
        scored = score_estimates(rows.target, rows.score, groups, probability=rows.probability)
        estimates += [(item, {}) for item in scored]
    if rows.task == "multiclass":
        per_class = against_rest(rows.target, rows.decision, len(rows.classes), groups)
        tables = [(cells, {"class": label}) for cells, label in zip(per_class, rows.classes, strict=False)]
        estimates += multiclass_estimates(
            rows.target, rows.decision, rows.score, rows.classes, groups, probability=rows.probability
        )
    if rows.task == "regression":
        estimates += [(item, {}) for item in regression_estimates(rows.target, rows.score, groups)]
    sizes = np.array([rows.n]) if codes is None else np.bincount(codes, minlength=n_groups)
    return Measurement(grouping, sizes, _weight_sum(rows.weight, codes, n_groups), estimates, tables)


def measure(
    rows: Rows,
    grouping: Grouping | None = None,
    reference: Mapping[str, str] | None = None,
    *,
    level: float = 0.95,
    minimum_size: int = 5,
    split: str | None = None,
) -> list[Number]:
    """Every count, rate, score and error of every group, then every gap between the groups.

    A value stands on at least `minimum_size` rows of its own denominator: the rows with a negative target for a false
    positive rate, those of the rarer target for a ROC AUC. Where there are fewer its reason says so, and the group
    does not enter the gaps of that metric. Rows of weight 0 are as good as absent.

    Args:
        rows: The rows, with whatever is known of target, decision and score.
        grouping: Their groups; None measures all rows as one, without gaps.
        reference: The group compared with, e.g. `{"sex": "Male"}`; for the named gaps of two sides the privileged one.
        level: Confidence level of the intervals, in (0, 1).
        minimum_size: Fewest rows of a denominator; a group with fewer rows in all shows its count alone.
        split: Name of the split; None takes it from the rows.

    Raises:
        UsageError: `reference` is not one of the groups.
    """
    measurement, split = estimate(rows, grouping), split or rows.split
    return [
        *group_numbers(measurement, level, minimum_size, split),
        *gap_numbers(measurement, reference, level, minimum_size, split),
    ]


def group_numbers(measurement: Measurement, level: float, minimum_size: int, split: str) -> list[Number]:
    """The numbers of every group of a measurement."""
    numbers = _counts(measurement, minimum_size, split)
    small_group = [
        too_small(int(size), minimum_size) if size < minimum_size else "" for size in measurement.sizes.tolist()
    ]
    for estimates, places in measurement.estimates:
        low, high = estimates.bounds(level)
        item = definition(estimates.metric)
        for code, group in enumerate(measurement.groups):
            where: dict[str, Any] = {"group": group, "coordinates": places, "split": split, "unit": item.unit}
            if withheld := small_group[code] or estimates.withheld(code, minimum_size):
                numbers.append(Number(item.id, None, reason=withheld, **where))
                continue
            causes = [] if estimates.unbounded is None else [str(estimates.unbounded[code])]
            number = measured(
                item.id,
                estimates.value[code],
                low[code],
                high[code],
                level=level,
                n=int(estimates.n[code]),
                small=bool(estimates.scarcest[code] < SMALL),
                reason=join(estimates.note, missing_bounds(low[code], high[code], causes)) or None,
                **where,
            )
            numbers.append(number)
    return numbers


def gap_numbers(
    measurement: Measurement, reference: Mapping[str, str] | None, level: float, minimum_size: int, split: str
) -> list[Number]:
    """The gaps between the groups of a measurement.

    Args:
        measurement: What was measured of every group; without groups there are no gaps.
        reference: The group that others are also compared with.
        level: Of the intervals, e.g. 0.95.
        minimum_size: Rows below which a group enters no gap.
        split: Which rows they are.

    Raises:
        UsageError: `reference` is not one of the groups.
    """
    if measurement.grouping is None:
        return []
    comparison = Comparison(measurement.grouping, measurement.sizes, level, minimum_size, split)
    numbers: list[Number] = []
    for estimates, places in measurement.estimates:
        placed = replace(comparison, coordinates=places)
        numbers += [placed.difference(estimates), placed.ratio(estimates)]
        if reference is not None:
            numbers += placed.to_reference(estimates, reference)
    for cells, places in measurement.tables:
        if not places:
            numbers += named_gaps(cells, comparison, reference)
    return numbers


def _counts(measurement: Measurement, minimum_size: int, split: str) -> list[Number]:
    """The counts of every group; a group under the minimum size shows its `count` only."""
    counts: list[tuple[str, NDArray, Places]] = [("count", measurement.sizes, {})]
    if measurement.weight_sum is not None:
        counts.append(("weight_sum", measurement.weight_sum, {}))
    for cells, places in measurement.tables:
        if cells.has_target and cells.has_decision:
            counts += [(name, values, places) for name, values in zip(CELL_COUNTS, cells.counts.T, strict=True)]
    numbers = []
    for name, values, places in counts:
        item = definition(name)
        for group, value, size in zip(measurement.groups, values.tolist(), measurement.sizes.tolist(), strict=True):
            hidden = size < minimum_size and name != "count"
            numbers.append(
                Number(
                    item.id,
                    None if hidden else float(value),
                    n=None if hidden else size,
                    small=not hidden and size < SMALL,
                    group=group,
                    coordinates=places,
                    split=split,
                    unit=item.unit,
                    reason=too_small(size, minimum_size) if hidden else None,
                )
            )
    return numbers


def _weight_sum(weight: NDArray | None, codes: NDArray | None, n_groups: int) -> NDArray[np.float64] | None:
    if weight is None:
        return None
    sums = weight.sum(keepdims=True) if codes is None else np.bincount(codes, weight, minlength=n_groups)
    return np.asarray(sums, float)
