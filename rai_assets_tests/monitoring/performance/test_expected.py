"""Estimates against sums over rows and pairs of rows, written out as NannyML describes them, and simulated coverage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import t

from rai_assets.errors import UsageError
from rai_assets.metrics.rows import Rows
from rai_assets.metrics.table import measure
from rai_assets.monitoring.performance.calibrated import Calibration
from rai_assets.monitoring.performance.confidence import estimates_of
from rai_assets.monitoring.performance.expected import Expected, Unlabelled, expected_auc, expected_mean, expected_rates


def population(rng: np.random.Generator, n: int, slope: float = 1.0, shift: float = 0.0) -> Rows:
    """Normal log-odds scores; the label's own log-odds are `slope` times the score's, so 1 is calibrated."""
    score = expit(rng.normal(shift - 0.5, 1.5, n))
    target = (rng.random(n) < expit(slope * logit(score))).astype(np.int8)
    return Rows("binary", ("no", "yes"), target, (score >= 0.5).astype(np.int8), score, True)


def unlabelled(rng: np.random.Generator, *, weighted: bool) -> Unlabelled:
    """Rounded scores, so that some are tied, read as the probability."""
    known, rows = population(rng, 800), population(rng, 60)
    calibration = Calibration.fit(known.score, known.target, known.decision, probability=True, seed=0)
    weight = rng.exponential(size=60) if weighted else None
    score = np.round(rows.score, 1)
    return Unlabelled.of(calibration, score, score, (score >= 0.5).astype(np.int8), weight)


def test_without_scores_or_decisions_there_is_nothing_to_estimate_from() -> None:
    known = population(np.random.default_rng(0), 100)
    with pytest.raises(UsageError, match="lack one of them\n  Fix: give both"):
        estimates_of(known, replace(known, decision=None), 0.95, seed=0)


@pytest.mark.parametrize("weighted", [False, True])
def test_rates_are_those_of_expected_counts(weighted: bool) -> None:
    rows = unlabelled(np.random.default_rng(1), weighted=weighted)
    tp = fp = fn = tn = 0.0
    for p, decision, weight in zip(rows.probability, rows.decision, rows.weight, strict=True):
        tp, fp = tp + weight * p * decision, fp + weight * (1 - p) * decision
        fn, tn = fn + weight * p * (1 - decision), tn + weight * (1 - p) * (1 - decision)
    wanted = {
        "accuracy": (tp + tn) / (tp + fp + fn + tn), "true_positive_rate": tp / (tp + fn),
        "false_positive_rate": fp / (fp + tn), "precision": tp / (tp + fp), "f1": 2 * tp / (2 * tp + fp + fn),
        "base_rate": (tp + fn) / (tp + fp + fn + tn),
    }  # fmt: skip
    found = {item.name: item.value for item in expected_rates(rows, 0.95)}
    assert found == pytest.approx(wanted, rel=1e-12)
    if not weighted:
        right = np.where(rows.decision == 1, rows.probability, 1 - rows.probability)
        assert found["accuracy"] == pytest.approx(np.mean(right), rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_auc_is_that_of_all_pairs(weighted: bool) -> None:
    rows = unlabelled(np.random.default_rng(2), weighted=weighted)
    positive, negative = rows.weight * rows.probability, rows.weight * (1 - rows.probability)
    ordered = (rows.score[:, None] > rows.score) + 0.5 * (rows.score[:, None] == rows.score)
    wanted = (np.outer(positive, negative) * ordered).sum() / (positive.sum() * negative.sum())
    assert expected_auc(rows, 0.95).value == pytest.approx(wanted, rel=1e-12)


def test_the_pull_of_a_label_is_the_derivative() -> None:
    rows = unlabelled(np.random.default_rng(3), weighted=True)
    pulls: list[np.ndarray] = []

    class Watched(Unlabelled):
        def variance(self, pull: np.ndarray) -> float:
            pulls.append(pull)
            return 1.0

    def values(probability: np.ndarray) -> np.ndarray:
        given = Watched(rows.decision, rows.score, probability, rows.weight, rows.noise, rows.cells, rows.doubt)
        rates = [item.value for item in expected_rates(given, 0.95)]
        auc, mean = expected_auc(given, 0.95).value, expected_mean("accuracy", given, 0.95).value
        f1 = rates[4]
        return np.array([*rates[:4], f1 / (2 - f1), rates[5], auc, mean])  # F1's interval is that of the Jaccard share

    values(rows.probability)
    analytic = np.array(pulls)
    for row in range(0, 60, 7):
        step = np.zeros(60)
        step[row] = 1e-6
        numeric = (values(rows.probability + step) - values(rows.probability - step)) / 2e-6
        assert analytic[:, row] == pytest.approx(numeric, abs=1e-7)


def test_the_variance_is_that_of_labels_and_of_what_the_rows_of_a_cell_share() -> None:
    rows = unlabelled(np.random.default_rng(9), weighted=True)
    pull = np.random.default_rng(10).normal(size=60)
    noise = sum(one**2 * other for one, other in zip(pull, rows.noise, strict=True))
    doubt = sum(pull[rows.cells == cell].sum() ** 2 * rows.doubt[cell] for cell in range(len(rows.doubt)))
    assert rows.variance(pull) == pytest.approx(noise + doubt, rel=1e-12)


def wilson(share: float, variance: float, rows: float, level: float, step: float = 0.0) -> tuple[float, float]:
    """Shares p whose own distance from the found one is Student's quantile, moved by half a row, within [0, 1]."""
    inside = (share * rows + 0.5) / (rows + 1)
    trials, z = inside * (1 - inside) / variance, float(t.ppf((1 + level) / 2, max(rows - 1, 1)))
    low, high = sorted(np.roots([1 + z * z / trials, -2 * share - z * z / trials, share * share]).real)
    return max(low - step, 0.0), min(high + step, 1.0)


