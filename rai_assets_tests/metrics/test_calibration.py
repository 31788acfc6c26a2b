"""Calibration bins and the expected calibration error: by hand, and covered also when the score is right."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rai_assets.metrics.calibration import BINS, CalibrationBins, calibration_error
from rai_assets.metrics.means import Groups

SCORE = np.array([0.0, 0.1, 0.15, 0.95, 1.0, 0.5])
TARGET = np.array([0, 0, 1, 1, 0, 1])
CODES = np.array([0, 0, 0, 0, 0, 1])


def test_bins_are_left_closed_and_the_last_closed_on_both_sides() -> None:
    bins = CalibrationBins.of(TARGET, SCORE, Groups(2, CODES))
    assert_array_equal(bins.rows[0], [1, 2, 0, 0, 0, 0, 0, 0, 0, 2])
    assert bins.rows[1].tolist() == [0] * 5 + [1] + [0] * 4
    assert_allclose(bins.mean_score()[0, [0, 1, 9]], [0, 0.125, 0.975])
    rate, low, high = bins.target_rate()
    assert_allclose(rate[0, [0, 1, 9]], [0, 0.5, 0.5])
    assert np.isnan(rate[0, 2]) and np.isnan(low[0, 2])
    assert low[0, 1] < 0.5 < high[0, 1]
    assert len(bins.edges) == BINS + 1


@pytest.mark.parametrize("weight", [None, np.array([1.0, 2, 3, 4, 5, 6])])
def test_the_error_is_the_mean_gap_of_the_bins(weight: np.ndarray | None) -> None:
    w = np.ones(6) if weight is None else weight
    gaps = [w[0] * 0, w[1] * 0.1 + w[2] * (0.15 - 1), w[3] * (0.95 - 1) + w[4] * 1]
    wanted = np.abs(gaps).sum() / w[:5].sum()
    error = calibration_error(CalibrationBins.of(TARGET, SCORE, Groups(2, CODES, weight)))
    assert_allclose(error.value, [wanted, 0.5])


def test_equal_weights_change_nothing() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(200)
    target = (rng.random(200) < score).astype(int)
    plain, weighted = (
        calibration_error(CalibrationBins.of(target, score, Groups(1, None, weight)))
        for weight in (None, np.full(200, 7.0))
    )
    assert_allclose(plain.bounds(0.95), weighted.bounds(0.95))


@pytest.mark.parametrize("power", [1.0, 1.5], ids=["calibrated", "miscalibrated"])
@pytest.mark.parametrize("n", [5, 20, 100, 1000])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6)], ids=["even scores", "low scores"])
def test_the_error_is_covered(shape: tuple[int, int], n: int, power: float) -> None:
    """A percentile bootstrap would never cover the 0 of a calibrated score: the value itself is always above it."""
    rng = np.random.default_rng(n)

    def draw(draws: int, size: int) -> tuple[np.ndarray, np.ndarray, Groups]:
        score = rng.beta(*shape, size=draws * size)
        target = (rng.random(draws * size) < score**power).astype(np.int8)
        return target, score, Groups(draws, np.repeat(np.arange(draws), size))

    truth = 0.0 if power == 1 else float(calibration_error(CalibrationBins.of(*draw(1, 1_000_000))).value[0])
    low, high = calibration_error(CalibrationBins.of(*draw(1000, n))).bounds(0.95)
    assert ((low <= truth) & (truth <= high)).mean() >= 0.93
