"""Shapley values of any function of a matrix, by permutations spread over the background rows.

For a row x and a background row z the game is v(S) = f(x_S, z_rest); what is wanted is the mean of its Shapley values
over the background. For each pair (x, z) they are estimated by random orders of the columns that differ, each with its
reverse (Mitchell, Cooper, Frank and Holmes, JMLR 23, 2022), or enumerated where that takes no more points. Spending
the orders across the background instead of repeating each over all of it is what makes it cheap. Every order
telescopes, so each row adds up to f(x) - mean f(z) whatever the sampling error.

The standard error takes the orders of a pair for independent. Every second one is chosen to err the other way, so the
true error is a little smaller than the stated one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rai_assets.analysis.explanation import sampling_kernels
from rai_assets.analysis.explanation.sampling_kernels import Pairs
from rai_assets.model.tell import Tell, silent

Score = Callable[[NDArray[np.float32]], NDArray[Any]]

REPEATS = 2
_POINTS = 8_192  # scored per call: they stay in the cache between being laid out, scored and read
_ROWS = 4_096  # whose values are worked on at once


@dataclass(frozen=True)
class Sampled:
    """Estimated Shapley values of K outputs, n rows and p players.

    Attributes:
        values: float64 (K, n, p).
        standard_error: float64 (K, n, p), of the draw of the orders, rather too large than too small; 0 where every
            pair was enumerated.
        base: float64 (K,), mean output over the background.
        output: float64 (K, n), the function at the rows.
        scored: Number of points that were scored.
    """

    values: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    base: NDArray[np.float64]
    output: NDArray[np.float64]
    scored: int


def sample(
    score: Score,
    matrix: NDArray[np.float32],
    background: NDArray[np.float32],
    players: NDArray[Any],
    n_players: int,
    *,
    seed: int,
    repeats: int = REPEATS,
    progress: Tell = silent,
) -> Sampled:
    """Estimates the Shapley values of every row of `matrix`.

    Args:
        score: The function: float32 (N, m) to (N,) or (N, K), each row by itself.
        matrix: float32 (n, m), the rows to explain.
        background: float32 (b, m), the rows to average over.
        players: int (m,), the player of every column, in [0, n_players).
        n_players: p.
        seed: Of the orders. The same seed gives the same values in whatever blocks the rows come.
        repeats: Orders for each pair, at least 2 so that their spread is known. A pair is enumerated where that takes
            no more points, so a large number makes everything exact.
        progress: Told how many rows are done.

    Returns:
        The estimates; those of a row add up to its output minus the base, to rounding.

    Raises:
        ValueError: `repeats` is below 2.
    """
    if repeats < 2:
        raise ValueError("two orders a pair are the fewest that tell their spread")
    f_other = _by_output(score(background))
    shape = (len(f_other), len(matrix), n_players)
    values, errors, outputs = np.empty(shape), np.empty(shape), np.empty(shape[:2])
    members = np.argsort(players, kind="stable")
    member_start = np.concatenate([[0], np.cumsum(np.bincount(players, minlength=n_players))])
    sampler = _Sampler(score, f_other, np.uint64(seed), repeats)
    scored = len(background)
    for start in range(0, len(matrix), _ROWS):
        part = slice(start, start + _ROWS)
        rows = np.ascontiguousarray(matrix[part], dtype=np.float32)
        pairs = Pairs(rows, np.ascontiguousarray(background, dtype=np.float32), member_start, members, start)
        outputs[:, part] = _by_output(score(rows))
        values[:, part], errors[:, part], points = sampler.run(pairs, outputs[:, part])
        scored += len(rows) + points
        progress("sampled attributions", start + len(rows), len(matrix))
    return Sampled(values, errors, f_other.mean(axis=1), outputs, scored)


@dataclass(frozen=True)
class _Sampler:
    """What stays the same from block to block."""

    score: Score
    f_other: NDArray[np.float64]
    seed: np.uint64
    repeats: int

    def run(self, pairs: Pairs, f_row: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        """Values and standard errors (K, n, p) of one block of rows, and how many points were scored."""
        n_rows, n_background, n_players = len(pairs.rows), len(pairs.background), len(pairs.start) - 1
        sums, variances = np.zeros((2, len(f_row), n_rows, n_players))
        points = np.empty((_capacity(n_players, self.repeats), pairs.rows.shape[1]), dtype=np.float32)
        f_row = np.ascontiguousarray(f_row)
        pair = scored = 0
        while pair < n_rows * n_background:
            end, n = sampling_kernels.lay_out(pairs, pair, self.seed, self.repeats, points)
            f_points = _by_output(self.score(points[:n])) if n else np.empty((len(f_row), 0))
            sampling_kernels.collect(
                pairs, pair, end, self.seed, self.repeats, _coalition_weights(), f_row, self.f_other, f_points,
                sums, variances,
            )  # fmt: skip
            scored, pair = scored + n, end
        return sums / n_background, np.sqrt(variances) / n_background, scored


def _by_output(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Scores (N,) or (N, K) as float64 (K, N)."""
    values = np.asarray(scores, dtype=np.float64)
    return np.ascontiguousarray(values.reshape(len(values), -1).T)


def _capacity(n_players: int, repeats: int) -> int:
    """Points per call: enough for any one pair."""
    exact = [size for size in range(2, n_players + 1) if sampling_kernels.is_exact(size, repeats)]
    return max(_POINTS, 2 * n_players * repeats, 1 << max(exact, default=0))


@cache
def _coalition_weights() -> NDArray[np.float64]:
    """Share of the orders in which a player comes right after s of the d - 1 others: s! (d - s - 1)! / d! at [d, s]."""
    size = sampling_kernels.MOST_EXACT + 1
    weights = np.zeros((size, size))
    for players in range(1, size):
        for members in range(players):
            weights[players, members] = 1.0 / (players * math.comb(players - 1, members))
    return weights
