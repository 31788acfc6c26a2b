"""Means of scores, losses and errors: closed forms, weights, and coverage where a t interval fails."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import skew
from scipy.stats import t as student

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


def test_what_rounding_leaves_of_a_spread_is_none_and_a_small_one_is_one() -> None:
    rng = np.random.default_rng(0)
    for mean, spread, shown in ((0.0, 0.0, False), (1e8, 1e-8, False), (1e8, 1e-3, True), (0.1, 1e-7, True)):
        moments = Moments.of(mean + spread * rng.normal(size=10), Groups())
        assert np.isfinite(skewed_interval(moments, 0.95)).all() == shown, (mean, spread)


def test_one_row_with_nearly_all_the_weight_gives_no_interval() -> None:
    moments = Moments.of(np.array([0.2, 0.4, 0.7]), Groups(1, None, np.array([1.0, 0.01, 0.01])))
    assert moments.effective[0] == pytest.approx(1.02**2 / 1.0002)
    for interval in (skewed_interval, bounded_interval):
        assert np.isnan(interval(moments, 0.95)).all()
    assert mean_estimates("mean_error", moments).causes(0.95) == ["one row carries nearly all the weight"]


def test_a_spread_and_a_skew_can_be_raised_but_not_lowered() -> None:
    moments = Moments.of(np.array([1.0, 2.0, 3.0, 7.0]), Groups())
    raised = moments.at_least(moments.variance + 1, moments.third + 2)
    assert (raised.variance[0], raised.third[0]) == (moments.variance[0] + 1, moments.third[0] + 2)
    kept = moments.at_least(moments.variance - 1, moments.third - 2)
    assert (kept.variance[0], kept.third[0]) == (moments.variance[0], moments.third[0])
    unknown = moments.at_least(np.array([np.nan]), np.array([np.nan]))
    assert (unknown.variance[0], unknown.third[0]) == (moments.variance[0], moments.third[0])


def hull(values: np.ndarray, level: float, positive: bool, reach: float) -> tuple[float, float]:
    """`skewed_interval` of one group, part by part: Student's, Hall's, of the unseen, and on a log scale."""
    n, mean, deviation = len(values), values.mean(), values.std(ddof=1)
    quantile = student.ppf((1 + level) / 2, n - 1) / np.sqrt(n)
    g = skew(values, bias=False)
    hall = [mean - deviation * 3 / g * (np.cbrt(1 + g * (q - g / (6 * n))) - 1) for q in (quantile, -quantile)]
    unseen = min(-np.log((1 - level) / 2) / n, 1)
    low, high = [mean - quantile * deviation, hall[0]], [mean + quantile * deviation, hall[1]]
    if positive:
        high += [mean + unseen * (reach * values.max() - mean), mean * np.exp(quantile * deviation / mean)]
        return max(min(low), 0.0), max(high)
    low.append(mean - unseen * reach * (mean - values.min()))
    return min(low), max(*high, mean + unseen * reach * (values.max() - mean))


@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
@pytest.mark.parametrize(("positive", "reach"), [(False, 1.0), (False, 2.5), (True, 1.0), (True, 3.0)])
@pytest.mark.parametrize("n", [3, 6, 40, 1000])
def test_the_interval_of_a_skewed_mean_is_the_hull_of_its_parts(
    n: int, positive: bool, reach: float, level: float
) -> None:
    rng = np.random.default_rng(n)
    for values in (rng.exponential(size=n), rng.random(n) ** 0.2, rng.normal(size=n) ** 2):
        got = skewed_interval(Moments.of(values, Groups()), level, positive=positive, reach=reach)
        assert_allclose(np.ravel(got), hull(values, level, positive, reach), rtol=1e-9)


@pytest.mark.parametrize("n", [2, 7, 200])
@pytest.mark.parametrize(("a", "b"), [(1, 9), (0.1, 3), (5, 5)])
def test_a_bounded_interval_solves_its_equation(a: float, b: float, n: int) -> None:
    """Its ends are the t with (m - t)^2 = z^2 phi t (1 - t) / n, within [0, 1]."""
    values = np.random.default_rng(n).beta(a, b, n)
    ends = np.ravel(bounded_interval(Moments.of(values, Groups()), 0.95))
    m, z = values.mean(), student.ppf(0.975, n - 1)
    # The squares of the values, and of half a row at either end.
    half_row = (m**2 + (1 - m) ** 2) / 4
    phi = min((((values - m) ** 2).sum() + half_row) / ((n - 1) * m * (1 - m) + half_row), 1)
    assert_allclose((m - ends) ** 2, z**2 * phi * ends * (1 - ends) / n, rtol=1e-9)
    assert 0 <= ends[0] < m < ends[1] <= 1


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
