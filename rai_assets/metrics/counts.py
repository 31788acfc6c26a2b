"""Count tables of a binary decision per group: the only thing that rates are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rai_assets.metrics.intervals import Floats, effective_size

TRUE_NEGATIVE, FALSE_POSITIVE, FALSE_NEGATIVE, TRUE_POSITIVE = range(4)
"""Columns of a count table: 2 * target + decision."""


@dataclass(frozen=True)
class Cells:
    """Rows of G groups by target and decision, the columns in the order tn, fp, fn, tp.

    Where there is no target every row stands as if its target were negative (columns tn and fp), where there is no
    decision as if it were negative (columns tn and fn); `has_target` and `has_decision` say which rates can be read.

    Attributes:
        counts: Unweighted rows, int64 (G, 4).
        weights: Sums of the weights, float64 (G, 4).
        squares: Sums of the squared weights, float64 (G, 4).
        has_target: The target is known.
        has_decision: The decision is known.
    """

    counts: NDArray[np.int64]
    weights: Floats
    squares: Floats
    has_target: bool = True
    has_decision: bool = True

    @property
    def tn(self) -> Floats:
        """Weight of the true negatives, (G,)."""
        return self.weights[:, TRUE_NEGATIVE]

    @property
    def fp(self) -> Floats:
        """Weight of the false positives, (G,)."""
        return self.weights[:, FALSE_POSITIVE]

    @property
    def fn(self) -> Floats:
        """Weight of the false negatives, (G,)."""
        return self.weights[:, FALSE_NEGATIVE]

    @property
    def tp(self) -> Floats:
        """Weight of the true positives, (G,)."""
        return self.weights[:, TRUE_POSITIVE]

    @property
    def rows(self) -> NDArray[np.int64]:
        """Unweighted rows per group, (G,)."""
        return self.counts.sum(axis=1)

    @property
    def weight_sum(self) -> Floats:
        """Sum of the weights per group, (G,)."""
        return self.weights.sum(axis=1)

    def effective(self, columns: Sequence[int]) -> Floats:
        """Effective size of the rows in some columns, (G,)."""
        chosen = list(columns)
        return effective_size(self.weights[:, chosen].sum(axis=1), self.squares[:, chosen].sum(axis=1))

    def take(self, groups: ArrayLike) -> Cells:
        """The cells of some groups, by indices (m,) or a mask (G,)."""
        chosen = np.asarray(groups)
        return replace(self, counts=self.counts[chosen], weights=self.weights[chosen], squares=self.squares[chosen])

    def pooled(self) -> Cells:
        """All groups as one."""
        return self.merged(np.zeros(len(self.counts), np.intp), 1)

    def merged(self, into: ArrayLike, n_groups: int) -> Cells:
        """The groups summed into `n_groups` coarser ones; `into` holds the new index of each, (G,)."""
        target = np.asarray(into, np.intp)

        def total(table: NDArray) -> NDArray:
            sums = np.zeros((n_groups, *table.shape[1:]), table.dtype)
            np.add.at(sums, target, table)
            return sums

        return replace(self, counts=total(self.counts), weights=total(self.weights), squares=total(self.squares))

    def __add__(self, other: Cells) -> Cells:
        """The cells of two sets of rows with the same groups."""
        return Cells(
            self.counts + other.counts,
            self.weights + other.weights,
            self.squares + other.squares,
            self.has_target and other.has_target,
            self.has_decision and other.has_decision,
        )


def confusion_cells(
    target: NDArray | None,
    decision: NDArray | None,
    codes: NDArray | None = None,
    n_groups: int = 1,
    weight: Floats | None = None,
) -> Cells:
    """Count the rows of every group by target and decision, in one pass.

    Args:
        target: {0, 1}, shape (n,), or None where unknown.
        decision: {0, 1}, shape (n,), or None where unknown. At least one of the two is given.
        codes: Group of every row in [0, n_groups), shape (n,); None puts all rows in one group.
        n_groups: Number of groups G.
        weight: Weights >= 0, shape (n,), or None for equal weights.
    """
    known = next(values for values in (target, decision) if values is not None)
    # The narrowest dtype that holds 4 G cells: the pass over a million rows is bound by memory.
    cell: NDArray = np.zeros(len(known), "int8" if 4 * n_groups <= 127 else "int32")
    if codes is not None:
        cell += codes.astype(cell.dtype)
    cell *= 2
    if target is not None:
        cell += np.asarray(target).astype(cell.dtype)
    cell *= 2
    if decision is not None:
        cell += np.asarray(decision).astype(cell.dtype)

    def table(values: Floats | None) -> NDArray:
        return np.bincount(cell, values, minlength=4 * n_groups).reshape(n_groups, 4)

    counts = table(None).astype(np.int64)
    if weight is None:
        return Cells(counts, counts.astype(float), counts.astype(float), target is not None, decision is not None)
    return Cells(counts, table(weight), table(weight * weight), target is not None, decision is not None)
