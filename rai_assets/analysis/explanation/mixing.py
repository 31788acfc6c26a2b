"""Rows as numbers that can be mixed: some source columns of one row, the others of a background row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.analysis.explanation.sampling import Score
from rai_assets.errors import RaiError
from rai_assets.model.scoring import ScoringSession

_NUMBERED = 2**24  # whole numbers that float32 holds without a gap


@dataclass(frozen=True)
class Mixable:
    """Two tables as matrices over the same columns, and the model's answer on any mixture of their rows.

    Attributes:
        score: float32 (N, m) to (N,), the positive class's probability or the predicted value, or (N, K), every class.
        matrix: float32 (n, m), the explained rows.
        background: float32 (b, m).
        players: int (m,), the source column of every matrix column.
    """

    score: Score
    matrix: NDArray[np.float32]
    background: NDArray[np.float32]
    players: NDArray[np.int32]


def mixable(session: ScoringSession, table: pa.Table, background: pa.Table) -> Mixable:
    """The model's core where it has one, so that no text is touched; a supplied file gets its own columns back."""
    if session.encoding is None:
        return _by_values(session, table, background)
    encoding = session.encoding
    return Mixable(
        lambda rows: _explained(session.core_scores(rows)),
        encoding.matrix(table),
        encoding.matrix(background),
        encoding.players,
    )


def _by_values(session: ScoringSession, table: pa.Table, background: pa.Table) -> Mixable:
    """Every column as the numbers of its distinct values, which are looked up again before the model is asked.

    Raises:
        RaiError: A column has more distinct values than float32 can number.
    """
    names = list(session.features)
    columns = [_coded(table.column(name), background.column(name)) for name in names]
    codes = np.stack([found for _, found in columns], axis=1)

    def score(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        places = rows.astype(np.int32)
        arrays = [values.take(pa.array(places[:, j])) for j, (values, _) in enumerate(columns)]
        return _explained(session.scores(pa.table(arrays, names=names)))

    return Mixable(score, codes[: table.num_rows], codes[table.num_rows :], np.arange(len(names), dtype=np.int32))


def _coded(column: pa.ChunkedArray, other: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.float32]]:
    """The distinct values of two columns, one of them null, and each row's number among them."""
    plain = [part.cast(part.type.value_type) if pa.types.is_dictionary(part.type) else part for part in (column, other)]
    both = pa.chunked_array([chunk for part in plain for chunk in part.chunks]).combine_chunks().dictionary_encode()
    values = pa.concat_arrays([both.dictionary, pa.nulls(1, both.dictionary.type)])
    if len(values) > _NUMBERED:
        raise RaiError(f"a column has more than {_NUMBERED:,} distinct values", fix="audit fewer rows at a time")
    codes = pc.fill_null(both.indices, len(both.dictionary)).to_numpy(zero_copy_only=False).astype(np.float32)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return pa.DictionaryArray.from_arrays(pa.array(np.arange(len(values), dtype=np.int32)), values), codes
    return values, codes


def _explained(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return scores[:, 1] if scores.ndim == 2 and scores.shape[1] == 2 else scores
