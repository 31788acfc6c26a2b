"""Scores of rows mixed from two tables: some source columns of one row, the others of a background row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.analysis.explanation.sampling import Evaluate
from rai_assets.model.scoring import ScoringSession


def mixed_scores(session: ScoringSession, table: pa.Table, background: pa.Table) -> Evaluate:
    """The model's answer on mixed rows, (K, r): the positive class, every class, or the predicted value.

    Where the model has a numeric core, rows are mixed as numbers, so that no text is touched; a supplied file gets
    mixed tables.
    """
    if session.encoding is None:
        features = list(session.features)
        both = {
            name: pa.chunked_array([*table.column(name).chunks, *background.column(name).chunks]) for name in features
        }
        both_table = pa.table(both).unify_dictionaries().combine_chunks()

        def mixed(choose: NDArray[np.bool_], row: NDArray[np.int64], behind: NDArray[np.int64]) -> NDArray[np.float64]:
            places = np.where(choose, row[:, None], table.num_rows + behind[:, None])
            columns = [both_table.column(j).take(pa.array(places[:, j])) for j in range(len(features))]
            return _outputs(session.scores(pa.table(columns, names=features)))

        return mixed

    ours, theirs = session.encoding.matrix(table), session.encoding.matrix(background)
    players = session.encoding.players

    def mixed_cores(
        choose: NDArray[np.bool_], row: NDArray[np.int64], behind: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        return _outputs(session.core_scores(np.where(choose[:, players], ours[row], theirs[behind])))

    return mixed_cores


def _outputs(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    if scores.ndim == 1:
        return scores[None]
    return scores[None, :, 1] if scores.shape[1] == 2 else scores.T
