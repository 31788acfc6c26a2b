"""The rank sum's p-value against every arrangement and scipy, and a classifier that finds what was moved."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import mannwhitneyu, rankdata

from rai_assets.model.encoding import Feature
from rai_assets.monitoring.drift.domain_classifier import EXACT_ROWS, mann_whitney_p_value, tell_apart


@pytest.mark.parametrize("decimals", [0, 8])
def test_the_p_value_counts_every_arrangement(decimals: int) -> None:
    rng = np.random.default_rng(3)
    side = np.array([1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1])
    score = np.round(rng.normal(size=11) + side, decimals)
    ranks = rankdata(score)
    sums = [ranks[list(chosen)].sum() for chosen in combinations(range(11), 5)]
    assert mann_whitney_p_value(side, score) == pytest.approx(np.mean(np.array(sums) >= ranks[side == 1].sum() - 1e-9))


@pytest.mark.parametrize(("ones", "zeros"), [(4, 30), (40, 55), (50, 50)])
def test_without_ties_it_is_scipys_exact_one(ones: int, zeros: int) -> None:
    rng = np.random.default_rng(ones)
    high, low = rng.normal(0.4, 1, ones), rng.normal(0, 1, zeros)
    wanted = mannwhitneyu(high, low, alternative="greater", method="exact").pvalue
    side = np.repeat([1, 0], [ones, zeros])
    assert mann_whitney_p_value(side, np.concatenate([high, low])) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("decimals", [1, 8])
def test_of_many_rows_it_is_scipys_normal_limit(decimals: int) -> None:
    rng = np.random.default_rng(7)
    high, low = np.round(rng.normal(0.1, 1, 300), decimals), np.round(rng.normal(0, 1, 2_000), decimals)
    wanted = mannwhitneyu(high, low, alternative="greater", method="asymptotic").pvalue
    side = np.repeat([1, 0], [300, 2_000])
    assert mann_whitney_p_value(side, np.concatenate([high, low])) == pytest.approx(wanted, rel=1e-9)


def test_where_counting_ends_the_normal_limit_is_near() -> None:
    rng = np.random.default_rng(8)
    for scale in (1, 5):
        score = np.round(rng.normal(size=EXACT_ROWS) * scale)
        side = (np.arange(EXACT_ROWS) < 15).astype(int)
        wanted = mannwhitneyu(score[side == 1], score[side == 0], alternative="greater", method="asymptotic").pvalue
        assert mann_whitney_p_value(side, score) == pytest.approx(wanted, abs=0.02)


def test_equal_scores_tell_nothing() -> None:
    side = np.repeat([0, 1], 200)
    assert mann_whitney_p_value(side, np.zeros(400)) == 1.0
    assert mann_whitney_p_value(side[150:250], np.zeros(100)) == 1.0


def test_the_classifier_names_the_column_that_moved() -> None:
    rng = np.random.default_rng(0)

    def rows(n: int, moved: float) -> pa.Table:
        return pa.table(
            {"still": rng.normal(size=n), "moved": rng.normal(moved, 1, n), "word": rng.choice(["a", "b"], n)}
        )

    features = [Feature("still", "number"), Feature("moved", "number"), Feature("word", "category")]
    found = tell_apart(rows(1_500, 0), rows(800, 1.0), features, np.random.default_rng(1))
    # The AUC of two unit normals one deviation apart is Phi(1 / sqrt 2) = 0.760, and no classifier does better.
    assert 0.72 < found.auc.value[0] < 0.79
    assert found.auc.metric == "domain_classifier_auc"
    assert found.auc.n[0] == 750 + 400
    assert found.p_value < 1e-6
    assert found.importance["moved"] == pytest.approx(found.auc.value[0] - 0.5, abs=0.03)  # all that it goes by
    assert max(abs(found.importance["still"]), abs(found.importance["word"])) < 0.03


def test_a_relation_of_two_columns_is_found_where_neither_moved() -> None:
    """Of the batch both have one sign: it is in two quadrants, half of the reference is too, so the AUC is 3 / 4."""
    rng = np.random.default_rng(4)

    def rows(n: int, *, together: bool) -> pa.Table:
        x, y = rng.uniform(-1, 1, (2, n))
        return pa.table({"x": x, "y": np.copysign(y, x) if together else y})

    features = [Feature("x", "number"), Feature("y", "number")]
    sides = rows(3_001, together=False), rows(1_501, together=True)
    found = tell_apart(*sides, features, np.random.default_rng(5), importance=False)
    assert found.auc.value[0] == pytest.approx(0.75, abs=0.03)
    assert found.auc.n[0] == 1_501 + 751
    assert found.importance == {}


def test_all_rows_that_are_not_fitted_on_are_measured() -> None:
    """On 20,000 of one side at most, and on 50 to one of the other."""
    rng = np.random.default_rng(6)
    large = pa.table({"x": rng.normal(size=45_000)})
    for rows, held in ((2_000, 25_000 + 1_000), (4, 44_900 + 2)):
        sides = large, pa.table({"x": rng.normal(9, 1, rows)})
        found = tell_apart(*sides, [Feature("x", "number")], np.random.default_rng(7))
        assert found.auc.n[0] == held
    # Of the 5,000 rows that are shuffled none is of the last batch: what the classifier goes by cannot be told.
    assert found.importance == {}


@pytest.mark.parametrize("rows", [20, 40, 60])
def test_a_small_batch_far_from_a_large_reference_is_told_apart(rows: int) -> None:
    """Nine deviations away; of all 5,000 fitted rows of the reference the trees made the batch its very opposite."""
    rng = np.random.default_rng(rows)
    sides = pa.table({"x": rng.normal(size=10_000)}), pa.table({"x": rng.normal(9, 1, rows)})
    found = tell_apart(*sides, [Feature("x", "number")], np.random.default_rng(1), importance=False)
    assert found.auc.value[0] > 0.95
    assert found.p_value < 1e-6


def test_rows_that_stand_in_an_order_are_fitted_on_as_drawn() -> None:
    """One side is sorted, the other is not; both are of one distribution."""
    rng = np.random.default_rng(9)
    sides = pa.table({"x": np.sort(rng.normal(size=2_000))}), pa.table({"x": rng.normal(size=1_000)})
    found = tell_apart(*sides, [Feature("x", "number")], np.random.default_rng(2), importance=False)
    assert found.auc.value[0] == pytest.approx(0.5, abs=0.06)
