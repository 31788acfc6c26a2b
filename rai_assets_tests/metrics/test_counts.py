"""Count tables equal a count by hand, and add up."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from rai_assets.metrics.counts import Cells, confusion_cells

TARGET = np.array([0, 0, 1, 1, 1, 0, 1], np.int8)
DECISION = np.array([0, 1, 0, 1, 1, 1, 1], np.int8)
CODES = np.array([0, 0, 0, 0, 1, 1, 1], np.int32)
WEIGHT = np.array([1.0, 2, 3, 4, 5, 6, 7])


def test_rows_are_counted_by_group_target_and_decision() -> None:
    cells = confusion_cells(TARGET, DECISION, CODES, 3, WEIGHT)
    assert_array_equal(cells.counts, [[1, 1, 1, 1], [0, 1, 0, 2], [0, 0, 0, 0]])
    assert_allclose(cells.weights, [[1, 2, 3, 4], [0, 6, 0, 12], [0, 0, 0, 0]])
    assert_allclose(cells.squares, [[1, 4, 9, 16], [0, 36, 0, 74], [0, 0, 0, 0]])
    assert_allclose([cells.tn, cells.fp, cells.fn, cells.tp], cells.weights.T)
    assert_array_equal(cells.rows, [4, 3, 0])
    assert_allclose(cells.weight_sum, [10, 18, 0])


def test_many_groups_do_not_overflow_the_narrow_cell_index() -> None:
    codes = np.arange(7, dtype=np.int32) * 1000
    cells = confusion_cells(TARGET, DECISION, codes, 6001)
    assert cells.counts.sum() == 7
    assert_array_equal(cells.counts[codes, 2 * TARGET + DECISION], 1)


def test_without_groups_all_rows_are_one() -> None:
    assert_array_equal(confusion_cells(TARGET, DECISION).counts, [[1, 2, 1, 3]])


def test_booleans_count_like_zeros_and_ones() -> None:
    counted = confusion_cells(TARGET.astype(bool), DECISION.astype(bool), CODES, 2)
    assert_array_equal(counted.counts, confusion_cells(TARGET, DECISION, CODES, 2).counts)


def test_an_unknown_target_leaves_only_decisions() -> None:
    cells = confusion_cells(None, DECISION)
    assert not cells.has_target
    assert_array_equal(cells.counts, [[2, 5, 0, 0]])


def test_cells_of_two_batches_add_up_to_those_of_their_rows() -> None:
    def cells(rows: slice) -> Cells:
        return confusion_cells(TARGET[rows], DECISION[rows], CODES[rows], 2, WEIGHT[rows])

    both, whole = cells(slice(0, 3)) + cells(slice(3, None)), cells(slice(None))
    assert_array_equal(both.counts, whole.counts)
    assert_allclose(both.squares, whole.squares)


def test_groups_merge_into_coarser_ones() -> None:
    cells = confusion_cells(TARGET, DECISION, CODES, 3, WEIGHT)
    merged = cells.merged([1, 1, 0], 2)
    assert_array_equal(merged.counts, [[0, 0, 0, 0], [1, 2, 1, 3]])
    assert_allclose(cells.pooled().weights, confusion_cells(TARGET, DECISION, weight=WEIGHT).weights)
    assert_array_equal(cells.take([1]).counts, cells.counts[[1]])


def test_the_effective_size_is_kishs_of_the_rows_in_the_columns() -> None:
    cells = confusion_cells(TARGET, DECISION, weight=WEIGHT)
    positives = WEIGHT[TARGET == 1]
    assert_allclose(cells.effective([2, 3]), positives.sum() ** 2 / (positives**2).sum())
    assert_allclose(confusion_cells(TARGET, DECISION).effective([2, 3]), 4)
