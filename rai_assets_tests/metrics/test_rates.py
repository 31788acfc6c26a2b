"""Rates equal scikit-learn's, weighted or not, and are undefined exactly where their denominator is empty."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from rai_assets.errors import UsageError
from rai_assets.metrics.counts import confusion_cells
from rai_assets.metrics.intervals import proportion_interval, wilson
from rai_assets.metrics.rates import BINARY_METRICS, RATES, rate_estimates, rate_values, readable


def oracle(name: str, target: np.ndarray, decision: np.ndarray, weight: np.ndarray | None) -> float:
    """The same metric from scikit-learn; rates of negatives are rates of positives with the labels swapped."""
    options = {"sample_weight": weight}
    swapped = {**options, "pos_label": 0}
    by_name = {
        "accuracy": lambda: sk.accuracy_score(target, decision, **options),
        "balanced_accuracy": lambda: sk.balanced_accuracy_score(target, decision, **options),
        "f1": lambda: sk.f1_score(target, decision, **options),
        "matthews_correlation": lambda: sk.matthews_corrcoef(target, decision, **options),
        "precision": lambda: sk.precision_score(target, decision, **options),
        "true_positive_rate": lambda: sk.recall_score(target, decision, **options),
        "true_negative_rate": lambda: sk.recall_score(target, decision, **swapped),
        "negative_predictive_value": lambda: sk.precision_score(target, decision, **swapped),
        "false_positive_rate": lambda: 1 - sk.recall_score(target, decision, **swapped),
        "false_negative_rate": lambda: 1 - sk.recall_score(target, decision, **options),
        "false_discovery_rate": lambda: 1 - sk.precision_score(target, decision, **options),
        "false_omission_rate": lambda: 1 - sk.precision_score(target, decision, **swapped),
        "base_rate": lambda: np.average(target, weights=weight),
        "selection_rate": lambda: np.average(decision, weights=weight),
    }
    return float(by_name[name]())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", BINARY_METRICS)
def test_every_rate_of_every_group_equals_scikit_learns(name: str, weighted: bool) -> None:
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 4, 900).astype(np.int32)
    target, decision = (rng.random((2, 900)) < [[0.3], [0.4]]).astype(np.int8)
    weight = rng.exponential(size=900) if weighted else None
    got = rate_estimates(confusion_cells(target, decision, codes, 4, weight), name).value
    for code in range(4):
        rows = codes == code
        wanted = oracle(name, target[rows], decision[rows], None if weight is None else weight[rows])
        assert got[code] == pytest.approx(wanted, abs=1e-12)


def test_a_rare_class_among_a_million_rows_keeps_its_correlation() -> None:
    target, decision = np.zeros(10**6, np.int8), np.zeros(10**6, np.int8)
    target[:7] = decision[3:12] = 1
    got = rate_estimates(confusion_cells(target, decision), "matthews_correlation").value[0]
    assert got == pytest.approx(sk.matthews_corrcoef(target, decision), abs=1e-12)


def test_a_rate_is_undefined_where_its_denominator_is_empty_and_says_so() -> None:
    cells = confusion_cells(np.zeros(6, np.int8), np.array([0, 0, 0, 1, 1, 1], np.int8))
    missing = {name for name in BINARY_METRICS if np.isnan(rate_estimates(cells, name).value[0])}
    assert missing == {"true_positive_rate", "false_negative_rate", "balanced_accuracy", "matthews_correlation"}
    assert rate_estimates(cells, "true_positive_rate").undefined == "no row with a positive target"
    assert rate_estimates(cells, "f1").value[0] == 0


def test_n_is_the_denominator_in_rows() -> None:
    target, decision = np.array([1, 1, 1, 0, 0], np.int8), np.array([1, 0, 0, 1, 0], np.int8)
    cells = confusion_cells(target, decision, weight=np.array([9.0, 1, 1, 1, 1]))
    assert rate_estimates(cells, "true_positive_rate").n[0] == 3
    assert rate_estimates(cells, "precision").n[0] == 2
    assert rate_estimates(cells, "f1").n[0] == 4
    assert rate_estimates(cells, "balanced_accuracy").scarcest[0] == 2


def test_a_rate_comes_with_the_weights_it_divides() -> None:
    cells = confusion_cells(np.array([1, 1, 0], np.int8), np.array([1, 0, 0], np.int8), weight=np.array([2.0, 6, 1]))
    value, numerator, denominator = rate_values(cells, "true_positive_rate")
    assert (value[0], numerator[0], denominator[0]) == (0.25, 2, 8)


def test_without_a_target_only_the_selection_rate_can_be_read() -> None:
    cells = confusion_cells(None, np.array([1, 0, 0, 0], np.int8))
    assert [name for name in BINARY_METRICS if readable(cells, name)] == ["selection_rate"]
    assert rate_values(cells, "selection_rate")[0][0] == 0.25
    with pytest.raises(UsageError, match="needs a target"):
        rate_values(cells, "accuracy")
    with pytest.raises(UsageError, match="no rate 'recall'"):
        rate_values(cells, "recall")


def test_weights_narrow_the_interval_only_by_their_effective_size() -> None:
    rng = np.random.default_rng(3)
    decision, weight = (rng.random(400) < 0.5).astype(np.int8), rng.exponential(size=400)
    estimates = rate_estimates(confusion_cells(None, decision, weight=weight), "selection_rate")
    effective = weight.sum() ** 2 / (weight**2).sum()
    low, high = estimates.bounds(0.95)
    assert_allclose([low[0], high[0]], np.array(wilson(estimates.value[0] * effective, effective)))
    target = (rng.random(400) < 0.3 + 0.3 * decision).astype(np.int8)
    for name in BINARY_METRICS:
        equal = rate_estimates(confusion_cells(target, decision, weight=np.full(400, 3.0)), name)
        plain = rate_estimates(confusion_cells(target, decision), name)
        assert_allclose(equal.bounds(0.95), plain.bounds(0.95))


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_of_f1_is_that_of_the_share_behind_it_and_of_a_mean_that_of_its_parts(level: float) -> None:
    """F1 = 2 q / (1 + q) of q = TP / (TP + FP + FN); the mean of two rates moves by half of what both move, squared."""
    rng = np.random.default_rng(8)
    target, decision = (rng.random((2, 200)) < [[0.4], [0.5]]).astype(np.int8)
    cells = confusion_cells(target, decision)
    either, both = ((target == 1) | (decision == 1)).sum(), ((target == 1) & (decision == 1)).sum()
    share = np.array(proportion_interval(both, either, level))
    low, high = rate_estimates(cells, "f1").bounds(level)
    assert_allclose([low[0], high[0]], 2 * share / (1 + share))
    parts = []
    for label in (1, 0):
        hits, of = ((target == label) & (decision == label)).sum(), (target == label).sum()
        parts.append((hits / of, *map(float, proportion_interval(hits, of, level))))
    value = sum(part[0] for part in parts) / 2
    below = np.sqrt(sum((rate - least) ** 2 for rate, least, _ in parts)) / 2
    above = np.sqrt(sum((most - rate) ** 2 for rate, _, most in parts)) / 2
    low, high = rate_estimates(cells, "balanced_accuracy").bounds(level)
    assert_allclose([low[0], high[0]], [value - below, value + above])


def test_small_weights_are_no_empty_denominator() -> None:
    cells = confusion_cells(
        np.array([1, 1, 0], np.int8), np.array([1, 0, 0], np.int8), weight=np.array([0.1, 0.3, 9.0])
    )
    assert rate_values(cells, "true_positive_rate")[0][0] == pytest.approx(0.25)
    low, high = rate_estimates(cells, "true_positive_rate").bounds(0.95)
    assert low[0] < 0.25 < high[0]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 40), min_size=4, max_size=4), st.sampled_from([0.5, 0.95, 0.999]))
def test_any_table_gives_values_in_range_inside_their_interval(table: list[int], level: float) -> None:
    columns = np.repeat([0, 1, 2, 3], table)
    if not len(columns):
        return
    cells = confusion_cells(columns // 2, columns % 2)
    for name in BINARY_METRICS:
        estimates = rate_estimates(cells, name)
        value, (low, high) = estimates.value[0], estimates.bounds(level)
        if np.isnan(value):
            continue
        least = -1 if name == "matthews_correlation" else 0
        assert least <= low[0] <= value <= high[0] <= 1
        wider = estimates.bounds((1 + level) / 2)
        assert wider[0][0] <= low[0] + 1e-12 and high[0] <= wider[1][0] + 1e-12


def test_complements_have_mirrored_intervals() -> None:
    cells = confusion_cells(np.repeat([0, 1], [30, 50]), np.tile([0, 0, 1, 1], 20))
    pairs = [("true_positive_rate", "false_negative_rate"), ("precision", "false_discovery_rate")]
    for one, other in pairs:
        (low, high), (other_low, other_high) = (rate_estimates(cells, name).bounds(0.95) for name in (one, other))
        assert_allclose([low, high], [1 - other_high, 1 - other_low])
    assert set(RATES) < set(BINARY_METRICS)


@pytest.mark.parametrize("n", [10, 100])
@pytest.mark.parametrize("rate", [0.02, 0.3, 0.9])
def test_weighted_rates_are_covered(rate: float, n: int) -> None:
    """Weights of a lognormal: the largest of a hundred counts some ten times the median."""
    rng = np.random.default_rng(n)
    decision, weight = (rng.random(2000 * n) < rate).astype(np.int8), np.exp(rng.normal(size=2000 * n))
    cells = confusion_cells(None, decision, np.repeat(np.arange(2000), n), 2000, weight)
    low, high = rate_estimates(cells, "selection_rate").bounds(0.95)
    assert ((low <= rate) & (rate <= high)).mean() >= 0.93
