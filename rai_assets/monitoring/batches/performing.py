"""How well a batch was decided: estimated before its labels arrive, measured and judged on them afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rai_assets.analysis.fairness.compute import reference_group
from rai_assets.charts.text import decimal
from rai_assets.data.groups import groupings
from rai_assets.errors import Undefined
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.estimates import SMALL, Estimates
from rai_assets.metrics.intervals import difference_interval
from rai_assets.metrics.number import Number, measured
from rai_assets.metrics.requirements import Requirement, judge
from rai_assets.metrics.rows import Rows
from rai_assets.metrics.table import estimate
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.batches.questions import Answer
from rai_assets.monitoring.batches.reference import Reference, labels_of_scored, scored_batch
from rai_assets.monitoring.batches.scoring import batch_of
from rai_assets.monitoring.checks import AS_AUDITED, ESTIMATES_HELD, NOT_LOWER
from rai_assets.monitoring.performance.estimate_errors import estimate_errors
from rai_assets.monitoring.performance.estimated import estimated_performance
from rai_assets.monitoring.performance.fairness import BASELINE
from rai_assets.monitoring.performance.realized import References, realized_performance
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets.store.stage import Stage

_MAIN_METRIC = {"binary": "accuracy", "multiclass": "accuracy", "regression": "mean_absolute_error"}


@dataclass(frozen=True)
class Judged:
    """What realized performance is judged by.

    Attributes:
        requirements: What was required of the audit, as far as it is about decisions, scores and groups.
        reference: The group that others are compared with, {column: value}, as declared for the audit.
    """

    requirements: Sequence[Requirement] = ()
    reference: Mapping[str, str] | None = None


def ask_estimate(stage: Stage, reference: Reference, settings: PerformanceSettings, seed: int) -> Answer:
    """How well the batch was decided, as far as its scores tell before labels arrive."""
    table = batch_of(stage).whole
    scored = scored_batch(stage, reference)
    if scored.rows.score is None:
        raise Undefined("no scores are logged, from which performance without labels could be estimated")
    known = reference.scored(reference.calibration_split(settings.calibration))
    contract = reference.contract_with(table)
    features = reference.features_of(batch_of(stage))
    found = estimated_performance(known, scored, contract, features, settings, seed=seed)
    name = f"estimated_{_MAIN_METRIC[scored.rows.task]}@1"
    shown = next((item for item in found.numbers if item.definition == name and not item.group), None)
    return Answer(found, {NOT_LOWER: _lower(shown, known.rows)})


def ask_realized(
    stage: Stage, reference: Reference, settings: PerformanceSettings, judged: Judged, seed: int
) -> Answer:
    """How well the batch was decided, on the labels that have arrived: beside the audit, requirements and estimates."""
    contract = reference.contract
    if contract.target is None:
        raise Undefined("no column has the role `target`")
    table = batch_of(stage).whole
    contract = reference.contract_with(table)
    scored = scored_batch(stage, reference)
    labels, arrived = labels_of_scored(stage, reference, scored)
    before = reference.scored(reference.split)
    shown = realized_performance(
        scored, labels, arrived, contract, settings, seed=seed, requirements=judged.requirements,
        references=_references(before, reference, judged), audited=before.table,
    )  # fmt: skip
    found = shown.findings
    if gone := [name for name in reference.contract.sensitive if name not in contract.sensitive]:
        found.notes.append(f"Cannot tell of the groups of {', '.join(gone)}: the batch has no such column.")
    verdicts = [(judge(item, found.numbers), item.limit) for item in judged.requirements]
    none = "cannot tell: no label has arrived yet"
    checks = {AS_AUDITED: (True, none), ESTIMATES_HELD: (True, none)}
    if shown.labelled is not None:
        numbers, checks[AS_AUDITED] = _beside_audit(before.rows, shown.labelled.rows, settings)
        found.numbers.extend(numbers)
        checks[ESTIMATES_HELD] = True, "cannot tell: no scores are logged, so nothing was estimated"
        if scored.rows.score is not None:
            known = reference.scored(reference.calibration_split(settings.calibration))
            features = reference.features_of(batch_of(stage))
            errors = estimate_errors(known, shown.labelled, found.numbers, contract, features, settings, seed=seed)
            found.numbers.extend(errors.findings.numbers)
            found.notes.extend(errors.findings.notes)
            checks[ESTIMATES_HELD] = not errors.failed, errors.findings.notes[-1]
    return Answer(found, checks, verdicts=verdicts)


def _references(before: ScoredRows, reference: Reference, judged: Judged) -> References:
    """The groups that the audit compared with: as declared, else its largest."""
    deepest = max((len(item.sensitive or item.group) for item in judged.requirements), default=0)
    found = {
        item.columns: reference_group(item, judged.reference or {})[0]
        for item in groupings(before.table, reference.contract, deepest)
    }
    return {columns: group for columns, group in found.items() if group is not None}


def _beside_audit(before: Rows, now: Rows, settings: PerformanceSettings) -> tuple[list[Number], tuple[bool, str]]:
    """The main metric in the audit and its change since, and whether the change is for the worse beyond chance."""
    name = _MAIN_METRIC[now.task]
    sides = [_main(rows) for rows in (before, now)]
    if any(side is None or side.withheld(0, settings.minimum_size) for side in sides):
        return [], (True, f"cannot tell: too few rows for the {definition(name).name}")
    old, new = (side for side in sides if side is not None)
    bounds = [tuple(end[0] for end in side.bounds(settings.level)) for side in (old, new)]
    low, high = difference_interval(new.value[0], bounds[1], old.value[0], bounds[0])
    change = float(new.value[0] - old.value[0])
    item = definition(name)

    def number(identifier: str, value: float, ends: tuple[float, float], n: int, **places: str) -> Number:
        small = bool(min(old.scarcest[0], new.scarcest[0]) < SMALL)
        return measured(
            identifier, value, *ends, level=settings.level, n=n, small=small, coordinates=places, unit=item.unit
        )

    numbers = [
        number(item.id, float(old.value[0]), bounds[0], int(old.n[0]), chunk=BASELINE),
        number("change_from_baseline@1", change, (float(low), float(high)), int(new.n[0]), of=item.id),
    ]
    worse = bool(low > 0 if now.task == "regression" else high < 0)
    said = f"{item.name} {decimal(float(new.value[0]))}, in the audit {decimal(float(old.value[0]))}: a change of "
    said += f"{change:+.3g} ({100 * settings.level:.3g} % interval {low:+.3g} to {high:+.3g})"
    return numbers, (not worse, said)


def _main(rows: Rows) -> Estimates | None:
    """The main metric of all rows; None where it is not known."""
    found = (item for item, places in estimate(rows).estimates if item.metric == _MAIN_METRIC[rows.task] and not places)
    return next((item for item in found if np.isfinite(item.value[0])), None)


def _lower(shown: Number | None, known: Rows) -> tuple[bool, str]:
    """Whether the whole interval of an estimate is on the worse side of the metric of the calibration rows."""
    before = _main(known)
    if shown is None or shown.value is None or before is None:
        why = "" if shown is None or not shown.reason else f": {shown.reason.removeprefix('cannot tell: ')}"
        return True, f"cannot tell whether the performance is lower{why}"
    value = float(before.value[0])
    if known.task == "regression":
        worse = shown.low is not None and shown.low > value
    else:
        worse = shown.high is not None and shown.high < value
    name = definition(shown.definition).name
    return not worse, f"{name} {decimal(shown.value)}, {decimal(value)} on the calibration rows"
