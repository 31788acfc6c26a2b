"""What calibration rows say of a score, cell by cell, against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from rai_assets.monitoring.performance.calibrated import FOLDS, MOST_BINS, ROWS_PER_BIN, Calibration


def fitted(n: int, weight: np.ndarray | None = None, *, probability: bool = True, power: float = 1.0) -> tuple:
    rng = np.random.default_rng(n)
    score = rng.random(n)
    positive = (rng.random(n) < score**power).astype(float)
    decision = (rng.random(n) < score).astype(int)
    known = Calibration.fit(score, positive, decision, weight, probability=probability, seed=0)
    return known, score, positive, decision


@pytest.mark.parametrize(("n", "bins"), [(30, 1), (40, 2), (400, 20), (1500, 50)])
def test_rows_and_positives_of_every_cell_are_counted(n: int, bins: int) -> None:
    known, score, positive, decision = fitted(n)
    assert bins == min(max(n // ROWS_PER_BIN, 1), MOST_BINS) == len(known.edges) + 1
    assert len(known.rows) == 2 * bins
    edges = np.quantile(score, np.arange(1, bins) / bins)
    place = (score[:, None] >= edges).sum(1) if bins > 1 else np.zeros(n, int)
    for at in range(bins):
        for said in (0, 1):
            here = (place == at) & (decision == said)
            assert known.rows[2 * at + said] == pytest.approx(here.sum())
            assert known.positives[2 * at + said] == pytest.approx(positive[here].sum())
    assert (known.cells(score, decision) == 2 * place + decision).all()


def test_weighted_rows_count_for_as_many_as_they_are_worth() -> None:
    """Kish's effective size: the square of the sum over the sum of squares; the share of positives stays."""
    weight = np.random.default_rng(0).uniform(0.5, 3, 60)
    known, score, positive, decision = fitted(60, weight)
    cells = known.cells(score, decision)
    for cell in np.unique(cells):
        w, y = weight[cells == cell], positive[cells == cell]
        assert known.rows[cell] == pytest.approx(w.sum() ** 2 / (w**2).sum())
        assert known.positives[cell] / known.rows[cell] == pytest.approx((w @ y) / w.sum())
    empty = np.setdiff1d(np.arange(len(known.rows)), cells)
    assert (known.rows[empty] == 0).all()
    assert (known.positives[empty] == 0).all()


def test_a_score_on_an_edge_is_counted_where_it_is_looked_up() -> None:
    _, score, positive, decision = fitted(400)
    tenths = score.round(1)
    known = Calibration.fit(tenths, positive, decision, probability=True, seed=0)
    assert set(known.edges) & set(tenths)
    found = np.bincount(known.cells(tenths, decision), minlength=len(known.rows))
    assert known.rows == pytest.approx(found)


def calibration_error(positive: np.ndarray, score: np.ndarray, weight: np.ndarray) -> float:
    """Distance of the mean score from the rate of positives in each of ten bins, by weight."""
    bins = np.minimum((10 * score).astype(int), 9)
    apart = np.bincount(bins, weight * (score - positive), minlength=10)
    return float(np.abs(apart).sum() / weight.sum())


@pytest.mark.parametrize("seed", [0, 3])
def test_weights_count_in_the_map_and_in_both_errors(seed: int) -> None:
    """The error of the map is of rows that it was not fitted on, a fifth at a time."""
    weight = np.random.default_rng(1).exponential(size=300)
    _, score, positive, decision = fitted(300, power=3.0)
    known = Calibration.fit(score, positive, decision, weight, probability=True, seed=seed)
    fold = np.random.default_rng(seed).permutation(300) % FOLDS

    def predicted(fitted_on: np.ndarray, asked: np.ndarray) -> np.ndarray:
        regression = IsotonicRegression(out_of_bounds="clip")
        regression.fit(score[fitted_on], positive[fitted_on], sample_weight=weight[fitted_on])
        return regression.predict(asked)

    outside = np.empty(300)
    for held in range(5):
        outside[fold == held] = predicted(fold != held, score[fold == held])
    assert known.error_before == pytest.approx(calibration_error(positive, score, weight))
    assert known.error_after == pytest.approx(calibration_error(positive, outside, weight))
    asked = np.linspace(0, 1, 40)
    assert known.mapped(asked) == pytest.approx(predicted(fold >= 0, asked))


def test_a_map_that_is_as_good_does_not_replace_the_score() -> None:
    positive = np.repeat([0.0, 1.0], 60)
    known = Calibration.fit(positive, positive, positive.astype(int), probability=True, seed=0)
    assert (known.error_before, known.error_after, known.as_is) == (0.0, 0.0, True)


def test_the_doubt_of_a_cell_and_the_noise_of_a_label_by_hand() -> None:
    known, _, _, _ = fitted(400)
    share = (known.positives + 0.5) / (known.rows + 1)
    assert known.doubt() == pytest.approx(share * (1 - share) / (known.rows + 1))
    cells = np.array([0, 1, 5])
    n, p = known.rows[cells], np.array([0.0, 0.5, 1.0])
    smoothed = (n * p + 0.5) / (n + 1)
    assert known.noise(p, cells) == pytest.approx(smoothed * (1 - smoothed))
    assert (known.noise(p, cells) > 0).all()


def test_a_score_is_mapped_by_the_isotonic_regression_of_all_rows() -> None:
    known, score, positive, _ = fitted(900, power=3.0)
    assert not known.as_is
    assert known.error_before is not None
    assert known.error_after < known.error_before
    asked = np.linspace(0, 1, 50)
    (reading,) = known.readings(asked)
    expected = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(score, positive).predict(asked)
    assert reading == pytest.approx(expected)


def test_a_good_score_has_two_readings_and_what_is_no_probability_one() -> None:
    known, _, _, _ = fitted(900)
    assert known.as_is
    asked = np.linspace(0, 1, 50)
    as_it_is, mapped = known.readings(asked)
    assert (as_it_is == asked).all()
    assert not np.allclose(mapped, asked)
    plain, _, _, _ = fitted(900, probability=False)
    assert (plain.as_is, plain.error_before, len(plain.readings(asked))) == (False, None, 1)
