"""Every threshold from one sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_curve, roc_curve

from rai_assets.analysis.evaluation.settings import EvaluationSettings
from rai_assets.analysis.evaluation.sweep import POINTS, Sweep, best, shown, sweep
from rai_assets.metrics.counts import confusion_cells
from rai_assets.metrics.rates import rate_estimates, rate_values


def rows(n: int, seed: int, *, levels: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Target, score and weight; with `levels`, few distinct scores."""
    rng = np.random.default_rng(seed)
    score = rng.random(n) if levels is None else rng.integers(0, levels, n) / levels
    target = (rng.random(n) < 0.2 + 0.6 * score).astype(np.int8)
    target[:2] = 0, 1
    return target, score, rng.random(n)


def rate(swept: Sweep, name: str) -> np.ndarray:
    return rate_values(swept.cells, name)[0]


@pytest.mark.parametrize("levels", [None, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_roc_curve_is_scikit_learns(levels, weighted):
    target, score, weight = rows(500, 1, levels=levels)
    swept = sweep(target, score, weight if weighted else None)
    false, true, thresholds = roc_curve(
        target, score, sample_weight=weight if weighted else None, drop_intermediate=False
    )
    assert rate(swept, "false_positive_rate") == pytest.approx(false, abs=1e-12)
    assert rate(swept, "true_positive_rate") == pytest.approx(true, abs=1e-12)
    assert (swept.thresholds == thresholds).all()


@pytest.mark.parametrize("levels", [None, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_precision_and_recall_are_scikit_learns(levels, weighted):
    target, score, weight = rows(500, 2, levels=levels)
    swept = sweep(target, score, weight if weighted else None)
    precision, recall, thresholds = precision_recall_curve(target, score, sample_weight=weight if weighted else None)
    # scikit-learn rises from the lowest threshold and appends a last point; ours falls and begins with infinity.
    assert rate(swept, "precision")[:0:-1] == pytest.approx(precision[:-1], abs=1e-12)
    assert rate(swept, "true_positive_rate")[:0:-1] == pytest.approx(recall[:-1], abs=1e-12)
    assert (swept.thresholds[:0:-1] == thresholds).all()


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3), st.integers(0, 4)), min_size=1, max_size=30),
    st.floats(-4, 4),
)
def test_the_cells_at_any_threshold_are_those_of_its_decisions(drawn, threshold):
    target, score, weight = (np.array(column) for column in zip(*drawn, strict=True))
    swept = sweep(target, score.astype(float), weight.astype(float))
    cells = swept.cells.take([swept.index_of(threshold)])
    expected = confusion_cells(target, score >= threshold, weight=weight.astype(float))
    assert (cells.counts == expected.counts).all()
    assert cells.weights == pytest.approx(expected.weights, abs=1e-9)
    assert cells.squares == pytest.approx(expected.squares, abs=1e-9)


def test_few_points_are_shown_with_both_ends_and_what_must_be_there():
    target, score, _ = rows(20_000, 3)
    swept = sweep(target, score)
    index = shown(swept, [777, 778])
    assert len(index) <= POINTS
    assert {0, 777, 778, len(swept.thresholds) - 1} <= set(index.tolist())
    gaps = np.hypot(
        np.diff(rate(swept, "false_positive_rate")[index]), np.diff(rate(swept, "true_positive_rate")[index])
    )
    assert gaps.max() < 0.03
    few = sweep(target[:30], score[:30])
    assert (shown(few, []) == np.arange(31)).all()


@pytest.mark.parametrize("maximise", ["accuracy", "balanced_accuracy", "f1", "matthews_correlation"])
def test_the_best_threshold_is_that_of_a_search_over_all(maximise):
    target, score, _ = rows(200, 4, levels=20)
    swept = sweep(target, score)
    index = best(swept, EvaluationSettings(maximise=maximise))
    value = [
        rate_estimates(confusion_cells(target, score >= threshold), maximise).value[0] for threshold in swept.thresholds
    ]
    assert np.nanmax(value) == value[index]
    if maximise == "f1":
        assert value[index] == pytest.approx(f1_score(target, score >= swept.thresholds[index]))


@pytest.mark.parametrize("cost_ratio", [0.1, 1.0, 5.0])
def test_a_cost_ratio_picks_the_cheapest_threshold(cost_ratio):
    target, score, _ = rows(300, 5, levels=30)
    swept = sweep(target, score)
    costs = [
        cost_ratio * ((score >= threshold) & (target == 0)).sum() + ((score < threshold) & (target == 1)).sum()
        for threshold in swept.thresholds
    ]
    assert costs[best(swept, EvaluationSettings(cost_ratio=cost_ratio))] == min(costs)


def test_where_a_false_positive_costs_too_much_nobody_is_selected():
    target, score = np.array([0, 1, 1]), np.array([0.9, 0.5, 0.4])
    swept = sweep(target, score)
    assert swept.thresholds[best(swept, EvaluationSettings(cost_ratio=10.0))] == np.inf
