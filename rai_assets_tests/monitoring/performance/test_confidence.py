"""Estimates of one among several classes, put together by hand from the calibrations of every class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rai_assets.metrics.rows import Rows
from rai_assets.monitoring.performance.calibrated import Calibration
from rai_assets.monitoring.performance.confidence import MACRO, estimates_of
from rai_assets.monitoring.performance.expected import (
    Expected,
    Unlabelled,
    excess_auc,
    expected_auc,
    expected_mean,
    expected_rates,
)

CLASSES = ("a", "b", "c")


def rows(n: int, seed: int, sharpness: tuple[float, ...] = (1.0, 1.0, 1.0), *, weighted: bool = True) -> Rows:
    """Probabilities of three classes; those of the labels are the scores to a power of each class, over their sum."""
    rng = np.random.default_rng(seed)
    score = rng.dirichlet([1.5, 1.0, 0.8], n)
    true = score ** np.array(sharpness)
    true /= true.sum(axis=1, keepdims=True)
    target = (rng.random(n)[:, None] > true.cumsum(axis=1)).sum(axis=1).astype(np.int32)
    weight = rng.uniform(0.5, 2.0, n) if weighted else None
    return Rows("multiclass", CLASSES, target, score.argmax(axis=1).astype(np.int32), score, True, weight=weight)


def found(known: Rows, asked: Rows, level: float = 0.95, seed: int = 0) -> dict[tuple[str, str], Expected]:
    return {(item.name, places.get("class", "")): item for item, places in estimates_of(known, asked, level, seed)[0]}


def calibrations(known: Rows, seed: int) -> list[Calibration]:
    return [
        Calibration.fit(
            known.score[:, k], (known.target == k).astype(np.int8), (known.decision == k).astype(np.int8),
            known.weight, probability=known.probability, seed=seed,
        )
        for k in range(3)
    ]  # fmt: skip


@pytest.mark.parametrize("sharpness", [(1.0, 1.0, 1.0), (2.5, 1.0, 0.5)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_values_are_those_of_the_probabilities_over_their_sum(sharpness: tuple[float, ...], seed: int) -> None:
    known, asked = rows(1_500, 0, sharpness), rows(300, 1)
    of_class = calibrations(known, seed)
    chosen = np.column_stack([item.readings(asked.score[:, k])[0] for k, item in enumerate(of_class)])
    share, weight = chosen / chosen.sum(axis=1, keepdims=True), asked.weight
    estimates = found(known, asked, seed=seed)
    for k, label in enumerate(CLASSES):
        p, said = share[:, k], asked.decision == k
        right = weight @ (p * said)
        wanted = {
            "true_positive_rate": right / (weight @ p),
            "precision": right / (weight @ said),
            "f1": 2 * right / (weight @ p + weight @ said),
            "base_rate": weight @ p / weight.sum(),
        }
        assert {name: estimates[name, label].value for name in wanted} == pytest.approx(wanted)
    for name in MACRO:
        of_classes = [estimates[name, label] for label in CLASSES]
        for side in ("value", "low", "high"):
            wanted_mean = np.mean([getattr(item, side) for item in of_classes])
            assert getattr(estimates[f"macro_{name}", ""], side) == pytest.approx(wanted_mean)
        assert estimates[f"macro_{name}", ""].rows == min(item.rows for item in of_classes)
        assert estimates[f"macro_{name}", ""].kind.endswith("of one class")
    assert {key for key in estimates if key[0] == "accuracy"} == {("accuracy", "")}


def test_the_accuracy_is_the_mean_probability_of_being_right() -> None:
    known, asked = rows(1_500, 17), rows(300, 3)
    score, confidence = (side.score[np.arange(side.n), side.decision] for side in (known, asked))
    right = (known.decision == known.target).astype(np.int8)
    calibration = Calibration.fit(score, right, np.ones(known.n, np.int8), known.weight, probability=True, seed=0)
    assert calibration.as_is, "so that there are two readings"
    alone = [
        expected_mean(
            "accuracy",
            Unlabelled.of(calibration, reading, confidence, np.ones(300, np.int8), asked.weight),
            0.95,
        )
        for reading in calibration.readings(confidence)
    ]
    accuracy = found(known, asked)["accuracy", ""]
    assert accuracy.value == pytest.approx(np.average(confidence, weights=asked.weight))
    assert accuracy.low == pytest.approx(min(item.low for item in alone))
    assert accuracy.high == pytest.approx(max(item.high for item in alone))


def test_a_binary_score_that_is_kept_has_the_auc_of_its_own_reading() -> None:
    """Nothing is taken off it; off that of the map, which its bounds hold too, it is."""
    rng = np.random.default_rng(8)
    score = rng.random((2, 900))
    target = (rng.random((2, 900)) < score).astype(np.int8)
    known, asked = (
        Rows("binary", ("no", "yes"), y, (p >= 0.5).astype(np.int8), p, True)
        for p, y in zip(score, target, strict=True)
    )
    calibration = Calibration.fit(known.score, known.target, known.decision, probability=True, seed=0)
    assert calibration.as_is
    own = Unlabelled.of(calibration, calibration.mapped(known.score), known.score, known.decision, None)
    excess = excess_auc(own, known.target)
    assert excess > 0.001
    kept, mapped = (
        expected_auc(Unlabelled.of(calibration, reading, asked.score, asked.decision, None), 0.95, off)
        for reading, off in zip(calibration.readings(asked.score), (0.0, excess), strict=True)
    )
    auc = found(known, asked)["roc_auc", ""]
    assert auc.value == pytest.approx(kept.value)
    assert (auc.low, auc.high) == pytest.approx((min(kept.low, mapped.low), max(kept.high, mapped.high)))


@pytest.mark.parametrize("sharpness", [(1.0, 1.0, 1.0), (2.5, 1.0, 0.5), (3.0, 3.0, 3.0)])
def test_bounds_hold_both_readings_of_all_classes(sharpness: tuple[float, ...]) -> None:
    """First the chosen readings of all classes, then the maps of all."""
    known, asked = rows(1_500, 4, sharpness), rows(300, 5)
    of_class, estimates = calibrations(known, 0), found(known, asked, 0.9)
    per_class = [item.readings(asked.score[:, k]) for k, item in enumerate(of_class)]
    kinds = [np.column_stack([readings[at] for readings in per_class]) for at in (0, -1)]
    shares = [kind / kind.sum(axis=1, keepdims=True) for kind in kinds]
    for k, (label, calibration) in enumerate(zip(CLASSES, of_class, strict=True)):
        said, target = ((side == k).astype(np.int8) for side in (asked.decision, known.target))
        own = Unlabelled.of(
            calibration, calibration.mapped(known.score[:, k]), known.score[:, k],
            (known.decision == k).astype(np.int8), known.weight,
        )  # fmt: skip
        too_high = excess_auc(own, target)
        assert too_high > 0
        both = []
        for share, excess in zip(shares, (0.0 if calibration.as_is else too_high, too_high), strict=True):
            reading = Unlabelled.of(calibration, share[:, k], asked.score[:, k], said, asked.weight)
            both.append([*expected_rates(reading, 0.9), expected_auc(reading, 0.9, excess)])
        for first, second in zip(*both, strict=True):
            if first.name != "accuracy":
                item = estimates[first.name, label]
                assert item.value == pytest.approx(first.value)
                assert item.low == pytest.approx(min(first.low, second.low))
                assert item.high == pytest.approx(max(first.high, second.high))


def test_a_row_of_no_class_is_of_each_alike() -> None:
    target = np.tile(np.arange(3, dtype=np.int32), 200)
    known = Rows("multiclass", CLASSES, target, target, np.eye(3)[target] * 7, False)
    nothing = replace(known.take(np.arange(60)), score=np.zeros((60, 3)))
    estimates, said = estimates_of(known, nothing, 0.95, 0)
    assert [item.value for item, _ in estimates if item.name == "base_rate"] == pytest.approx([1 / 3] * 3)
    assert said.startswith("a: the score is no probability and was mapped by isotonic regression (calibration error 0")


def test_the_sentence_on_the_calibration_has_both_errors() -> None:
    binary = Rows(
        "binary", ("no", "yes"), np.repeat(np.array([0, 1], np.int8), 50), np.repeat(np.array([0, 1], np.int8), 50),
        np.repeat([0.25, 0.75], 50), True,
    )  # fmt: skip
    _, said = estimates_of(binary, binary, 0.95, 0)
    # Every negative row has a score of 0.25 and every positive one of 0.75; the map says 0 and 1.
    assert said.startswith("the score was mapped by isotonic regression (calibration error 0.250 as it is, 0")
