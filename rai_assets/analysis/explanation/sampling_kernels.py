"""Compiled loops of the sampler: which points to score for each (row, background row) pair, and what they say.

Only players with a column that differs between the two rows can get anything. With d of them a pair is played either
exactly, by all 2^d - 2 mixed points, or by `repeats` antithetic permutations of 2 (d - 1) mixed points each. Every
random choice is a hash of (seed, row, background row, repeat), so that points and results do not depend on blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rai_assets.compiled import compiled

MOST_EXACT = 20  # players of a pair whose mixed points are enumerated


class Pairs(NamedTuple):
    """Rows and background rows with the columns of each player at `columns[start[p]:start[p + 1]]`."""

    rows: NDArray[np.float32]  # (n, m)
    background: NDArray[np.float32]  # (b, m)
    start: NDArray[np.int64]  # (p + 1,)
    columns: NDArray[np.int64]  # (m,)
    first_row: int  # number of the first of the rows among all that are explained


@compiled
def mix(value):  # type: ignore[no-untyped-def]
    """The finaliser of splitmix64 (Steele, Lea and Flood, 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def find_differing(pairs, row, other, order):  # type: ignore[no-untyped-def]
    """Writes the players that differ between a row and a background row to `order`; returns how many."""
    n = 0
    for player in range(len(pairs.start) - 1):
        for at in range(pairs.start[player], pairs.start[player + 1]):
            left, right = pairs.rows[row, pairs.columns[at]], pairs.background[other, pairs.columns[at]]
            if left != right and not (np.isnan(left) and np.isnan(right)):
                order[n] = player
                n += 1
                break
    return n


@compiled
def shuffle(order, n, seed, row, other, repeat):  # type: ignore[no-untyped-def]
    """Fisher-Yates on `order[:n]`, from the sorted order, by hashes of the four numbers."""
    state = mix(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    state = mix(state ^ np.uint64(row)) + np.uint64(0x9E3779B97F4A7C15)
    state = mix(state ^ np.uint64(other)) + np.uint64(0x9E3779B97F4A7C15)
    state = mix(state ^ np.uint64(repeat))
    for last in range(n - 1, 0, -1):
        state += np.uint64(0x9E3779B97F4A7C15)
        chosen = np.int64((mix(state) >> np.uint64(32)) * np.uint64(last + 1) >> np.uint64(32))
        order[last], order[chosen] = order[chosen], order[last]


@compiled
def draw_order(differing, size, seed, row, other, repeat, spare, order):  # type: ignore[no-untyped-def]
    """Writes one of a pair's random orders of its differing players to `order`.

    Every second order is the one before it turned by half, so that players that came early come late: together the two
    err less than two independent ones.
    """
    for k in range(size):
        spare[k] = differing[k]
    shuffle(spare, size, seed, row, other, repeat - repeat % 2)
    turn = (repeat % 2) * (size // 2)
    for k in range(size):
        order[k] = spare[(k + turn) % size]


@compiled
def is_exact(n, repeats):  # type: ignore[no-untyped-def]
    """Whether all mixed points of n differing players cost no more than the permutations would."""
    return n <= MOST_EXACT and (1 << n) - 2 <= 2 * (n - 1) * repeats


@compiled
def count_points(n, repeats):  # type: ignore[no-untyped-def]
    """Number of mixed points at which the model is asked for n differing players: each set, or those of the orders."""
    if n < 2:
        return 0
    return (1 << n) - 2 if is_exact(n, repeats) else 2 * (n - 1) * repeats


@compiled
def walk(pairs, order, size, back, row, other, points, n):  # type: ignore[no-untyped-def]
    """Writes to `points[n:n + size - 1]` the background row with ever more of the row's players, in `order` or back."""
    for known in range(1, size):
        if known == 1:
            for column in range(points.shape[1]):
                points[n, column] = pairs.background[other, column]
        else:
            for column in range(points.shape[1]):
                points[n, column] = points[n - 1, column]
        player = order[size - known] if back else order[known - 1]
        for at in range(pairs.start[player], pairs.start[player + 1]):
            points[n, pairs.columns[at]] = pairs.rows[row, pairs.columns[at]]
        n += 1


@compiled
def mix_all(pairs, order, size, row, other, points, n):  # type: ignore[no-untyped-def]
    """Writes to `points[n:n + 2^size - 2]` every mixed point of the players `order[:size]`, by their masks."""
    for mask in range(1, (1 << size) - 1):
        for column in range(points.shape[1]):
            points[n, column] = pairs.background[other, column]
        for k in range(size):
            if (mask >> k) & 1:
                for at in range(pairs.start[order[k]], pairs.start[order[k] + 1]):
                    points[n, pairs.columns[at]] = pairs.rows[row, pairs.columns[at]]
        n += 1


@compiled
def lay_out(pairs, pair, seed, repeats, points):  # type: ignore[no-untyped-def]
    """Fills `points` (N, m) with the mixed points of pair after pair until the next pair would not fit.

    Pair i is row `i // b` with background row `i % b`. Returns the next pair and the number of points.
    """
    n_background = len(pairs.background)
    n_players = len(pairs.start) - 1
    differing, spare, order = (
        np.empty(n_players, np.int64),
        np.empty(n_players, np.int64),
        np.empty(n_players, np.int64),
    )
    n = 0
    while pair < len(pairs.rows) * n_background:
        row, other = pair // n_background, pair % n_background
        size = find_differing(pairs, row, other, differing)
        if n + count_points(size, repeats) > len(points):
            break
        if is_exact(size, repeats):
            mix_all(pairs, differing, size, row, other, points, n)
        else:
            for repeat in range(repeats):
                draw_order(differing, size, seed, pairs.first_row + row, other, repeat, spare, order)
                first = n + 2 * (size - 1) * repeat
                walk(pairs, order, size, False, row, other, points, first)
                walk(pairs, order, size, True, row, other, points, first + size - 1)
        n += count_points(size, repeats)
        pair += 1
    return pair, n


@compiled
def add_exact(order, size, weights, low, high, points, sums):  # type: ignore[no-untyped-def]
    """Adds the Shapley values of a game given by all its 2^size - 2 mixed points, in the order of their masks."""
    last = (1 << size) - 1
    for mask in range(1 << size):
        value = low if mask == 0 else (high if mask == last else points[mask - 1])
        members = 0
        for k in range(size):
            members += (mask >> k) & 1
        for k in range(size):
            if (mask >> k) & 1:
                sums[order[k]] += weights[size, members - 1] * value
            else:
                sums[order[k]] -= weights[size, members] * value


@compiled
def gain_at(k, size, low, high, points, first):  # type: ignore[no-untyped-def]
    """What the player at position k of a permutation adds, averaged over the permutation and its reverse."""
    back = size - 1 - k
    front_after = high if k + 1 == size else points[first + k]
    front_before = low if k == 0 else points[first + k - 1]
    back_after = high if back + 1 == size else points[first + size - 1 + back]
    back_before = low if back == 0 else points[first + size - 2 + back]
    return 0.5 * (front_after - front_before + back_after - back_before)


@compiled
def collect(  # type: ignore[no-untyped-def]
    pairs, begin, end, seed, repeats, weights, f_row, f_other, f_points, sums, variances
):  # fmt: skip
    """Adds what the points of pairs `begin` to `end` say to two arrays (K, n, p).

    `weights[d, s]` is s! (d - s - 1)! / d!; `f_row` (K, n), `f_other` (K, b) and `f_points` (K, N) are scores. To
    `sums` goes each pair's value, to `variances` the estimated variance of a sampled pair's mean over its repeats.
    """
    n_background, n_players = len(pairs.background), len(pairs.start) - 1
    differing, spare, order = (
        np.empty(n_players, np.int64),
        np.empty(n_players, np.int64),
        np.empty(n_players, np.int64),
    )
    total, squares = np.empty(n_players), np.empty(n_players)
    at = 0
    for pair in range(begin, end):
        row, other = pair // n_background, pair % n_background
        size = find_differing(pairs, row, other, differing)
        if size == 0:
            continue
        for output in range(len(f_points)):
            low, high = f_other[output, other], f_row[output, row]
            if is_exact(size, repeats):
                add_exact(differing, size, weights, low, high, f_points[output, at:], sums[output, row])
                continue
            total[:], squares[:] = 0.0, 0.0
            for repeat in range(repeats):
                draw_order(differing, size, seed, pairs.first_row + row, other, repeat, spare, order)
                for k in range(size):
                    gain = gain_at(k, size, low, high, f_points[output], at + repeat * 2 * (size - 1))
                    total[order[k]] += gain
                    squares[order[k]] += gain * gain
            for k in range(size):
                player = differing[k]
                mean = total[player] / repeats
                spread = max(0.0, squares[player] - repeats * mean * mean)
                sums[output, row, player] += mean
                variances[output, row, player] += spread / (repeats * (repeats - 1))
        at += count_points(size, repeats)
