"""Tree ensembles laid out for the compiled kernels, which add them up several times faster than a general runtime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rai_assets.model.trees import Trees

SMALL_LEAVES = 64
_BLOCK = 512
_FEWEST = 8
_MAX_SETS = 4_000_000
_NEVER = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class TreeScorer:
    """Trees and how the kernels of `tree_kernels` want them.

    Attributes:
        trees: What they are.
        points: Split points of all columns, ascending within a column, float32.
        start: Where a column's split points begin, (m + 1,).
        small: Arguments of `add_small_trees` between the split points and the block size; None without such trees.
        large: Arguments of `add_large_trees` likewise.
    """

    trees: Trees
    points: NDArray[np.float32]
    start: NDArray[np.int64]
    small: tuple | None
    large: tuple | None

    @classmethod
    def of(cls, trees: Trees, width: int) -> TreeScorer | None:
        """Lay trees over `width` columns out.

        None where a runtime does as well: a few trees, or more split points in a column than codes can tell apart.
        """
        if len(np.unique(trees.tree)) < _FEWEST:
            return None
        inner = np.flatnonzero(trees.column >= 0)
        order = inner[np.lexsort((trees.threshold[inner], trees.column[inner]))]
        column, point = trees.column[order], trees.threshold[order]
        new = np.append(True, (np.diff(column) != 0) | (point[1:] != point[:-1]))
        points = point[new]
        start = np.searchsorted(column[new], np.arange(width + 1))
        if np.diff(start).max() >= _NEVER - 2:
            return None
        code = np.zeros(len(trees.column), np.int64)
        code[order] = np.cumsum(new) - 1 - start[column]
        wide = np.diff(start) + 2
        is_small = np.bincount(trees.tree[trees.column < 0]) <= SMALL_LEAVES
        if int(is_small.sum()) * int(wide.sum()) > _MAX_SETS:
            is_small[:] = False
        small = _small(trees, code, wide, np.flatnonzero(is_small)) if is_small.any() else None
        large = _large(trees, code, width, ~is_small) if not is_small.all() else None
        return cls(trees, points, start, small, large)

    def scores(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The core's output for encoded rows (n, m): probabilities (n, classes), or values (n, 1)."""
        from rai_assets.model.tree_kernels import add_large_trees, add_small_trees

        total = np.tile(self.trees.base, (len(matrix), 1))
        if self.small is not None:
            add_small_trees(matrix, self.points, self.start, *self.small, _BLOCK, total)  # type: ignore[call-arg]
        if self.large is not None:
            add_large_trees(matrix, self.points, self.start, *self.large, _BLOCK, total)  # type: ignore[call-arg]
        return self.trees.scores(total)


