"""Gaps equal Fairlearn's, name the groups they leave out, and follow AI Fairness 360's signs."""

from __future__ import annotations

import fairlearn.metrics as fl
import numpy as np
import pytest
import sklearn.metrics as sk

from rai_assets.errors import UsageError
from rai_assets.metrics.counts import confusion_cells
from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.gaps import (
    Comparison,
    Gap,
    difference_gap,
    no_ratio_to,
    pair_difference,
    pair_ratio,
    ratio_gap,
)
from rai_assets.metrics.intervals import difference_interval, proportion_interval, ratio_interval
from rai_assets.metrics.named import named_gaps
from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Grouping, Rows
from rai_assets.metrics.table import measure


def grouping(codes: np.ndarray, column: str = "sex") -> Grouping:
    return Grouping((column,), codes.astype(np.int32), tuple({column: str(c)} for c in range(int(codes.max()) + 1)))


def gaps_of(rows: Rows, codes: np.ndarray, reference: dict | None = None, **options: object) -> dict[str, Number]:
    """The gaps without a group, by name."""
    numbers = measure(rows, grouping(codes), reference, **options)  # type: ignore[arg-type]
    return {number.definition.partition("@")[0]: number for number in numbers if not number.group}


def draw(n_groups: int, seed: int, weighted: bool) -> tuple[Rows, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, n_groups, 600)
    target = (rng.random(600) < 0.2 + 0.1 * codes).astype(np.int8)
    decision = np.where(rng.random(600) < 0.3, 1 - target, target).astype(np.int8)
    weight = rng.exponential(size=600) if weighted else None
    return Rows("binary", ("no", "yes"), target, decision, weight=weight), codes


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_groups", [2, 5])
@pytest.mark.parametrize("seed", range(3))
def test_named_gaps_equal_fairlearns(n_groups: int, seed: int, weighted: bool) -> None:
    rows, codes = draw(n_groups, seed, weighted)
    got = gaps_of(rows, codes)
    options = {"sensitive_features": codes, "sample_weight": rows.weight}
    for name in (
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equalized_odds_difference",
        "equalized_odds_ratio",
        "equal_opportunity_difference",
        "equal_opportunity_ratio",
    ):
        assert got[name].value == pytest.approx(getattr(fl, name)(rows.target, rows.decision, **options), abs=1e-12)
    mean = fl.equalized_odds_difference(rows.target, rows.decision, agg="mean", **options)
    assert got["equalized_odds_difference_mean"].value == pytest.approx(mean, abs=1e-12)
    assert got["four_fifths"].value == got["selection_rate_ratio"].value == got["demographic_parity_ratio"].value


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


def decisions(*tables: tuple[int, int, int, int]) -> tuple[Rows, np.ndarray]:
    """Rows from one (tn, fp, fn, tp) per group."""
    cells = np.concatenate([np.repeat([0, 1, 2, 3], table) for table in tables])
    codes = np.repeat(np.arange(len(tables)), [sum(table) for table in tables])
    return Rows("binary", ("no", "yes"), (cells // 2).astype(np.int8), (cells % 2).astype(np.int8)), codes


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


def test_two_sided_gaps_have_aif360s_signs_and_pool_everyone_else() -> None:
    rows, codes = decisions((40, 10, 20, 30), (20, 30, 10, 40), (60, 20, 10, 10))
    got = gaps_of(rows, codes, {"sex": "1"})
    # Everyone but group 1: tn 100, fp 30, fn 30, tp 40.
    tpr, fpr, selected = 40 / 70 - 40 / 50, 30 / 130 - 30 / 50, 70 / 200 - 70 / 100
    assert got["statistical_parity_difference"].value == pytest.approx(selected)
    assert got["disparate_impact"].value == pytest.approx((70 / 200) / (70 / 100))
    assert got["average_odds_difference"].value == pytest.approx((tpr + fpr) / 2)
    assert got["average_absolute_odds_difference"].value == pytest.approx((abs(tpr) + abs(fpr)) / 2)
    assert got["equalized_odds_sum"].value == pytest.approx(abs(tpr) + abs(fpr))
    newcombes = difference_interval(70 / 200, proportion_interval(70, 200), 70 / 100, proportion_interval(70, 100))
    assert (got["statistical_parity_difference"].low, got["statistical_parity_difference"].high) == newcombes
    assert got["disparate_impact"].reference == {"sex": "1"}


def test_of_two_groups_the_symmetric_two_sided_gaps_need_no_reference() -> None:
    rows, codes = decisions((40, 10, 20, 30), (20, 30, 10, 40))
    got, with_reference = gaps_of(rows, codes), gaps_of(rows, codes, {"sex": "0"})
    for name in ("equalized_odds_sum", "average_absolute_odds_difference"):
        assert got[name].value == pytest.approx(with_reference[name].value)
        assert got[name].reference is None
    assert "disparate_impact" not in got


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


def test_a_group_left_out_of_both_odds_is_named_once_and_one_of_either_with_its_own_reason() -> None:
    rows, codes = decisions((40, 10, 20, 30), (20, 30, 10, 40), (1, 1, 1, 1), (0, 1, 5, 20), (20, 5, 1, 0))
    assert gaps_of(rows, codes)["equalized_odds_difference"].reason == (
        "left out: sex=2 (4 rows, under the minimum size 5); "
        "sex=3 (1 row with a negative target, under the minimum size 5); "
        "sex=4 (1 row with a positive target, under the minimum size 5)"
    )


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


def test_a_group_that_is_never_selected_has_a_ratio_of_zero_with_an_interval() -> None:
    got = gaps_of(*decisions((20, 0, 20, 0), (20, 10, 10, 20)))["four_fifths"]
    assert (got.value, got.low) == (0, 0)
    assert got.high is not None and 0.05 < got.high < 0.5


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


def test_the_odds_hold_at_once() -> None:
    """Simulated: three groups with equal odds, and three that differ in one of the two."""
    rng = np.random.default_rng(11)
    codes = np.repeat([0, 1, 2], 80).astype(np.int32)
    comparison = Comparison(grouping(codes), np.bincount(codes))
    for tpr, fpr in (((0.7, 0.7, 0.7), (0.2, 0.2, 0.2)), ((0.9, 0.6, 0.6), (0.2, 0.2, 0.2))):
        gaps = max(tpr) - min(tpr), max(fpr) - min(fpr)
        truths = {"equalized_odds_difference": max(gaps), "equalized_odds_difference_mean": sum(gaps) / 2}
        holds = []
        for _ in range(200):
            target = (rng.random(240) < 0.4).astype(np.int8)
            chance = np.where(target == 1, np.array(tpr)[codes], np.array(fpr)[codes])
            cells = confusion_cells(target, rng.random(240) < chance, codes, 3)
            for number in named_gaps(cells, comparison):
                truth = truths.get(number.definition.partition("@")[0])
                if truth is not None and number.low is not None and number.high is not None:
                    holds.append(number.low - 1e-12 <= truth <= number.high + 1e-12)
        assert len(holds) == 400
        assert np.mean(holds) >= 0.93


def test_groups_and_gaps_are_measured_together() -> None:
    rows, codes = decisions((40, 10, 20, 30), (20, 30, 10, 40))
    numbers = measure(rows, grouping(codes), {"sex": "0"}, split="test")
    assert {number.split for number in numbers} == {"test"}
    assert any(number.definition == "selection_rate@1" for number in numbers)
    assert any(number.definition == "disparate_impact@1" for number in numbers)
