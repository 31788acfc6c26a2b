"""How the rows probably stand in a file: a look at its first lines."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from rai_assets.data.profiling import MARKERS
from rai_assets.data.readers import format_of
from rai_assets.data.readers.batch import Layout
from rai_assets.data.readers.text import decoded_chunks
from rai_assets.data.settings import Format
from rai_assets.errors import InputRefused, UsageError

_SEPARATORS = ("\t", ";", ",", "|", " ")
_WORDS = {"\t": "a tab", ";": "a semicolon", ",": "a comma", "|": "a bar", " ": "a blank"}
_SAMPLE_LINES = 100
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MAGIC: dict[bytes, Format] = {b"PAR1": "parquet", b"PK\x03\x04": "excel", b"{": "jsonl"}


@dataclass(frozen=True)
class Sniffed:
    """The layout of a file, and what of it was guessed, in sentences."""

    layout: Layout
    guesses: tuple[str, ...] = ()


def sniff(path: Path, names: Sequence[str] | None, separator: str | None, expected: Collection[str] = ()) -> Sniffed:
    """The layout that the first lines of a file suggest.

    Args:
        path: The file.
        names: Column names for a file without a header, or None.
        separator: What separates the fields, or None to find out.
        expected: Columns that the user speaks of; a first line with one of them holds the names.

    Raises:
        InputRefused: The file cannot be read.
        UsageError: The names do not fit the file.
    """
    file_format, guesses = _format(path)
    known = None if names is None else tuple(names)
    if file_format == "excel":
        return Sniffed(Layout("excel", header=known is None, names=known), tuple(guesses))
    if file_format == "parquet":
        return Sniffed(Layout("parquet"), tuple(guesses))
    encoding, about_encoding = _encoding(path)
    guesses += about_encoding
    if file_format == "jsonl":
        return Sniffed(Layout("jsonl", encoding=encoding), tuple(guesses))
    lines = _first_lines(path, encoding)
    comment = _comment(lines)
    if comment is not None:
        guesses.append(f"lines that begin with {comment!r} are comments")
        lines = [line for line in lines if not line.startswith(comment)]
    if separator is None:
        separator = _separator(lines, len(known) if known else None)
        guesses.append(f"{_WORDS[separator]} separates the fields")
    rows = _fields(lines, separator)
    header = _is_header(rows, known, expected, path.name)
    if known is None:
        first = (
            "the first line holds the column names" if header else "there is no header; columns are named by position"
        )
        guesses.append(first)
    trim = separator != " " and _has_blanks(rows)
    if trim:
        guesses.append("blanks around values are no part of them")
    if not header and known is None:
        known = tuple(f"column_{at}" for at in range(1, len(rows[0]) + 1))
    layout = Layout("csv", header, None if header else known, separator, comment, trim, encoding)
    return Sniffed(layout, tuple(guesses))


def read_names(columns: str) -> list[str]:
    """Column names from `A,B,C`, or from a file with one name a line.

    Raises:
        UsageError: There are none.
    """
    path = Path(columns)
    try:
        text = path.read_text("utf-8-sig") if len(columns) < 4096 and path.is_file() else columns
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(
            f"the column names cannot be read: {reason}", where=columns, fix="write one name a line, in UTF-8"
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    names = lines if len(lines) > 1 else [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("there are no column names", where=columns, fix="write A,B,C or a file with one name a line")
    return names


def _format(path: Path) -> tuple[Format, list[str]]:
    try:
        return format_of(path.name), []
    except InputRefused as error:
        if "does not tell" not in error.what:
            raise
    with path.open("rb") as stream:
        start = stream.read(16)
    found: Format = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "csv")
    return found, [f"{path.name} is written as {found}, by its first bytes"]


def _encoding(path: Path) -> tuple[str, list[str]]:
    """UTF-8 if the whole file is, else UTF-16 by its byte order mark, else Windows-1252 or Latin-1."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in decoded_chunks(path, "utf-8", lambda _: None):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        found = "cp1252" if _decodes(path, "cp1252") else "latin-1"
        return found, [f"{path.name} is not UTF-8; it is read as {found}"]
    except InputRefused as error:
        if "UTF-16" not in error.what:
            raise
        return "utf-16", [f"{path.name} is UTF-16, by its byte order mark"]
    return "utf-8", []


