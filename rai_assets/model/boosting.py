"""Gradient-boosted trees for questions that are asked of every batch: small, fitted often, and thrown away.

The trees of scikit-learn's `HistGradientBoosting...` with the same settings, without the milliseconds that it takes
for each of them however few the rows are. A model that is kept is fitted by scikit-learn (`model/estimators.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAVES = 15
"""Of a tree at most."""
MOST_FITTED, MOST_TO_ONE = 20_000, 50
"""Rows of either side that a classifier of two sides is fitted on at most, in all and to each row of the other."""


@dataclass(frozen=True)
class RankedRows:
    """Rows of numbers, each named by its place among its column's values; several models are fitted on parts of them.

    Attributes:
        values: Different values of column after column, rising, (v,).
        start: Where each column's begin, (columns + 1,).
        ranks: Which of its column's values a row has, their number where it has none, (columns, n).
    """

    values: NDArray[np.float64]
    start: NDArray[np.int64]
    ranks: NDArray[np.int32]

    @classmethod
    def of(cls, matrix: NDArray) -> RankedRows:
        """Sort every column once.

        Args:
            matrix: Numbers, NaN where there is none, (n, columns).
        """
        found, ranks = [], np.empty(matrix.shape[::-1], np.int32)
        for column, own in zip(np.asarray(matrix, float).T, ranks, strict=True):
            values, own[:] = np.unique(column, return_inverse=True)
            found.append(values[~np.isnan(values)])
        start = np.concatenate([[0], np.cumsum([len(values) for values in found])])
        return cls(np.concatenate(found), start, ranks)

    def codes(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Bins made by some of the rows, at most 255 of a column: codes of all rows, (columns, n), numbers of bins."""
        from rai_assets.model.boosting_kernels import MISSING, bin_columns

        shares = np.linspace(0, 100, MISSING + 1)[1:-1] / 100
        codes = np.empty(self.ranks.shape, np.uint8)
        return codes, bin_columns(self.values, self.start, self.ranks, rows, shares, codes)


def fitted_rows(one: int, other: int) -> tuple[int, int]:
    """How many rows of either side a classifier that tells them apart is fitted on.

    Of far more rows of one side some are left out: a leaf with a row of the other would move so far, by one Newton step
    over a curvature of almost nothing, that the next throws it to the opposite end. At 50 to 1 the first step of a leaf
    ends at a logit of 1.2 at most.

    Args:
        one: Rows of one side that there are.
        other: Rows of the other.
    """
    return min(one, MOST_FITTED, MOST_TO_ONE * other), min(other, MOST_FITTED, MOST_TO_ONE * one)


@dataclass(frozen=True)
class Boosted:
    """Trees, and the codes of all rows that they can be asked about.

    Attributes:
        codes: Bin of every value, (columns, n).
        first: What predictions begin with.
        splits: As made by `boosting_kernels.boost`, (rounds, leaves - 1, 4).
        leaves: Number of leaves of every tree, (rounds,).
        values: Of the leaves, (rounds, leaves).
    """

    codes: NDArray[np.uint8]
    first: float
    splits: NDArray[np.int64]
    leaves: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def fit(
        cls, ranked: RankedRows, rows: NDArray[np.intp], target: NDArray, *, rounds: int, logistic: bool = True
    ) -> Boosted:
        """Fit trees of at most 15 leaves of 20 rows or more, each at a rate of 0.1 (Friedman 2001, Ann. Stat. 29).

        Args:
            ranked: The rows, with those that the trees will be asked about.
            rows: Which to fit on, (m,).
            target: Of these, (m,): 0 or 1, of which both occur, where logistic, else any number.
            rounds: Trees.
            logistic: By the loss of a logit, else by the squared error.
        """
        from scipy.special import logit

        from rai_assets.model.boosting_kernels import boost

        target = np.asarray(target, float)
        codes, bins = ranked.codes(rows)
        first = float(logit(target.mean()) if logistic else target.mean())
        splits, values = np.zeros((rounds, LEAVES - 1, 4), np.int64), np.zeros((rounds, LEAVES))
        cells = np.concatenate([[0], np.cumsum(bins + 1)])
        leaves = boost(codes.take(rows, axis=1), target, cells, logistic, first, splits, values)
        return cls(codes, first, splits, leaves, values)

    def predict(self, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Sum of the trees for rows with these codes, (columns, n): a logit, or a number."""
        from rai_assets.model.boosting_kernels import add_trees

        total = np.full(codes.shape[1], self.first)
        add_trees(np.ascontiguousarray(codes), self.splits, self.leaves, self.values, total)
        return total
