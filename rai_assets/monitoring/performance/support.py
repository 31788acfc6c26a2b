"""Which rows are unlike any row that the calibration is known from: there nothing says what a score means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.metrics.intervals import Floats, proportion_interval
from rai_assets.model.column_encoding import UNSEEN, CategoryEncoding
from rai_assets.model.encoding import Encoding, Feature

NEIGHBOUR = 5
USUAL = 0.99
"""Share of the calibration rows that have their neighbours near."""
MOST_ROWS = 5_000
"""Rows of either side among which neighbours are looked for."""


@dataclass(frozen=True)
class Support:
    """Rows of a batch that were looked at, and which of them are beyond the calibration rows.

    A row is beyond them if it has a category that none of them has, a score below or above all of theirs, or if its
    fifth nearest calibration row is farther away than that of 99 in 100 calibration rows. Distances are Euclidean, in
    numbers less their mean over their deviation, and categories as one column of 0 and 1 each.

    Attributes:
        rows: Rows that were looked at, rising, (k,): all, or 5,000 drawn at random.
        beyond: Which of them are beyond, (k,).
    """

    rows: NDArray[np.intp]
    beyond: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        calibration: tuple[pa.Table, Floats],
        current: tuple[pa.Table, Floats],
        features: Sequence[Feature],
        *,
        seed: int,
    ) -> Support:
        """Look at the rows of a batch.

        Args:
            calibration: Calibration rows with the features, more than 5, and their scores, (n,).
            current: The batch's rows and scores, (m,).
            features: Columns that place a row.
            seed: Of the rows drawn.
        """
        rng = np.random.default_rng(seed)
        known, rows = (np.sort(rng.permutation(side[0].num_rows)[:MOST_ROWS]) for side in (calibration, current))
        table, score = current[0].take(pa.array(rows)), current[1][rows]
        beyond = (score < calibration[1].min()) | (score > calibration[1].max())
        if features:
            encoding = Encoding.fit(calibration[0], features, "scaled")
            for category in encoding.categories:
                beyond |= _unseen(category, table)
            beyond |= _far(encoding.matrix(calibration[0].take(pa.array(known))), encoding.matrix(table))
        return cls(rows, beyond)

    def share(self, members: NDArray[np.bool_] | None = None) -> tuple[int, float]:
        """Rows that were looked at and the share beyond, of all or of those that are members, (m,)."""
        chosen = self.beyond if members is None else self.beyond[members[self.rows]]
        return len(chosen), float(chosen.mean()) if len(chosen) else 0.0

    def bounds(self, level: float, members: NDArray[np.bool_] | None = None) -> tuple[float, float]:
        """Interval of that share."""
        n, share = self.share(members)
        low, high = proportion_interval(share * n, n, level)
        return float(low), float(high)


def _unseen(category: CategoryEncoding, table: pa.Table) -> NDArray[np.bool_]:
    """Rows whose category no calibration row has; rare ones that have no column of their own are not told apart."""
    if category.unlisted:
        return np.zeros(table.num_rows, bool)
    codes = [category.codes(chunk) for chunk in table.column(category.feature).chunks]
    return np.concatenate([np.empty(0, np.int32), *codes]) == UNSEEN


def _far(known: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Rows that lie farther from the known ones than these do from each other."""
    from sklearn.neighbors import NearestNeighbors

    if not len(rows):
        return np.empty(0, bool)
    neighbours = NearestNeighbors(n_neighbors=NEIGHBOUR, algorithm="brute").fit(known)
    # Without rows to ask about, a row is not its own neighbour.
    usual = np.quantile(neighbours.kneighbors()[0][:, -1], USUAL)
    return neighbours.kneighbors(rows)[0][:, -1] > usual * (1 + 1e-6)
