"""How much each calibration row resembles the rows of a batch, so that those that do speak loudest for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rai_assets.metrics.intervals import Floats
from rai_assets.model.boosting import Boosted, RankedRows, fitted_rows
from rai_assets.model.encoding import Encoding, Feature, together
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.calibrated import FOLDS

FEWEST_ROWS = 100
"""Rows of the batch below which every calibration row counts alike: too few to tell whom they resemble."""
ROUNDS = 30
"""Trees of a classifier."""


def likeness(calibration: ScoredRows, current: ScoredRows, features: Sequence[Feature], *, seed: int) -> Floats:
    """Weight of every calibration row, mean 1, (n,): density of the batch over that of the calibration rows.

    By a classifier that tells the two apart and that was not fitted on the row, as in Bialek et al. (2024,
    arXiv:2401.08348, probabilistic adaptive performance estimation). A score that is right for all rows on average and
    wrong for some people is then read as it stands for the people of the batch.

    Args:
        calibration: Calibration rows with scores.
        current: Rows of the batch with scores.
        features: Columns that tell rows apart, beside the score.
        seed: Of the folds.
    """
    n, m = calibration.rows.n, current.rows.n
    if m < FEWEST_ROWS:
        return np.ones(n)
    matrix = np.concatenate([_score(calibration), _score(current)])
    if features:
        pooled = together([calibration.table, current.table], features)
        matrix = np.column_stack([matrix, Encoding.fit(pooled, features, "codes_nan").matrix(pooled)])
    ranked, of_batch = RankedRows.of(matrix), np.repeat(np.array([0, 1], np.int8), [n, m])
    rng = np.random.default_rng(seed)
    fold = rng.permutation(n + m) % FOLDS
    odds = np.empty(n)
    for held in range(FOLDS):
        sides = [np.flatnonzero((fold != held) & (of_batch == side)) for side in (0, 1)]
        most = fitted_rows(*map(len, sides))
        fitted = np.concatenate([rng.permutation(side)[:rows] for side, rows in zip(sides, most, strict=True)])
        classifier = Boosted.fit(ranked, fitted, of_batch[fitted], rounds=ROUNDS)
        asked = np.flatnonzero(fold[:n] == held)
        found = np.exp(classifier.predict(classifier.codes[:, asked]))
        # Fits differ in the shares of the sides, so each fold is brought to the same mean.
        odds[asked] = found / found.mean()
    return odds


def _score(side: ScoredRows) -> Floats:
    score = np.asarray(side.rows.score, float)
    return score.reshape(len(score), -1)
