"""Sampled Shapley values: against enumeration, additive, and with an error that is true."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from rai_assets.analysis.explanation.sampling import Evaluate, sample


def mixed(function, rows: NDArray, background: NDArray) -> Evaluate:  # type: ignore[no-untyped-def]
    return lambda choose, row, behind: function(np.where(choose, rows[row], background[behind]))[None]


def enumerated(function, row: NDArray, background: NDArray) -> NDArray:  # type: ignore[no-untyped-def]
    """Shapley values by the definition: every coalition, every background row."""
    p = len(row)

    def worth(coalition: tuple[int, ...]) -> float:
        rows = background.copy()
        rows[:, list(coalition)] = row[list(coalition)]
        return float(function(rows).mean())

    values = np.zeros(p)
    for player in range(p):
        others = [other for other in range(p) if other != player]
        for size in range(p):
            share = math.factorial(size) * math.factorial(p - size - 1) / math.factorial(p)
            for coalition in combinations(others, size):
                values[player] += share * (worth((*coalition, player)) - worth(coalition))
    return values


def curved(rows: NDArray) -> NDArray:
    return np.tanh(rows[:, 0] * rows[:, 1]) + np.maximum(rows[:, 2], rows[:, 3]) + rows[:, 4] ** 2


@pytest.fixture(scope="module")
def drawn() -> tuple[NDArray, NDArray]:
    draw = np.random.default_rng(0)
    return draw.normal(size=(40, 5)), draw.normal(size=(25, 5))


def test_it_comes_close_to_enumeration_within_its_own_error(drawn: tuple[NDArray, NDArray]) -> None:
    rows, background = drawn
    values, base, error = sample(mixed(curved, rows, background), 40, 25, 5, seed=1, repeats=8)
    exact = np.array([enumerated(curved, row, background) for row in rows])
    off = np.sqrt(((values[0] - exact) ** 2).mean(axis=0))
    assert base[0] == pytest.approx(curved(background).mean())
    assert np.all(off < 0.08)
    assert np.all((off < 1.6 * error[0] + 1e-9) & (off > 0.6 * error[0] - 1e-9)), "the stated error is the true one"


def test_every_row_adds_up(drawn: tuple[NDArray, NDArray]) -> None:
    rows, background = drawn
    values, base, _ = sample(mixed(curved, rows, background), 40, 25, 5, seed=1)
    assert np.allclose(base[0] + values[0].sum(axis=1), curved(rows), atol=1e-10)


def test_an_additive_function_is_exact_and_a_column_without_effect_gets_nothing(drawn: tuple[NDArray, NDArray]) -> None:
    rows, background = drawn

    def linear(table: NDArray) -> NDArray:
        return 2 * table[:, 0] - table[:, 2]

    values, _, error = sample(mixed(linear, rows, background), 40, 25, 5, seed=1)
    expected = np.zeros((40, 5))
    expected[:, 0] = 2 * (rows[:, 0] - background[:, 0].mean())
    expected[:, 2] = -(rows[:, 2] - background[:, 2].mean())
    assert np.allclose(values[0], expected, atol=1e-10)
    assert np.allclose(error, 0, atol=1e-10)


def test_the_same_seed_gives_the_same_values(drawn: tuple[NDArray, NDArray]) -> None:
    rows, background = drawn
    evaluate = mixed(curved, rows, background)
    assert np.array_equal(sample(evaluate, 40, 25, 5, seed=3)[0], sample(evaluate, 40, 25, 5, seed=3)[0])


def test_one_player_takes_it_all() -> None:
    rows, background = np.array([[2.0]]), np.array([[0.0], [1.0]])
    values, base, _ = sample(mixed(lambda table: table[:, 0] ** 2, rows, background), 1, 2, 1, seed=0)
    assert base[0] == 0.5
    assert values[0, 0, 0] == 3.5
