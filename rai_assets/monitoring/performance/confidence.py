"""Confidence-based estimates: of a binary decision, and of one among several classes, each against the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rai_assets.charts.text import decimal
from rai_assets.errors import UsageError
from rai_assets.metrics.intervals import Floats
from rai_assets.metrics.rows import Rows
from rai_assets.monitoring.performance.calibrated import Calibration
from rai_assets.monitoring.performance.expected import (
    ESTIMATED_RATES,
    Expected,
    Unlabelled,
    excess_auc,
    expected_auc,
    expected_mean,
    expected_rates,
)

MACRO = ("true_positive_rate", "precision", "f1", "roc_auc")
BINARY = (*ESTIMATED_RATES, "roc_auc")
SEVERAL = ("accuracy", *(f"macro_{name}" for name in MACRO))

Placed = tuple[Expected, Mapping[str, str]]
"""An estimate with its coordinates beside the group: the class."""


@dataclass(frozen=True)
class _Said:
    """What was said of rows, and their labels where those are known; shapes as in `Rows`."""

    score: NDArray
    decision: NDArray
    target: NDArray
    weight: Floats | None
    probability: bool

    @classmethod
    def of(cls, rows: Rows) -> _Said:
        if rows.score is None or rows.decision is None:
            raise UsageError(
                "performance is estimated from scores and decisions, and these rows lack one of them",
                fix="give both, of every row",
            )
        target = np.zeros(rows.n, np.int8) if rows.target is None else rows.target
        return cls(rows.score, rows.decision, target, rows.weight, rows.probability)

    def against_rest(self, of_class: int) -> _Said:
        """One class against the rest."""
        decision, target = ((values == of_class).astype(np.int8) for values in (self.decision, self.target))
        return _Said(self.score[:, of_class], decision, target, self.weight, self.probability)

    def rightness(self) -> _Said:
        """The score of the decision as that of being right; every row is decided alike."""
        score = self.score[np.arange(len(self.score)), self.decision]
        right = (self.decision == self.target).astype(np.int8)
        return _Said(score, np.ones(len(score), np.int8), right, self.weight, self.probability)

    def calibration(self, seed: int) -> Calibration:
        """What the labels of these rows say of their score."""
        return Calibration.fit(
            self.score, self.target, self.decision, self.weight, probability=self.probability, seed=seed
        )

    def read(self, calibration: Calibration, probability: Floats) -> Unlabelled:
        """These rows with a reading of their score."""
        return Unlabelled.of(calibration, probability, self.score, self.decision, self.weight)

    def excess(self, calibration: Calibration) -> float:
        """How much too high the map that these rows made lets their ranking look."""
        return excess_auc(self.read(calibration, calibration.mapped(self.score)), self.target)


def estimates_of(labelled: Rows, rows: Rows, level: float, seed: int) -> tuple[list[Placed], str]:
    """Every estimate, and a sentence on the calibration.

    Args:
        labelled: Calibration rows: targets, decisions and scores; their weights say how much each counts.
        rows: Rows with decisions and scores.
        level: Confidence level.
        seed: Of the folds of the calibration.

    Raises:
        UsageError: There are no scores or no decisions.
    """
    known, asked = _Said.of(labelled), _Said.of(rows)
    if rows.task == "binary":
        calibration = known.calibration(seed)
        readings = [asked.read(calibration, probability) for probability in calibration.readings(asked.score)]
        excess = [*([0.0] if calibration.as_is else []), known.excess(calibration)]
        return [(item, {}) for item in _both_kinds(readings, excess, level)], f"{_about(calibration)}."
    return _several(known, asked, rows.classes, level, seed)


def _several(known: _Said, asked: _Said, classes: Sequence[str], level: float, seed: int) -> tuple[list[Placed], str]:
    """The accuracy by the confidence in the decision; every class against the rest, and means over the classes.

    The classes' probabilities are calibrated one by one and divided by their sum. The bounds of a mean over classes are
    the means of the classes' bounds, which hold whatever the dependence between them.
    """
    calibrations = [known.against_rest(k).calibration(seed) for k in range(len(classes))]
    per_class = [calibration.readings(asked.score[:, k]) for k, calibration in enumerate(calibrations)]
    # First the chosen readings of all classes, then the maps of all, unless they are the same.
    kinds = [np.column_stack([readings[0] for readings in per_class])]
    if any(len(readings) > 1 for readings in per_class):
        kinds.append(np.column_stack([readings[-1] for readings in per_class]))
    shares = []
    for kind in kinds:
        total = kind.sum(axis=1, keepdims=True)
        shares.append(np.where(total > 0, kind / np.where(total > 0, total, 1), 1 / len(classes)))
    found: list[Placed] = [(_accuracy(known.rightness(), asked.rightness(), level, seed), {})]
    estimates = []
    for k, (label, calibration) in enumerate(zip(classes, calibrations, strict=True)):
        rows, of_map = asked.against_rest(k), known.against_rest(k).excess(calibration)
        excess = [0.0 if calibration.as_is and not number else of_map for number in range(len(shares))]
        of_class = _both_kinds([rows.read(calibration, share[:, k]) for share in shares], excess, level)
        estimates.append({item.name: item for item in of_class})
        found += [(item, {"class": label}) for item in of_class if item.name != "accuracy"]
    found += [(_mean(name, [of_class[name] for of_class in estimates]), {}) for name in MACRO]
    said = "; ".join(
        f"{label}: {_about(calibration)}" for label, calibration in zip(classes, calibrations, strict=True)
    )
    return found, f"{said}."


def _accuracy(known: _Said, asked: _Said, level: float, seed: int) -> Expected:
    """Mean probability that the decision is right."""
    calibration = known.calibration(seed)
    readings = [asked.read(calibration, probability) for probability in calibration.readings(asked.score)]
    return _spanning([[expected_mean("accuracy", reading, level)] for reading in readings])[0]


def _both_kinds(readings: Sequence[Unlabelled], excess: Sequence[float], level: float) -> list[Expected]:
    """Rates and ROC AUC of a decision under every reading of the score, which makes the AUC too high by its excess."""
    return _spanning(
        [
            [*expected_rates(reading, level), expected_auc(reading, level, too_high)]
            for reading, too_high in zip(readings, excess, strict=True)
        ]
    )


def _spanning(per_reading: Sequence[Sequence[Expected]]) -> list[Expected]:
    """The estimates of the first reading, their bounds wide enough for the others."""
    first, *others = per_reading
    spanned = list(first)
    for other in others:
        spanned = [one.spanning(two) for one, two in zip(spanned, other, strict=True)]
    return spanned


def _mean(name: str, parts: Sequence[Expected]) -> Expected:
    value, low, high = (float(np.mean([getattr(part, side) for part in parts])) for side in ("value", "low", "high"))
    fewest = min(parts, key=lambda part: part.rows)
    return Expected(f"macro_{name}", value, low, high, fewest.rows, f"{fewest.kind} of one class".strip())


def _about(calibration: Calibration) -> str:
    """What was made of the scores, without a full stop."""
    after = f"{decimal(calibration.error_after)}"
    if calibration.error_before is None:
        return f"the score is no probability and was mapped by isotonic regression (calibration error {after})"
    change = f"calibration error {decimal(calibration.error_before)} as it is, {after} mapped"
    if calibration.as_is:
        return f"the score was taken as it is: isotonic regression does not improve it ({change}); intervals span both"
    return f"the score was mapped by isotonic regression ({change}, on rows outside the fit)"
