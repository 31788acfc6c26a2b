"""Errors of a predicted number before its target is known: a second model predicts them (NannyML's DLE)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rai_assets.errors import UsageError
from rai_assets.metrics.intervals import Floats, effective_size
from rai_assets.model.boosting import Boosted, RankedRows
from rai_assets.model.encoding import Encoding, Feature
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.calibrated import FOLDS, MOST_BINS, ROWS_PER_BIN
from rai_assets.monitoring.performance.expected import Expected

LOSSES: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "mean_absolute_error": (np.abs, np.asarray),
    "root_mean_squared_error": (np.square, np.sqrt),
}
"""What is averaged over the rows, by the metric, and what makes the metric of the average."""
ROUNDS = 50
"""Trees of a second model."""
_SHORT = {"mean_absolute_error": "absolute error", "root_mean_squared_error": "squared error"}


@dataclass(frozen=True)
class PredictedLoss:
    """One kind of loss: true and predicted on the calibration rows, predicted on the batch.

    Attributes:
        true: Of the calibration rows, (n,).
        known: Predicted for them by models that were not fitted on them, (n,).
        asked: Predicted for the batch, (m,): mean of these models.
    """

    true: Floats
    known: Floats
    asked: Floats

    def estimate(
        self, name: str, calibration: NDArray[np.bool_], members: NDArray[np.bool_], weight: Floats, level: float
    ) -> Expected:
        """The metric of some rows of the batch.

        What the models predict is mapped by isotonic regression to the losses of the calibration rows that speak for
        them. The variance is that of the losses around the map, bin by bin of the prediction, once for the batch's own
        rows and once for the calibration rows of the bin. The upper bound is on a logarithmic scale.

        Args:
            name: A metric in `LOSSES`.
            calibration: Calibration rows that speak for them, (n,).
            members: Which rows of the batch, (m,).
            weight: How much every calibration row counts, > 0, (n,).
            level: Confidence level.
        """
        from scipy.special import stdtrit
        from sklearn.isotonic import IsotonicRegression

        true, known, asked = self.true[calibration], self.known[calibration], self.asked[members]
        weight = weight[calibration]
        fitted = IsotonicRegression(out_of_bounds="clip").fit(known, true, sample_weight=weight)
        rest = (true - fitted.predict(known)) ** 2
        bins = int(np.clip(len(known) // ROWS_PER_BIN, 1, MOST_BINS))
        edges = np.unique(np.quantile(known, np.arange(1, bins) / bins))
        of_known, of_asked = (np.searchsorted(edges, values, side="right") for values in (known, asked))
        total, square, spread = (
            np.bincount(of_known, values, minlength=len(edges) + 1) for values in (weight, weight**2, weight * rest)
        )
        rows = effective_size(total, square)
        seen = np.divide(spread, total, out=np.zeros(len(total)), where=total > 0)
        # A row of the usual spread in every bin: one without any must not make its losses certain.
        noise = (rows * seen + np.average(rest, weights=weight)) / (rows + 1)
        n, counts = len(asked), np.bincount(of_asked, minlength=len(edges) + 1)
        variance = float((counts * noise + counts**2 * noise / (rows + 1)).sum()) / n**2
        value = float(fitted.predict(asked).mean())
        half = float(stdtrit(max(n - 1, 1), (1 + level) / 2)) * np.sqrt(variance)
        low, high = max(value - half, 0.0), value * np.exp(min(half / value, 50.0)) if value > 0 else half
        value, low, high = LOSSES[name][1](np.array([value, low, high])).tolist()
        return Expected(name, value, low, high, rows=n)


def predicted_losses(
    calibration: ScoredRows, current: ScoredRows, features: Sequence[Feature], *, seed: int
) -> dict[str, PredictedLoss]:
    """Fit the second models: gradient boosting of each kind of loss on the features and the prediction.

    Args:
        calibration: Rows with targets and predictions that the first model was not fitted on.
        current: Rows of the batch with predictions.
        features: Columns that the first model reads.
        seed: Of the folds.

    Raises:
        UsageError: The calibration rows have no targets, or either side has no predictions.
    """
    target, score, asked_score = calibration.rows.target, calibration.rows.score, current.rows.score
    if target is None or score is None or asked_score is None:
        raise UsageError(
            "errors are estimated from calibration rows with targets, and predictions on both sides",
            fix="give calibration rows with their targets, and the model's answer to all rows",
        )
    encoding = Encoding.fit(calibration.table, features, "codes_nan")
    known = np.column_stack([encoding.matrix(calibration.table), score])
    asked = np.column_stack([encoding.matrix(current.table), asked_score])
    ranked = RankedRows.of(np.concatenate([known, asked]))
    fold = np.random.default_rng(seed).permutation(len(target)) % FOLDS
    found = {}
    for name, (loss, _) in LOSSES.items():
        true = loss(score - target)
        outside, batch = np.empty(len(true)), np.zeros(len(asked))
        for held in range(FOLDS):
            fitted = np.flatnonzero(fold != held)
            model = Boosted.fit(ranked, fitted, true[fitted], rounds=ROUNDS, logistic=False)
            every = model.predict(model.codes)
            outside[fold == held] = every[: len(true)][fold == held]
            batch += every[len(true) :] / FOLDS
        found[name] = PredictedLoss(true, outside, batch)
    return found


def about(losses: dict[str, PredictedLoss], calibration: NDArray[np.bool_]) -> str:
    """How well the second models tell large errors from small ones, for people."""
    said = []
    for name, loss in losses.items():
        true, known = loss.true[calibration], loss.known[calibration]
        spread = float(((true - true.mean()) ** 2).sum())
        share = 1 - float(((true - known) ** 2).sum()) / spread if spread > 0 else 0.0
        said.append(f"{max(share, 0.0):.0%} of the variance of the {_SHORT[name]}")
    return f"a second model predicts {' and '.join(said)} of rows outside its fit."
