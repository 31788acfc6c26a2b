"""The two inner loops that add up a tree ensemble, compiled.

Rows are taken in blocks. A block's values become codes first (how many of the column's split points lie below), so
that a comparison is one of small whole numbers; then tree after tree is walked for the whole block, which keeps the
tree in the cache. Trees of up to 64 leaves are not walked at all: every column's code rules leaves out, and what is
left of a 64-bit set of leaves after all columns is the leaf (QuickScorer, Lucchese et al., SIGIR 2015). Larger trees
are walked level by level for all rows at once, without a branch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rai_assets.compiled import compiled

_ONE = np.uint64(1)


@compiled(nogil=True, boundscheck=False)
def encode_block(
    matrix: NDArray, begin: int, end: int, points: NDArray, start: NDArray, with_low: bool, codes: NDArray
) -> None:
    """Codes of rows `begin` to `end`: row f of `codes` has column f.

    The code of a value is the number of split points below it. A missing value has the highest code there is, which
    goes above every split point; in the second half of the rows of `codes` (`with_low`) it has the lowest.
    """
    columns = start.size - 1
    for f in range(columns):
        first, count = start[f], start[f + 1] - start[f]
        if count == 0:
            continue
        for row in range(begin, end):
            value = matrix[row, f]
            if value != value:
                codes[f, row - begin] = count + 1
                if with_low:
                    codes[columns + f, row - begin] = 0
                continue
            base, left = first, count
            while left > 1:
                half = left >> 1
                base += half * np.int64(points[base + half - 1] < value)
                left -= half
            code = base - first + np.int64(points[base] < value)
            codes[f, row - begin] = code
            if with_low:
                codes[columns + f, row - begin] = code


@compiled(nogil=True, boundscheck=False)
def add_small_trees(
    matrix: NDArray,
    points: NDArray,
    start: NDArray,
    lookups: NDArray,
    lookup_column: NDArray,
    lookup_offset: NDArray,
    sets: NDArray,
    leaf_start: NDArray,
    output: NDArray,
    width: NDArray,
    weights: NDArray,
    block: int,
    total: NDArray,
) -> None:
    """Add trees of at most 64 leaves to `total` (n, k).

    Tree t ands the sets of `lookups[t]` to `lookups[t + 1]`: for the column `lookup_column`, the set of the leaves that
    a code leaves possible stands at `lookup_offset + code`. The lowest leaf of the result has `width[t]` weights
    from `leaf_start[t] + leaf * width[t]` on, for the outputs from `output[t]` on.
    """
    rows = matrix.shape[0]
    codes = np.zeros((matrix.shape[1], block), np.uint16)
    possible = np.empty(block, np.uint64)
    for begin in range(0, rows, block):
        end = min(rows, begin + block)
        size = end - begin
        encode_block(matrix, begin, end, points, start, False, codes)
        for t in range(output.size):
            for j in range(size):
                possible[j] = ~np.uint64(0)
            for a in range(lookups[t], lookups[t + 1]):
                offset, code = lookup_offset[a], codes[lookup_column[a]]
                for j in range(size):
                    possible[j] &= sets[offset + code[j]]
            for j in range(size):
                lowest = possible[j]
                # Number of zeros below the lowest one: how many ones there are below it, counted in parallel.
                ones = (lowest & (~lowest + _ONE)) - _ONE
                ones = ones - ((ones >> np.uint64(1)) & np.uint64(0x5555555555555555))
                ones = (ones & np.uint64(0x3333333333333333)) + ((ones >> np.uint64(2)) & np.uint64(0x3333333333333333))
                ones = (ones + (ones >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
                leaf = np.int64((ones * np.uint64(0x0101010101010101)) >> np.uint64(56))
                weight = leaf_start[t] + leaf * width[t]
                for k in range(width[t]):
                    total[begin + j, output[t] + k] += weights[weight + k]


@compiled(nogil=True, boundscheck=False)
def add_large_trees(
    matrix: NDArray,
    points: NDArray,
    start: NDArray,
    roots: NDArray,
    depth: NDArray,
    column: NDArray,
    code_limit: NDArray,
    below: NDArray,
    leaf_start: NDArray,
    output: NDArray,
    width: NDArray,
    weights: NDArray,
    with_low: bool,
    block: int,
    total: NDArray,
) -> None:
    """Add trees of any size to `total` (n, k).

    A node goes to `below` where its column's code is at most `code_limit`, else to the node after that; a leaf goes to
    itself. `leaf_start` is where a leaf's weights begin.
    """
    rows = matrix.shape[0]
    codes = np.zeros((2 * matrix.shape[1], block), np.uint16)
    node = np.empty(block, np.int32)
    for begin in range(0, rows, block):
        end = min(rows, begin + block)
        size = end - begin
        encode_block(matrix, begin, end, points, start, with_low, codes)
        for t in range(roots.size):
            for j in range(size):
                node[j] = roots[t]
            for _ in range(depth[t]):
                for j in range(size):
                    k = node[j]
                    node[j] = below[k] + np.int32(codes[column[k], j] > code_limit[k])
            for j in range(size):
                weight = leaf_start[node[j]]
                for k in range(width[t]):
                    total[begin + j, output[t] + k] += weights[weight + k]
