"""Intervals of association against scipy's noncentral distributions and influences by numerical differentiation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2, f, ncf, ncx2, norm

from rai_assets.analysis.explanation.association_intervals import (
    mid_ranks,
    rank_interval,
    ratio_interval,
    table_interval,
)

LEVELS = [0.8, 0.95, 0.99]


def influences(measure: Callable[[NDArray], float], weights: NDArray) -> NDArray:
    """How the measure moves when a little weight goes from all to one, for each one."""
    step = 1e-6
    sides = []
    for sign in (1, -1):
        moved = (1 - sign * step) * weights[None] + sign * step * np.eye(len(weights))
        sides.append(np.array([measure(row) for row in moved]))
    return (sides[0] - sides[1]) / (2 * step)


def noncentrality(below: Callable[[float], float], chance: float, at_zero: float) -> float:
    """Where the chance to lie below what was seen has fallen to `chance`; 0 where it is lower from the start."""
    return brentq(lambda beyond: below(beyond) - chance, 1e-9, 4000, xtol=1e-10) if at_zero > chance else 0.0


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "counts",
    [[[30, 10, 5], [12, 25, 20]], [[20, 19], [21, 20]], [[9, 1, 5], [5, 14, 1], [2, 3, 20], [1, 1, 1]]],
    ids=["some", "next to none", "much"],
)
def test_a_table_has_the_hull_of_the_noncentral_chi_squared_and_the_delta_method(
    counts: list[list[int]], level: float
) -> None:
    table = np.array(counts, float)
    n, shape, degrees = table.sum(), table.shape, (table.shape[0] - 1) * (table.shape[1] - 1)

    def squared(shares: NDArray) -> float:
        p = shares.reshape(shape)
        return float((p**2 / (p.sum(axis=1, keepdims=True) * p.sum(axis=0))).sum() - 1)

    shares, tail = table.ravel() / n, (1 - level) / 2
    statistic = n * squared(shares)
    known = [
        noncentrality(lambda beyond: ncx2.cdf(statistic, degrees, beyond), chance, chi2.cdf(statistic, degrees))
        for chance in (1 - tail, tail)
    ]
    reach = norm.ppf((1 + level) / 2) * np.sqrt((shares * influences(squared, shares) ** 2).sum() / n)
    centre = max(0, squared(shares) - degrees / (n - 1))
    low, high = min(known[0] / n, centre - reach), max(known[1] / n, centre + reach)
    wanted = np.sqrt(np.clip(np.array([low, high]) / (min(shape) - 1), 0, 1))
    assert table_interval(table, level) == pytest.approx(tuple(wanted), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("apart", [0.0, 0.3, 2.0])
def test_groups_have_the_hull_of_the_noncentral_f_and_the_delta_method(apart: float, level: float) -> None:
    draw = np.random.default_rng(1)
    groups = np.repeat([0, 1, 2], [10, 25, 40])
    values = draw.exponential(size=75) + apart * groups
    n, one, two, tail = 75, 2, 72, (1 - level) / 2

    def squared(weights: NDArray) -> float:
        means = np.bincount(groups, weights * values) / np.bincount(groups, weights)
        within = (weights * (values - means[groups]) ** 2).sum()
        return float(1 - within / (weights * (values - weights @ values) ** 2).sum())

    weights = np.full(n, 1 / n)
    eta = squared(weights)
    statistic = eta / (1 - eta) * two / one
    known = [
        noncentrality(lambda beyond: ncf.cdf(statistic, one, two, beyond), chance, f.cdf(statistic, one, two))
        for chance in (1 - tail, tail)
    ]
    reach = norm.ppf((1 + level) / 2) * np.sqrt((influences(squared, weights) ** 2).mean() / n)
    centre = max(0, 1 - (1 - eta) * (n - 1) / two)
    low, high = min(known[0] / (known[0] + n), centre - reach), max(known[1] / (known[1] + n), centre + reach)
    wanted = np.sqrt(np.clip([low, high], 0, 1))
    assert ratio_interval(groups, values, level) == pytest.approx(tuple(wanted), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("slope", [0.0, 0.5, -3.0, 100.0])
def test_ranks_have_fishers_interval_with_the_larger_of_two_errors(slope: float, level: float) -> None:
    draw = np.random.default_rng(2)
    a = draw.integers(0, 12, 50)
    b = np.unique(slope * a + draw.normal(size=50).round(1) * (a - 5.5) ** 2, return_inverse=True)[1]
    a = np.unique(a, return_inverse=True)[1]

    def rho(weights: NDArray) -> float:
        ranks = [(weights * ((x[None] < x[:, None]) + (x[None] == x[:, None]) / 2)).sum(axis=1) for x in (a, b)]
        u, v = (rank - weights @ rank for rank in ranks)
        return float((weights * u * v).sum() / np.sqrt((weights * u * u).sum() * (weights * v * v).sum()))

    weights = np.full(50, 1 / 50)
    value = rho(weights)
    error = np.sqrt((influences(rho, weights) ** 2).sum() / 49 / 50) / (1 - value**2)
    assert (error > np.sqrt((1 + value**2 / 2) / 47)) == (slope < 1), "either error is the larger one in some case"
    reach = norm.ppf((1 + level) / 2) * max(error, np.sqrt((1 + value**2 / 2) / 47))
    low, high = np.tanh(np.arctanh(value) - reach), np.tanh(np.arctanh(value) + reach)
    ends = sorted((abs(low), abs(high)))
    wanted = (0.0 if low < 0 < high else ends[0], ends[1])
    assert rank_interval(a, b, level) == pytest.approx(wanted, rel=1e-5, abs=1e-9)


def test_five_rows_a_cell_or_group_are_enough_and_fewer_are_not() -> None:
    draw = np.random.default_rng(3)
    assert table_interval(np.array([[5.0, 5], [5, 5]]), 0.95) is not None
    assert table_interval(np.array([[5.0, 5], [5, 4]]), 0.95) is None
    groups = np.array([0, 1] * 5)
    assert ratio_interval(groups, draw.normal(size=10), 0.95) is not None
    assert ratio_interval(groups[:9], draw.normal(size=9), 0.95) is None
    places = np.arange(5)
    assert rank_interval(places, places[::-1], 0.95) is not None
    assert rank_interval(places[:4], places[:4], 0.95) is None


def test_without_spread_within_the_groups_the_ratio_is_one() -> None:
    assert ratio_interval(np.repeat([0, 1], 5), np.repeat([1.0, 2.0], 5), 0.95) == (1.0, 1.0)


def test_where_scipys_inverse_ends_a_normal_takes_over_without_a_step() -> None:
    """Noncentralities of 4,988 and 5,013, below and above the change: the bounds lie as far from the ratio."""
    groups = np.repeat([0, 1], 2500)
    off = []
    for shift in (1.998, 2.003):
        bounds = ratio_interval(groups, np.tile([-1.0, 1.0], 2500) + shift * groups, 0.95)
        assert bounds is not None
        off.append(np.array(bounds) - np.sqrt(shift**2 / (4 + shift**2)))
    assert off[0] == pytest.approx(off[1], rel=0.03)


def test_the_same_ranks_have_an_interval_up_to_one() -> None:
    found = rank_interval(np.arange(20), np.arange(20), 0.95)
    assert found is not None
    assert 0.999 < found[0] <= found[1] <= 1


def test_ties_share_the_mean_of_their_ranks() -> None:
    assert mid_ranks(np.array([0, 2, 1, 2, 2])).tolist() == [1, 4, 2, 4, 4]