def _decodes(path: Path, encoding: str) -> bool:
    try:
        for _ in decoded_chunks(path, encoding, lambda _: None):
            pass
    except InputRefused:
        return False
    return True


def _first_lines(path: Path, encoding: str) -> list[str]:
    chunk = next(decoded_chunks(path, encoding, lambda _: None), b"")
    text = chunk[: 1 << 20].decode(errors="ignore")
    whole = [line.removesuffix("\r") for line in text.split("\n")]
    lines = [line for line in whole[: -1 if len(chunk) > 1 << 20 else None] if line.strip()][:_SAMPLE_LINES]
    if not lines:
        raise InputRefused("the file has no rows", where=path.name, fix="name a file with rows")
    return lines


def _comment(lines: Sequence[str]) -> str | None:
    """`|` or `#`, if the first line begins with it and most others do not."""
    first = lines[0][0]
    return first if first in "|#" and sum(line.startswith(first) for line in lines) * 2 < len(lines) + 1 else None


def _separator(lines: Sequence[str], columns: int | None) -> str:
    """The first separator that cuts all lines into the same number of fields: several, as many as there are names."""
    for candidate in _SEPARATORS:
        widths = {len(row) for row in _fields(lines, candidate)}
        if len(widths) == 1 and min(widths) > 1 and columns in (None, *widths):
            return candidate
    return ","


def _fields(lines: Sequence[str], separator: str) -> list[list[str]]:
    """The fields of the rows; the last row is left out if the look at the file may have cut it."""
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise InputRefused(f"the first rows cannot be read: {error}", fix="check the quotes in the file") from error
    return rows[:-1] if len(lines) == _SAMPLE_LINES else rows


def _has_blanks(rows: Sequence[Sequence[str]]) -> bool:
    """Whether most rows have blanks around a value, or any row has them around a number."""
    around = [[cell for cell in row if cell != cell.strip()] for row in rows]
    numbers = any(_NUMBER.fullmatch(cell.strip()) for row in around for cell in row)
    return numbers or sum(map(bool, around)) * 2 > len(rows)


def _is_header(
    rows: Sequence[Sequence[str]], names: Sequence[str] | None, expected: Collection[str], where: str
) -> bool:
    cells = [cell.strip() for cell in rows[0]]
    if names is None:
        apart = len(set(cells)) == len(cells) and not any(_NUMBER.fullmatch(cell) for cell in cells)
        return apart or not set(expected).isdisjoint(cells)
    if len(cells) != len(names):
        raise UsageError(
            f"there are {len(names)} column names and {len(cells)} fields in the first row",
            where=where,
            fix="name every column in order, or name the --separator",
        )
    others = [(cell, name) for cell, name in zip(cells, names, strict=True) if cell != name]
    if others and len(others) * 2 <= len(cells):
        cell, name = others[0]
        raise UsageError(
            f"the first line holds column names, but not all of --columns: {cell!r} in place of {name!r}",
            where=where,
            fix="leave --columns out, or take the first line out of the file",
        )
    if others and _names_numbers(cells, rows[1:]):
        raise UsageError(
            f"the first line looks like column names of its own: {', '.join(map(repr, cells[:5]))}",
            where=where,
            fix="leave --columns out, or take the first line out of the file",
        )
    return not others


def _names_numbers(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether a line without any number or mark of a missing value stands above a column of numbers."""
    if len(set(first)) < len(first) or any(cell in ("", *MARKERS) or _NUMBER.fullmatch(cell) for cell in first):
        return False
    columns = ([row[at].strip() for row in others if at < len(row)] for at in range(len(first)))
    known = ([cell for cell in column if cell and cell not in MARKERS] for column in columns)
    return any(column and all(map(_NUMBER.fullmatch, column)) for column in known)
