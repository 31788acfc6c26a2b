"""Whether a model answers row by row: the same row, the same answer, however often and beside whatever it is asked."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.errors import InputRefused
from rai_assets.model.scoring import ScoringSession

# Sums of float32 values in another order differ by a few of its steps (1.2e-7 of the terms); this is far beyond.
TOLERANCE = 1e-4
_ROWS, _PIECE, _ALONE = 512, 100, 3


def check_steady(session: ScoringSession, table: pa.Table, scores: NDArray[np.float64], seed: int) -> None:
    """Ask for a sample of rows again: twice together, in another order, in small pieces, and some alone.

    A model that draws random numbers, or that computes with the other rows of its batch (their mean, say, as a
    normalization exported in training mode does), has no score of a row that an audit could speak of.

    Args:
        session: The model.
        table: Rows with its features, n of them.
        scores: What it answered for them before, (n, k) probabilities or (n,) values.
        seed: Seed of the sample.

    Raises:
        InputRefused: An answer for the same row differs by more than `TOLERANCE`; for a regression relative to the
            value, or to the standard deviation of all values where that is larger.
    """
    if not len(scores):
        return
    random = np.random.default_rng(seed)
    place = np.sort(random.choice(len(scores), min(_ROWS, len(scores)), replace=False))
    rows = table.select(list(session.features)).take(pa.array(place))
    n, floor = len(place), float(scores.std()) or 1.0
    order = random.permutation(n)
    first = session.scores(rows)

    def compare(how: str, said: NDArray[np.float64], before: NDArray[np.float64], which: NDArray[np.int64]) -> None:
        gap = np.abs(said - before)
        gap = gap / np.maximum(np.abs(before), floor) if session.task == "regression" else gap.max(axis=1)
        if gap.max() > TOLERANCE:
            worst = int(gap.argmax())
            raise InputRefused(
                f"the model gives the same row another answer {how}: row {which[worst] + 1} of the training rows got "
                f"{_shown(before[worst])}, then {_shown(said[worst])}",
                where=session.version.estimator,
                fix="export the model for inference: without random draws, and so that each row is computed by itself "
                "(normalizations with the statistics of the training, not of the batch)",
            )

    compare("when it is asked again", session.scores(rows), first, place)
    compare("in another order of the rows", session.scores(rows.take(pa.array(order))), first[order], place[order])
    beside = "when other rows are beside it"
    compare(beside, first, scores[place], place)
    starts = range(0, n, _PIECE)
    compare(beside, np.concatenate([session.scores(rows.slice(start, _PIECE)) for start in starts]), first, place)
    alone = np.concatenate([session.scores(rows.slice(row, 1)) for row in range(min(n, _ALONE))])
    compare("when it is asked alone", alone, first[: len(alone)], place)


def _shown(values: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:.6g}" for value in np.atleast_1d(values)[:5])
