"""Rows of one side of a comparison, drawn at random while they pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from rai_assets.monitoring.drift.normal import as_times, epoch
from rai_assets.monitoring.drift.sources import Source

MOST_ROWS = 10_000
"""Rows of a side that are compared as wholes; of more so many are drawn."""


class Drawn:
    """At most 10,000 rows of a source, each as likely to be among them as any other.

    Args:
        columns: The columns that are kept.
        timestamp: The column whose order the rows are taken in; None for the order in which they stand.
        rng: Of the draw.
    """

    def __init__(self, columns: Sequence[str], timestamp: str | None, rng: np.random.Generator) -> None:
        self._columns, self._timestamp, self._rng = list(columns), timestamp, rng
        self._rows, self._below = 0, np.inf
        self._keys, self._order = np.zeros(0), np.zeros((0, 2), np.int64)
        self._kept: list[pa.Table] = []

    def tapped(self, source: Source) -> Source:
        """The same rows, some of which are kept as they pass."""

        def passing() -> Iterator[pa.RecordBatch]:
            for batch in source.batches:
                self._add(batch)
                yield batch

        return replace(source, batches=passing())

    def table(self) -> pa.Table:
        """The drawn rows in their order, categories as plain texts, once all rows have passed."""
        if not self._kept:
            return pa.table({name: pa.nulls(0) for name in self._columns})
        self._thin()
        return self._kept[0].take(pa.array(np.lexsort((self._order[:, 1], self._order[:, 0]))))

    def _add(self, batch: pa.RecordBatch) -> None:
        keys = self._rng.random(batch.num_rows)
        chosen = np.flatnonzero(keys < self._below)
        part = batch.take(pa.array(chosen))
        times = np.zeros(len(chosen), np.int64)
        if self._timestamp in batch.schema.names:
            times = epoch(as_times(part.column(self._timestamp)).fill_null(0))
        self._kept.append(pa.table({name: _plain(part.column(name)) for name in self._columns}))
        self._keys = np.concatenate([self._keys, keys[chosen]])
        self._order = np.concatenate([self._order, np.column_stack([times, self._rows + chosen])])
        self._rows += batch.num_rows
        if len(self._keys) > 2 * MOST_ROWS:
            self._thin()

    def _thin(self) -> None:
        """Keep the rows with the smallest keys."""
        kept = pa.concat_tables(self._kept, promote_options="permissive").combine_chunks()
        if len(self._keys) > MOST_ROWS:
            smallest = np.argpartition(self._keys, MOST_ROWS)[:MOST_ROWS]
            self._keys, self._order = self._keys[smallest], self._order[smallest]
            self._below = float(self._keys.max())
            kept = kept.take(pa.array(smallest))
        self._kept = [kept]


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
