"""Workbooks (.xlsx), the first sheet, row by row; every value as text, dates in ISO form."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from rai_assets.data.readers.batch import Layout, Part, header_names, text_batches
from rai_assets.data.readers.limits import Expansion, check_field
from rai_assets.errors import InputRefused

_MAX_ENTRIES = 10_000
_Row = tuple[int, list[str | None]]


def excel_parts(path: Path, layout: Layout, tell: Callable[[int], None]) -> Iterator[Part]:
    """The rows of the first sheet; all columns are text, an empty cell is missing, an empty row is skipped.

    A formula counts with the value the workbook was saved with; one that was never computed is missing.

    Raises:
        InputRefused: Not a workbook, one that expands too much, or a row longer than the header; also if the extra
            `excel` is not installed.
    """
    where = path.name
    _check_archive(path)
    filled = ((at, row) for at, row in _rows_of_sheet(path) if any(cell is not None for cell in row))
    texts = ((at, [_text(cell, where, at) for cell in row]) for at, row in filled)
    names, body = _names(texts, layout, where)
    yield from text_batches(_padded(body, names, where), names)
    tell(path.stat().st_size)


def _rows_of_sheet(path: Path) -> Iterator[tuple[int, tuple[Any, ...]]]:
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise InputRefused(
            "workbooks are read by openpyxl, which is not installed",
            where=path.name,
            fix="pip install 'rai_assets[excel]', or save the sheet as CSV",
        ) from error
    # A damaged workbook makes openpyxl fail in any way at any depth: it parses where it should first check.
    try:
        book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except Exception as error:
        raise _not_a_workbook(path.name, error) from error
    with closing(book):
        try:
            yield from enumerate(book.worksheets[0].iter_rows(values_only=True), 1)
        except Exception as error:
            raise _not_a_workbook(path.name, error) from error


def _check_archive(path: Path) -> None:
    expansion = Expansion(path.name, path.stat().st_size)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise _not_a_workbook(path.name, error) from error
    if len(entries) > _MAX_ENTRIES:
        raise InputRefused(
            f"the workbook has {len(entries):,} parts, more than {_MAX_ENTRIES:,}",
            where=path.name,
            fix="save its first sheet as CSV",
        )
    for entry in entries:
        expansion.add(entry.file_size)


def _not_a_workbook(where: str, error: BaseException) -> InputRefused:
    return InputRefused(
        f"the file is not a readable workbook: {str(error)[:200]}", where=where, fix="save it as .xlsx or CSV"
    )


def _names(rows: Iterator[_Row], layout: Layout, where: str) -> tuple[tuple[str, ...], Iterator[_Row]]:
    first = next(rows, None)
    if first is None:
        raise InputRefused("the first sheet is empty", where=where, fix="move the table to the first sheet")
    at, cells = first
    if layout.header:
        while cells[-1] is None:
            cells.pop()
        return header_names([cell or "" for cell in cells], where, trim=layout.trim), rows
    names = layout.names or tuple(f"column_{place}" for place in range(1, len(cells) + 1))
    return names, chain([(at, cells)], rows)


def _padded(rows: Iterator[_Row], names: tuple[str, ...], where: str) -> Iterator[_Row]:
    for at, cells in rows:
        if any(cell is not None for cell in cells[len(names) :]):
            raise InputRefused(
                f"the row has more than the {len(names)} cells of the header",
                where=f"{where}, line {at:,}",
                fix="name every column, or clear the cells beside the table",
            )
        for name, cell in zip(names, cells, strict=False):
            check_field(f"{where}, line {at:,}", name, None if cell is None else len(cell) * 4)
        yield at, [*cells[: len(names)], *[None] * (len(names) - len(cells))]


def _text(value: Any, where: str, at: int) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return (value.date() if value.time() == datetime.time() else value).isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if text.startswith("#") and text in {"#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"}:
        raise InputRefused(f"a cell holds the error {text}", where=f"{where}, line {at:,}", fix="repair its formula")
    return text
