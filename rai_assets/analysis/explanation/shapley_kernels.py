"""Compiled loops that turn boxes into Shapley values.

In a box with D players, coalition S pays the leaf's weight if the row meets the conditions of the players in S and the
background those of the others. For a row that fails the players u and a background row that fails the players f, the
game is 0 unless u and f are disjoint; then, with a = |f| and b = |u|, every player of f gets (a-1)! b! / (a+b)!, every
player of u gets -a! (b-1)! / (a+b)!, and the others nothing. The values depend on the row through u alone.

Path dependent, the background is one in which each player is met independently with its chance; then player k gets the
integral over t in [0, 1] of (met_k - chance_k) times the product over j != k of (met_j t + chance_j (1 - t)), a
polynomial of degree D - 1, which Gauss-Legendre with ceil(D / 2) nodes integrates exactly.

Values are computed for many masks u of one box at once, so that the inner loops fill vector registers. Counters that
are passed on begin as np.int64(0): for a plain 0 numba would compile one more version of what is called.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rai_assets.analysis.explanation.kernels import find_fails
from rai_assets.compiled import compiled

MAX_PLAYERS = 64  # of one box: masks are at most 64 bits wide
DIRECT = 16  # up to so many players a mask is its own place in the memory


class Game(NamedTuple):
    """What all boxes are played with.

    Attributes:
        bins: (columns, b), bins of the background rows; b is 0 when path dependent.
        absent: The bin of a missing value.
        nodes: float64 (65, 32), Gauss-Legendre nodes in (0, 1) for boxes with so many players.
        node_weights: float64 (65, 32).
        gains: float64 (65, 65), (a-1)! b! / (a+b)! at [a, b].
        losses: float64 (65, 65), -a! (b-1)! / (a+b)! at [a, b].
    """

    bins: NDArray[Any]
    absent: Any
    nodes: NDArray[np.float64]
    node_weights: NDArray[np.float64]
    gains: NDArray[np.float64]
    losses: NDArray[np.float64]


class Outputs(NamedTuple):
    """What each leaf adds to which output: `TreeEnsemble.weight_start`, `weight_output`, `weight`."""

    start: NDArray[np.int64]
    output: NDArray[np.int32]
    weight: NDArray[np.float64]


class Work(NamedTuple):
    """Scratch for one box: its background's P distinct masks and the U masks asked for."""

    mask: NDArray[Any]  # (P,)
    size: NDArray[np.int64]  # (P,)
    share: NDArray[np.float64]  # (P,), of the background's rows
    asked: NDArray[Any]  # (U,)
    asked_size: NDArray[np.int64]  # (U,)
    gains: NDArray[np.float64]  # (D + 1, U)
    losses: NDArray[np.float64]  # (D + 1, U)
    paid: NDArray[np.float64]  # (U,)
    lost: NDArray[np.float64]  # (U,)
    place: NDArray[np.int32]  # what is known of a mask: -1 nothing; a power of two long
    key: NDArray[np.uint64]  # the mask at a place, where a mask is not its own place


@compiled
def count_bits(mask):  # type: ignore[no-untyped-def]
    """Number of ones of a mask."""
    rest, bits = np.uint64(mask), 0
    while rest != 0:
        rest &= rest - np.uint64(1)
        bits += 1
    return bits


@compiled
def new_work(widest, n_masks, fails):  # type: ignore[no-untyped-def]
    """Scratch for boxes of up to `widest` players and `n_masks` masks of the type of `fails`."""
    places = 1 << DIRECT
    while places < 2 * n_masks:
        places <<= 1
    return Work(
        np.empty(n_masks, fails.dtype), np.empty(n_masks, np.int64), np.empty(n_masks),
        np.empty(n_masks, fails.dtype), np.empty(n_masks, np.int64),
        np.empty((widest + 1, n_masks)), np.empty((widest + 1, n_masks)), np.empty(n_masks), np.empty(n_masks),
        np.empty(places, np.int32), np.empty(places, np.uint64),
    )  # fmt: skip


