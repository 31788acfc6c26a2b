"""Metrics of expected counts: what labels that have not arrived will show on average, and how far they may stray.

A row with probability p of a positive label counts as p of a row that has one and 1 - p of a row that has none; every
metric is then the product's own. That is NannyML's confidence-based performance estimation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.counts import Cells, confusion_cells
from rai_assets.metrics.intervals import Floats, wilson_at
from rai_assets.metrics.means import Groups
from rai_assets.metrics.ranking import Ranking, ranking_estimates
from rai_assets.metrics.rates import RARER_TARGET, RATES, rate_values
from rai_assets.monitoring.performance.calibrated import Calibration

ESTIMATED_RATES = ("accuracy", "true_positive_rate", "false_positive_rate", "precision", "f1", "base_rate")


@dataclass(frozen=True)
class Unlabelled:
    """Rows without labels, and what calibration rows say of them.

    Attributes:
        decision: {0, 1}, (n,).
        score: What rows are ranked by, (n,).
        probability: Of a positive label, (n,).
        weight: Weight of every row, (n,).
        noise: Variance of every label, (n,).
        cells: Cell of the calibration of every row, (n,).
        doubt: Variance of the probability in every cell.
    """

    decision: NDArray
    score: Floats
    probability: Floats
    weight: Floats
    noise: Floats
    cells: NDArray[np.intp]
    doubt: Floats

    @classmethod
    def of(
        cls, calibration: Calibration, probability: Floats, score: Floats, decision: NDArray, weight: Floats | None
    ) -> Unlabelled:
        """Rows with a reading of their score, as a calibration sees them."""
        cells = calibration.cells(score, decision)
        weight = np.ones(len(score)) if weight is None else weight
        noise = calibration.noise(probability, cells)
        return cls(decision, score, probability, weight, noise, cells, calibration.doubt())

    def variance(self, pull: Floats) -> float:
        """Variance of a metric: that of the labels, and that of the probabilities, which a cell's rows share.

        Args:
            pull: Derivative of the metric by the label of every row, (n,).
        """
        shared = np.bincount(self.cells, pull, minlength=len(self.doubt))
        return float((pull**2 * self.noise).sum() + (shared**2 * self.doubt).sum())

    def twice(self) -> tuple[NDArray[np.int8], Floats]:
        """Labels and weights of the rows, each once with either label, (2n,)."""
        label = np.repeat(np.array([1, 0], np.int8), len(self.score))
        return label, np.concatenate([self.weight * self.probability, self.weight * (1 - self.probability)])


@dataclass(frozen=True)
class Expected:
    """A metric of rows without labels.

    Attributes:
        name: The metric, e.g. `accuracy`.
        value: Its estimate, NaN where undefined.
        low: Lower bound of what the labels will show.
        high: Upper bound.
        rows: Expected rows in its denominator.
        kind: What these rows are, for people; empty for any rows.
    """

    name: str
    value: float
    low: float
    high: float
    rows: float
    kind: str = ""

    def spanning(self, other: Expected) -> Expected:
        """The same estimate with bounds that hold those of another reading of the scores too."""
        return replace(self, low=float(np.fmin(self.low, other.low)), high=float(np.fmax(self.high, other.high)))


def expected_rates(rows: Unlabelled, level: float) -> list[Expected]:
    """The rates of a decision, in the order of `ESTIMATED_RATES`."""
    label, weight = rows.twice()
    cells = confusion_cells(label, np.tile(rows.decision, 2), weight=weight)
    unweighted = np.concatenate([rows.probability, 1 - rows.probability])
    plain = confusion_cells(label, np.tile(rows.decision, 2), weight=unweighted)
    return [_rate(name, rows, cells, plain, level) for name in ESTIMATED_RATES]


def _rate(name: str, rows: Unlabelled, cells: Cells, plain: Cells, level: float) -> Expected:
    rate = RATES[name]
    value, numerator, denominator = (float(item[0]) for item in rate_values(cells, name))
    of_rows = float(plain.weights[0, list(rate.denominator)].sum())
    if not denominator > 1e-9:
        return Expected(name, np.nan, np.nan, np.nan, of_rows, rate.kind)
    share = numerator / denominator
    # A label turns a row of column (0, D) of the count table into one of column (1, D).
    turned = [
        [(column + 2 in part) - (column in part) for column in (0, 1)] for part in (rate.numerator, rate.denominator)
    ]
    by_decision = (np.array(turned[0]) - share * np.array(turned[1])) / denominator
    variance = rows.variance(by_decision[rows.decision] * rows.weight)
    step = 0.5 / max(of_rows, 1.0)
    low, high = rate.transform(np.array(_bounds(share, variance, of_rows, level, step))).tolist()
    return Expected(name, value, low, high, of_rows, rate.kind)


def expected_auc(rows: Unlabelled, level: float, excess: float = 0.0) -> Expected:
    """The ROC AUC.

    Args:
        rows: The rows.
        level: Confidence level.
        excess: How much too high it is by this reading, by `excess_auc`; it is taken off.
    """
    label, weight = rows.twice()
    both = Groups(weight=weight)
    value = float(ranking_estimates(label, np.tile(rows.score, 2), both)[0].value[0])
    positives, total = float((rows.weight * rows.probability).sum()), float(rows.weight.sum())
    if not np.isfinite(value) or min(positives, total - positives) <= 0:
        return Expected("roc_auc", np.nan, np.nan, np.nan, 0.0, RARER_TARGET)
    ranking = Ranking.of(label, np.tile(rows.score, 2), both)
    place = np.unique(rows.score, return_inverse=True)[1]
    under = (ranking.below(ranking.negative) + ranking.negative / 2)[place]
    over = positives - (ranking.below(ranking.positive) + ranking.positive / 2)[place]
    negatives = total - positives
    pull = rows.weight * ((under - over) / (positives * negatives) - value * (1 / positives - 1 / negatives))
    fewer = min(rows.probability.sum(), (1 - rows.probability).sum())
    value = min(max(value - excess, 0.0), 1.0)
    low, high = _bounds(value, rows.variance(pull), float(fewer), level)
    return Expected("roc_auc", value, low, high, float(fewer), RARER_TARGET)


def excess_auc(calibration: Unlabelled, positive: NDArray) -> float:
    """How much too high the expected ROC AUC is of the rows that the isotonic map was fitted on.

    The map follows the chance order of its labels, so that pairs look better ranked than they are: by 0.02 at 500 rows,
    by 0.005 at 5,000 (simulated).

    Args:
        calibration: The calibration rows as the map reads them.
        positive: Their labels, {0, 1}, (n,).
    """
    shown = ranking_estimates(positive, calibration.score, Groups(weight=calibration.weight))[0].value[0]
    expected = expected_auc(calibration, 0.95).value
    return float(expected - shown) if np.isfinite(expected) and np.isfinite(shown) else 0.0


def expected_mean(name: str, rows: Unlabelled, level: float) -> Expected:
    """The mean of the probabilities under a name, e.g. the accuracy where they are those of being right."""
    total = float(rows.weight.sum())
    value = float((rows.weight * rows.probability).sum()) / total
    n = float(len(rows.score))
    return Expected(name, value, *_bounds(value, rows.variance(rows.weight / total), n, level, 0.5 / n), n)


def _bounds(share: float, variance: float, rows: float, level: float, step: float = 0.0) -> tuple[float, float]:
    """Wilson's interval of a share on as many trials as its variance amounts to, with Student's quantile.

    Args:
        share: The estimate.
        variance: Its distance from what the labels will show, squared, on average.
        rows: Rows it rests on.
        level: Confidence level.
        step: Half of the least distance between two shares that the labels can show.
    """
    from scipy.special import stdtrit

    if variance == 0:
        return share, share
    inside = (share * rows + 0.5) / (rows + 1)
    trials = inside * (1 - inside) / variance
    low, high = wilson_at(share * trials, trials, stdtrit(max(rows - 1, 1.0), (1 + level) / 2))
    return max(float(low) - step, 0.0), min(float(high) + step, 1.0)
