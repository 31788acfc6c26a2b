"""Intervals against closed forms, and their coverage by exact enumeration of the binomial: no simulation here.

An interval may cover less than its level by no more than three points, at every n from 5 and every p.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom, binomtest, t

from rai_assets.metrics.intervals import (
    Bounds,
    clopper_pearson,
    difference_interval,
    effective_size,
    max_min_difference,
    max_min_ratio,
    proportion_interval,
    ratio_interval,
    t_interval,
    wilson,
)

PROPORTIONS = np.unique(np.r_[np.linspace(0.0005, 0.05, 100), np.linspace(0.001, 0.5, 500)])
CORNERS = np.r_[0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99]


def exact_coverage(interval: Callable[..., Bounds], n: int, level: float) -> np.ndarray:
    """Probability that the interval holds p, for every p of the grid (rates above 1/2 are mirrored)."""
    x = np.arange(n + 1)
    low, high = interval(x, n, level)
    holds = (low[:, None] <= PROPORTIONS) & (high[:, None] >= PROPORTIONS)
    return (binom.pmf(x[:, None], n, PROPORTIONS) * holds).sum(axis=0)


def test_single_proportions_equal_scipys() -> None:
    for x, n in ((0, 5), (1, 11), (7, 20), (20, 20), (500, 1000)):
        exact = binomtest(x, n).proportion_ci(0.95, method="exact")
        score = binomtest(x, n).proportion_ci(0.95, method="wilson")
        assert_allclose(clopper_pearson(x, n), (exact.low, exact.high), atol=1e-12)
        assert_allclose(wilson(x, n), (score.low, score.high), atol=1e-12)


def test_wilson_alone_would_cover_too_little() -> None:
    """The figures that make the exact interval necessary: 86 % at n = 5, p = 0.03 and 90 % at n = 11, p = 0.05."""
    assert exact_coverage(wilson, 5, 0.95)[np.searchsorted(PROPORTIONS, 0.03)] == pytest.approx(0.86, abs=0.01)
    assert exact_coverage(wilson, 11, 0.95)[np.searchsorted(PROPORTIONS, 0.05)] == pytest.approx(0.90, abs=0.01)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99, 0.999])
def test_proportions_are_covered_at_every_n_and_p(level: float) -> None:
    for n in (*range(5, 61), 100, 300):
        assert exact_coverage(proportion_interval, n, level).min() >= level - 0.03, n


@pytest.mark.nightly
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.975, 0.99, 0.999, 0.9999])
def test_proportions_are_covered_at_every_n_up_to_a_thousand(level: float) -> None:
    for n in (*range(5, 301), *range(310, 1001, 23)):
        assert exact_coverage(proportion_interval, n, level).min() >= level - 0.03, n


def test_the_exact_interval_gives_way_to_wilsons_where_counts_are_large() -> None:
    assert_allclose(proportion_interval(8, 100), clopper_pearson(8, 100))
    assert_allclose(proportion_interval(9, 100), wilson(9, 100))
    assert_allclose(proportion_interval(21, 100, 0.9), wilson(21, 100, 0.9))
    assert np.isnan(proportion_interval(0, 0)).all()


def test_fractions_of_effective_rows_are_between_those_of_whole_ones() -> None:
    low, high = proportion_interval(2.5, 10.0)
    assert clopper_pearson(2, 10)[0] < low < clopper_pearson(3, 10)[0]
    assert clopper_pearson(2, 10)[1] < high < clopper_pearson(3, 10)[1]


def test_the_effective_size_of_equal_weights_is_their_number() -> None:
    assert_allclose(effective_size([12.0, 6.0, 0.5, 0.0], [36.0, 12.0, 0.25, 0.0]), [4, 3, 1, 0])


def test_a_t_interval_is_students() -> None:
    assert_allclose(t_interval(10, 2, 4), (10 - 2 * 2.776445, 10 + 2 * 2.776445), rtol=1e-6)
    assert_allclose(t_interval(10, 2, 0.5), 10 + 2 * t.ppf([0.025, 0.975], 0.5))
    assert np.isnan(t_interval(10, 2, 0)).all()


def test_newcombes_difference_equals_the_published_example() -> None:
    """56/70 - 48/80: 0.0524 to 0.3339 by method 10 (Newcombe 1998, table II)."""
    found = difference_interval(56 / 70, proportion_interval(56, 70), 48 / 80, proportion_interval(48, 80))
    assert_allclose(found, (0.0524, 0.3339), atol=5e-5)


def two_samples(n: int, m: int, level: float) -> tuple[np.ndarray, Bounds, np.ndarray, Bounds]:
    x, y = np.arange(n + 1), np.arange(m + 1)
    first, second = proportion_interval(x, n, level), proportion_interval(y, m, level)
    return (
        (x / n)[:, None],
        (first[0][:, None], first[1][:, None]),
        (y / m)[None],
        (second[0][None], second[1][None]),
    )


@pytest.mark.parametrize(("n", "m"), [(5, 5), (5, 60), (11, 11), (20, 200), (30, 30), (60, 60)])
def test_differences_and_ratios_of_two_proportions_are_covered(n: int, m: int) -> None:
    value, bounds, other, other_bounds = two_samples(n, m, 0.95)
    low, high = difference_interval(value, bounds, other, other_bounds)
    ratio_low, ratio_high = ratio_interval(value, bounds, other, other_bounds)
    for p in CORNERS:
        for q in CORNERS:
            weight = np.outer(binom.pmf(np.arange(n + 1), n, p), binom.pmf(np.arange(m + 1), m, q))
            assert weight[(low <= p - q) & (p - q <= high)].sum() >= 0.92, (p, q)
            # A ratio to an observed rate of 0 is undefined, and nothing is said about it.
            defined = np.broadcast_to(other > 0, weight.shape)
            holds = ~defined | ((ratio_low <= p / q + 1e-12) & (p / q <= ratio_high + 1e-12))
            assert weight[holds].sum() >= 0.92, (p, q)


def test_a_ratio_is_bounded_where_the_numerator_is_zero() -> None:
    low, high = ratio_interval(0.0, proportion_interval(0, 30), 0.5, proportion_interval(15, 30))
    assert low == 0
    assert 0.1 < high < 0.5
    assert np.isnan(ratio_interval(0.5, proportion_interval(5, 10), 0.0, proportion_interval(0, 10))).all()


def test_a_ratio_needs_bounds_that_are_not_negative_and_has_no_end_where_the_base_may_be_zero() -> None:
    assert np.isnan(ratio_interval(0.5, (-0.1, 0.8), 0.5, (0.3, 0.7))).all()
    assert_allclose(ratio_interval(0.0, (0.0, 0.3), 0.1, (0.0, 0.4)), (0, np.inf))
    assert ratio_interval(0.2, (0.1, np.inf), 0.5, (0.3, 0.7))[1] == np.inf


def test_a_ratio_upside_down_has_the_interval_upside_down() -> None:
    one, other = proportion_interval(12, 40), proportion_interval(30, 50)
    low, high = ratio_interval(12 / 40, one, 30 / 50, other)
    assert_allclose(ratio_interval(30 / 50, other, 12 / 40, one), (1 / high, 1 / low))


def gap_coverage(sizes: list[int], rates: list[float], seed: int, draws: int = 1500) -> tuple[float, float]:
    """Share of simulated sets of groups whose interval holds the true max - min, and the true min / max."""
    rng = np.random.default_rng(seed)
    n, p = np.array(sizes), np.array(rates)
    hits = np.zeros(2)
    defined = 0
    for counts in rng.binomial(n, p, size=(draws, len(n))):

        def limits(level: float, counts: np.ndarray = counts) -> Bounds:
            return proportion_interval(counts, n, level)

        value = counts / n
        low, high = max_min_difference(value, limits)
        hits[0] += low <= p.max() - p.min() <= high
        if value.max() > 0:
            defined += 1
            low, high = max_min_ratio(value, limits)
            hits[1] += low <= p.min() / p.max() <= high
    return hits[0] / draws, hits[1] / defined


@pytest.mark.parametrize(
    ("sizes", "rates"),
    [
        ([200] * 5, [0.3] * 5),
        ([11] * 5, [0.05] * 5),
        ([5, 8, 40, 300], [0.2, 0.3, 0.25, 0.3]),
        ([60, 60, 60], [0.1, 0.5, 0.52]),
        ([100, 100], [0.01, 0.01]),
        ([30, 500], [0.95, 0.6]),
    ],
)
def test_the_gap_of_several_groups_is_covered_also_when_there_is_none(sizes: list[int], rates: list[float]) -> None:
    difference, ratio = gap_coverage(sizes, rates, seed=len(sizes))
    assert difference >= 0.93
    assert ratio >= 0.93


@pytest.mark.nightly
def test_the_gap_of_hundreds_of_groups_is_covered() -> None:
    difference, ratio = gap_coverage([50] * 300, [0.2] * 299 + [0.5], seed=1, draws=400)
    assert difference >= 0.93
    assert ratio >= 0.93


def test_many_groups_are_bounded_one_by_one_and_hardly_wider() -> None:
    rng = np.random.default_rng(0)
    counts = rng.binomial(400, 0.3, size=65)

    def widths(n_groups: int) -> tuple[float, float]:
        chosen = counts[:n_groups]
        return max_min_difference(chosen / 400, lambda level: proportion_interval(chosen, 400, level))

    pairs, one_by_one = widths(64), widths(65)
    assert pairs[0] == one_by_one[0] == 0
    assert one_by_one[1] - (counts[:65].max() - counts[:65].min()) / 400 < 1.25 * (
        pairs[1] - (counts[:64].max() - counts[:64].min()) / 400
    )


def test_the_gap_of_two_groups_is_the_absolute_difference() -> None:
    value, n = np.array([0.9, 0.2]), np.array([50, 50])
    low, high = max_min_difference(value, lambda level: proportion_interval(value * n, n, level))
    assert_allclose(
        (low, high), difference_interval(0.9, proportion_interval(45, 50), 0.2, proportion_interval(10, 50))
    )


def by_pairs(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[Bounds, Bounds]:
    """Of the gap and of the ratio: the farthest bounds of all pairs, one after the other."""
    gaps, ratios = [], []
    for i in range(len(value)):
        for j in range(len(value)):
            if i != j and value[i] <= value[j]:
                one, other = (low[i], high[i]), (low[j], high[j])
                below, above = difference_interval(value[j], other, value[i], one)
                gaps.append((max(below, -above), max(above, -below)))
                least, most = ratio_interval(value[i], one, value[j], other)
                ratios.append((min(least, 1 / most) if most > 1 else least, min(most, 1.0)))
    return (max(0.0, max(g[0] for g in gaps)), max(g[1] for g in gaps)), (
        min(r[0] for r in ratios),
        min(r[1] for r in ratios),
    )


@pytest.mark.parametrize("width", [0.02, 0.2])
@pytest.mark.parametrize("groups", [2, 5, 64])
def test_up_to_sixty_four_groups_the_gap_is_the_hull_of_all_pairs(groups: int, width: float) -> None:
    value = np.random.default_rng(groups).uniform(0.3, 0.9, groups)
    asked = []

    def limits(level: float) -> Bounds:
        asked.append(level)
        return value - width * value, value + width

    difference, ratio = by_pairs(value, *limits(0.0))
    assert_allclose(max_min_difference(value, limits), difference)
    assert_allclose(max_min_ratio(value, limits), ratio)
    assert asked[1:] == [1 - 0.05 / (groups * (groups - 1) / 2)] * 2


@pytest.mark.parametrize(("groups", "by_pair"), [(65, True), (4, False)])
def test_beyond_or_of_biased_values_the_gap_is_that_of_the_outermost_bounds(groups: int, by_pair: bool) -> None:
    value = np.linspace(0.2, 0.8, groups)

    def limits(level: float) -> Bounds:
        assert level == 1 - 0.05 / groups
        return value - 0.1, value + 0.05

    # Lower bounds from 0.1 to 0.7, upper ones from 0.25 to 0.85.
    assert_allclose(max_min_difference(value, limits, by_pair=by_pair), (0.7 - 0.25, 0.85 - 0.1))
    assert_allclose(max_min_ratio(value, limits, by_pair=by_pair), (0.1 / 0.85, 0.25 / 0.7))


def test_outermost_bounds_that_overlap_leave_no_gap_and_those_below_zero_say_nothing_of_a_ratio() -> None:
    value = np.array([0.2, 0.21, 0.3])
    assert_allclose(max_min_difference(value, lambda _: (value - 0.1, value + 0.1), by_pair=False), (0, 0.4 - 0.1))
    assert_allclose(max_min_ratio(value, lambda _: (value - 0.1, value + 0.1), by_pair=False), (0.1 / 0.4, 1))
    assert_allclose(max_min_ratio(value, lambda _: (value - 0.25, value + 0.1), by_pair=False), (0, 1))
    assert_allclose(max_min_ratio(value, lambda _: (value - 0.3, value + 0.1), by_pair=False), (0, 1))
    apart = np.array([0.02, 0.8])
    assert_allclose(max_min_ratio(apart, lambda _: (apart - 0.1, apart + 0.1), by_pair=False), (0, 0.12 / 0.7))


def test_of_a_pair_that_may_be_tied_the_ratio_is_bounded_from_either_side() -> None:
    value, low, high = np.array([0.50, 0.52]), np.array([0.45, 0.2]), np.array([0.55, 0.56])
    assert_allclose(max_min_ratio(value, lambda _: (low, high)), by_pairs(value, low, high)[1])
    most = ratio_interval(0.50, (0.45, 0.55), 0.52, (0.2, 0.56))[1]
    assert max_min_ratio(value, lambda _: (low, high)) == pytest.approx((1 / most, 1))
