"""The stored table: one Parquet file whose bytes depend on the rows only, not on how they arrived."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
from pyarrow import parquet

ROW_GROUP = 131_072  # rows
_GROUP_BYTES = 256 << 20  # a row group of long texts ends earlier


class TableWriter:
    """Writes batches in order, regrouped to row groups of one size. A context manager.

    Args:
        path: The file to make.
        schema: The schema of all batches.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = parquet.ParquetWriter(path, schema, compression="zstd", version="2.6")
        self._schema = schema
        self._pending: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        while batch.num_rows:
            head = batch.slice(0, ROW_GROUP - self._rows)
            batch = batch.slice(head.num_rows)
            self._pending.append(head)
            self._rows += head.num_rows
            self._bytes += head.nbytes
            if self._rows == ROW_GROUP or self._bytes > _GROUP_BYTES:
                self._flush()

    def _flush(self) -> None:
        if self._rows:
            table = pa.Table.from_batches(self._pending, self._schema).unify_dictionaries().combine_chunks()
            columns = [_in_order_of_appearance(column.chunk(0)) for column in table.columns]
            self._writer.write_table(pa.table(columns, schema=self._schema), row_group_size=ROW_GROUP)
        self._pending, self._rows, self._bytes = [], 0, 0


def _in_order_of_appearance(column: pa.Array) -> pa.Array:
    """A dictionary with the values that occur, in the order they first do; without writing the values out."""
    if not pa.types.is_dictionary(column.type):
        return column
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    known = codes[codes >= 0]
    first = np.full(len(column.dictionary), len(known))
    first[known[::-1]] = np.arange(len(known))[::-1]
    order = np.argsort(first, kind="stable")[: np.count_nonzero(first < len(known))]
    renumbered = np.zeros(len(first), np.int32)
    renumbered[order] = np.arange(len(order))
    indices = pa.array(renumbered[codes] if len(first) else codes, pa.int32(), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, column.dictionary.take(pa.array(order)))