@compiled
def find_place(work, mask, direct):  # type: ignore[no-untyped-def]
    """Where a mask is remembered: at itself, or at the end of a linear probe."""
    if direct:
        return np.int64(mask)
    last = len(work.place) - 1
    at = np.int64((np.uint64(mask) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & last
    while work.place[at] != -1 and work.key[at] != mask:
        at = (at + 1) & last
    return at


@compiled
def number_masks(fails, size, distinct, numbers, work):  # type: ignore[no-untyped-def]
    """Writes the distinct masks among `fails` to `distinct` and each row's number in it to `numbers`; how many."""
    direct = size <= DIRECT
    work.place[: 1 << size if direct else len(work.place)] = -1
    n = 0
    for row in range(len(fails)):
        mask = fails[row]
        at = find_place(work, mask, direct)
        if work.place[at] == -1:
            work.place[at], work.key[at] = n, mask
            distinct[n] = mask
            n += 1
        numbers[row] = work.place[at]
    return n


@compiled
def play_background(boxes, box, game, fails, numbers, work):  # type: ignore[no-untyped-def]
    """Collects the distinct masks of the background's rows in one box; returns how many there are."""
    size = boxes.player_start[box + 1] - boxes.player_start[box]
    find_fails(boxes, box, game.bins, game.absent, fails)
    n = number_masks(fails, size, work.mask, numbers, work)
    for at in range(n):
        work.size[at], work.share[at] = count_bits(work.mask[at]), 0.0
    for row in range(len(fails)):
        work.share[numbers[row]] += 1.0 / len(fails)
    return n


@compiled
def values_against(size, game, n_masks, n_asked, work, out):  # type: ignore[no-untyped-def]
    """Values (D, U) of every player for the U asked masks against the background's P masks, for a weight of 1."""
    for a in range(size + 1):
        for at in range(n_asked):
            work.gains[a, at] = game.gains[a, work.asked_size[at]]
            work.losses[a, at] = game.losses[a, work.asked_size[at]]
    out[:size, :n_asked] = 0.0
    work.lost[:n_asked] = 0.0
    for number in range(n_masks):
        mask, gains, losses = work.mask[number], work.gains[work.size[number]], work.losses[work.size[number]]
        for at in range(n_asked):
            share = work.share[number] if (work.asked[at] & mask) == 0 else 0.0
            work.paid[at] = share * gains[at]
            work.lost[at] += share * losses[at]
        for k in range(size):
            if (mask >> k) & 1:
                for at in range(n_asked):
                    out[k, at] += work.paid[at]
    for k in range(size):
        for at in range(n_asked):
            out[k, at] = work.lost[at] if (work.asked[at] >> k) & 1 else out[k, at]


@compiled
def values_on_paths(size, chance, game, n_asked, work, out):  # type: ignore[no-untyped-def]
    """Values (D, U) of every player for the U asked masks where absent players are met by chance, for a weight of 1."""
    out[:size, :n_asked] = 0.0
    for node in range((size + 1) // 2):
        t = game.nodes[size, node]
        work.paid[:n_asked] = game.node_weights[size, node]
        for k in range(size):  # gains: the product over the players before k
            for at in range(n_asked):
                work.gains[k, at] = work.paid[at]
                work.paid[at] *= chance[k] * (1.0 - t) + (0.0 if (work.asked[at] >> k) & 1 else t)
        work.paid[:n_asked] = 1.0
        for k in range(size - 1, -1, -1):  # paid: the product over the players after k
            for at in range(n_asked):
                met = 0.0 if (work.asked[at] >> k) & 1 else 1.0
                out[k, at] += (met - chance[k]) * work.gains[k, at] * work.paid[at]
                work.paid[at] *= chance[k] * (1.0 - t) + met * t


@compiled
def fill_tables(boxes, chosen, table_start, game, bg_fails, tables):  # type: ignore[no-untyped-def]
    """Values of every mask for each chosen box: `tables[table_start[i]:table_start[i + 1]]` is (D, 2^D), row-major."""
    widest = np.int64(0)
    for box in chosen:
        widest = max(widest, boxes.player_start[box + 1] - boxes.player_start[box])
    work = new_work(widest, max(1 << widest, len(bg_fails)), bg_fails)
    numbers = np.empty(len(bg_fails), np.int32)
    for mask in range(1 << widest):
        work.asked[mask], work.asked_size[mask] = mask, count_bits(mask)
    for i, box in enumerate(chosen):
        first, end = boxes.player_start[box], boxes.player_start[box + 1]
        size = end - first
        out = tables[table_start[i] : table_start[i + 1]].reshape((size, 1 << size))
        if len(bg_fails) > 0:
            n_masks = play_background(boxes, box, game, bg_fails, numbers, work)
            values_against(size, game, n_masks, 1 << size, work, out)
        else:
            values_on_paths(size, boxes.chance[first:end], game, 1 << size, work, out)


@compiled
def add_rows(boxes, box, outputs, table, numbers, values):  # type: ignore[no-untyped-def]
    """Adds column `numbers[row]` of a box's table, times the leaf's weights, to `values` (outputs, players, rows)."""
    leaf, first = boxes.leaf[box], boxes.player_start[box]
    for at in range(outputs.start[leaf], outputs.start[leaf + 1]):
        weight = outputs.weight[at]
        for k in range(boxes.player_start[box + 1] - first):
            of_player, sums = table[k], values[outputs.output[at], boxes.player[first + k]]
            for row in range(len(numbers)):
                sums[row] += weight * of_player[numbers[row]]


@compiled
def add_tables(boxes, chosen, table_start, tables, outputs, bins, absent, fails, values):  # type: ignore[no-untyped-def]
    """Adds the chosen boxes' values of every row of `bins`, looked up by its mask, to `values`."""
    for i, box in enumerate(chosen):
        size = boxes.player_start[box + 1] - boxes.player_start[box]
        find_fails(boxes, box, bins, absent, fails)
        table = tables[table_start[i] : table_start[i + 1]].reshape((size, 1 << size))
        add_rows(boxes, box, outputs, table, fails, values)


@compiled
def add_met(boxes, chosen, game, outputs, bins, bg_fails, fails, values):  # type: ignore[no-untyped-def]
    """Adds the chosen boxes' values of every row of `bins` to `values`, computing only the masks that rows have."""
    widest = np.int64(0)
    for box in chosen:
        widest = max(widest, boxes.player_start[box + 1] - boxes.player_start[box])
    n_rows = len(fails)
    work = new_work(widest, max(n_rows, len(bg_fails)), fails)
    numbers, bg_numbers = np.empty(n_rows, np.int32), np.empty(len(bg_fails), np.int32)
    table = np.empty((widest, n_rows + 1))
    renumbered, live = np.empty(n_rows, np.int32), np.empty(n_rows, fails.dtype)
    for box in chosen:
        first, end = boxes.player_start[box], boxes.player_start[box + 1]
        size = end - first
        n_masks = 0
        if len(bg_fails) > 0:
            n_masks = play_background(boxes, box, game, bg_fails, bg_numbers, work)
        find_fails(boxes, box, bins, game.absent, fails)
        n_asked = number_masks(fails, size, work.asked, numbers, work)
        live[:n_asked] = n_masks == 0
        for number in range(n_masks):
            mask = work.mask[number]
            for at in range(n_asked):
                live[at] |= fails.dtype.type(1) if (work.asked[at] & mask) == 0 else fails.dtype.type(0)
        n_live = np.int64(0)
        for at in range(n_asked):
            renumbered[at] = -1
            if live[at]:
                work.asked[n_live], renumbered[at] = work.asked[at], n_live
                work.asked_size[n_live] = count_bits(work.asked[at])
                n_live += 1
        if n_live == 0:
            continue
        if n_masks > 0:
            values_against(size, game, n_masks, n_live, work, table)
        else:
            values_on_paths(size, boxes.chance[first:end], game, n_live, work, table)
        table[:size, n_live] = 0.0  # what the rows get whose game is 0
        for row in range(n_rows):
            at = renumbered[numbers[row]]
            numbers[row] = at if at >= 0 else n_live
        add_rows(boxes, box, outputs, table, numbers, values)
