"""Whether a probability means what it says: bins of the score, and the expected calibration error of every group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.estimates import FEWEST_EFFECTIVE, LOPSIDED, Estimates
from rai_assets.metrics.intervals import Bounds, Floats, effective_size, proportion_interval
from rai_assets.metrics.means import Groups

BINS = 10
"""Bins of equal width on [0, 1], left-closed, the last closed on both sides."""


@dataclass(frozen=True)
class CalibrationBins:
    """Rows of G groups by bin of the score; arrays of shape (G, BINS) except `edges`.

    Attributes:
        edges: Edges of the bins, (BINS + 1,).
        rows: Unweighted rows.
        weights: Sums of the weights.
        squares: Sums of the squared weights.
        score: Weighted sum of the score.
        target: Weighted sum of the target.
        error_square: Sum of w^2 (score - target)^2.
        expected_square: Sum of w^2 score (1 - score), what `error_square` is on average if the score is right.
    """

    edges: Floats
    rows: NDArray[np.int64]
    weights: Floats
    squares: Floats
    score: Floats
    target: Floats
    error_square: Floats
    expected_square: Floats

    @classmethod
    def of(cls, target: NDArray, score: NDArray, groups: Groups) -> CalibrationBins:
        """Count rows by group and bin of the score.

        Args:
            target: {0, 1}, (rows,).
            score: Probability of the positive class, (rows,).
            groups: The groups of the rows.
        """
        bins = np.minimum((score * BINS).astype(np.int32), BINS - 1)
        cell = bins if groups.codes is None else groups.codes * np.int32(BINS) + bins
        weight = groups.weight

        def table(values: NDArray | None) -> NDArray:
            return np.bincount(cell, values, minlength=groups.n * BINS).reshape(groups.n, BINS)

        rows, error = table(None), score - target
        square = np.ones(1) if weight is None else weight * weight
        return cls(
            np.linspace(0, 1, BINS + 1),
            rows,
            rows.astype(float) if weight is None else table(weight),
            rows.astype(float) if weight is None else table(square),
            table(score if weight is None else score * weight),
            table(target if weight is None else target * weight),
            table(square * error * error),
            table(square * score * (1 - score)),
        )

    def mean_score(self) -> Floats:
        """Mean score of every bin, (G, bins), NaN in an empty one."""
        return np.divide(self.score, self.weights, out=np.full(self.score.shape, np.nan), where=self.weights > 0)

    def target_rate(self, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """Rate of positive targets in every bin with its bounds, each (G, bins); NaN in an empty one."""
        rate = np.divide(self.target, self.weights, out=np.full(self.target.shape, np.nan), where=self.weights > 0)
        trials = effective_size(self.weights, self.squares)
        return rate, *proportion_interval(np.nan_to_num(rate) * trials, trials, level)


def calibration_error(bins: CalibrationBins) -> Estimates:
    """Expected calibration error of every group: sum over bins of |sum of (score - target)| / rows.

    The value itself is above 0 even for a calibrated score; the interval is not misled by that. With d the vector of
    the bins' true mean errors and s its signs, |d| sums to s'd, so the estimate is above it by at most the sum of the
    bins' absolute noise, and below it by no more than one normal variable s'(d - estimate). Each bin's variance is the
    larger of the observed one and the one a calibrated score would have, so that a bin without a miss is not certain.
    """
    total = bins.weights.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = (bins.score - bins.target) / total
        value = np.abs(gap).sum(axis=1)
        effective = effective_size(total[:, 0], bins.squares.sum(axis=1))
        centred = np.maximum(bins.error_square / total**2 - gap**2 / effective[:, None], 0)
        expected = bins.expected_square / total**2
        noise = np.maximum(centred, expected)
        whole = np.maximum(
            np.maximum(bins.error_square.sum(axis=1), bins.expected_square.sum(axis=1)) / total[:, 0] ** 2
            - value**2 / effective,
            expected.sum(axis=1),
        )

    def limits(level: float) -> Bounds:
        from scipy.special import stdtrit

        usable = effective > FEWEST_EFFECTIVE
        z = stdtrit(np.where(usable, effective - 1, 1.0), (1 + level) / 2)
        deviation = np.sqrt(noise)
        # A bin whose sign is beyond doubt adds no more than its own normal variable.
        certain = np.abs(gap) > (z[:, None] + 1) * deviation
        mean_noise = np.sqrt(2 / np.pi) * np.where(certain, 0.0, deviation).sum(axis=1)
        spread = np.sqrt((noise * np.where(certain, 1.0, 1 - 2 / np.pi)).sum(axis=1))
        low = np.maximum(value - mean_noise - z * spread, 0.0)
        high = np.minimum(value + z * np.sqrt(whole), 1.0)
        return np.where(usable, low, np.nan), np.where(usable, high, np.nan)

    lopsided = np.full(len(value), LOPSIDED)
    return Estimates(
        "expected_calibration_error", value, bins.rows.sum(axis=1), limits, unbounded=lopsided, biased=True
    )
