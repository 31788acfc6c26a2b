"""The inner loops that grow trees on codes and add them up, compiled.

A row's code in a column is the bin of its value, `MISSING` where there is none. A cell is a bin of a column; the last
cell of a column is that of its missing values. A tree is the list of its splits in the order in which they were made:
split s parts the rows of the leaf that it names, and those above its code go on to a new leaf, s + 1. So rows are sent
down a tree a split at a time, which is a comparison of small whole numbers without a branch.

Sums go over the same rows in the same order, from first derivatives of the same width, as in scikit-learn's histogram
gradient boosting, so that of two splits that are as good as each other the same one is taken.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rai_assets.compiled import compiled

MISSING = 255
"""Code of a missing value, and the most bins of a column."""
_LEAST_ROWS = 20  # of a leaf
_LEAST_CURVE = 1e-3  # of a leaf
_RATE = 0.1
_TINY = 1e-15
_SLOPE, _CURVE, _ROWS = 0, 1, 2  # sums of first and second derivatives of the loss
_BEGIN, _END, _SLOT, _COLUMN, _CODE, _MISSING_BELOW = range(6)
_VALUE, _GAIN, _SLOPE_BELOW, _CURVE_BELOW = range(2, 6)


@compiled(nogil=True)
def split_points(values: NDArray, counts: NDArray, shares: NDArray, points: NDArray) -> int:
    """Points between the bins of a column: between all values up to 255, else quantiles; returns how many.

    Args:
        values: Different values, rising, (v,).
        counts: Rows of each, some may be 0, (v,).
        shares: Quantiles that part more than 255 values, rising, (254,).
        points: Takes the points, (254,).
    """
    there = np.flatnonzero(counts)
    if there.size <= MISSING:
        for i in range(there.size - 1):
            points[i] = (values[there[i]] + values[there[i + 1]]) / 2
        return max(there.size - 1, 0)
    rows, found, at = counts.sum(), 0, 0
    so_far = counts[there[0]]  # rows up to value `at`
    for share in shares:
        place = rows * share - 1
        low = np.int64(np.floor(place))
        while so_far <= low:
            at += 1
            so_far += counts[there[at]]
        point = values[there[at + 1 if so_far == low + 1 else at]]
        if place == low:  # the mean of the two values about the place
            point -= (point - values[there[at]]) * 0.5
        if found == 0 or point > points[found - 1]:
            points[found] = point
            found += 1
    return found


@compiled(nogil=True)
def bin_columns(
    values: NDArray, start: NDArray, ranks: NDArray, rows: NDArray, shares: NDArray, codes: NDArray
) -> NDArray:
    """Make the bins of all columns by some of the rows, and the codes of all rows; returns the numbers of bins.

    Args:
        values: Different values of column after column, rising, (v,).
        start: Where each column's begin, (columns + 1,).
        ranks: Which of its column's values a row has, their number where it has none, (columns, n).
        rows: Rows that the bins are made by.
        shares: As of `split_points`.
        codes: Takes the codes, uint8, (columns, n).
    """
    columns, n = ranks.shape
    bins, points = np.empty(columns, np.int64), np.empty(MISSING - 1)
    for f in range(columns):
        own = values[start[f] : start[f + 1]]
        counts = np.zeros(own.size + 1, np.int64)
        for row in rows:
            counts[ranks[f, row]] += 1
        found = split_points(own, counts[: own.size], shares, points)
        code_of, code = np.empty(own.size + 1, np.uint8), 0
        code_of[own.size] = MISSING
        for i in range(own.size):
            while code < found and points[code] < own[i]:
                code += 1
            code_of[i] = code
        for row in range(n):
            codes[f, row] = code_of[ranks[f, row]]
        bins[f] = found + 1
    return bins


@compiled(nogil=True)
def boost(
    codes: NDArray, target: NDArray, start: NDArray, logistic: bool, first: float, splits: NDArray, values: NDArray
) -> NDArray:
    """Grow trees, each on what those before it leave of the loss; returns the number of leaves of each, (rounds,).

    Args:
        codes: Of the rows, uint8, (columns, n).
        target: 0 or 1 where logistic, else any number, (n,).
        start: First cell of every column, (columns + 1,).
        logistic: The loss is that of a logit, else half the squared error.
        first: The prediction that the first tree begins with.
        splits: Takes leaf, column, code and whether missing values stay below, int64, (rounds, leaves - 1, 4).
        values: Takes the leaves' values, (rounds, leaves).
    """
    columns, n = codes.shape
    cells, missing = np.empty((n, columns), np.uint32), np.zeros(columns, np.bool_)
    for f in range(columns):
        for row in range(n):
            gone = codes[f, row] == MISSING
            cells[row, f] = start[f + 1] - 1 if gone else start[f] + codes[f, row]
            missing[f] |= gone
    raw, derived = np.full(n, first), np.empty((n, 2), np.float32)
    order, made = np.empty(n, np.int64), np.empty(len(values), np.int64)
    sums = np.empty((values.shape[1], start[-1], 3))
    places, sizes = np.empty((values.shape[1], 6), np.int64), np.empty((values.shape[1], 6))
    for t in range(len(values)):
        derive(target, raw, logistic, derived)
        made[t] = grow(codes, cells, derived, start, missing, order, sums, places, sizes, splits[t])
        for leaf in range(made[t]):
            values[t, leaf] = sizes[leaf, _VALUE] * _RATE
            for row in order[places[leaf, _BEGIN] : places[leaf, _END]]:
                raw[row] += values[t, leaf]
    return made


@compiled(nogil=True)
def derive(target: NDArray, raw: NDArray, logistic: bool, derived: NDArray) -> None:
    """First and second derivative of the loss of every row by its prediction, (n, 2)."""
    for row in range(target.size):
        if not logistic:
            derived[row, _SLOPE], derived[row, _CURVE] = raw[row] - target[row], 1
            continue
        power = np.exp(-raw[row])
        derived[row, _SLOPE] = ((1 - target[row]) - target[row] * power) / (1 + power)
        derived[row, _CURVE] = power / ((1 + power) * (1 + power))


@compiled(nogil=True)
def grow(
    codes: NDArray,
    cells: NDArray,
    derived: NDArray,
    start: NDArray,
    missing: NDArray,
    order: NDArray,
    sums: NDArray,
    places: NDArray,
    sizes: NDArray,
    splits: NDArray,
) -> int:
    """Grow a tree, always at the leaf where it lowers the loss most; returns its number of leaves.

    Leaf l has the rows `order[places[l, 0] : places[l, 1]]` and the sums by cell `sums[places[l, 2]]`; the rest of
    `places[l]` and `sizes[l]` is its best split, its own sums of derivatives and its value.
    """
    order[:] = np.arange(order.size)
    add_up(cells, derived, order, sums[0])
    places[0, :3] = 0, order.size, 0
    sizes[0] = 0
    for cell in range(start[0], start[1]):
        sizes[0, _SLOPE] += sums[0, cell, _SLOPE]
        sizes[0, _CURVE] += sums[0, cell, _CURVE]
    find_split(sums[0], start, missing, places[0], sizes[0])
    for made in range(1, len(sums)):
        leaf = int(np.argmax(sizes[:made, _GAIN]))
        if sizes[leaf, _GAIN] <= 0:
            return made
        part(codes, order, missing, places, sizes, leaf, made, splits[made - 1])
        if made == len(sums) - 1:
            break
        small, large = (leaf, made) if length(places, leaf) < length(places, made) else (made, leaf)
        places[large, _SLOT], places[small, _SLOT] = places[leaf, _SLOT], made
        of_small, of_large = sums[made], sums[places[large, _SLOT]]
        add_up(cells, derived, order[places[small, _BEGIN] : places[small, _END]], of_small)
        of_large -= of_small
        for child in (leaf, made):
            find_split(sums[places[child, _SLOT]], start, missing, places[child], sizes[child])
    return len(sums)


@compiled(nogil=True)
def length(places: NDArray, leaf: int) -> int:
    """Rows of a leaf."""
    return places[leaf, _END] - places[leaf, _BEGIN]


@compiled(nogil=True)
def add_up(cells: NDArray, derived: NDArray, rows: NDArray, sums: NDArray) -> None:
    """Sums of derivatives and rows in every cell, (cells, 3), over some rows."""
    sums[:] = 0
    for row in rows:
        slope, curve = np.float64(derived[row, _SLOPE]), np.float64(derived[row, _CURVE])
        for f in range(cells.shape[1]):
            cell = cells[row, f]
            sums[cell, _SLOPE] += slope
            sums[cell, _CURVE] += curve
            sums[cell, _ROWS] += 1


@compiled(nogil=True)
def find_split(sums: NDArray, start: NDArray, missing: NDArray, place: NDArray, size: NDArray) -> None:
    """Write down the split of a leaf that lowers the loss most; a gain of 0 where there is none."""
    size[_GAIN] = 0
    if place[_END] - place[_BEGIN] < 2 * _LEAST_ROWS:
        return
    for f in range(start.size - 1):
        first, bins = start[f], start[f + 1] - start[f] - 1
        try_splits(sums[first : first + bins], bins - 1 + missing[f], True, f, place, size)
        if missing[f]:
            try_splits(sums[first : first + bins], bins - 1, False, f, place, size)


@compiled(nogil=True)
def try_splits(sums: NDArray, most: int, rising: bool, column: int, place: NDArray, size: NDArray) -> None:
    """Compare the splits of a column with the best one so far.

    Args:
        sums: Of its bins, (bins, 3).
        most: Splits that are looked at.
        rising: From the lowest bin on, missing values above; else from the highest on, missing values below.
        column: Its number.
        place: Of the leaf.
        size: Of the leaf.
    """
    slope, curve, count = 0.0, 0.0, np.int64(0)
    rows = place[_END] - place[_BEGIN]
    before = size[_VALUE] * size[_SLOPE]
    for step in range(most):
        code = step if rising else len(sums) - 1 - step
        if sums[code, _ROWS] == 0 and sums[code, _SLOPE] == 0 and sums[code, _CURVE] == 0:
            continue  # the same rows as one split before
        slope += sums[code, _SLOPE]
        curve += sums[code, _CURVE]
        count += np.int64(sums[code, _ROWS])
        if count < _LEAST_ROWS or curve < _LEAST_CURVE:
            continue
        if rows - count < _LEAST_ROWS or size[_CURVE] - curve < _LEAST_CURVE:
            break
        rest, rest_curve = size[_SLOPE] - slope, size[_CURVE] - curve
        gain = before
        if rising:
            gain -= value_of(slope, curve) * slope
            gain -= value_of(rest, rest_curve) * rest
        else:
            gain -= value_of(rest, rest_curve) * rest
            gain -= value_of(slope, curve) * slope
        if gain > size[_GAIN]:
            size[_GAIN] = gain
            place[_COLUMN], place[_CODE], place[_MISSING_BELOW] = column, code if rising else code - 1, not rising
            size[_SLOPE_BELOW], size[_CURVE_BELOW] = (slope, curve) if rising else (rest, rest_curve)


@compiled(nogil=True)
def value_of(slope: float, curve: float) -> float:
    """What lowers the loss of rows most when it is added to their predictions, by its sums of derivatives."""
    return -slope / (curve + _TINY)


@compiled(nogil=True)
def part(
    codes: NDArray,
    order: NDArray,
    missing: NDArray,
    places: NDArray,
    sizes: NDArray,
    leaf: int,
    new: int,
    split: NDArray,
) -> None:
    """Part the rows of a leaf: those above go to a new one. Both keep their order."""
    column, limit, missing_below = places[leaf, _COLUMN], places[leaf, _CODE], places[leaf, _MISSING_BELOW]
    begin, end = places[leaf, _BEGIN], places[leaf, _END]
    above, middle, gone = np.empty(end - begin, np.int64), begin, 0
    for a in range(begin, end):
        row = order[a]
        code = codes[column, row]
        if code <= limit or (missing_below and code == MISSING):
            order[middle] = row
            middle += 1
        else:
            above[gone] = row
            gone += 1
    order[middle:end] = above[:gone]
    if not missing[column]:  # a value that is missing later goes with most rows
        missing_below = middle - begin > gone
    split[0], split[1], split[2], split[3] = leaf, column, limit, missing_below
    places[new, _BEGIN], places[new, _END], places[leaf, _END] = middle, end, middle
    sizes[new, _SLOPE] = sizes[leaf, _SLOPE] - sizes[leaf, _SLOPE_BELOW]
    sizes[new, _CURVE] = sizes[leaf, _CURVE] - sizes[leaf, _CURVE_BELOW]
    sizes[leaf, _SLOPE], sizes[leaf, _CURVE] = sizes[leaf, _SLOPE_BELOW], sizes[leaf, _CURVE_BELOW]
    for child in (leaf, new):
        sizes[child, _VALUE] = value_of(sizes[child, _SLOPE], sizes[child, _CURVE])


@compiled(nogil=True)
def add_trees(codes: NDArray, splits: NDArray, made: NDArray, values: NDArray, total: NDArray) -> None:
    """Add the value of every tree's leaf of every row to `total` (n,); codes are (columns, n)."""
    leaves = np.empty(total.size, np.uint8)
    for t in range(made.size):
        leaves[:] = 0
        for s in range(made[t] - 1):
            leaf, column = np.uint8(splits[t, s, 0]), codes[splits[t, s, 1]]
            # One more than its code, so that that of a missing value is 0, below all.
            shift = np.uint8(splits[t, s, 3])
            limit, new = np.uint8(splits[t, s, 2] + splits[t, s, 3]), np.uint8(s + 1)
            for j in range(total.size):
                if leaves[j] == leaf and np.uint8(column[j] + shift) > limit:
                    leaves[j] = new
        for j in range(total.size):
            total[j] += values[t, leaves[j]]
