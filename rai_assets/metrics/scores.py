"""Scores of a binary target: ranking, calibration and losses of every group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.calibration import CalibrationBins, calibration_error
from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.means import Groups, Moments, mean_estimates
from rai_assets.metrics.ranking import ranking_estimates

NOT_A_PROBABILITY = "the score is not a probability"
_EPSILON = float(np.finfo(float).eps)
PROBABILITY_METRICS = ("log_loss", "brier_score", "expected_calibration_error")


def score_estimates(
    target: NDArray | None, score: NDArray, groups: Groups, *, probability: bool = True
) -> list[Estimates]:
    """Every score metric of a binary target in every group.

    Args:
        target: {0, 1}, (rows,), or None where unknown; then only the mean score.
        score: Score of the positive class, (rows,); in [0, 1] where it is a probability.
        groups: The groups of the rows.
        probability: The score is a probability; otherwise log loss, Brier score and calibration are undefined.
    """
    score = np.asarray(score, float)
    found = [mean_estimates("mean_score", Moments.of(score, groups), bounded=probability)]
    if target is None:
        return found
    found += ranking_estimates(target, score, groups)
    if not probability:
        return found + [not_a_probability(name, groups, score) for name in PROBABILITY_METRICS]
    squared = Moments.of((score - target) ** 2, groups)
    return [
        *found,
        log_loss([1 - score, score], target, groups),
        mean_estimates("brier_score", squared, bounded=True),
        calibration_error(CalibrationBins.of(target, score, groups)),
    ]


def log_loss(columns: Sequence[NDArray], target: NDArray, groups: Groups) -> Estimates:
    """Mean of -log of the probability of the true class.

    In a small group the rows that surprise the model may be missing, and then the observed losses look far too alike.
    Variance and skewness for the interval are therefore not below what the model itself expects of its losses.

    Args:
        columns: Probability of every class, each (rows,).
        target: Class of every row, (rows,).
        groups: The groups of the rows.
    """
    codes = np.asarray(target)
    loss, mean, square, cube = (np.zeros(len(codes)) for _ in range(4))
    for of_class, column in enumerate(columns):
        probability = np.clip(column, _EPSILON, 1 - _EPSILON)
        surprise = -np.log(probability)
        np.copyto(loss, surprise, where=codes == of_class)
        for moment in (mean, square, cube):
            probability *= surprise
            moment += probability
    weight_sum = groups.sums(np.ones(len(loss)))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = groups.sums(square - mean * mean) / weight_sum
        third = groups.sums(cube - mean * (3 * square - 2 * mean * mean)) / weight_sum
    moments = Moments.of(loss, groups).at_least(variance, third)
    return mean_estimates("log_loss", moments, positive=True)


def not_a_probability(name: str, groups: Groups, like: NDArray) -> Estimates:
    """A metric that needs probabilities, where the score is none; `like` is any array with one entry per row."""
    empty = np.full(groups.n, np.nan)
    return Estimates(name, empty, groups.rows(like), lambda level: (empty, empty), undefined=NOT_A_PROBABILITY)
