"""Parquet, streamed: strings stay dictionary codes, so that a value repeated a million times is held once."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from rai_assets.data.readers import parquet_decoder
from rai_assets.data.readers.batch import Part, check_names, no_line
from rai_assets.data.readers.limits import BATCH_ROWS, DECODER_BYTES, MAX_BATCH_BYTES, Expansion, check_field
from rai_assets.data.readers.parquet_decoder import is_text
from rai_assets.errors import InputRefused

# Arrow's own allocators reserve address space ahead, which the decoder's limit would count.
_ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}


def parquet_parts(path: Path, tell: Callable[[int], None]) -> Iterator[Part]:
    """The rows of a Parquet file in its own types; strings are dictionary-encoded.

    Raises:
        InputRefused: The file is damaged, holds nested columns, or expands too much when decoded.
    """
    where, size = path.name, path.stat().st_size
    expansion = Expansion(where, size)
    with _decoding(path) as stream:
        _check_schema(stream.schema, where)
        total, done = max(int(stream.schema.metadata[b"rows"]), 1), 0
        for batch in stream:
            expansion.add(_decoded_bytes(batch, where, done))
            done += batch.num_rows
            yield Part(batch, no_line)
            tell(size * done // total)


@contextmanager
def _decoding(path: Path) -> Iterator[pa.RecordBatchStreamReader]:
    """The batches of a Parquet file from a process of its own, which ends with this context.

    Raises:
        InputRefused: The process ended early, and why.
    """
    limits = map(str, (BATCH_ROWS, DECODER_BYTES, MAX_BATCH_BYTES))
    command = [sys.executable, "-I", "-B", parquet_decoder.__file__, str(path.absolute()), *limits]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=_ENVIRONMENT
        )
        assert process.stdout is not None  # noqa: S101
        try:
            with pa.ipc.open_stream(process.stdout) as stream:
                yield stream
            code = process.wait()
        except (pa.ArrowInvalid, OSError):
            code = process.wait()
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
        if code:
            said.seek(0)
            raise _ended(code, said.read().decode(errors="replace"), path.name)


def _ended(code: int, said: str, where: str) -> InputRefused:
    """Why the decoder is gone."""
    if code in (parquet_decoder.TOO_MUCH, -signal.SIGKILL, -signal.SIGABRT):
        return InputRefused(
            f"one page or {BATCH_ROWS:,} rows of the file decode to more than {DECODER_BYTES >> 20:,} MiB",
            where=where,
            fix="write it again with pages of about 1 MiB, as libraries do by default, and without very long values",
        )
    reason = said.splitlines()[0][:200] if code == parquet_decoder.UNREADABLE and said else "it is damaged"
    return InputRefused(
        f"the file is not readable Parquet: {reason}",
        where=where,
        fix="write it again with a current library, unencrypted",
    )


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
        raise InputRefused("the file has no columns", where=where, fix="write the table again with its columns")
    for field in schema:
        if not _has_text(field.type):
            raise InputRefused(
                f"the column holds {str(field.type)[:80]}, not single values",
                where=f"{where}, column {field.name!r}",
                fix="write one column for each value inside it",
            )


def _decoded_bytes(batch: pa.RecordBatch, where: str, done: int) -> int:
    """Bytes of the rows if every string were written out; a value without any counts as one."""
    rows = f"{where}, rows {done + 1:,} to {done + batch.num_rows:,}"
    size = batch.num_rows * batch.num_columns
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        coded = pa.types.is_dictionary(column.type)
        values = column.dictionary if coded else column
        if not is_text(values.type):
            size += column.nbytes
        elif values.null_count < len(values):
            _check_texts(values, name, rows)
            lengths = pc.binary_length(values)
            check_field(rows, name, pc.max(lengths).as_py())
            lengths = lengths.cast(pa.int64())
            size += pc.sum(lengths.take(column.indices) if coded else lengths).as_py() or 0
    if size > MAX_BATCH_BYTES:
        raise InputRefused(
            f"the rows decode to {size:,} bytes; {BATCH_ROWS:,} rows have at most {MAX_BATCH_BYTES:,}",
            where=rows,
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
