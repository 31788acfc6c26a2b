"""Sampled Shapley values: against enumeration, additive, and with an error that is true."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rai_assets.analysis.explanation.sampling import Sampled, sample
from rai_assets_tests.analysis.explanation.by_definition import enumerated

# Columns 1 and 2 are one player.
PLAYERS = np.array([0, 1, 1, 2, 3, 4, 5])
WHOLE = 1000  # so many orders a pair that every pair is enumerated


def curved(rows: NDArray) -> NDArray:
    """Interactions of two, three and more columns; the second output is another function."""
    rows = rows.astype(np.float64)
    first = np.tanh(rows[:, 0] * rows[:, 1]) + np.maximum(rows[:, 2], rows[:, 3]) + rows[:, 4] * rows[:, 5] * rows[:, 6]
    return np.stack([first, np.cos(rows.sum(axis=1))], axis=1)


@pytest.fixture(scope="module")
def drawn() -> tuple[NDArray, NDArray]:
    draw = np.random.default_rng(0)
    matrix, background = draw.normal(size=(30, 7)), draw.normal(size=(100, 7))
    background[:40, 3:] = matrix[0, 3:]  # pairs with few columns that differ
    return matrix.astype(np.float32), background.astype(np.float32)


def sampled(drawn: tuple[NDArray, NDArray], **options: object) -> Sampled:
    return sample(curved, *drawn, PLAYERS, 6, **({"seed": 1} | options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def exact(drawn: tuple[NDArray, NDArray]) -> Sampled:
    return sampled(drawn, repeats=WHOLE)


def test_with_every_pair_enumerated_the_values_are_those_of_the_definition(
    drawn: tuple[NDArray, NDArray], exact: Sampled
) -> None:
    matrix, background = drawn
    for row in range(3):

        def worth(coalition: frozenset[int], row: int = row) -> NDArray:
            known = np.isin(PLAYERS, list(coalition))
            return curved(np.where(known, matrix[row], background)).mean(axis=0)

        assert np.allclose(exact.values[:, row], enumerated(worth, 6), atol=1e-9)
    assert not exact.standard_error.any()
    assert np.allclose(exact.base, curved(background).mean(axis=0), atol=1e-12)


def test_the_standard_error_is_not_too_small_and_not_much_too_large(
    drawn: tuple[NDArray, NDArray], exact: Sampled
) -> None:
    """Over 30 seeds: how often the 95 % interval of a value holds the exact one, and true by stated error."""
    distance, error = [], []
    for seed in range(30):
        found = sampled(drawn, seed=seed)
        distance.append(found.values - exact.values)
        error.append(found.standard_error)
    off, stated = np.array(distance), np.array(error)
    assert (np.abs(off) <= 1.96 * stated).mean() > 0.93
    assert 0.7 < np.sqrt((off**2).mean() / (stated**2).mean()) < 1.03


@pytest.mark.parametrize("repeats", [2, 3, WHOLE])
def test_every_row_adds_up(drawn: tuple[NDArray, NDArray], repeats: int) -> None:
    found = sampled(drawn, repeats=repeats)
    assert np.allclose(found.base[:, None] + found.values.sum(axis=2), curved(drawn[0]).T, atol=1e-10)


def test_more_orders_err_less(drawn: tuple[NDArray, NDArray], exact: Sampled) -> None:
    """Twice as many: half the variance."""

    def variance(repeats: int) -> float:
        off = [sampled(drawn, seed=seed, repeats=repeats).values[:, 1:] - exact.values[:, 1:] for seed in range(10)]
        return float((np.array(off) ** 2).mean())

    assert 0.5 < 2 * variance(4) / variance(2) < 1.5


def test_an_additive_function_is_exact_and_a_column_without_effect_gets_nothing(
    drawn: tuple[NDArray, NDArray],
) -> None:
    rows, background = drawn

    def linear(table: NDArray) -> NDArray:
        return 2.0 * table[:, 0] - table[:, 3].astype(np.float64)

    found = sample(linear, rows, background, PLAYERS, 6, seed=1)
    expected = np.zeros((30, 6))
    expected[:, 0] = 2 * (rows[:, 0] - background[:, 0].mean(dtype=np.float64))
    expected[:, 2] = -(rows[:, 3] - background[:, 3].mean(dtype=np.float64))
    assert np.allclose(found.values[0], expected, atol=1e-6)
    assert np.allclose(found.standard_error, 0, atol=1e-6)


def test_the_same_seed_gives_the_same_values_in_whatever_blocks(
    drawn: tuple[NDArray, NDArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sampled(drawn, seed=3)
    assert np.array_equal(whole.values, sampled(drawn, seed=3).values)
    assert not np.array_equal(whole.values, sampled(drawn, seed=4).values)
    monkeypatch.setattr("rai_assets.analysis.explanation.sampling._ROWS", 7)
    monkeypatch.setattr("rai_assets.analysis.explanation.sampling._POINTS", 100)
    in_blocks = sampled(drawn, seed=3)
    assert np.allclose(whole.values, in_blocks.values, atol=1e-12)
    assert whole.scored == in_blocks.scored


def test_a_row_that_equals_the_background_gets_nothing(drawn: tuple[NDArray, NDArray]) -> None:
    row = drawn[0][:1].copy()
    row[0, 0] = np.nan  # a missing value equals a missing value
    found = sample(lambda table: np.nan_to_num(table).sum(axis=1), row, row, PLAYERS, 6, seed=0)
    assert not found.values.any()
    assert found.scored == 2


def test_one_player_takes_it_all() -> None:
    rows, background = np.array([[2.0]], np.float32), np.array([[0.0], [1.0]], np.float32)
    found = sample(lambda table: table[:, 0] ** 2, rows, background, np.zeros(1, int), 1, seed=0)
    assert found.base[0] == 0.5
    assert found.values[0, 0, 0] == 3.5


def test_one_order_a_pair_does_not_tell_its_spread(drawn: tuple[NDArray, NDArray]) -> None:
    with pytest.raises(ValueError, match="two orders a pair"):
        sampled(drawn, repeats=1)


def test_orders_are_uniform() -> None:
    """The share of orders in which a player comes last, from the hashes themselves."""
    from rai_assets.analysis.explanation.sampling_kernels import shuffle

    last = np.zeros(5)
    for row in range(4000):
        order = np.arange(5)
        shuffle(order, 5, np.uint64(9), row, 3, 1)
        last[order[4]] += 1
    assert math.isclose(last.sum(), 4000)
    assert ((last - 800) ** 2 / 800).sum() < 18.5, "chi-squared with 4 degrees of freedom, p > 0.001"
