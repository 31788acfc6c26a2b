"""Compiled loops over trees: bins of the rows, visits of the nodes, and every leaf folded into a box.

A *box* is a leaf seen as conditions on columns, each column belonging to a player: a row is in the box when it meets
them all. The players of a box are numbered by bits. A row's *fails* is the mask of the players with a condition that
the row does not meet, so a row with fails 0 is in the box.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rai_assets.compiled import compiled


class Nodes(NamedTuple):
    """Trees as arrays over N nodes: `TreeEnsemble`, and what is derived from it for the loops below."""

    roots: NDArray[np.int32]
    column: NDArray[np.int32]  # -1 for a leaf
    threshold: NDArray[np.float32]
    equal: NDArray[np.bool_]
    below: NDArray[np.int32]
    above: NDArray[np.int32]
    missing_below: NDArray[np.bool_]
    joined: NDArray[np.bool_]
    parent: NDArray[np.int64]  # -1 for a root; of a child that a chain shares, the last of the chain
    cut: NDArray[np.int64]  # index of the threshold among the sorted distinct ones of its column
    gap: NDArray[np.int64]  # of a value in a chain: bins between it and the chain's next larger one


class Boxes(NamedTuple):
    """Leaves as boxes. Conditions and players of box i are at `start[i]:start[i + 1]` of their arrays.

    A condition lets a bin through when (bin - low) mod 2^32 <= width, and a missing value when `missing`.
    """

    leaf: NDArray[np.int64]
    condition_start: NDArray[np.int64]
    column: NDArray[np.int32]
    low: NDArray[Any]
    width: NDArray[Any]
    missing: NDArray[np.bool_]
    bit: NDArray[np.uint8]
    player_start: NDArray[np.int64]
    player: NDArray[np.int32]
    chance: NDArray[np.float64]  # share of rows that follow the player's edges: the factor of an absent player


@compiled
def bin_rows(matrix, cuts, cut_start, absent, bins):  # type: ignore[no-untyped-def]
    """Bin of every value: how many cuts of its column are below it; `absent` for a missing value.

    `cuts[cut_start[j]:cut_start[j + 1]]` are the sorted cuts of column j; `bins` is (columns, rows).
    """
    for column in range(matrix.shape[1]):
        first = cut_start[column]
        for row in range(matrix.shape[0]):
            value = matrix[row, column]
            at, left = first, cut_start[column + 1] - first
            while left > 0:
                half = (left + 1) >> 1
                if cuts[at + half - 1] < value:
                    at += half
                    left -= half
                else:
                    left = half - 1
            bins[column, row] = absent if np.isnan(value) else at - first


@compiled
def count_visits(nodes, matrix, visits):  # type: ignore[no-untyped-def]
    """Adds to `visits` (N,) how many rows of `matrix` pass through each node."""
    for root in nodes.roots:
        for row in range(matrix.shape[0]):
            node = root
            visits[node] += 1
            while nodes.column[node] >= 0:
                value = matrix[row, nodes.column[node]]
                if np.isnan(value):
                    down = nodes.missing_below[node]
                elif nodes.equal[node]:
                    down = value == nodes.threshold[node]
                else:
                    down = value <= nodes.threshold[node]
                node = nodes.below[node] if down else nodes.above[node]
                visits[node] += 1


@compiled
def fold_leaves(nodes, leaves, last_bin, has_missing, chance, players, bit_of, fill, boxes):  # type: ignore[no-untyped-def]
    """Folds the path to each leaf into a box: an interval per column, and a condition per value or gap that is out.

    A box that no row can be in is dropped unless `chance` lets an absent player through.

    Args:
        nodes: The trees.
        leaves: int64, the leaves to fold.
        last_bin: int64 (columns,), the highest bin of a column.
        has_missing: bool (columns,), whether missing values occur at all.
        chance: float64 (N,), share of a parent's rows that go to a node; all 0 where no player is ever absent.
        players: int64 (columns,), the player of a column.
        bit_of: int64 (p,), scratch: the bit of every player in one box; -1 before and after.
        fill: Write the boxes; else only count them.
        boxes: `Boxes` with room enough when `fill`.

    Returns:
        Numbers of boxes, of their conditions and of their players.
    """
    n_columns = len(last_bin)
    slot, column = np.full(n_columns, -1, np.int64), np.empty(n_columns, np.int64)
    low, high, odds = np.empty(n_columns, np.int64), np.empty(n_columns, np.int64), np.empty(n_columns)
    missing = np.empty(n_columns, np.bool_)
    n_boxes, n_conditions, n_players = 0, 0, 0
    for leaf in leaves:
        n_folded = 0
        node = leaf
        while nodes.parent[node] >= 0:
            test = nodes.parent[node]
            tested, cut = nodes.column[test], nodes.cut[test]
            if slot[tested] < 0:
                slot[tested] = n_folded
                column[n_folded], odds[n_folded], missing[n_folded] = tested, 1.0, True
                low[n_folded], high[n_folded] = 0, last_bin[tested]
                n_folded += 1
            at = slot[tested]
            odds[at] *= chance[node]
            if nodes.below[test] == node:
                missing[at] &= nodes.missing_below[test]
                least = cut
                while nodes.parent[test] >= 0 and nodes.joined[nodes.parent[test]]:
                    test = nodes.parent[test]
                    least, cut = min(least, nodes.cut[test]), max(cut, nodes.cut[test])
                high[at] = min(high[at], cut)
                if nodes.equal[test]:
                    low[at] = max(low[at], least)
            else:
                missing[at] &= not nodes.missing_below[test]
                if not nodes.equal[test]:
                    low[at] = max(low[at], cut + 1)
            node = test
        dead = n_folded == 0
        for at in range(n_folded):
            slot[column[at]] = -1
            missing[at] &= has_missing[column[at]]
            if low[at] > high[at]:
                dead |= odds[at] == 0.0 and not missing[at]
                low[at] = high[at] = last_bin[column[at]] + 1  # a bin that no row is in
        if dead:
            continue
        first_player = n_players
        for at in range(n_folded):
            player = players[column[at]]
            if bit_of[player] < 0:
                bit_of[player] = n_players - first_player
                if fill:
                    boxes.player[n_players] = player
                    boxes.chance[n_players] = 1.0
                n_players += 1
            if fill:
                boxes.chance[first_player + bit_of[player]] *= odds[at]
                boxes.column[n_conditions] = column[at]
                boxes.low[n_conditions] = low[at]
                boxes.width[n_conditions] = high[at] - low[at]
                boxes.missing[n_conditions] = missing[at]
                boxes.bit[n_conditions] = bit_of[player]
            n_conditions += 1
        node, inside = leaf, -1
        while nodes.parent[node] >= 0:
            test = nodes.parent[node]
            if nodes.below[test] == node:
                inside = node
            n_out, next_in = 1, nodes.cut[test] + 1
            if nodes.below[test] == inside:  # a value of a set: what lies between it and the next one is out
                n_out, next_in = nodes.gap[test], next_in + nodes.gap[test]
            if nodes.equal[test] and n_out > 0:
                if fill:
                    boxes.column[n_conditions] = nodes.column[test]
                    boxes.low[n_conditions] = next_in
                    boxes.width[n_conditions] = -1 - n_out  # everything but the bins before `low`, in the ring of bins
                    boxes.missing[n_conditions] = False
                    boxes.bit[n_conditions] = bit_of[players[nodes.column[test]]]
                n_conditions += 1
            node = test
        for at in range(n_folded):
            bit_of[players[column[at]]] = -1
        n_boxes += 1
        if fill:
            boxes.leaf[n_boxes - 1] = leaf
            boxes.condition_start[n_boxes] = n_conditions
            boxes.player_start[n_boxes] = n_players
    return n_boxes, n_conditions, n_players


@compiled
def find_fails(boxes, box, bins, absent, fails):  # type: ignore[no-untyped-def]
    """Writes every row's mask of failing players of one box to `fails` (rows,)."""
    n = bins.shape[1]
    as_bin, as_mask = bins.dtype.type, fails.dtype.type
    fails[:] = 0
    for at in range(boxes.condition_start[box], boxes.condition_start[box + 1]):
        column, low, width = bins[boxes.column[at]], boxes.low[at], boxes.width[at]
        bit = as_mask(as_mask(1) << boxes.bit[at])
        if boxes.missing[at]:
            for row in range(n):
                fails[row] |= bit if as_bin(column[row] - low) > width and column[row] != absent else as_mask(0)
        else:
            for row in range(n):
                fails[row] |= bit if as_bin(column[row] - low) > width else as_mask(0)
