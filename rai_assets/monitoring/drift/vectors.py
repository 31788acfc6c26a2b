"""Columns of vectors - embeddings, grids of pixels - whose dimensions are compared together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.model.encoding import Feature
from rai_assets.monitoring.drift.calibration import holm
from rai_assets.monitoring.drift.multivariate import multivariate_drift
from rai_assets.monitoring.drift.order import LEAST_BLOCKS, contiguous
from rai_assets.monitoring.drift.result import DriftRow
from rai_assets.monitoring.drift.settings import DriftSettings
from rai_assets.monitoring.drift.sources import Source, as_times, epoch

MOST_ROWS = 10_000
"""Vectors of a side that are compared; of more so many are drawn."""


def vector_array(vectors: Sequence[NDArray[np.float32] | None], dimensions: int) -> pa.Array:
    """Vectors as an Arrow column, missing where there is none."""
    lost = np.array([vector is None for vector in vectors], bool)
    values = np.zeros((len(vectors), dimensions), np.float32)
    for at, vector in enumerate(vectors):
        if vector is not None:
            values[at] = vector
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), dimensions, mask=pa.array(lost))


class Gathered:
    """The vectors of one column of one side, drawn at random while its rows are read.

    Args:
        name: The column.
        timestamp: The column whose order the rows are taken in; None for the order in which they stand.
        rng: Of the draw.
    """

    def __init__(self, name: str, timestamp: str | None, rng: np.random.Generator) -> None:
        self.name, self._timestamp, self._rng = name, timestamp, rng
        self._rows = 0
        self._keys, self._order = np.zeros(0), np.zeros((0, 2), np.int64)
        self._kept: NDArray[np.float32] | None = None

    def tapped(self, source: Source) -> Source:
        """The same rows, whose vectors are gathered as they pass."""

        def passing() -> Iterator[pa.RecordBatch]:
            for batch in source.batches:
                self._add(batch)
                yield batch

        return replace(source, batches=passing())

    def vectors(self) -> NDArray[np.float32]:
        """The vectors without what is not finite, in order, shape (n, d), once all rows have passed."""
        if self._kept is None:
            return np.zeros((0, 1), np.float32)
        return self._kept[np.lexsort((self._order[:, 1], self._order[:, 0]))]

    def _add(self, batch: pa.RecordBatch) -> None:
        column = batch.column(self.name)
        there = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        times = np.zeros(batch.num_rows, np.int64)
        if self._timestamp in batch.schema.names:
            times = epoch(as_times(batch.column(self._timestamp)).fill_null(0))
        found = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        found = found.reshape(len(there), column.type.list_size)
        finite = np.isfinite(found).all(axis=1)
        there, found = there[finite], found[finite]
        keys = np.concatenate([self._keys, self._rng.random(len(there))])
        order = np.concatenate([self._order, np.column_stack([times[there], self._rows + there])])
        kept = found if self._kept is None else np.concatenate([self._kept, found])
        self._rows += batch.num_rows
        if len(keys) > MOST_ROWS:
            smallest = np.argpartition(keys, MOST_ROWS)[:MOST_ROWS]
            keys, order, kept = keys[smallest], order[smallest], kept[smallest]
        self._keys, self._order, self._kept = keys, order, kept


def compare(reference: Gathered, current: Gathered, asked: DriftSettings, seed: int) -> list[DriftRow]:
    """Vectors of all rows of both sides compared: can a classifier tell them apart, do they keep their relations.

    Args:
        reference: The vectors of a column before.
        current: Those of the same column now.
        asked: Level and order; a rule without p-values has no answer.
        seed: Of every random choice.
    """
    name = reference.name
    if asked.methods or asked.columns.get(name) or asked.rule not in ("calibrated", "textbook"):
        why = f"the rule {asked.rule!r}" if asked.rule not in ("calibrated", "textbook") else "the named methods"
        return [DriftRow(name, "all", rule=asked.rule, reason=f"{why} cannot compare vectors")]
    sides = reference.vectors(), current.vectors()
    ordered = asked.timestamp is not None or asked.chunks is not None
    blocks = contiguous(len(sides[0]), len(sides[1]), LEAST_BLOCKS) if ordered and len(sides[1]) else []
    before, now = (pa.table({str(at): values for at, values in enumerate(side.T)}) for side in sides)
    found = multivariate_drift(
        before,
        now,
        [Feature(str(at), "number") for at in range(sides[0].shape[1])],
        seed=seed,
        ordered=asked.null != "permutation" and len(blocks) >= LEAST_BLOCKS,
        level=asked.level,
        minimum_effect=asked.minimum_effect,
        importance=False,
    )
    return [replace(row, column=name, rule=asked.rule) for row in found.rows]


def one_family(rows: Sequence[DriftRow], asked: DriftSettings) -> list[DriftRow]:
    """The rows with their p-values adjusted for all of them, and the verdicts that follow."""
    told = [row for row in rows if row.p_value is not None]
    adjusted = dict(zip(map(id, told), holm(np.array([row.p_value for row in told])).tolist(), strict=True))
    return [_judged(row, adjusted[id(row)], asked) if id(row) in adjusted else row for row in rows]


def _judged(row: DriftRow, family: float, asked: DriftSettings) -> DriftRow:
    large = row.effect is None or abs(row.effect) >= asked.minimum_effect
    drifted = family <= asked.level and large
    return replace(row, family_p_value=family, drifted=drifted, drivers=row.drivers if drifted else "")
