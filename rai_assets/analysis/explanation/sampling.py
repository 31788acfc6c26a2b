"""Sampled Shapley values for any model: one random order and its reverse per pair of a row and a background row.

Štrumbelj & Kononenko, Knowledge and Information Systems 41 (2014); the antithetic (reversed) order as in Mitchell et
al., JMLR 23 (2022). Spending the orders across the background instead of repeating each over all of it is what makes
it cheap. Every pair's values add up to f(row) - f(background row), so their mean is additive to rounding.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Evaluate = Callable[[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""(choose (r, p), row (r,), background row (r,)) -> outputs (K, r) of rows mixed from the two."""

_PAIRS_AT_ONCE = 4_096
REPEATS = 2


def sample(
    evaluate: Evaluate,
    n: int,
    b: int,
    n_players: int,
    *,
    seed: int,
    repeats: int = REPEATS,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Estimate the Shapley values of n rows against b background rows.

    Args:
        evaluate: The explained function on mixed rows.
        n: Number of rows.
        b: Number of background rows.
        n_players: p, number of players.
        seed: Seed of the orders.
        repeats: Independent estimates that are averaged; their differences give the error. At least 2.
        progress: Told how many rows are through.

    Returns:
        Values (K, n, p), base (K,), and the root mean squared error per output and player (K, p), estimated from the
        repeats: the variance of a mean of r independent estimates, averaged over the rows.
    """
    rng = np.random.default_rng(seed)
    everyone = np.ones((1, n_players), bool)
    of_background = evaluate(np.zeros((b, n_players), bool), np.zeros(b, np.int64), np.arange(b))
    estimates = []
    rows_at_once = max(1, _PAIRS_AT_ONCE // b)
    for repeat in range(repeats):
        parts = []
        for start in range(0, n, rows_at_once):
            rows = np.arange(start, min(start + rows_at_once, n))
            of_rows = evaluate(np.repeat(everyone, len(rows), axis=0), rows, np.zeros(len(rows), np.int64))
            parts.append(_walk(evaluate, rows, b, n_players, of_rows, of_background, rng))
            progress("sampled attributions", repeat * n + int(rows[-1]) + 1, repeats * n)
        estimates.append(np.concatenate(parts, axis=1))
    stacked = np.stack(estimates)
    error = np.sqrt(stacked.var(axis=0, ddof=1).mean(axis=1) / repeats)
    return stacked.mean(axis=0), of_background.mean(axis=1), error


def _walk(
    evaluate: Evaluate,
    rows: NDArray[np.int64],
    b: int,
    n_players: int,
    of_rows: NDArray[np.float64],
    of_background: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Values (K, rows, p): every pair walks from the background row to the row in a random order, and in its reverse.

    The reverse walk adds the players from the back: after t steps it knows those ranked p - t and above, which is the
    complement of what the forward walk knows after p - t steps.
    """
    pairs = len(rows) * b
    row, background = np.repeat(rows, b), np.tile(np.arange(b), len(rows))
    order = np.argsort(rng.random((pairs, n_players)), axis=1)
    rank = np.argsort(order, axis=1)
    steps = np.arange(1, n_players)
    known = rank[:, None, :] < steps[None, :, None]
    mixed = np.concatenate([known, ~known]).reshape(-1, n_players)
    both = np.tile(np.repeat(row, len(steps)), 2), np.tile(np.repeat(background, len(steps)), 2)
    inner = evaluate(mixed, *both).reshape(len(of_rows), 2, pairs, len(steps))
    end = np.repeat(of_rows, b, axis=1)[:, :, None]
    begin = np.tile(of_background, (1, len(rows)))[:, :, None]
    forward = np.diff(np.concatenate([begin, inner[:, 0], end], axis=2), axis=2)
    backward = -np.diff(np.concatenate([end, inner[:, 1], begin], axis=2), axis=2)
    by_rank = (forward + backward) / 2
    by_player = np.take_along_axis(by_rank, np.broadcast_to(rank, (len(by_rank), *rank.shape)), axis=2)
    return by_player.reshape(len(by_rank), len(rows), b, n_players).mean(axis=2)
