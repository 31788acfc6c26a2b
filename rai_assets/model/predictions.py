"""Predictions of one model on one data set: computed once, kept as a table, read by every analysis."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.model.scoring import ScoringSession
from rai_assets.model.tell import Tell, silent

DECISION = "decision"
SCORE = "score"


def predict(session: ScoringSession, batches: Iterable[pa.RecordBatch], rows: int, tell: Tell = silent) -> pa.Table:
    """Score rows as they are read.

    Args:
        session: The model.
        batches: Rows with its features.
        rows: How many there are.
        tell: Told how many rows are scored.

    Returns:
        One row per row of the batches, in their order. Binary: `score` (float64, probability of the positive class)
        and `decision` (int8). Multiclass: `score_<class index>` and `decision` (int32). Regression: `score`, the
        predicted value.

    Raises:
        InputRefused: As `ScoringSession.scores`.
    """
    scores = session.stream(batches, rows, tell)
    decisions = session.decisions(scores)
    if session.task == "multiclass":
        columns = {f"{SCORE}_{index}": scores[:, index] for index in range(scores.shape[1])}
    else:
        columns = {SCORE: scores[:, 1] if session.task == "binary" else scores}
    if decisions is not None:
        columns[DECISION] = decisions
    return pa.table({name: pa.array(np.ascontiguousarray(values)) for name, values in columns.items()})


def scores_of(predictions: pa.Table) -> NDArray[np.float64]:
    """The scores in a table of predictions as `ScoringSession.scores` gave them: (n, k), or (n,) for a regression."""
    names = [name for name in predictions.column_names if name.startswith(f"{SCORE}_")]
    if names:
        return np.column_stack([predictions.column(f"{SCORE}_{k}").to_numpy() for k in range(len(names))])
    score = predictions.column(SCORE).to_numpy()
    return np.column_stack([1.0 - score, score]) if DECISION in predictions.column_names else score
