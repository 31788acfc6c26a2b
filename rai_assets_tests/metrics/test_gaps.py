"""Gaps of every rate equal Fairlearn's, and name the groups that they leave out and why."""

from __future__ import annotations

import fairlearn.metrics as fl
import numpy as np
import pytest
import sklearn.metrics as sk

from rai_assets.errors import UsageError
from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.gaps import (
    Gap,
    difference_gap,
    no_ratio_to,
    pair_difference,
    pair_ratio,
    ratio_gap,
)
from rai_assets.metrics.intervals import difference_interval, proportion_interval, ratio_interval
from rai_assets.metrics.rows import Rows
from rai_assets.metrics.table import measure
from rai_assets_tests.metrics.conftest import decisions, draw, gaps_of, grouping


@pytest.mark.parametrize("weighted", [False, True])
def test_gaps_of_every_rate_equal_metric_frames(weighted: bool) -> None:
    rows, codes = draw(4, 9, weighted)
    metrics = {
        "accuracy": sk.accuracy_score,
        "balanced_accuracy": sk.balanced_accuracy_score,
        "true_positive_rate": fl.true_positive_rate,
        "false_positive_rate": fl.false_positive_rate,
        "true_negative_rate": fl.true_negative_rate,
        "false_negative_rate": fl.false_negative_rate,
        "precision": sk.precision_score,
        "f1": sk.f1_score,
        "selection_rate": fl.selection_rate,
        "matthews_correlation": sk.matthews_corrcoef,
    }
    params = {name: {"sample_weight": rows.weight} for name in metrics} if weighted else None
    frame = fl.MetricFrame(
        metrics=metrics, y_true=rows.target, y_pred=rows.decision, sensitive_features=codes, sample_params=params
    )
    got = gaps_of(rows, codes)
    for name in metrics:
        assert got[f"{name}_difference"].value == pytest.approx(frame.difference()[name], abs=1e-12)
        assert got[f"{name}_ratio"].value == pytest.approx(frame.ratio()[name], abs=1e-12)


def test_a_gap_to_a_reference_is_signed_and_has_its_own_interval() -> None:
    rows, codes = decisions((40, 10, 20, 30), (20, 30, 10, 40), (30, 20, 10, 40))
    numbers = measure(rows, grouping(codes), {"sex": "0"})
    to_reference = {
        (number.definition, number.group["sex"]): number for number in numbers if number.group and number.reference
    }
    difference = to_reference["selection_rate_difference_to_reference@1", "1"]
    assert difference.value == pytest.approx(0.7 - 0.4)
    newcombes = difference_interval(0.7, proportion_interval(70, 100), 0.4, proportion_interval(40, 100))
    assert (difference.low, difference.high) == pytest.approx(newcombes)
    assert difference.reference == {"sex": "0"}
    assert difference.coordinates == {"sensitive": "sex"}
    assert difference.n == 200
    ratio = to_reference["selection_rate_ratio_to_reference@1", "1"]
    assert ratio.value == pytest.approx(0.7 / 0.4)
    wanted = ratio_interval(0.7, proportion_interval(70, 100), 0.4, proportion_interval(40, 100))
    assert (ratio.low, ratio.high) == pytest.approx(tuple(map(float, wanted)))
    assert ("selection_rate_difference_to_reference@1", "0") not in to_reference


def test_a_reference_that_is_no_group_is_refused() -> None:
    rows, codes = decisions((5, 5, 5, 5), (5, 5, 5, 5))
    with pytest.raises(UsageError, match=r"no group 'sex=male' in sex"):
        measure(rows, grouping(codes), {"sex": "male"})


def test_groups_that_are_too_small_do_not_enter_and_are_named() -> None:
    rows, codes = decisions((40, 10, 20, 30), (20, 30, 10, 40), (0, 3, 0, 0))
    difference = gaps_of(rows, codes)["selection_rate_difference"]
    assert difference.value == pytest.approx(0.3)
    assert difference.reason == "left out: sex=2 (3 rows, under the minimum size 5)"
    assert gaps_of(rows, codes, minimum_size=3)["selection_rate_difference"].value == pytest.approx(0.6)
    to_small = measure(rows, grouping(codes), {"sex": "2"})
    assert all(number.value is None for number in to_small if number.reference == {"sex": "2"} and number.group)


def test_groups_without_the_denominator_do_not_enter_and_are_named() -> None:
    rows, codes = decisions((40, 10, 20, 30), (20, 30, 10, 40), (10, 10, 0, 0))
    got = gaps_of(rows, codes)
    assert got["true_positive_rate_difference"].reason == "left out: sex=2 (no row with a positive target)"
    assert got["equalized_odds_difference"].reason == got["true_positive_rate_difference"].reason


def test_a_rate_of_one_row_in_a_large_group_decides_no_gap() -> None:
    """The third group has 26 rows and one with a negative target, which is selected: a false positive rate of 1."""
    rows, codes = decisions((40, 10, 20, 30), (20, 30, 10, 40), (0, 1, 5, 20))
    got = gaps_of(rows, codes)
    why = "left out: sex=2 (1 row with a negative target, under the minimum size 5)"
    for name in ("false_positive_rate_difference", "equalized_odds_difference"):
        assert got[name].value == pytest.approx(0.4)
        assert got[name].reason == why
    assert got["selection_rate_difference"].reason is None
    whole = gaps_of(rows, codes, minimum_size=1)
    assert (whole["equalized_odds_difference"].value, whole["equalized_odds_difference"].reason) == (0.8, None)


