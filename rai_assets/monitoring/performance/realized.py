"""How well a model did on the rows whose labels have arrived, and whether these speak for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.analysis.fairness.strata import strata
from rai_assets.data.contract import Contract
from rai_assets.data.groups import grouping, groupings
from rai_assets.metrics.conditional import measure_conditional
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.estimates import SMALL
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.intervals import proportion_interval
from rai_assets.metrics.number import Number, measured
from rai_assets.metrics.requirements import Requirement
from rai_assets.metrics.rows import Grouping, Rows
from rai_assets.metrics.table import measure
from rai_assets.model.rows import ScoredRows, values_of
from rai_assets.monitoring.drift.calibration import holm
from rai_assets.monitoring.drift.permutation import sequential_p_value
from rai_assets.monitoring.performance.labels import Arrived
from rai_assets.monitoring.performance.settings import PerformanceSettings

References = Mapping[tuple[str, ...], Mapping[str, str]]


@dataclass(frozen=True)
class Realized:
    """What the labels showed.

    Attributes:
        labelled: The rows whose labels have arrived, with them; None where there is none.
        findings: Share of labelled rows, every metric of them, by group too, and notes.
        biased: Sentences on how the labelled rows differ from those without a label; empty where they do not.
    """

    labelled: ScoredRows | None
    findings: Findings
    biased: tuple[str, ...] = ()


def labelled_rows(current: ScoredRows, labels: pa.Table, arrived: Arrived, contract: Contract) -> ScoredRows | None:
    """The rows of a batch whose labels have arrived, with them; None where none has."""
    known = np.flatnonzero(arrived.known)
    if not len(known):
        return None
    target, _ = values_of(contract, labels.take(pa.array(arrived.label[known])), str(contract.target))
    rows = replace(current.rows.take(known), target=target)
    return ScoredRows(rows, current.table.take(pa.array(known)), np.ones(len(known), bool))


def realized_performance(
    current: ScoredRows,
    labels: pa.Table,
    arrived: Arrived,
    contract: Contract,
    settings: PerformanceSettings,
    *,
    seed: int,
    requirements: Sequence[Requirement] = (),
    references: References | None = None,
    audited: pa.Table | None = None,
) -> Realized:
    """Measure a batch on the labels that have arrived.

    Args:
        current: Rows of the batch, scored; a target that they hold is not looked at.
        labels: The labels, with the target's column.
        arrived: Which label belongs to which row of the batch, by `join_labels`.
        contract: Roles of the columns.
        settings: Level and sizes.
        seed: Of the permutations by which arrival is tested where counts are small.
        requirements: What they are about is measured, too; on all rows if it needs no label.
        references: The group that others are compared with, by the columns of a grouping.
        audited: The rows of the audit: what it held equal by bins of a number is held equal by the same bins.
    """
    found = Findings(notes=arrived.sentences())
    grouped = groupings(current.table, contract, settings.intersections)
    found.numbers.extend(_shares(arrived.known, grouped, settings, current.rows.split))
    labelled = labelled_rows(current, labels, arrived, contract)
    if labelled is None:
        found.notes.append("No label has arrived: there is no performance to measure yet.")
    every = ScoredRows(replace(current.rows, target=None), current.table, current.keep)
    wanted = {definition(item.definition).id for item in requirements}
    given = (contract, settings, requirements, references, audited)
    numbers = [item for item in _measured(every, *given) if item.definition in wanted]
    if labelled is not None:
        there = {item.definition for item in numbers}
        of_labelled = _measured(labelled, *given)
        numbers += [item for item in of_labelled if item.definition not in there]
    found.numbers.extend(numbers)
    biased = tuple(biased_arrival(arrived.known, current.rows, grouped, settings, seed=seed))
    found.notes.extend(biased)
    return Realized(labelled, found, biased)


def _measured(
    side: ScoredRows,
    contract: Contract,
    settings: PerformanceSettings,
    requirements: Sequence[Requirement],
    references: References | None,
    audited: pa.Table | None,
) -> list[Number]:
    """Every metric of some rows, of their groups, and of the intersections of groups that requirements are about."""
    grouped = groupings(side.table, contract, settings.intersections)
    there = {frozenset(item.columns) for item in grouped}
    wanted = {frozenset(item.sensitive or item.group) for item in requirements}
    for columns in sorted(wanted - there - {frozenset()}, key=sorted):
        if columns <= set(contract.sensitive):
            grouped.append(grouping(side.table, contract, [name for name in contract.sensitive if name in columns]))
    numbers = measure(side.rows, level=settings.level, minimum_size=settings.minimum_size)
    for item in grouped:
        base = (references or {}).get(item.columns)
        known = base if base in [dict(group) for group in item.groups] else None
        numbers += measure(side.rows, item, known, level=settings.level, minimum_size=settings.minimum_size)
        equal = {one.coordinates["stratifier"] for one in requirements if _conditional(one, item)}
        for column in sorted(equal):
            numbers += _at_equal(column, side, item, contract, settings, requirements, audited)
    return numbers


def _conditional(requirement: Requirement, groups: Grouping) -> bool:
    """Whether a requirement is about a gap between these groups at equal values of something."""
    return "stratifier" in requirement.coordinates and set(requirement.sensitive) == set(groups.columns)


def _at_equal(
    column: str,
    side: ScoredRows,
    groups: Grouping,
    contract: Contract,
    settings: PerformanceSettings,
    requirements: Sequence[Requirement],
    audited: pa.Table | None,
) -> list[Number]:
    """The required gaps between groups at equal values of a column; with the reason where they have no value."""
    asked = {
        (definition(one.definition).id, tuple(sorted(one.coordinates.items())))
        for one in requirements
        if _conditional(one, groups) and one.coordinates["stratifier"] == column
    }
    if why := _not_equal(column, side.table, contract):
        split = side.rows.split
        return [
            Number(name, None, n=0, coordinates={"sensitive": groups.name, **dict(places)}, split=split, reason=why)
            for name, places in sorted(asked)
        ]
    held, _ = strata(side.table, contract, column, audited)
    level, size = settings.level, settings.minimum_size
    found = measure_conditional(side.rows, groups, held, level=level, minimum_size=size)
    return [number for number in found if number.definition in {name for name, _ in asked}]


def _not_equal(column: str, table: pa.Table, contract: Contract) -> str:
    """Why rows cannot be held equal in a column; empty where they can."""
    if column not in table.column_names or column not in contract:
        return f"the batch, or the audit, has no column {column}"
    kind = table.schema.field(column).type
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if contract[column].dtype in ("number", "integer") and not number:
        return f"{column} is no number in the batch"
    return ""


def _shares(
    known: NDArray[np.bool_],
    grouped: Sequence[Grouping],
    settings: PerformanceSettings,
    split: str,
) -> list[Number]:
    """Share of the rows that have a label, of all and of every group."""
    parts: list[tuple[Mapping[str, str], NDArray[np.bool_]]] = [({}, np.ones(len(known), bool))]
    parts += [(group, item.codes == code) for item in grouped for code, group in enumerate(item.groups)]
    numbers = []
    for group, members in parts:
        n, labelled = int(members.sum()), int(known[members].sum())
        low, high = proportion_interval(labelled, n, settings.level)
        numbers.append(
            measured(
                "labelled_rate@1", labelled / n if n else np.nan, float(low), float(high), level=settings.level, n=n,
                small=n < SMALL, group=group, split=split, unit="rate",
                reason=None if n else "no row",
            )
        )  # fmt: skip
    return numbers


def biased_arrival(
    known: NDArray[np.bool_], rows: Rows, grouped: Sequence[Grouping], settings: PerformanceSettings, *, seed: int
) -> list[str]:
    """How rows with a label differ from those without: by decision, by group, and by score.

    Decision and groups by the chi-squared test of independence, exact by permutation where an expected count is below
    5; the score by the rank sum; all together by Holm.

    Args:
        known: Rows whose label has arrived, (n,).
        rows: The rows.
        grouped: Their groups.
        settings: The share of false alarms.
        seed: Of the permutations.

    Returns:
        A sentence for each difference; empty where there is none or nothing to compare.
    """
    if known.all() or not known.any():
        return []
    rng = np.random.default_rng(seed)
    tests: list[tuple[float, str]] = []
    if rows.decision is not None:
        tests.append(_by_codes(known, rows.decision.astype(int), rows.classes, "decision", rng))
    for item in grouped:
        names = [", ".join(group.values()) for group in item.groups]
        tests.append(_by_codes(known, item.codes, names, item.name, rng))
    if rows.score is not None and rows.score.ndim == 1:
        from scipy.stats import mannwhitneyu

        p_value = float(mannwhitneyu(rows.score[known], rows.score[~known], method="asymptotic").pvalue)
        means = rows.score[known].mean(), rows.score[~known].mean()
        tests.append((p_value, f"their mean score is {means[0]:.3g}, that of the others {means[1]:.3g}"))
    together = holm(np.array([p_value for p_value, _ in tests]))
    said = [words for (_, words), adjusted in zip(tests, together, strict=True) if adjusted <= settings.false_alarms]
    return [
        f"The rows whose labels have arrived do not stand for all: {words}. What is measured on them may not hold for "
        "the batch."
        for words in said
    ]


def _by_codes(
    known: NDArray[np.bool_], codes: NDArray, names: Sequence[str], what: str, rng: np.random.Generator
) -> tuple[float, str]:
    """P-value that arrival does not depend on a code, and the shares that differ most."""
    size = np.bincount(codes, minlength=len(names))
    present = np.flatnonzero(size)
    share = np.bincount(codes, known, minlength=len(names))[present] / size[present]

    def distance(labelled: NDArray[np.bool_]) -> float:
        expected = size[present] * labelled.mean()
        return float(((np.bincount(codes, labelled, minlength=len(names))[present] - expected) ** 2 / expected).sum())

    if len(present) < 2:
        p_value = 1.0
    elif (size[present] * min(known.mean(), 1 - known.mean())).min() >= 5:
        from scipy.special import gammaincc

        p_value = float(gammaincc((len(present) - 1) / 2, distance(known) / (1 - known.mean()) / 2))
    else:
        p_value = sequential_p_value(distance(known), lambda: distance(rng.permutation(known)))
    most, least = present[share.argmax()], present[share.argmin()]
    return p_value, (
        f"labels are there for {share.max():.0%} of the rows with {what} {names[most]} and for {share.min():.0%} of "
        f"those with {names[least]}"
    )
