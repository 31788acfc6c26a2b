"""Count tables of several classes, and of each class against the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.counts import Cells
from rai_assets.metrics.intervals import Floats
from rai_assets.metrics.means import Groups


@dataclass(frozen=True)
class ClassTable:
    """Rows of G groups by target and decision among k classes; arrays of shape (G, k, k), [group, target, decision].

    Attributes:
        counts: Unweighted rows.
        weights: Sums of the weights.
        squares: Sums of the squared weights.
    """

    counts: NDArray[np.int64]
    weights: Floats
    squares: Floats

    @classmethod
    def of(cls, target: NDArray, decision: NDArray, n_classes: int, groups: Groups) -> ClassTable:
        """Count the rows of every group by target and decision, in one pass.

        Args:
            target: Class codes in [0, n_classes), (rows,).
            decision: Class codes in [0, n_classes), (rows,).
            n_classes: Number of classes k.
            groups: The groups of the rows.
        """
        shape = (groups.n, n_classes, n_classes)
        cell = np.asarray(target).astype(np.int32) * np.int32(n_classes) + np.asarray(decision).astype(np.int32)
        if groups.codes is not None:
            cell += groups.codes.astype(np.int32) * np.int32(n_classes * n_classes)

        def table(values: Floats | None) -> NDArray:
            return np.bincount(cell, values, minlength=int(np.prod(shape))).reshape(shape)

        counts = table(None).astype(np.int64)
        if groups.weight is None:
            return cls(counts, counts.astype(float), counts.astype(float))
        # Where there are no rows, sums of weights are integers too.
        return cls(counts, table(groups.weight).astype(float), table(groups.weight**2).astype(float))

    def cells(self, of_class: int) -> Cells:
        """The count tables of one class against the rest."""

        def against_rest(table: NDArray) -> NDArray:
            hit = table[:, of_class, of_class]
            missed = table[:, of_class, :].sum(axis=1) - hit
            false = table[:, :, of_class].sum(axis=1) - hit
            return np.stack([table.sum(axis=(1, 2)) - hit - missed - false, false, missed, hit], axis=1)

        return Cells(against_rest(self.counts), against_rest(self.weights), against_rest(self.squares))


def against_rest(target: NDArray | None, decision: NDArray | None, n_classes: int, groups: Groups) -> list[Cells]:
    """Count tables of every class against the rest; empty where neither target nor decision is known.

    Args:
        target: Class codes in [0, n_classes), (rows,), or None.
        decision: Class codes in [0, n_classes), (rows,), or None.
        n_classes: Number of classes.
        groups: The groups of the rows.
    """
    if target is not None and decision is not None:
        table = ClassTable.of(target, decision, n_classes, groups)
        return [table.cells(of_class) for of_class in range(n_classes)]
    known = target if target is not None else decision
    return [] if known is None else _one_known(known, n_classes, groups, is_target=target is not None)


def _one_known(known: NDArray, n_classes: int, groups: Groups, *, is_target: bool) -> list[Cells]:
    """Count tables of every class against the rest where only the target, or only the decision, is known."""
    cell = np.asarray(known).astype(np.int32)
    if groups.codes is not None:
        cell = cell + groups.codes.astype(np.int32) * np.int32(n_classes)

    def tables(values: Floats | None) -> list[NDArray]:
        table = np.bincount(cell, values, minlength=groups.n * n_classes).reshape(groups.n, n_classes)
        rest, empty = table.sum(axis=1, keepdims=True) - table, np.zeros_like(table)
        columns = [rest, empty, table, empty] if is_target else [rest, table, empty, empty]
        return list(np.stack(columns, axis=2).swapaxes(0, 1))

    counts = tables(None)
    weight = groups.weight
    weights = [item.astype(float) for item in (counts if weight is None else tables(weight))]
    squares = weights if weight is None else [item.astype(float) for item in tables(weight**2)]
    return [
        Cells(*three, has_target=is_target, has_decision=not is_target)
        for three in zip(counts, weights, squares, strict=True)
    ]