@pytest.mark.parametrize("level", [0.8, 0.99])
@pytest.mark.parametrize(("taken", "scale"), [(60, 1.0), (4, 1.0), (60, 0.05)])
def test_bounds_are_wilsons_with_students_quantile(level: float, taken: int, scale: float) -> None:
    """Of few rows, and of rare positives, too."""
    whole = unlabelled(np.random.default_rng(11), weighted=True)
    part = {name: getattr(whole, name)[:taken] for name in ("decision", "score", "weight", "noise", "cells")}
    rows = Unlabelled(**part, probability=scale * whole.probability[:taken], doubt=whole.doubt)
    w, p, said = rows.weight / rows.weight.sum(), rows.probability, rows.decision
    by_name = {item.name: item for item in (*expected_rates(rows, level), expected_mean("right", rows, level))}
    right = np.where(said == 1, p, 1 - p)
    wanted = {
        "accuracy": (w @ right, w * (2 * said - 1.0)),
        "base_rate": (w @ p, w),
        "right": (w @ p, w),
    }
    for name, (share, pull) in wanted.items():
        found, bounds = by_name[name], wilson(share, rows.variance(pull), taken, level, 0.5 / taken)
        assert (found.low, found.high, found.rows) == pytest.approx((*bounds, taken), abs=1e-9), name
    chosen = said == 1
    if chosen.any():
        share, n = (w @ (p * chosen)) / w[chosen].sum(), chosen.sum()
        bounds = wilson(share, rows.variance(w * chosen / w[chosen].sum()), n, level, 0.5 / n)
        assert (by_name["precision"].low, by_name["precision"].high) == pytest.approx(bounds, abs=1e-9)
    # F1 = 2 q / (1 + q) of the Jaccard share q = TP / (TP + FP + FN), and so are its bounds.
    either = w @ np.where(chosen, 1.0, p)
    q, n = w @ (p * chosen) / either, np.where(chosen, 1.0, p).sum()
    pull = w * np.where(chosen, 1.0, -q) / either
    bounds = wilson(q, rows.variance(pull), n, level, 0.5 / max(n, 1.0))
    wanted_f1 = [2 * bound / (1 + bound) for bound in bounds]
    assert [by_name["f1"].low, by_name["f1"].high] == pytest.approx(wanted_f1, abs=1e-9)


