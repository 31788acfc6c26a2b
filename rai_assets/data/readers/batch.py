"""What every reader yields, and what it needs to know of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from rai_assets.data.columns import check_column_name, name_key
from rai_assets.data.readers.limits import BATCH_ROWS, CHUNK_BYTES
from rai_assets.data.settings import DatasetSettings, Format
from rai_assets.errors import InputRefused


@dataclass(frozen=True)
class Layout:
    """How the rows stand in a file.

    Attributes:
        format: Kind of file.
        header: Whether it begins with the column names.
        names: The column names of a file without a header, in order; None if they are not known yet.
        separator: What separates the fields of a text file.
        comment: Lines that begin with this are skipped; None for none.
        trim: Whether blanks around values are no part of them.
        encoding: Text encoding.
    """

    format: Format
    header: bool = True
    names: tuple[str, ...] | None = None
    separator: str = ","
    comment: str | None = None
    trim: bool = False
    encoding: str = "utf-8"

    @classmethod
    def of(cls, settings: DatasetSettings, file_format: Format, separator: str) -> Layout:
        """The layout that a data set declares for a file of one format."""
        names = None if settings.header else settings.file_columns
        return cls(file_format, settings.header, names, separator, settings.comment, settings.trim, settings.encoding)


@dataclass(frozen=True)
class Part:
    """Some rows of one file as they stand there: texts where the format is text, else the file's own types.

    Attributes:
        columns: The rows; columns in the file's order.
        line_of: The line (from 1) where the i-th row of the part begins; None where a format has no lines.
    """

    columns: pa.RecordBatch
    line_of: Callable[[int], int | None]


@dataclass(frozen=True)
class Batch:
    """A part of a data set's source files.

    Attributes:
        file: Index of the file in the declaration.
        path: Its path as declared.
        first_row: Number of the first row among the file's data rows, from 1.
        part: The rows.
    """

    file: int
    path: str
    first_row: int
    part: Part

    def place(self, index: int) -> str:
        """Where the i-th row stands: file, row and line."""
        line = self.part.line_of(index)
        row = f"{self.path}, row {self.first_row + index:,}"
        return row if line is None else f"{row} (line {line:,})"


def no_line(_index: int) -> int | None:
    """The line of a row where a format has no lines."""
    return None


def header_names(cells: Sequence[str], where: str, *, trim: bool) -> tuple[str, ...]:
    """Column names from the cells of a header; one without a name is called `unnamed_<position>`.

    Raises:
        InputRefused: Two names are equal or look the same, or one cannot be shown.
    """
    names = tuple((cell.strip() if trim else cell) or f"unnamed_{at}" for at, cell in enumerate(cells, 1))
    check_names(names, where)
    return names


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse column names that people cannot tell apart.

    Raises:
        InputRefused: Two names are equal or look the same, or one cannot be shown.
    """
    seen: dict[str, int] = {}
    for at, name in enumerate(names, 1):
        try:
            check_column_name(name)
        except ValueError as error:
            raise InputRefused(
                f"the name of column {at} cannot be used: {error}", where=where, fix="rename the column in the file"
            ) from error
        first = seen.setdefault(name_key(name), at)
        if first != at:
            raise InputRefused(
                f"columns {first} and {at} have the same name or look the same: {names[first - 1]!r} and {name!r}",
                where=where,
                fix="rename one of them in the file",
            )


def text_batches(rows: Iterator[tuple[int, list[str | None]]], names: Sequence[str]) -> Iterator[Part]:
    """Batches of text columns from rows of texts, each with its line."""
    pending: list[list[str | None]] = []
    lines: list[int] = []
    size = 0
    for line, row in rows:
        pending.append(row)
        lines.append(line)
        size += sum(len(cell) for cell in row if cell is not None)
        if len(pending) == BATCH_ROWS or size > CHUNK_BYTES:
            yield _text_part(pending, lines, names)
            pending, lines, size = [], [], 0
    if pending:
        yield _text_part(pending, lines, names)


def _text_part(rows: list[list[str | None]], lines: list[int], names: Sequence[str]) -> Part:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return Part(pa.RecordBatch.from_arrays(columns, names=list(names)), lines.__getitem__)
