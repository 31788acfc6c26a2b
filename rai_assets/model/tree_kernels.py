"""The inner loops that add up a tree ensemble, compiled.

Rows are taken in blocks. A block's values become codes first (how many of the column's split points lie below), so
that a comparison is one of small whole numbers; then tree after tree is walked for the whole block, which keeps the
tree in the cache. Trees of up to 64 leaves are not walked at all: every column's code rules leaves out, and what is
left of a 64-bit set of leaves after all columns is the leaf (QuickScorer, Lucchese et al., SIGIR 2015). Larger trees
part the block's rows node by node, without a branch, as a training on these rows would: each node is read once. Few
rows go down all of the larger trees together instead, since for them reading the nodes is what takes the time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rai_assets.compiled import compiled

_ONE = np.uint64(1)
_LOW = _LEAF = np.uint64(0xFFFF)


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
    nodes: NDArray,
    deepest: int,
    output: NDArray,
    width: NDArray,
    weights: NDArray,
    with_low: bool,
    block: int,
    total: NDArray,
) -> None:
    """Add trees of any size to `total` (n, k).

    A node is one word of 64 bits. From the lowest: 16 bits of its column, or 65,535 for a leaf; 16 bits of the highest
    code that goes below; 32 bits of the node below, with the one above after it, or of where a leaf's weights begin.
    `deepest` is the number of levels of the highest tree, `block` at most 65,536.
    """
    rows = matrix.shape[0]
    block = min(block, rows)
    codes = np.zeros((2 * matrix.shape[1], block), np.uint16)
    flat = codes.reshape(codes.size)
    # Every node has its rows in one piece of one of two lists; its children's take the same piece of the other.
    # Indices are unsigned, so that none is looked at for being negative.
    lists = np.empty(2 * block, np.uint16)
    length = np.uint64(block)
    waiting = np.empty((deepest + 1, 4), np.uint64)
    for begin in range(0, rows, block):
        end = min(rows, begin + block)
        encode_block(matrix, begin, end, points, start, with_low, codes)
        for t in range(roots.size):
            for j in range(end - begin):
                lists[j] = j
            waiting[0, 0], waiting[0, 1], waiting[0, 2], waiting[0, 3] = roots[t], 0, 0, end - begin
            count = 1
            while count > 0:
                count -= 1
                word, here = nodes[waiting[count, 0]], waiting[count, 1]
                first, last = waiting[count, 2], waiting[count, 3]
                column, child = word & _LOW, word >> np.uint64(32)
                if last - first == _ONE:  # nothing to part: on to the leaf
                    j = lists[here + first]
                    while column != _LEAF:
                        above = np.uint64(flat[column * length + j] > (word >> np.uint64(16)) & _LOW)
                        word = nodes[child + above]
                        column, child = word & _LOW, word >> np.uint64(32)
                if column == _LEAF:
                    for a in range(first, last):
                        row = begin + lists[here + a]
                        for k in range(width[t]):
                            total[row, output[t] + k] += weights[child + np.uint64(k)]
                    continue
                limit, there, codes_at = (word >> np.uint64(16)) & _LOW, length - here, column * length
                low, high = there + first, there + last
                for a in range(here + first, here + last):
                    j = lists[a]
                    above = np.uint64(flat[codes_at + j] > limit)
                    lists[low] = j
                    lists[high - _ONE] = j
                    low += _ONE - above
                    high -= above
                middle = low - there
                if middle < last:
                    waiting[count, 0], waiting[count, 1] = child + _ONE, there
                    waiting[count, 2], waiting[count, 3] = middle, last
                    count += 1
                if first < middle:
                    waiting[count, 0], waiting[count, 1] = child, there
                    waiting[count, 2], waiting[count, 3] = first, middle
                    count += 1


@compiled(nogil=True, boundscheck=False)
def add_large_trees_to_few(
    matrix: NDArray,
    points: NDArray,
    start: NDArray,
    roots: NDArray,
    nodes: NDArray,
    deepest: int,
    output: NDArray,
    width: NDArray,
    weights: NDArray,
    with_low: bool,
    total: NDArray,
) -> None:
    """`add_large_trees`, to the last bit, a level of all trees at a time: while one waits for memory, others go on."""
    codes = np.zeros((2 * matrix.shape[1], 1), np.uint16)
    words = np.empty(roots.size, np.uint64)
    moving = np.empty(roots.size, np.int64)
    for row in range(matrix.shape[0]):
        encode_block(matrix, row, row + 1, points, start, with_low, codes)
        for t in range(roots.size):
            words[t], moving[t] = nodes[roots[t]], t
        left = roots.size
        while left > 0:
            kept = 0
            for a in range(left):
                t = moving[a]
                word = words[t]
                column = word & _LOW
                if column != _LEAF:
                    above = np.uint64(codes[column, 0] > (word >> np.uint64(16)) & _LOW)
                    words[t] = nodes[(word >> np.uint64(32)) + above]
                    moving[kept] = t
                    kept += 1
            left = kept
        for t in range(roots.size):
            for k in range(width[t]):
                total[row, output[t] + k] += weights[(words[t] >> np.uint64(32)) + np.uint64(k)]
