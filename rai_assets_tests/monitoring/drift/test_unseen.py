"""The p-value of unseen values: every split of the pooled rows, by hand and by brute force."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from rai_assets.monitoring.drift import unseen
from rai_assets.monitoring.drift.calibration import permuted
from rai_assets.monitoring.drift.columns import Sample
from rai_assets.monitoring.drift.methods import Column, p_values
from rai_assets.monitoring.drift.statistics import Measure
from rai_assets.monitoring.drift.statistics import unseen as unseen_share


def p_value(reference: list[int], current: list[int]) -> float:
    return unseen.p_value(np.array(reference), np.array(current), np.random.default_rng(0), 1999).value


def by_brute_force(reference: list[int], current: list[int]) -> float:
    """P(more unseen rows) + P(as many) / 2 over all splits of the pooled rows."""
    pooled = [one + other for one, other in zip(reference, current, strict=True)]
    n, new = sum(current), sum(now for before, now in zip(reference, current, strict=True) if not before)
    found = 0.0
    for split in product(*(range(rows + 1) for rows in pooled)):
        if sum(split) == n:
            here = sum(rows for rows, taken in zip(pooled, split, strict=True) if rows == taken)
            ways = np.prod([comb(rows, taken) for rows, taken in zip(pooled, split, strict=True)])
            found += ways * (here > new) + ways * (here == new) / 2
    return found / comb(sum(pooled), n)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=5))
@settings(max_examples=150)
def test_every_split_of_the_rows_counts(table: list[tuple[int, int]]) -> None:
    reference, current = ([pair[side] for pair in table] for side in (0, 1))
    new = sum(now for before, now in table if not before)
    if sum(reference) and sum(current):
        expected = by_brute_force(reference, current) if new else 1.0
        assert p_value(reference, current) == pytest.approx(expected, rel=1e-9, abs=2e-9)


@pytest.mark.parametrize("new", [1, 4, 6])
def test_one_new_value_among_frequent_ones_by_hand(new: int) -> None:
    """All its rows are current ones, or some are not: there is no split with more. Half of Fisher's p-value."""
    fisher = hypergeom.pmf(new, 2000, new, 1000)
    assert p_value([600, 400, 0], [500, 500 - new, new]) == pytest.approx(fisher / 2, abs=2e-9)


def test_new_values_count_however_many_values_there_are() -> None:
    """1,500 values of thirty rows on either side, of which none comes on one side alone, and a new one in six rows."""
    column, codes = Column("x", "category"), np.arange(1500.0)
    before = Sample(codes, np.full(1500, 30))
    now = Sample(np.append(codes, 1500.0), np.append(np.full(1500, 30), 6))
    found = p_values(column, {"unseen": (before, now)}, {"unseen": 6 / 45_006}, np.random.default_rng(0), 1999)
    assert found["unseen"].value == pytest.approx(hypergeom.pmf(6, 90_006, 6, 45_006) / 2, rel=1e-4)


def test_too_large_a_table_is_redrawn() -> None:
    rng = np.random.default_rng(0)
    p = np.ones(900) / 900
    before, now = rng.multinomial(800, p), rng.multinomial(2400, p)
    told = unseen.p_value(before, now, np.random.default_rng(1), 1999)
    expected = permuted(before, now, {"x": Measure(unseen_share)}, np.random.default_rng(1), 1999)["x"]
    assert told.null.startswith("permutation") and told.value == pytest.approx(expected.value, abs=0.1)


def test_what_is_redrawn_is_the_current_side() -> None:
    """There are fewer current rows, and twenty more of new values than come by themselves."""
    rng = np.random.default_rng(3)
    share = np.append(np.ones(900), np.zeros(20)) / 900
    before, now = rng.multinomial(2400, share), rng.multinomial(780, share)
    now[900:] = 1
    drawn = rng.multivariate_hypergeometric(before + now, 800, size=3_000)
    left = before + now - drawn
    as_many = ((drawn * (left == 0)).sum(1) >= now[before == 0].sum()).mean()
    assert 0.005 < as_many < 0.2
    found = np.mean([unseen.p_value(before, now, np.random.default_rng(seed), 1999).value for seed in range(8)])
    assert found == pytest.approx(as_many, rel=0.4)