def _outputs(trees: Trees, roots: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
    """First output and number of outputs that each tree adds to: boosting has trees for one class only."""
    output, width = np.zeros(len(roots), np.int64), np.full(len(roots), trees.weights.shape[1])
    for t, (begin, end) in enumerate(zip(roots, ends, strict=True)):
        used = np.flatnonzero(trees.weights[begin:end].any(axis=0))
        if len(used) <= 1:
            output[t], width[t] = used[0] if len(used) else 0, 1
    return output, width


def _bounds(trees: Trees) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    roots = np.unique(trees.tree, return_index=True)[1]
    return roots, np.append(roots[1:], len(trees.tree))


def _small(trees: Trees, code: NDArray[np.int64], wide: NDArray[np.int64], chosen: NDArray[np.int64]) -> tuple:
    """Per tree and column: for every code, the set of leaves that it leaves possible."""
    roots, ends = (places[chosen] for places in _bounds(trees))
    output, width = _outputs(trees, roots, ends)
    lookups, columns, offsets, leaf_start = [0], [], [], []
    tables: list[NDArray[np.uint64]] = []
    weights: list[NDArray[np.float64]] = []
    filled = 0
    for t, root in enumerate(roots):
        leaves, splits = _spans(trees, int(root))
        for column in sorted({int(trees.column[node]) for node, *_ in splits}):
            sets = np.full(wide[column], (1 << len(leaves)) - 1, np.uint64)
            for node, low, middle, high in splits:
                if trees.column[node] == column:
                    _rule_out(sets, int(code[node]), bool(trees.missing_below[node]), low, middle, high)
            columns.append(column)
            offsets.append(filled)
            tables.append(sets)
            filled += len(sets)
        lookups.append(len(columns))
        leaf_start.append(sum(item.size for item in weights))
        weights.append(trees.weights[leaves, output[t] : output[t] + width[t]].ravel())
    numbers = (np.array(item, np.int64) for item in (lookups, columns, offsets))
    sets = np.concatenate(tables) if tables else np.zeros(0, np.uint64)
    return (*numbers, sets, np.array(leaf_start, np.int64), output, width, np.concatenate(weights))


def _rule_out(sets: NDArray[np.uint64], code: int, missing_below: bool, low: int, middle: int, high: int) -> None:
    """Take the leaves that one split rules out from its column's sets, which end with the missing value's."""
    above = np.uint64(~(((1 << high) - 1) ^ ((1 << middle) - 1)) & (2**64 - 1))
    below = np.uint64(~(((1 << middle) - 1) ^ ((1 << low) - 1)) & (2**64 - 1))
    sets[: code + 1] &= above
    sets[code + 1 : -1] &= below
    sets[-1] &= above if missing_below else below


def _spans(trees: Trees, root: int) -> tuple[list[int], list[tuple[int, int, int, int]]]:
    """The leaves of a tree from below to above, and per split (node, first leaf, first leaf above, end)."""
    leaves: list[int] = []
    splits: list[tuple[int, int, int, int]] = []

    def walk(node: int) -> None:
        if trees.column[node] < 0:
            leaves.append(node)
            return
        low = len(leaves)
        walk(int(trees.below[node]))
        middle = len(leaves)
        walk(int(trees.above[node]))
        splits.append((node, low, middle, len(leaves)))

    walk(root)
    return leaves, splits


def _large(trees: Trees, code: NDArray[np.int64], width: int, chosen: NDArray[np.bool_]) -> tuple:
    """Nodes tree by tree and level by level, siblings side by side; a leaf goes to itself."""
    picked = np.flatnonzero(chosen)
    tree_roots, tree_ends = (places[picked] for places in _bounds(trees))
    levels = list(_levels(trees, tree_roots))
    nodes = np.concatenate(levels)
    level = np.repeat(np.arange(len(levels)), [len(item) for item in levels])
    order = np.lexsort((np.arange(len(nodes)), level, trees.tree[nodes]))
    nodes, level = nodes[order], level[order]
    place = np.full(len(trees.tree), -1)
    place[nodes] = np.arange(len(nodes))
    leaf = trees.column[nodes] < 0
    output, outputs = _outputs(trees, tree_roots, tree_ends)
    local = np.searchsorted(picked, trees.tree[nodes])
    low = trees.missing_below[nodes] & ~leaf
    leaf_width = np.where(leaf, outputs[local], 0)
    leaf_start = np.cumsum(leaf_width) - leaf_width
    weights = np.zeros(int(leaf_width.sum()))
    for offset in range(int(outputs.max())):
        mine = leaf & (outputs[local] > offset)
        weights[leaf_start[mine] + offset] = trees.weights[nodes[mine], output[local[mine]] + offset]
    roots = place[tree_roots]
    depth = np.maximum.reduceat(level, roots)
    return (
        roots,
        depth,
        np.where(leaf, 0, trees.column[nodes] + low * width).astype(np.int32),
        np.where(leaf, _NEVER, code[nodes]).astype(np.uint16),
        np.where(leaf, np.arange(len(nodes)), place[trees.below[nodes]]).astype(np.int32),
        leaf_start,
        output,
        outputs,
        weights,
        bool(low.any()),
    )


def _levels(trees: Trees, roots: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The nodes of all trees, level by level, children of one node side by side."""
    here = roots
    while len(here):
        yield here
        inner = here[trees.column[here] >= 0]
        here = np.column_stack([trees.below[inner], trees.above[inner]]).ravel()
