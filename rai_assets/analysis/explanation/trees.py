"""Exact Shapley values of a tree ensemble over source columns, interventional or path dependent.

Every leaf is a product game over the distinct players on its path: its values depend on the row only through which
players' conditions the row meets (Yang, "Fast TreeSHAP", 2021; Nadel and Wettenstein, "WOODELF", 2025). Boxes with few
players get a table of all 2^D answers, built once whatever the number of rows or background rows; for boxes with more
(deep forests) only the answers that the rows need are computed, each in time polynomial in D.

Interventional: coalition S sees f(x_S, z_rest), averaged over the background rows z. Path dependent: a split on a
player outside S sends x both ways, weighed by the share of the stated rows that go there (Lundberg et al., 2020).
Columns of one player enter and leave together, so a one-hot encoded column is one player in both games.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rai_assets.analysis.explanation import kernels, shapley_kernels
from rai_assets.analysis.explanation.folding import chances, fold, nodes_of
from rai_assets.analysis.explanation.settings import Perturbation
from rai_assets.errors import Undefined
from rai_assets.model.ensemble import TreeEnsemble
from rai_assets.model.tell import Tell, silent

ABSENT = np.uint32(2**32 - 1)
TABLE_PLAYERS = 8  # beyond, rows meet too few of the 2^D masks for a table to pay
TABLE_BYTES = 128 * 2**20
BLOCK_ROWS = 4096  # bins and sums of a block stay in the processor's cache
DEEP_BLOCK_ROWS = 16384  # more rows share what is computed for the masks they have in common


def tree_values(
    ensemble: TreeEnsemble,
    matrix: NDArray[np.float32],
    background: NDArray[np.float32],
    players: NDArray[Any],
    n_players: int,
    *,
    perturbation: Perturbation = "interventional",
    progress: Tell = silent,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact Shapley values of the sum of the trees, before its link.

    Args:
        ensemble: The trees.
        matrix: float32 (n, m), the rows to explain; NaN is a missing value.
        background: float32 (b, m), b >= 1: the rows averaged over; path dependent, the rows that weigh the branches.
        players: int (m,), the player of every column, in [0, n_players).
        n_players: p.
        perturbation: Which game is played.
        progress: Told how many rows are explained.

    Returns:
        Values (K, n, p) and the mean (K,) of the outputs over the background; values of a row add up to its output
        minus that mean.

    Raises:
        Undefined: There are no background rows, a leaf depends on more than 64 players, or a tree tests a column that
            the matrix does not have.
    """
    missing = np.isnan(matrix).any(axis=0)
    game = TreeGame.prepare(ensemble, background, players, n_players, perturbation=perturbation, has_missing=missing)
    return game.values(matrix, progress), game.base


