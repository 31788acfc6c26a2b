"""Trees for the questions asked of every batch: scikit-learn's, to the last bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from rai_assets.model.boosting import LEAVES, Boosted, RankedRows, fitted_rows

SKLEARN = {"max_leaf_nodes": LEAVES, "early_stopping": False}


def people(seed: int, n: int, columns: int, missing: float = 0.0) -> tuple[NDArray, NDArray]:
    """Rows of numbers, many or few different ones, and a logit that the first two columns make."""
    rng = np.random.default_rng(seed)
    drawn = [
        (lambda: rng.integers(0, 4, n), lambda: rng.integers(0, 300, n), lambda: rng.normal(size=n))[at % 3]()
        for at in rng.permutation(columns)
    ]
    matrix = np.column_stack(drawn).astype(float)
    scaled = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    logit = scaled[:, 0] - scaled[:, -1] * scaled[:, 0] - 1
    matrix[rng.random(matrix.shape) < missing] = np.nan
    return matrix, logit


def both(matrix: NDArray, fitted: NDArray, target: NDArray, *, logistic: bool = True) -> tuple[NDArray, NDArray]:
    """What our trees and scikit-learn's say of all rows."""
    ours = Boosted.fit(RankedRows.of(matrix), fitted, target[fitted], rounds=30, logistic=logistic)
    said = ours.predict(ours.codes)
    if not logistic:
        theirs = HistGradientBoostingRegressor(max_iter=30, **SKLEARN).fit(matrix[fitted], target[fitted])
        return said, theirs.predict(matrix)
    judge = HistGradientBoostingClassifier(max_iter=30, **SKLEARN).fit(matrix[fitted], target[fitted])
    return expit(said), judge.predict_proba(matrix)[:, 1]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([45, 300, 1_200]), st.integers(1, 9), st.sampled_from([0.0, 0.02, 0.4]))
def test_trees_are_those_of_scikit_learn(seed: int, n: int, columns: int, missing: float) -> None:
    matrix, logit = people(seed, n, columns, missing)
    rng = np.random.default_rng(seed)
    target = (rng.random(n) < expit(logit)).astype(int)
    target[:2] = 0, 1
    fitted = np.concatenate([[0, 1], 2 + rng.permutation(n - 2)[: n // 2]])
    ours, theirs = both(matrix, fitted, target)
    assert ours == pytest.approx(theirs, abs=1e-12)
    ours, theirs = both(matrix, fitted, logit + rng.normal(size=n), logistic=False)
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_a_value_that_is_missing_only_later_goes_with_most_rows() -> None:
    matrix, logit = people(3, 2_000, 4)
    matrix[1_000:, 0] = np.nan
    ours, theirs = both(matrix, np.arange(1_000), (logit > -1).astype(int))
    assert ours[1_000:] == pytest.approx(theirs[1_000:], abs=1e-12)


def test_columns_without_values_and_of_one_value_are_never_asked() -> None:
    matrix, logit = people(4, 500, 2)
    target, fitted = (logit > -1).astype(int), np.arange(400)
    idle = np.column_stack([np.full(500, np.nan), matrix, np.full(500, 7.0)])
    said = [Boosted.fit(RankedRows.of(rows), fitted, target[fitted], rounds=10) for rows in (matrix, idle)]
    assert said[0].predict(said[0].codes) == pytest.approx(said[1].predict(said[1].codes))


def test_too_few_rows_to_part_say_what_they_are_on_average() -> None:
    found = Boosted.fit(RankedRows.of(np.arange(39.0)[:, None]), np.arange(39), np.arange(39) < 13, rounds=5)
    assert expit(found.predict(found.codes)) == pytest.approx(np.full(39, 1 / 3))


@pytest.mark.parametrize(
    ("one", "other", "fitted"),
    [
        (300, 200, (300, 200)),
        (1_000, 20, (1_000, 20)),
        (1_001, 20, (1_000, 20)),
        (2, 45_000, (2, 100)),
        (45_000, 30_000, (20_000, 20_000)),
    ],
)
def test_sides_are_fitted_on_in_shares_that_steps_stay_small_in(one: int, other: int, fitted: tuple[int, int]) -> None:
    assert fitted_rows(one, other) == fitted
    assert fitted_rows(other, one) == fitted[::-1]


@pytest.mark.parametrize("seed", range(3))
def test_predictions_stay_logits_where_one_side_has_far_more_rows(seed: int) -> None:
    """A feature that tells nearly all: with as many rows as there are, predictions reach tens of thousands."""
    rng = np.random.default_rng(seed)
    most = fitted_rows(10_000, 20)
    target = np.repeat([0, 1], most)
    matrix = np.concatenate([rng.normal(size=most[0]), rng.normal(3, 1, most[1])])[:, None]
    said = Boosted.fit(RankedRows.of(matrix), np.arange(len(target)), target, rounds=50)
    assert np.abs(said.predict(said.codes)).max() < 10
