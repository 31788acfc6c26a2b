"""JSON lines, streamed: one object a line, every scalar kept as the text it is in the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from rai_assets.data.readers.batch import Layout, Part, check_names, text_batches
from rai_assets.data.readers.limits import MAX_FIELD_BYTES, MAX_RECORD_BYTES, check_field
from rai_assets.data.readers.text import check_utf8, decoded_chunks
from rai_assets.errors import InputRefused

_Cells = dict[str, str | None]


def json_parts(path: Path, layout: Layout, tell: Callable[[int], None]) -> Iterator[Part]:
    """The rows of a JSON lines file; all columns are text, `null` and an absent key are missing.

    The keys of the first object are the columns; another key later on is refused.

    Raises:
        InputRefused: A line is no JSON object, holds a key twice, a list or an object, or is too long.
    """
    where = path.name
    objects = _objects(_lines(decoded_chunks(path, layout.encoding, tell), where), where)
    first = next(objects, None)
    if first is None:
        raise InputRefused("the file has no rows", where=where, fix="write one JSON object a line")
    names = tuple(first[1])
    check_names(names, f"{where}, line {first[0]:,}")
    yield from text_batches(_rows(chain([first], objects), names, where), names)


def _rows(
    objects: Iterator[tuple[int, _Cells]], names: tuple[str, ...], where: str
) -> Iterator[tuple[int, list[str | None]]]:
    for number, cells in objects:
        stray = next((name for name in cells if name not in names), None)
        if stray is not None:
            raise InputRefused(
                f"the key {stray[:80]!r} is not among those of the first object",
                where=f"{where}, line {number:,}",
                fix="write every object with the same keys, null for what is missing",
            )
        yield number, [cells.get(name) for name in names]


def _objects(lines: Iterator[tuple[int, bytes]], where: str) -> Iterator[tuple[int, _Cells]]:
    for number, line in lines:
        yield number, _cells(line, f"{where}, line {number:,}")


def _lines(chunks: Iterator[bytes], where: str) -> Iterator[tuple[int, bytes]]:
    rest, number = b"", 0
    for chunk in chunks:
        whole, newline, tail = (rest + chunk).rpartition(b"\n")
        rest = tail
        if newline:
            check_utf8(whole, where, number + 1)
            for line in whole.split(b"\n"):
                number += 1
                if line.strip():
                    yield number, line
        if len(rest) > MAX_RECORD_BYTES:
            raise InputRefused(
                f"a line has more than {MAX_RECORD_BYTES:,} bytes",
                where=f"{where}, line {number + 1:,}",
                fix="write one JSON object a line",
            )
    if rest.strip():
        check_utf8(rest, where, number + 1)
        yield number + 1, rest


def _cells(line: bytes, place: str) -> _Cells:
    try:
        value = json.loads(
            line, parse_int=_Number, parse_float=_Number, parse_constant=_Number, object_pairs_hook=_Pairs
        )
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        fix = "write one JSON object a line"
        raise InputRefused(f"the line is not JSON: {reason[:200]}", where=place, fix=fix) from error
    if not isinstance(value, _Pairs):
        raise InputRefused(
            "the line is not a JSON object", where=place, fix='write {"column": value, ...} on every line'
        )
    cells: _Cells = {}
    for name, item in value:
        if name in cells:
            raise InputRefused(f"the key {name[:80]!r} stands twice", where=place, fix="keep one of them")
        cells[name] = _text(item, name, place)
    return cells


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object as they stand there, a key that stands twice included."""


class _Number(str):
    """The spelling of a JSON number."""

    __slots__ = ()


def _text(value: Any, name: str, place: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if len(value) > MAX_FIELD_BYTES // 4:
            check_field(place, name, len(value.encode(errors="surrogatepass")))
        if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
            raise InputRefused(
                f"the value of {name[:80]!r} holds a NUL or half a character", where=place, fix="remove it"
            )
        return str(value)
    kind = "an object" if isinstance(value, _Pairs) else "a list"
    raise InputRefused(
        f"the value of {name[:80]!r} is {kind}", where=place, fix="write one column for each value inside it"
    )
