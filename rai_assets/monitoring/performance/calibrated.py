"""What rows with labels say of a score: the probability it stands for, and how surely that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.calibration import CalibrationBins, calibration_error
from rai_assets.metrics.intervals import Floats, effective_size
from rai_assets.metrics.means import Groups

FOLDS = 5
MOST_BINS, ROWS_PER_BIN = 50, 20


@dataclass(frozen=True)
class Calibration:
    """The probability of a positive label given a score, learnt on calibration rows.

    Attributes:
        scores: Scores at which the isotonic map bends, rising, (k,).
        heights: Probability there, (k,).
        as_is: The score itself is taken for the probability, because the map does not lower its calibration error.
        edges: Scores that part the calibration rows into bins of about equal size, (bins - 1,).
        rows: Effective calibration rows in every cell of bin and decision, (2 bins,).
        positives: Those of them with a positive label, (2 bins,).
        error_before: Expected calibration error of the score; None where it is no probability.
        error_after: That of the isotonic map, on rows that it was not fitted on.
    """

    scores: Floats
    heights: Floats
    as_is: bool
    edges: Floats
    rows: Floats
    positives: Floats
    error_before: float | None
    error_after: float

    @classmethod
    def fit(
        cls,
        score: Floats,
        positive: NDArray,
        decision: NDArray,
        weight: Floats | None = None,
        *,
        probability: bool,
        seed: int,
    ) -> Calibration:
        """Keep the score, or map it by isotonic regression where that lowers the calibration error on other rows.

        Args:
            score: Score of every calibration row, (n,).
            positive: 1 where its label is the positive one, else 0, (n,); both occur.
            decision: Its decision, {0, 1}, (n,).
            weight: How much it counts, > 0, (n,); None for all alike.
            probability: The score claims to be a probability; if not it is mapped anyway.
            seed: Of the folds.
        """
        weight = np.ones(len(score)) if weight is None else weight
        rising = np.argsort(score, kind="stable")
        score, positive, decision, weight = score[rising], positive[rising], decision[rising], weight[rising]
        fold = (np.random.default_rng(seed).permutation(len(score)) % FOLDS)[rising]
        mapped = np.empty(len(score))
        for held in range(FOLDS):
            rows = fold == held
            mapped[rows] = np.interp(score[rows], *_isotonic(score[~rows], positive[~rows], weight[~rows]))
        before = _error(positive, score, weight) if probability else None
        after = _error(positive, mapped, weight)
        bins = int(np.clip(len(score) // ROWS_PER_BIN, 1, MOST_BINS))
        edges = np.unique(np.quantile(score, np.arange(1, bins) / bins)) if bins > 1 else np.empty(0)
        cell = np.searchsorted(edges, score, side="right") * 2 + decision
        total, square, hits = (
            np.bincount(cell, values, minlength=2 * (len(edges) + 1))
            for values in (weight, weight * weight, weight * positive)
        )
        effective = effective_size(total, square)
        return cls(
            *_isotonic(score, positive, weight),
            as_is=before is not None and before <= after,
            edges=edges,
            rows=effective,
            positives=np.divide(hits * effective, total, out=np.zeros(len(total)), where=total > 0),
            error_before=before,
            error_after=after,
        )

    def readings(self, score: Floats) -> list[Floats]:
        """The probability of a positive label, (n,): the chosen reading, and the map's where the score was chosen.

        That the map does not lower the calibration error does not prove the score right; both readings bound the truth.
        """
        mapped = self.mapped(score)
        return [np.asarray(score, float), mapped] if self.as_is else [mapped]

    def mapped(self, score: Floats) -> Floats:
        """The probability by the isotonic map, (n,)."""
        return np.interp(score, self.scores, self.heights)

    def cells(self, score: Floats, decision: NDArray) -> NDArray[np.intp]:
        """The cell of bin and decision of every row, (n,): an index into `rows`."""
        return np.searchsorted(self.edges, score, side="right") * 2 + decision

    def noise(self, probability: Floats, cells: NDArray[np.intp]) -> Floats:
        """Variance of the label of every row, (n,), never 0: a cell without a miss may have one."""
        n = self.rows[cells]
        smoothed = (n * probability + 0.5) / (n + 1)
        return smoothed * (1 - smoothed)

    def doubt(self) -> Floats:
        """Variance of the probability in every cell: that of a share of its calibration rows."""
        share = (self.positives + 0.5) / (self.rows + 1)
        return share * (1 - share) / (self.rows + 1)


def _isotonic(score: Floats, positive: NDArray, weight: Floats) -> tuple[Floats, Floats]:
    """The rising map nearest to the labels of rows by rising score: where it bends, and its height there."""
    from scipy.optimize import isotonic_regression

    starts = np.flatnonzero(np.diff(score, prepend=-np.inf))
    rows = np.add.reduceat(weight, starts)
    heights = isotonic_regression(np.add.reduceat(weight * positive, starts) / rows, weights=rows).x
    changes = np.diff(heights) != 0
    bends = np.concatenate([[True], changes]) | np.concatenate([changes, [True]])
    return score[starts][bends].astype(float), heights[bends]


def _error(positive: NDArray, score: Floats, weight: Floats) -> float:
    return float(calibration_error(CalibrationBins.of(positive, score, Groups(weight=weight))).value[0])
