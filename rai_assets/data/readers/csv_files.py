"""Delimited text, streamed: every value stays the text it is in the file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from io import BytesIO, StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from rai_assets.data.readers.batch import Layout, Part, header_names
from rai_assets.data.readers.limits import MAX_FIELD_BYTES, check_field
from rai_assets.data.readers.records import Block, blocks
from rai_assets.data.readers.text import decoded_chunks
from rai_assets.errors import InputRefused


def csv_parts(path: Path, layout: Layout, tell: Callable[[int], None]) -> Iterator[Part]:
    """The rows of a delimited file; all columns are text.

    Raises:
        InputRefused: The file is not text, a quote is unclosed, a row is ragged, a value is too long, or the header
            names a column twice; with file, line, and what to do.
    """
    where = path.name
    chunks = decoded_chunks(path, layout.encoding, tell)
    stream = blocks(chunks, layout.separator, layout.comment, where, trim=layout.trim)
    names = layout.names
    if layout.header:
        names, body = _header(stream, layout, where)
        yield _parse(body, names, layout.separator, where)
    for block in stream:
        if names is None:
            names = tuple(f"column_{at}" for at in range(1, _width(block, layout.separator, where) + 1))
        part = _parse(block, names, layout.separator, where)
        if part.columns.num_rows:
            yield part


def _header(stream: Iterator[Block], layout: Layout, where: str) -> tuple[tuple[str, ...], Block]:
    for block in stream:
        cut = block.after_first_record()
        if cut is None:
            continue
        record, body = cut
        return header_names(_cells(record, layout.separator, where), where, trim=layout.trim), body
    raise InputRefused("the file has no header", where=where, fix="declare `header: false` if it has only rows")


def _width(block: Block, separator: str, where: str) -> int:
    cut = block.after_first_record()
    return 0 if cut is None else len(_cells(cut[0], separator, where))


def _cells(record: bytes, separator: str, where: str) -> list[str]:
    """The fields of one record."""
    try:
        return next(csv.reader(StringIO(record.decode(), newline=""), delimiter=separator))
    except csv.Error as error:
        raise InputRefused(
            f"the first row cannot be read: {error}", where=where, fix="check the line ends and quotes of the file"
        ) from error


def _parse(block: Block, names: tuple[str, ...], separator: str, where: str) -> Part:
    """The records of a block as text columns."""
    if not block.data.strip(b"\r\n"):
        empty = [pa.array([], pa.string())] * len(names)
        return Part(pa.RecordBatch.from_arrays(empty, names=list(names)), block.line_of)
    from pyarrow import csv as arrow_csv

    ragged: list[arrow_csv.InvalidRow] = []

    def refuse(row: arrow_csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    keys = [str(at) for at in range(len(names))]
    try:
        table = arrow_csv.read_csv(
            BytesIO(block.data),
            read_options=arrow_csv.ReadOptions(
                column_names=keys, use_threads=False, block_size=max(len(block.data) + 1, 1024)
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, invalid_row_handler=refuse, ignore_empty_lines=True
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.string()), null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if not ragged:
            raise InputRefused(
                f"the rows cannot be read: {str(error)[:200]}",
                where=f"{where}, from line {block.first_line:,} on",
                fix="check the separator, the quotes and the line ends there",
            ) from error
        row = ragged[0]
        raise InputRefused(
            f"the row has {row.actual_columns} fields instead of {row.expected_columns}",
            where=f"{where}, line {block.line_of(row.number - 1):,}",
            fix=f"check the separator (now {separator!r}), the quotes of the row and the list of columns",
        ) from error
    columns = [column.chunk(0) for column in table.columns]
    for name, column in zip(names, columns, strict=True):
        longest = pc.max(pc.binary_length(column)).as_py()
        if longest > MAX_FIELD_BYTES:
            row_index = pc.index(pc.binary_length(column), longest).as_py()
            check_field(f"{where}, line {block.line_of(row_index):,}", name, longest)
    return Part(pa.RecordBatch.from_arrays(columns, names=list(names)), block.line_of)