def test_the_bounds_of_the_auc_rest_on_the_rows_of_the_rarer_label() -> None:
    for scale in (0.1, 1.0, 1.9):
        rows = unlabelled(np.random.default_rng(12), weighted=False)
        rows = replace(rows, probability=np.minimum(rows.probability * scale, 1.0))
        found, positives = expected_auc(rows, 0.95), rows.probability.sum()
        assert found.rows == pytest.approx(min(positives, 60 - positives))
        assert 0 <= found.low < found.value < found.high <= 1
        lower = expected_auc(rows, 0.95, 0.02)
        assert lower.value == pytest.approx(found.value - 0.02)
    assert expected_auc(rows, 0.95, 2.0).value == 0.0
    assert expected_auc(rows, 0.95, -2.0).value == 1.0


def test_bounds_hold_those_of_the_other_reading() -> None:
    one = Expected("accuracy", 0.5, 0.4, 0.6, 10)
    assert one.spanning(replace(one, value=0.9, low=0.3, high=0.55)) == replace(one, low=0.3)
    assert one.spanning(replace(one, low=0.45, high=0.7)) == replace(one, high=0.7)
    nothing = replace(one, value=np.nan, low=np.nan, high=np.nan)
    assert one.spanning(nothing) == one
    assert nothing.spanning(one).low == 0.4


def test_where_all_is_certain_there_is_one_value() -> None:
    """Labels without noise and probabilities without doubt; and a rate without rows."""
    p = np.repeat([0.0, 1.0], 20)
    rows = Unlabelled(np.ones(40, np.int8), p, p, np.ones(40), np.zeros(40), np.zeros(40, np.intp), np.zeros(1))
    by_name = {item.name: item for item in expected_rates(rows, 0.95)}
    assert [by_name[name].low for name in ("accuracy", "precision")] == [0.5, 0.5]
    assert by_name["f1"].low == by_name["f1"].high == pytest.approx(2 / 3)
    none = {item.name: item for item in expected_rates(replace(rows, decision=np.zeros(40, np.int8)), 0.95)}
    assert np.isnan([none["precision"].value, none["precision"].low, none["precision"].high]).all()
    assert np.isnan(expected_auc(replace(rows, probability=np.ones(40)), 0.95).value)
    rare = {item.name: item for item in expected_rates(replace(rows, probability=np.full(40, 0.01)), 0.95)}
    assert (rare["true_positive_rate"].value, rare["true_positive_rate"].rows) == pytest.approx((1.0, 0.4))


def test_with_the_probabilities_known_only_the_labels_vary() -> None:
    rng = np.random.default_rng(4)
    p = rng.uniform(0.2, 0.8, 400)
    cells = np.zeros(400, np.intp)
    rows = Unlabelled(np.ones(400, np.int8), p, p, np.ones(400), p * (1 - p), cells, np.zeros(1))
    estimate = expected_mean("accuracy", rows, 0.95)
    deviation = np.sqrt((p * (1 - p)).sum()) / 400
    assert estimate.high - estimate.low == pytest.approx(2 * 1.966 * deviation + 1 / 400, rel=0.01)


def test_isotonic_is_kept_only_where_it_lowers_the_calibration_error() -> None:
    rng = np.random.default_rng(5)

    def fitted(rows: Rows) -> Calibration:
        return Calibration.fit(rows.score, rows.target, rows.decision, probability=True, seed=0)

    good = [fitted(population(rng, 600)) for _ in range(12)]
    bad = [fitted(population(rng, 600, slope=0.4)) for _ in range(12)]
    assert all(item.as_is == (item.error_before <= item.error_after) for item in good + bad)
    assert sum(item.as_is for item in good) >= 4
    assert not any(item.as_is for item in bad)
    score = population(rng, 3_000).score
    assert {len(item.readings(score)) for item in good if item.as_is} == {2}
    many = population(rng, 10_000, slope=0.4)
    assert np.abs(fitted(many).readings(score)[-1] - expit(0.4 * logit(score))).mean() < 0.03
    points = Calibration.fit(100 * many.score, many.target, many.decision, probability=False, seed=0)
    assert points.error_before is None and not points.as_is


