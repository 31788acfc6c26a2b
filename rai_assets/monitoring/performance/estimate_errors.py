"""How far estimates made without labels were from what the labels then showed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rai_assets.data.contract import Contract
from rai_assets.metrics.definitions import DEFINITIONS, definition
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.number import Number
from rai_assets.model.encoding import Feature
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.estimated import estimated_performance
from rai_assets.monitoring.performance.settings import PerformanceSettings

_NAMED = 3  # estimates in a sentence
Key = tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class EstimateErrors:
    """What the comparison found.

    Attributes:
        findings: One `estimate_error` per estimate that labels can be set beside, and a note.
        failed: Estimates of all rows that the labels contradict, in words: the scores have lost their meaning, as
            after a change in what becomes of people. Judged at the level at which all of them hold together.
    """

    findings: Findings
    failed: tuple[str, ...]


def estimate_errors(
    calibration: ScoredRows,
    labelled: ScoredRows,
    shown: Sequence[Number],
    contract: Contract,
    features: Sequence[Feature],
    settings: PerformanceSettings,
    *,
    seed: int,
) -> EstimateErrors:
    """Estimate the labelled rows as if they had no labels, and compare with what the labels showed.

    Both are of the same rows, so that late or biased labels do not matter. The interval of an error is that of the
    estimate; one that does not hold 0 is an estimate that failed.

    Args:
        calibration: As for `estimated_performance`.
        labelled: The rows whose labels have arrived, by `realized_performance`.
        shown: Its numbers.
        contract: As for `estimated_performance`.
        features: As for `estimated_performance`.
        settings: As for `estimated_performance`.
        seed: As for `estimated_performance`.
    """
    truths = {_key(number): number for number in shown if number.value is not None}

    def pairs(at: PerformanceSettings) -> list[tuple[Number, Number]]:
        made = estimated_performance(calibration, labelled, contract, features, at, seed=seed).numbers
        found = []
        for estimate in made:
            name = estimate.definition.partition("@")[0].removeprefix("estimated_")
            truth = truths.get((f"{name}@1", *_key(estimate)[1:]))
            if estimate.value is not None and truth is not None:
                found.append((estimate, truth))
        return found

    compared = pairs(settings)
    numbers = [_error(estimate, truth) for estimate, truth in compared]
    of_all = sum(not estimate.group for estimate, _ in compared)
    if not of_all:
        return EstimateErrors(Findings(notes=["No estimate of all rows can be set beside the labels."]), ())
    strict = settings.model_copy(update={"level": 1 - settings.false_alarms / of_all})
    failed = tuple(_words(*pair) for pair in pairs(strict) if not pair[0].group and not _holds(*pair))
    note = "What the labels show lies within the intervals of the estimates."
    if failed:
        note = (
            f"The estimates did not hold: {_some(failed)}. A score no longer means what it meant on the "
            "calibration rows, and estimates of batches without labels are not to be relied on until the model or its "
            "calibration is renewed."
        )
    return EstimateErrors(Findings(numbers, notes=[note]), failed)


def _some(failed: Sequence[str]) -> str:
    more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    return "; ".join(failed[:_NAMED]) + more


def _error(estimate: Number, truth: Number) -> Number:
    assert estimate.value is not None and truth.value is not None  # noqa: S101 - narrows the types
    low, high = (None if end is None else truth.value - end for end in (estimate.high, estimate.low))
    return Number(
        "estimate_error@1", truth.value - estimate.value, low, high, None if low is None else estimate.level, truth.n,
        small=truth.small, group=truth.group, coordinates={**truth.coordinates, "of": truth.definition},
        split=truth.split, unit=DEFINITIONS[truth.definition].unit,
    )  # fmt: skip


def _holds(estimate: Number, truth: Number) -> bool:
    if estimate.low is None or estimate.high is None or truth.value is None:
        return True
    return estimate.low - 1e-9 <= truth.value <= estimate.high + 1e-9


def _words(estimate: Number, truth: Number) -> str:
    places = "".join(f" of {label}" for name, label in truth.coordinates.items() if name == "class")
    return (
        f"{definition(truth.definition).name}{places} {truth.value:.3g}, estimated {estimate.value:.3g} "
        f"({estimate.low:.3g} to {estimate.high:.3g})"
    )


def _key(number: Number) -> Key:
    return number.definition, tuple(sorted(number.group.items())), tuple(sorted(number.coordinates.items()))
