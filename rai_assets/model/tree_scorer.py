"""Tree ensembles laid out for the compiled kernels, which add them up several times faster than a general runtime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rai_assets.errors import Undefined
from rai_assets.model.ensemble import TreeEnsemble, read_ensemble, tree_node
from rai_assets.model.links import logistic, softmax

if TYPE_CHECKING:
    import onnx

SMALL_LEAVES = 64
_SMALL_BLOCK, _LARGE_BLOCK = 512, 16_384
_FEWEST = 8
FEW_ROWS = 256  # up to here going down all trees together is the faster way
_MAX_SETS = 4_000_000
_MOST = _LEAF = np.iinfo(np.uint16).max
# By number of classes (3: or more), the links that the operator and `TreeScorer.scores` apply alike.
_LINKS = {0: ("NONE",), 2: ("NONE", "LOGISTIC"), 3: ("NONE", "SOFTMAX")}


@dataclass(frozen=True)
class TreeScorer:
    """Trees as the kernels of `tree_kernels` want them.

    Attributes:
        ensemble: What they are.
        points: Split points of all columns, ascending within a column, float32.
        start: Where a column's split points begin, (m + 1,).
        small: Arguments of `add_small_trees` between the split points and the block size; None without such trees.
        large: Arguments of `add_large_trees` likewise, and of `add_large_trees_to_few`.
    """

    ensemble: TreeEnsemble
    points: NDArray[np.float32]
    start: NDArray[np.int64]
    small: tuple | None
    large: tuple | None

    @classmethod
    def of(cls, core: onnx.ModelProto, width: int) -> TreeScorer | None:
        """The scorer of a core that is one tree operator over `width` columns and nothing else.

        Args:
            core: The core, matrix -> scores.
            width: m, columns of the matrix.

        Returns:
            The scorer; None for any other core, for what our own exports do not use, and where a runtime does as well:
            a few trees, or more columns or split points in one than codes can tell apart.
        """
        ensemble = _ensemble(core)
        if ensemble is None or len(ensemble.roots) < _FEWEST:
            return None
        forest = _Forest.of(ensemble)
        inner = np.flatnonzero(ensemble.column >= 0)
        order = inner[np.lexsort((ensemble.threshold[inner], ensemble.column[inner]))]
        column, point = ensemble.column[order], ensemble.threshold[order]
        new = np.append(True, (np.diff(column) != 0) | (point[1:] != point[:-1]))[: len(order)]
        points = point[new]
        start = np.searchsorted(column[new], np.arange(width + 1))
        if np.diff(start).max() >= _MOST - 2 or 2 * width >= _LEAF:
            return None
        code = np.zeros(len(ensemble.column), np.int64)
        code[order] = np.cumsum(new) - 1 - start[column]
        wide = np.diff(start) + 2
        is_small = np.bincount(forest.tree[ensemble.column < 0]) <= SMALL_LEAVES
        if int(is_small.sum()) * int(wide.sum()) > _MAX_SETS:
            is_small[:] = False
        small = _small(forest, code, wide, np.flatnonzero(is_small)) if is_small.any() else None
        large = _large(forest, code, width, np.flatnonzero(~is_small)) if not is_small.all() else None
        return cls(ensemble, points, start, small, large)

    def scores(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The core's output for encoded rows (n, m): probabilities (n, classes), or values (n, 1)."""
        from rai_assets.model.tree_kernels import add_large_trees, add_large_trees_to_few, add_small_trees

        total = np.tile(self.ensemble.base, (len(matrix), 1))
        if self.small is not None:
            add_small_trees(matrix, self.points, self.start, *self.small, _SMALL_BLOCK, total)
        if self.large is not None and len(matrix) <= FEW_ROWS:
            add_large_trees_to_few(matrix, self.points, self.start, *self.large, total)
        elif self.large is not None:
            add_large_trees(matrix, self.points, self.start, *self.large, _LARGE_BLOCK, total)
        if self.ensemble.link == "SOFTMAX":
            return softmax(total)
        if self.ensemble.link == "LOGISTIC":
            return logistic(total)
        return np.concatenate([1.0 - total, total], axis=1) if self.ensemble.classes == 2 else total


