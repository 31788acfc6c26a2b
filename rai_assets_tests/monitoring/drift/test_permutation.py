"""P-values against every permutation, against the normal limit, and as uniform as they have to be."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy.stats import norm

from rai_assets.monitoring.drift.order import block_p, contiguous
from rai_assets.monitoring.drift.permutation import MEANS_ARE_NORMAL, mean_difference_p_value, sequential_p_value


def test_the_p_value_of_a_difference_of_means_is_that_of_all_permutations() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(1, 1, 5), rng.normal(0, 1, 7)
    pooled = np.concatenate([one, other])
    observed = abs(one.mean() - other.mean())
    every = [np.isin(np.arange(12), chosen) for chosen in combinations(range(12), 5)]
    exact = np.mean([abs(pooled[rows].mean() - pooled[~rows].mean()) >= observed - 1e-12 for rows in every])
    drawn = [mean_difference_p_value(one, other, np.random.default_rng(seed)) for seed in range(40)]
    assert np.mean(drawn) == pytest.approx(exact, rel=0.25)


def test_from_many_rows_on_it_is_the_normal_limit() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.exponential(size=MEANS_ARE_NORMAL), rng.exponential(1.02, MEANS_ARE_NORMAL)
    pooled = np.concatenate([one, other])
    z = (one.mean() - other.mean()) / np.sqrt(pooled.var(ddof=1) * 2 / MEANS_ARE_NORMAL)
    assert mean_difference_p_value(one, other, rng) == pytest.approx(2 * norm.sf(abs(z)), rel=1e-9)


@pytest.mark.parametrize("n", [30, MEANS_ARE_NORMAL])
def test_equal_values_are_no_drift(n: int) -> None:
    """The mean of many tenths is no tenth but for rounding."""
    assert mean_difference_p_value(np.full(n, 0.1), np.full(n + 10, 0.1), np.random.default_rng(0)) == 1.0


@pytest.mark.parametrize(
    ("one", "other", "drawn"),
    [(MEANS_ARE_NORMAL, MEANS_ARE_NORMAL, False), (MEANS_ARE_NORMAL - 1, 30_000, True), (30_000, 19_999, True)],
)
def test_rows_are_redrawn_where_the_smaller_side_is_small(one: int, other: int, drawn: bool) -> None:
    rng = np.random.default_rng(3)
    sides, before = (rng.random(one), rng.random(other)), rng.bit_generator.state
    mean_difference_p_value(*sides, rng)
    assert (rng.bit_generator.state != before) == drawn


def test_drawing_stops_early_and_stays_valid() -> None:
    rng = np.random.default_rng(2)
    counted = 0

    def draw() -> float:
        nonlocal counted
        counted += 1
        return rng.normal()

    p_values = np.array([sequential_p_value(rng.normal(), draw) for _ in range(3_000)])
    assert counted / 3_000 < 80
    for level in (0.01, 0.05, 0.2):
        assert (p_values <= level).mean() <= level + 3 * np.sqrt(level / 3_000)
    assert sequential_p_value(50.0, draw) == 1 / 2_000


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (range(10, 101, 10), 10 / 100),  # the tenth as extreme is the hundredth draw
        (range(1990, 2000), 10 / 1999),
        (range(1991, 2001), 10 / 2000),  # nine of 1,999 and the observed one
        (range(0), 1 / 2000),
    ],
)
def test_draws_are_counted_by_hand(at: range, expected: float) -> None:
    drawn = iter(range(1, 3000))
    assert sequential_p_value(0.1 + 0.2, lambda: 0.3 if next(drawn) in at else 0.29) == expected


def test_a_batch_beyond_every_block_has_the_least_p_value() -> None:
    blocks = np.arange(19.0)
    assert block_p(50, blocks).value == 1 / 20
    assert block_p(-50, blocks).value == 1.0
    assert block_p(18, blocks).value == 2 / 20


def test_blocks_do_not_overlap_and_reach_from_end_to_end() -> None:
    found = contiguous(1_000, 90, 40)
    assert len(found) == 11
    assert found[0].start == 0 and found[-1].stop == 1_000
    assert all(one.stop <= other.start for one, other in pairwise(found))
    assert contiguous(80, 90, 40) == []
    assert len(contiguous(10_000, 90, 40)) == 40
