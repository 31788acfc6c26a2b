"""Means of scores, losses and errors: closed forms, weights, and coverage where a t interval fails."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import skew

from rai_assets.metrics.means import Groups, Moments, bounded_interval, mean_estimates, skewed_interval


def test_moments_are_those_of_each_group() -> None:
    rng = np.random.default_rng(0)
    values, codes = rng.exponential(size=300), rng.integers(0, 3, 300)
    moments = Moments.of(values, Groups(4, codes))
    for code in range(3):
        part = values[codes == code]
        assert moments.mean[code] == pytest.approx(part.mean())
        assert moments.variance[code] == pytest.approx(part.var(ddof=1))
        skewness = moments.third[code] / part.var(ddof=1) ** 1.5
        assert skewness == pytest.approx(skew(part, bias=False))
    assert np.isnan(moments.mean[3]) and moments.rows[3] == 0


def test_equal_weights_change_nothing_and_doubled_rows_are_not_twice_as_certain() -> None:
    values = np.random.default_rng(0).exponential(size=50)
    plain, weighted = (skewed_interval(Moments.of(values, Groups(1, None, w)), 0.95) for w in (None, np.full(50, 4.0)))
    assert_allclose(plain, weighted)
    halves = Moments.of(values, Groups(1, None, np.r_[np.full(25, 1.0), np.full(25, 1e-9)]))
    assert halves.effective[0] == pytest.approx(25)


def test_equal_values_give_no_interval_unless_the_scale_has_ends() -> None:
    moments = Moments.of(np.full(10, 0.1), Groups())
    assert np.isnan(skewed_interval(moments, 0.95)).all()
    low, high = bounded_interval(moments, 0.95)
    assert 0 <= low[0] < 0.1 < high[0] < 0.6
    assert mean_estimates("mean_error", moments).causes(0.95) == ["all rows have the same value"]


def test_zeros_and_ones_get_a_proportions_interval() -> None:
    """Then dispersion is that of a proportion, and the interval is Wilson's but for the quantile and the half row."""
    from rai_assets.metrics.intervals import wilson

    values = np.repeat([0.0, 1.0], [300, 100])
    assert_allclose(np.ravel(bounded_interval(Moments.of(values, Groups()), 0.95)), wilson(100, 400), atol=2e-3)


def coverage(interval: object, draws: np.ndarray, truth: float) -> float:
    """Share of the rows of `draws` (samples, n) whose interval holds the truth."""
    n_samples, n = draws.shape
    groups = Groups(n_samples, np.repeat(np.arange(n_samples), n))
    low, high = interval(Moments.of(draws.ravel(), groups), 0.95)
    return float(((low <= truth) & (truth <= high)).mean())


@pytest.mark.parametrize("n", [20, 50, 300])
def test_skewed_means_are_covered(n: int) -> None:
    rng = np.random.default_rng(n)
    assert coverage(skewed_interval, rng.exponential(size=(3000, n)), 1.0) >= 0.92
    assert coverage(skewed_interval, 1 - rng.exponential(size=(3000, n)), 0.0) >= 0.92
    assert coverage(skewed_interval, rng.normal(size=(3000, n)), 0.0) >= 0.93
    assert coverage(skewed_interval, rng.normal(size=(3000, n)) ** 2, 1.0) >= 0.92


@pytest.mark.parametrize("n", [5, 10, 30, 300])
@pytest.mark.parametrize(("a", "b"), [(1, 9), (0.1, 3), (0.5, 0.5), (5, 5)])
def test_bounded_means_are_covered_from_five_rows_on(a: float, b: float, n: int) -> None:
    rng = np.random.default_rng(n)
    assert coverage(bounded_interval, rng.beta(a, b, size=(3000, n)), a / (a + b)) >= 0.93