@pytest.mark.parametrize("weighted", [False, True])
def test_the_auc_of_the_calibration_rows_by_their_own_map_is_theirs(weighted: bool) -> None:
    # Isotonic regression follows the chance order of the labels, so the ranking of what it maps looks too good.
    rng = np.random.default_rng(8)
    rows = population(rng, 800, slope=0.4)
    rows = replace(rows, weight=rng.exponential(size=800) if weighted else None)
    calibration = Calibration.fit(rows.score, rows.target, rows.decision, rows.weight, probability=True, seed=0)
    read = Unlabelled.of(calibration, calibration.mapped(rows.score), rows.score, rows.decision, rows.weight)
    shown = next(item.value for item in measure(rows) if item.definition == "roc_auc@1")
    assert expected_auc(read, 0.95).value - shown > 0.003
    found = {item.name: item.value for item, _ in estimates_of(rows, rows, 0.95, 0)[0]}
    assert not calibration.as_is and found["roc_auc"] == pytest.approx(shown, abs=1e-12)


def coverage(n_known: int, n: int, slope: float, shift: float, draws: int, seed: int = 6) -> dict[str, float]:
    """How often the interval of an estimate held what the labels of the same rows then showed."""
    rng = np.random.default_rng([seed, n_known, n])
    held: dict[str, list[bool]] = {}
    for _ in range(draws):
        known, rows = population(rng, n_known, slope), population(rng, n, slope, shift)
        true = {number.definition.partition("@")[0]: number for number in measure(rows)}
        for item, _ in estimates_of(known, rows, 0.95, 0)[0]:
            value = true[item.name].value
            if value is not None and item.rows >= 5:
                held.setdefault(item.name, []).append(item.low - 1e-12 <= value <= item.high + 1e-12)
    return {name: float(np.mean(each)) for name, each in held.items()}


def test_what_labels_show_lies_in_the_intervals() -> None:
    # 60 draws: 92 % less three standard errors; the nightly test is the sharp one.
    found = coverage(800, 400, 0.7, 0.5, 60)
    assert min(found.values()) >= 0.82, found


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (1.0, 0.7), (1.15, 0.7), (0.5, 0.0), (0.5, 0.7)])
@pytest.mark.parametrize(("n_known", "n"), [(500, 30), (500, 2_000), (1_000, 300), (2_000, 5_000), (5_000, 5_000)])
def test_the_intervals_hold_their_level(n_known: int, n: int, slope: float, shift: float) -> None:
    found = coverage(n_known, n, slope, shift, 500)
    # Nominal 95 % less three points, and less two standard errors of 500 draws.
    assert min(found.values()) >= 0.90, found


def several(rng: np.random.Generator, n: int, sharpness: float) -> Rows:
    """Three classes; the probabilities of a class are the scores raised to `sharpness`, over their sum."""
    score = rng.dirichlet([1.5, 1.0, 0.5], n)
    true = score**sharpness / (score**sharpness).sum(axis=1, keepdims=True)
    target = (rng.random(n)[:, None] > true.cumsum(axis=1)).sum(axis=1).astype(np.int32)
    return Rows("multiclass", ("a", "b", "c"), target, score.argmax(axis=1).astype(np.int32), score, True)


def several_coverage(draws: int) -> dict[str, float]:
    rng = np.random.default_rng(7)
    held: dict[str, list[bool]] = {}
    for _ in range(draws):
        known, rows = several(rng, 1_500, 0.7), several(rng, 800, 0.7)
        true = {
            (number.definition.partition("@")[0], number.coordinates.get("class")): number.value
            for number in measure(rows)
        }
        for item, places in estimates_of(known, rows, 0.95, 0)[0]:
            value = true[item.name, places.get("class")]
            held.setdefault(item.name, []).append(item.low - 1e-12 <= value <= item.high + 1e-12)
    return {name: float(np.mean(each)) for name, each in held.items()}


def test_several_classes_are_estimated_one_by_one_and_together() -> None:
    found = several_coverage(12)
    assert {"accuracy", "macro_f1", "macro_precision", "macro_true_positive_rate", "macro_roc_auc"} <= set(found)
    assert min(found.values()) >= 0.66, found


@pytest.mark.nightly
def test_the_intervals_of_several_classes_hold_their_level() -> None:
    found = several_coverage(200)
    assert min(found.values()) >= 0.88, found