def _ensemble(core: onnx.ModelProto) -> TreeEnsemble | None:
    """The trees of a core that is one tree operator and nothing else, where `TreeScorer` adds them up alike."""
    if sum(node.op_type != "Cast" for node in core.graph.node) != 1:
        return None
    try:
        node = tree_node(core)
        ensemble = read_ensemble(node)
    except Undefined:
        return None
    if node.input[0] != core.graph.input[0].name or ensemble.equal.any():
        return None
    if ensemble.link not in _LINKS[min(ensemble.classes, 3)]:
        return None
    if ensemble.classes == 2:
        # With weights for the second class, or negative ones without a link, the operator treats the first class apart.
        ids = next((item.ints for item in node.attribute if item.name == "class_ids"), ())
        if any(ids) or (ensemble.link == "NONE" and (ensemble.weight < 0).any()):
            return None
    return ensemble


@dataclass(frozen=True)
class _Forest:
    """An ensemble, the tree of every node (N,) and the weights as a matrix (N, K), 0 for inner nodes."""

    trees: TreeEnsemble
    tree: NDArray[np.int64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, trees: TreeEnsemble) -> _Forest:
        tree = np.empty(len(trees.column), np.int64)
        tree[trees.roots] = np.arange(len(trees.roots))
        for nodes in _levels(trees, trees.roots):
            inner = nodes[trees.column[nodes] >= 0]
            tree[trees.below[inner]] = tree[trees.above[inner]] = tree[inner]
        weights = np.zeros((len(tree), trees.n_outputs))
        node = np.repeat(np.arange(len(tree)), np.diff(trees.weight_start))
        np.add.at(weights, (node, trees.weight_output), trees.weight)
        return cls(trees, tree, weights)

    def outputs(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First output and number of outputs that each chosen tree adds to: boosting has trees for one class only."""
        used = np.zeros((len(self.trees.roots), self.trees.n_outputs), bool)
        np.logical_or.at(used, self.tree, self.weights != 0)
        used = used[chosen]
        one = used.sum(axis=1) <= 1
        return np.where(one, used.argmax(axis=1), 0), np.where(one, 1, used.shape[1])


def _small(forest: _Forest, code: NDArray[np.int64], wide: NDArray[np.int64], chosen: NDArray[np.int64]) -> tuple:
    """Per tree and column: for every code, the set of leaves that it leaves possible."""
    trees = forest.trees
    output, width = forest.outputs(chosen)
    lookups, columns, offsets, leaf_start = [0], [], [], []
    tables: list[NDArray[np.uint64]] = []
    weights: list[NDArray[np.float64]] = []
    filled = 0
    for t, root in enumerate(trees.roots[chosen]):
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
        weights.append(forest.weights[leaves, output[t] : output[t] + width[t]].ravel())
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


def _spans(trees: TreeEnsemble, root: int) -> tuple[list[int], list[tuple[int, int, int, int]]]:
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


def _large(forest: _Forest, code: NDArray[np.int64], width: int, chosen: NDArray[np.int64]) -> tuple:
    """Nodes tree by tree and level by level, siblings side by side; a leaf goes to itself."""
    trees = forest.trees
    levels = list(_levels(trees, trees.roots[chosen]))
    nodes = np.concatenate(levels)
    level = np.repeat(np.arange(len(levels)), [len(item) for item in levels])
    order = np.lexsort((np.arange(len(nodes)), level, forest.tree[nodes]))
    nodes, level = nodes[order], level[order]
    place = np.full(len(forest.tree), -1)
    place[nodes] = np.arange(len(nodes))
    leaf = trees.column[nodes] < 0
    output, outputs = forest.outputs(chosen)
    local = np.searchsorted(chosen, forest.tree[nodes])
    low = trees.missing_below[nodes] & ~leaf
    leaf_width = np.where(leaf, outputs[local], 0)
    leaf_start = np.cumsum(leaf_width) - leaf_width
    weights = np.zeros(int(leaf_width.sum()))
    for offset in range(int(outputs.max())):
        mine = leaf & (outputs[local] > offset)
        weights[leaf_start[mine] + offset] = forest.weights[nodes[mine], output[local[mine]] + offset]
    column = np.where(leaf, _LEAF, trees.column[nodes] + low * width)
    limit = np.where(leaf, 0, code[nodes])
    child = np.where(leaf, leaf_start, place[trees.below[nodes]])
    packed = (column | limit << 16 | child << 32).astype(np.uint64)
    return (place[trees.roots[chosen]], packed, len(levels), output, outputs, weights, bool(low.any()))


def _levels(trees: TreeEnsemble, roots: NDArray) -> Iterator[NDArray[np.int64]]:
    """The nodes of all trees, level by level, children of one node side by side."""
    here = roots
    while len(here):
        yield here
        inner = here[trees.column[here] >= 0]
        here = np.column_stack([trees.below[inner], trees.above[inner]]).ravel()
