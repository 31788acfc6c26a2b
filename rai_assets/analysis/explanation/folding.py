"""From a tree ensemble to boxes: what the kernels need to know of the nodes, and the leaves folded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rai_assets.analysis.explanation import kernels
from rai_assets.model.ensemble import TreeEnsemble


def nodes_of(ensemble: TreeEnsemble, n_columns: int) -> tuple[kernels.Nodes, NDArray[np.float32], NDArray[np.int64]]:
    """The trees as the kernels want them, the sorted distinct thresholds of every column, and where they begin."""
    inner = np.flatnonzero(ensemble.column >= 0)
    column, threshold = ensemble.column[inner], ensemble.threshold[inner]
    equal = ensemble.equal[inner]
    # x == v holds in one bin only if the value before v is a cut too.
    before = np.nextafter(threshold[equal], np.float32(-np.inf))
    all_columns, all_cuts = np.concatenate([column, column[equal]]), np.concatenate([threshold, before])
    order = np.lexsort((all_cuts, all_columns))
    sorted_columns, sorted_cuts = all_columns[order], all_cuts[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (sorted_columns[1:] != sorted_columns[:-1]) | (sorted_cuts[1:] != sorted_cuts[:-1])
    cut_start = np.concatenate([[0], np.cumsum(np.bincount(sorted_columns[new], minlength=n_columns))])
    position = np.empty(len(order), dtype=np.int64)
    position[order] = np.cumsum(new) - 1 - cut_start[sorted_columns]
    cut = np.zeros(len(ensemble.column), dtype=np.int64)
    cut[inner] = position[: len(inner)]
    parent = np.full(len(ensemble.column), -1, dtype=np.int64)
    parent[ensemble.above[inner]] = inner
    last = inner[~ensemble.joined[inner]]
    parent[ensemble.below[last]] = last
    gap = np.zeros(len(ensemble.column), dtype=np.int64)
    values = np.flatnonzero(ensemble.equal)
    values = values[np.lexsort((cut[values], ensemble.below[values]))]
    smaller = np.flatnonzero(np.diff(ensemble.below[values]) == 0)
    gap[values[smaller]] = np.maximum(np.diff(cut[values])[smaller] - 1, 0)
    nodes = kernels.Nodes(
        ensemble.roots, ensemble.column, ensemble.threshold, ensemble.equal, ensemble.below, ensemble.above,
        ensemble.missing_below, ensemble.joined, parent, cut, gap,
    )  # fmt: skip
    return nodes, sorted_cuts[new], cut_start.astype(np.int64)


def chances(nodes: kernels.Nodes, visits: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the rows at a test that go to each of its children; a half where no row comes there.

    A chain is one test, so that every row comes from one of its equalities to the next.
    """
    chained = (nodes.parent >= 0) & nodes.joined[nodes.parent]
    test = nodes.parent.copy()
    while (further := (test >= 0) & chained[test]).any():
        test[further] = nodes.parent[test[further]]
    come = visits[test]
    return np.where(chained, 1.0, np.where(come > 0, visits / np.maximum(come, 1), 0.5))


def fold(
    nodes: kernels.Nodes,
    ensemble: TreeEnsemble,
    last_bin: NDArray[np.int64],
    has_missing: NDArray[np.bool_],
    chance: NDArray[np.float64],
    players: NDArray[np.int64],
) -> kernels.Boxes:
    """The boxes of all leaves that add something.

    Args:
        nodes: The trees with N nodes, and what is derived from them.
        ensemble: The same trees with their leaf weights.
        last_bin: (columns,), the highest bin of a column.
        has_missing: (columns,), whether missing values occur at all.
        chance: (N,), share of a parent's rows that go to a node; all 0 where no player is ever absent.
        players: (columns,), the player of a column.
    """
    paying = np.zeros(len(ensemble.column), dtype=bool)
    paying[np.repeat(np.arange(len(paying)), np.diff(ensemble.weight_start))[ensemble.weight != 0.0]] = True
    leaves = np.flatnonzero(paying & (ensemble.column < 0))

    def boxes(count: int, conditions: int, members: int) -> kernels.Boxes:
        return kernels.Boxes(
            leaf=np.empty(count, np.int64),
            condition_start=np.zeros(count + 1, np.int64),
            column=np.empty(conditions, np.int32),
            low=np.empty(conditions, np.uint32),
            width=np.empty(conditions, np.uint32),
            missing=np.empty(conditions, np.bool_),
            bit=np.empty(conditions, np.uint8),
            player_start=np.zeros(count + 1, np.int64),
            player=np.empty(members, np.int32),
            chance=np.empty(members, np.float64),
        )

    rules = (nodes, leaves, last_bin, has_missing, chance, players, np.full(players.max() + 1, -1))
    result = boxes(*kernels.fold_leaves(*rules, False, boxes(0, 0, 0)))
    kernels.fold_leaves(*rules, True, result)
    return result