@dataclass(frozen=True)
class TreeGame:
    """A tree ensemble prepared for one background and one assignment of columns to players.

    Attributes:
        base: float64 (K,), the mean of the outputs over the background rows.
        n_players: p.
        cuts: float32, the sorted distinct thresholds of every column, one column after the other.
        cut_start: int64 (m + 1,), where those of a column begin.
        boxes: The leaves that add something.
        outputs: What they add.
        game: What they are played with.
        shallow: int64, the boxes that have a table.
        table_start: int64, where the table of each of them begins.
        tables: float64, the values of all masks, at most `TABLE_BYTES`.
        deep: int64, the other boxes.
        mask_type: Wide enough for the players of any box.
    """

    base: NDArray[np.float64]
    n_players: int
    cuts: NDArray[np.float32]
    cut_start: NDArray[np.int64]
    boxes: kernels.Boxes
    outputs: shapley_kernels.Outputs
    game: shapley_kernels.Game
    shallow: NDArray[np.int64]
    table_start: NDArray[np.int64]
    tables: NDArray[np.float64]
    deep: NDArray[np.int64]
    mask_type: type[np.unsignedinteger[Any]]

    @classmethod
    def prepare(
        cls,
        ensemble: TreeEnsemble,
        background: NDArray[np.float32],
        players: NDArray[Any],
        n_players: int,
        *,
        perturbation: Perturbation = "interventional",
        has_missing: NDArray[np.bool_] | None = None,
        table_players: int = TABLE_PLAYERS,
    ) -> TreeGame:
        """Folds the trees into boxes and fills the tables.

        Args:
            ensemble: The trees.
            background: (b, m) rows to average over; path dependent, the rows that weigh the branches.
            players: (m,) the player of every column, in [0, n_players).
            n_players: p.
            perturbation: Which game is played.
            has_missing: (m,) whether the rows to explain hold missing values; unknown counts as yes.
            table_players: Boxes with more players get no table.

        Raises:
            Undefined: A leaf depends on more than 64 players, or a tree tests a column that is not there.
        """
        n_columns = background.shape[1]
        if len(background) == 0:
            raise Undefined("there are no background rows to compare with")
        if ensemble.column.max(initial=-1) >= n_columns:
            raise Undefined(f"the trees test column {ensemble.column.max()}, the matrix has {n_columns} columns")
        nodes, cuts, cut_start = nodes_of(ensemble, n_columns)
        visits = np.zeros(len(ensemble.column), dtype=np.int64)
        kernels.count_visits(nodes, background, visits)
        interventional = perturbation == "interventional"
        missing = np.ones(n_columns, dtype=bool) if has_missing is None else has_missing
        missing = missing | np.isnan(background).any(axis=0)
        chance = np.zeros(len(visits)) if interventional else chances(nodes, visits)
        boxes = fold(nodes, ensemble, np.diff(cut_start), missing, chance, players.astype(np.int64))
        sizes = np.diff(boxes.player_start)
        if sizes.max(initial=0) > shapley_kernels.MAX_PLAYERS:
            raise Undefined(f"a leaf of the trees depends on {sizes.max()} columns, more than can be enumerated")
        shallow, table_start = _choose_shallow(sizes, table_players)
        bins = _bins(background if interventional else background[:0], cuts, cut_start)
        game = shapley_kernels.Game(bins, ABSENT, *_quadrature(), *_coalition_weights())
        tables = np.empty(table_start[-1])
        shapley_kernels.fill_tables(boxes, shallow, table_start, game, np.empty(bins.shape[1], np.uint32), tables)
        return cls(
            base=_mean_output(ensemble, visits, len(background)),
            n_players=n_players,
            cuts=cuts,
            cut_start=cut_start,
            boxes=boxes,
            outputs=shapley_kernels.Outputs(ensemble.weight_start, ensemble.weight_output, ensemble.weight),
            game=game,
            shallow=shallow,
            table_start=table_start,
            tables=tables,
            deep=np.setdiff1d(np.arange(len(sizes)), shallow, assume_unique=True),
            mask_type=np.uint32 if sizes.max(initial=0) <= 32 else np.uint64,
        )

    def values(self, matrix: NDArray[np.float32], progress: Tell = silent) -> NDArray[np.float64]:
        """Shapley values (K, n, p) of every row of `matrix` (n, m); memory beyond the result does not grow with n."""
        n_rows, n_outputs = len(matrix), len(self.base)
        result = np.zeros((n_outputs, n_rows, self.n_players))
        step = DEEP_BLOCK_ROWS if len(self.deep) else BLOCK_ROWS
        for start in range(0, n_rows, step):
            block = matrix[start : start + step]
            sums = np.zeros((n_outputs, self.n_players, len(block)))
            bins = _bins(block, self.cuts, self.cut_start)
            self._add(bins, sums)
            result[:, start : start + step] = sums.transpose(0, 2, 1)
            progress("rows explained", start + len(block), n_rows)
        return result

    def _add(self, bins: NDArray[np.uint32], sums: NDArray[np.float64]) -> None:
        n_rows = bins.shape[1]
        if len(self.shallow):
            for start in range(0, n_rows, BLOCK_ROWS):
                part = np.ascontiguousarray(bins[:, start : start + BLOCK_ROWS])
                fails = np.empty(part.shape[1], np.uint32)
                into = np.zeros((sums.shape[0], sums.shape[1], part.shape[1]))
                shapley_kernels.add_tables(
                    self.boxes, self.shallow, self.table_start, self.tables, self.outputs, part, ABSENT, fails, into
                )
                sums[:, :, start : start + BLOCK_ROWS] += into
        if len(self.deep):
            bg_fails = np.empty(self.game.bins.shape[1], self.mask_type)
            fails = np.empty(n_rows, self.mask_type)
            shapley_kernels.add_met(self.boxes, self.deep, self.game, self.outputs, bins, bg_fails, fails, sums)


def _choose_shallow(sizes: NDArray[np.int64], table_players: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The boxes that get a table, fewest players first while the tables fit in `TABLE_BYTES`, and where each begins."""
    order = np.argsort(sizes, kind="stable")
    order = order[sizes[order] <= table_players]
    start = np.concatenate([[0], np.cumsum(sizes[order] << sizes[order])])
    fits = int(np.searchsorted(start, TABLE_BYTES // 8, side="right")) - 1
    chosen = np.sort(order[:fits])
    return chosen, np.concatenate([[0], np.cumsum(sizes[chosen] << sizes[chosen])])


def _bins(matrix: NDArray[np.float32], cuts: NDArray[np.float32], cut_start: NDArray[np.int64]) -> NDArray[np.uint32]:
    bins = np.empty((matrix.shape[1], len(matrix)), dtype=np.uint32)
    kernels.bin_rows(matrix, cuts, cut_start, ABSENT, bins)
    return bins


def _mean_output(ensemble: TreeEnsemble, visits: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
    node = np.repeat(np.arange(len(visits)), np.diff(ensemble.weight_start))
    paid = np.bincount(ensemble.weight_output, visits[node] * ensemble.weight, minlength=ensemble.n_outputs)
    return ensemble.base + paid / rows


@cache
def _coalition_weights() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(a-1)! b! / (a+b)! and -a! (b-1)! / (a+b)! at [a, b]; 0 where the factorial of -1 would be taken."""
    size = shapley_kernels.MAX_PLAYERS + 1
    gains, losses = np.zeros((size, size)), np.zeros((size, size))
    for a in range(size):
        for b in range(size):
            gains[a, b] = 1.0 / (a * math.comb(a + b, b)) if a else 0.0
            losses[a, b] = -1.0 / (b * math.comb(a + b, b)) if b else 0.0
    return gains, losses


@cache
def _quadrature() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre nodes and weights on [0, 1], by the number of players of a box."""
    size = shapley_kernels.MAX_PLAYERS
    nodes, weights = np.zeros((size + 1, size // 2)), np.zeros((size + 1, size // 2))
    for players in range(1, size + 1):
        x, w = np.polynomial.legendre.leggauss((players + 1) // 2)
        nodes[players, : len(x)], weights[players, : len(x)] = (x + 1.0) / 2.0, w / 2.0
    return nodes, weights
