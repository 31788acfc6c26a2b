"""Parquet, streamed: strings stay dictionary codes, so that a value repeated a million times is held once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from rai_assets.data.readers.batch import Part, check_names, no_line
from rai_assets.data.readers.limits import BATCH_ROWS, MAX_BATCH_BYTES, Expansion, check_field
from rai_assets.errors import InputRefused


def parquet_parts(path: Path, tell: Callable[[int], None]) -> Iterator[Part]:
    """The rows of a Parquet file in its own types; strings are dictionary-encoded.

    Raises:
        InputRefused: The file is damaged, holds nested columns, or expands too much when decoded.
    """
    from pyarrow import parquet

    where = path.name
    size = path.stat().st_size
    try:
        schema = parquet.read_schema(path)
        _check_schema(schema, where)
        strings = [field.name for field in schema if _is_text(field.type)]
        expansion = Expansion(where, size)
        with parquet.ParquetFile(path, read_dictionary=strings, pre_buffer=False, buffer_size=1 << 20) as file:
            total, done = max(file.metadata.num_rows, 1), 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
                expansion.add(_decoded_bytes(batch, where, done))
                done += batch.num_rows
                yield Part(batch, no_line)
                tell(size * done // total)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputRefused(
            f"the file is not readable Parquet: {str(error).splitlines()[0][:200]}",
            where=where,
            fix="write it again with a current library, unencrypted",
        ) from error


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)


def _has_text(kind: pa.DataType) -> bool:
    """Whether every value of a type can be written as one text."""
    if pa.types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType):
        return False
    try:
        pa.nulls(0, kind).cast(pa.string())
    except pa.ArrowException:
        return False
    return True


def _check_schema(schema: pa.Schema, where: str) -> None:
    check_names(schema.names, where)
    if not schema.names:
        raise InputRefused("the file has no columns", where=where)
    for field in schema:
        if not _has_text(field.type):
            raise InputRefused(
                f"the column holds {str(field.type)[:80]}, not single values",
                where=f"{where}, column {field.name!r}",
                fix="write one column for each value inside it",
            )


def _decoded_bytes(batch: pa.RecordBatch, where: str, done: int) -> int:
    """Bytes of the rows if every string were written out."""
    size = 0
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
            size += column.nbytes
            continue
        if not len(column.dictionary):
            continue
        rows = f"{where}, rows {done + 1:,} to {done + batch.num_rows:,}"
        _check_texts(column.dictionary, name, rows)
        lengths = pc.binary_length(column.dictionary)
        check_field(rows, name, pc.max(lengths).as_py())
        size += pc.sum(lengths.cast(pa.int64()).take(column.indices)).as_py() or 0
    if size > MAX_BATCH_BYTES:
        raise InputRefused(
            f"the rows decode to {size:,} bytes; {BATCH_ROWS:,} rows have at most {MAX_BATCH_BYTES:,}",
            where=f"{where}, rows {done + 1:,} to {done + batch.num_rows:,}",
            fix="leave long texts out of the file",
        )
    return size


def _check_texts(values: pa.Array, name: str, rows: str) -> None:
    try:
        texts = values.cast(pa.string())
        texts.validate(full=True)
    except pa.ArrowInvalid as error:
        raise InputRefused(
            "a value is not UTF-8 text", where=f"{rows}, column {name!r}", fix="write the column as strings"
        ) from error
    if pc.any(pc.match_substring(texts, "\0")).as_py():
        raise InputRefused("a value holds a NUL byte", where=f"{rows}, column {name!r}", fix="remove it")
