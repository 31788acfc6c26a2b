"""The gaps that have names: equal to Fairlearn's, with AI Fairness 360's signs, and odds that hold at once."""

from __future__ import annotations

import fairlearn.metrics as fl
import numpy as np
import pytest

from rai_assets.metrics.counts import confusion_cells
from rai_assets.metrics.gaps import Comparison
from rai_assets.metrics.intervals import difference_interval, proportion_interval
from rai_assets.metrics.named import named_gaps
from rai_assets_tests.metrics.conftest import decisions, draw, gaps_of, grouping


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


def test_a_group_left_out_of_both_odds_is_named_once_and_one_of_either_with_its_own_reason() -> None:
    rows, codes = decisions((40, 10, 20, 30), (20, 30, 10, 40), (1, 1, 1, 1), (0, 1, 5, 20), (20, 5, 1, 0))
    assert gaps_of(rows, codes)["equalized_odds_difference"].reason == (
        "left out: sex=2 (4 rows, under the minimum size 5); "
        "sex=3 (1 row with a negative target, under the minimum size 5); "
        "sex=4 (1 row with a positive target, under the minimum size 5)"
    )


def test_a_group_that_is_never_selected_has_a_ratio_of_zero_with_an_interval() -> None:
    got = gaps_of(*decisions((20, 0, 20, 0), (20, 10, 10, 20)))["four_fifths"]
    assert (got.value, got.low) == (0, 0)
    assert got.high is not None and 0.05 < got.high < 0.5


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
