"""Shapley values by the definition: every coalition of every row."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rai_assets_tests.model.forests import Forest, Node


def interventional(
    model: Forest, row: NDArray[np.float32], background: NDArray[np.float32], players: NDArray, n_players: int
) -> NDArray[np.float64]:
    """Shapley values (K, p) by the definition: every coalition, every background row."""

    def worth(coalition: frozenset[int]) -> NDArray[np.float64]:
        known = np.isin(players, list(coalition))
        return model.sums(np.where(known, row, background)).mean(axis=0)

    return enumerated(worth, n_players)


def path_dependent(
    model: Forest, row: NDArray[np.float32], seen: NDArray[np.float32], players: NDArray, n_players: int
) -> NDArray[np.float64]:
    """Shapley values (K, p) where a test on an absent player sends the row both ways, as the rows `seen` went."""
    share = len(model.trees) if model.aggregate == "AVERAGE" else 1

    def worth(coalition: frozenset[int]) -> NDArray[np.float64]:
        total = np.zeros(model.n_outputs)
        for tree in model.trees:
            total += _expected(tree, row, seen, coalition, players)
        return total / share + (model.base or 0.0)

    return enumerated(worth, n_players)


def _expected(
    node: Node, row: NDArray, seen: NDArray, coalition: frozenset[int], players: NDArray
) -> NDArray[np.float64]:
    if node.yes is None or node.no is None:
        return np.array(node.weights)
    tests = [node]
    while (further := tests[-1].no) is not None and further.yes is node.yes:
        tests.append(further)  # one more value of the set
    assert further is not None
    goes = np.array([any(test.goes_yes(other[node.column]) for test in tests) for other in seen], dtype=bool)
    parts = ((node.yes, seen[goes]), (further, seen[~goes]))
    if players[node.column] in coalition:
        follow = parts[0] if any(test.goes_yes(row[node.column]) for test in tests) else parts[1]
        return _expected(*_swap(follow, row, coalition, players))
    shares = (goes.mean(), 1 - goes.mean()) if len(seen) else (0.5, 0.5)
    return sum(
        (share * _expected(*_swap(part, row, coalition, players)) for share, part in zip(shares, parts, strict=True)),
        np.zeros(1),
    )


def _swap(part: tuple[Node, NDArray], row: NDArray, coalition: frozenset[int], players: NDArray) -> tuple:
    return part[0], row, part[1], coalition, players


def enumerated(worth: object, n_players: int) -> NDArray[np.float64]:
    """Shapley values (K, p) of any game: coalition (frozenset) -> (K,)."""
    known = lru_cache(maxsize=None)(worth)  # type: ignore[arg-type]
    values = []
    for player in range(n_players):
        others = [other for other in range(n_players) if other != player]
        value = 0.0
        for size in range(n_players):
            weight = math.factorial(size) * math.factorial(n_players - size - 1) / math.factorial(n_players)
            for chosen in combinations(others, size):
                coalition = frozenset(chosen)
                value = value + weight * (known(coalition | {player}) - known(coalition))
        values.append(value)
    return np.array(values).T