def test_a_side_or_a_reference_with_few_rows_in_a_denominator_has_no_gap_of_it() -> None:
    rows, codes = decisions((40, 10, 20, 30), (0, 4, 10, 40))
    got = gaps_of(rows, codes, {"sex": "1"})
    few = "4 rows with a negative target, under the minimum size 5"
    assert got["average_odds_difference"].reason == f"one side has {few}"
    assert got["statistical_parity_difference"].value is not None
    to_reference = [
        number.reason
        for number in measure(rows, grouping(codes), {"sex": "1"})
        if number.definition == "false_positive_rate_difference_to_reference@1"
    ]
    assert to_reference == [f"reference group: {few}"]


def test_many_left_out_groups_are_counted() -> None:
    rows, codes = decisions((40, 10, 20, 30), (20, 30, 10, 40), *[(1, 0, 0, 0)] * 9)
    reason = gaps_of(rows, codes)["accuracy_difference"].reason
    assert reason is not None and reason.endswith("and 6 more")


def test_fewer_than_two_groups_have_no_gap() -> None:
    rows, codes = decisions((40, 10, 20, 30), (0, 3, 0, 0))
    number = gaps_of(rows, codes)["equalized_odds_difference"]
    assert number.value is None
    assert number.reason is not None and "fewer than two groups can be compared" in number.reason


def test_a_ratio_of_zeros_is_undefined_not_one() -> None:
    rows, codes = decisions((10, 0, 10, 0), (20, 0, 5, 0))
    got = gaps_of(rows, codes, {"sex": "0"})
    assert got["selection_rate_difference"].value == 0
    assert got["selection_rate_ratio"].reason == "the value of every group is 0"
    assert got["disparate_impact"].reason == "the selection rate of the reference group is 0"
    assert got["equalized_odds_ratio"].value is None


def test_small_cells_mark_their_gap() -> None:
    got = gaps_of(*decisions((400, 100, 200, 300), (20, 30, 0, 20)))
    assert got["true_positive_rate_difference"].small
    assert not got["selection_rate_difference"].small


def test_scores_and_errors_have_gaps_too() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 900)
    score = rng.random(900)
    target = (rng.random(900) < score * (1 - 0.2 * codes)).astype(np.int8)
    got = gaps_of(Rows("binary", ("no", "yes"), target, None, score, True), codes)
    values = [sk.roc_auc_score(target[codes == code], score[codes == code]) for code in range(3)]
    assert got["roc_auc_difference"].value == pytest.approx(max(values) - min(values))
    assert got["roc_auc_difference"].high is not None and got["roc_auc_difference"].high < 0.3
    target = np.arange(900.0)
    regression = gaps_of(Rows("regression", target=target, score=target + codes), codes)
    assert regression["mean_error_difference"].value == pytest.approx(2)
    assert regression["mean_error_difference"].low is None
    assert regression["mean_error_difference"].reason == "no interval, because all rows have the same value"


BIASED = Estimates(
    "expected_calibration_error",
    np.array([0.10, 0.30, 0.15, 0.20]),
    np.array([100, 60, 80, 90]),
    lambda level: (np.array([0.05, 0.22, 0.12, 0.12]), np.array([0.14, 0.33, 0.18, 0.22])),
    biased=True,
)


def test_gaps_of_values_that_are_biased_are_bounded_by_the_bounds_alone() -> None:
    """Their distances to the bounds do not add in squares: lowest less highest, and highest less lowest."""
    pair = BIASED.take([1, 0])
    low, high = pair.bounds(0.95)
    assert pair_difference(pair, low, high) == Gap(*map(pytest.approx, (0.20, 0.22 - 0.14, 0.33 - 0.05)))
    assert pair_ratio(pair, low, high) == Gap(*map(pytest.approx, (3.0, 0.22 / 0.14, 0.33 / 0.05)))
    assert pair_ratio(pair, np.array([0.22, 0.0]), high).high == np.inf
    assert difference_gap(BIASED, 0.95) == Gap(*map(pytest.approx, (0.20, 0.22 - 0.14, 0.33 - 0.05)))
    assert ratio_gap(BIASED, 0.95) == Gap(*map(pytest.approx, (1 / 3, 0.05 / 0.33, 0.14 / 0.22)))


def test_a_ratio_of_values_below_zero_is_undefined() -> None:
    assert no_ratio_to(0.5, 0.25) == ""
    assert no_ratio_to(0.5, 0.0) == "the value of the reference group is 0"
    for value, base in ((-0.1, 0.2), (0.2, -0.1)):
        assert no_ratio_to(value, base) == "a value is below 0, and a ratio needs values of one sign"


def test_a_gap_of_two_rates_counts_the_rows_of_the_larger_denominator() -> None:
    rows, codes = decisions((10, 10, 20, 30), (20, 30, 10, 70))
    assert gaps_of(rows, codes)["equalized_odds_difference"].n == 20 + 30 + 10 + 70


def test_groups_and_gaps_are_measured_together() -> None:
    rows, codes = decisions((40, 10, 20, 30), (20, 30, 10, 40))
    numbers = measure(rows, grouping(codes), {"sex": "0"}, split="test")
    assert {number.split for number in numbers} == {"test"}
    assert any(number.definition == "selection_rate@1" for number in numbers)
    assert any(number.definition == "disparate_impact@1" for number in numbers)
