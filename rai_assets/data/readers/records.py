"""Cutting the text of a delimited file into blocks of whole records, and refusing what has two readings.

Quotes follow RFC 4180: a quoted field begins with a quote and ends with one, a quote inside it is doubled. Under
this rule the number of quotes before a line end tells whether the line end is inside a field, so that blocks can be
cut and lines counted with a few vector operations. A quote anywhere else breaks the rule and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rai_assets.data.readers.limits import MAX_RECORD_BYTES
from rai_assets.data.readers.text import check_utf8
from rai_assets.errors import InputRefused

_QUOTE, _NEWLINE, _RETURN = b'"\n\r'
_BLANK_BESIDE_QUOTE = re.compile(b'[ \t]"|"[ \t]')


@dataclass(frozen=True)
class Block:
    """Whole records, each with its line end; empty lines between them count as lines and not as records.

    Attributes:
        data: Their bytes, UTF-8.
        first_line: Line of the first byte, from 1.
    """

    data: bytes
    first_line: int

    def line_at(self, position: int) -> int:
        """The line of a byte."""
        return self.first_line + self.data.count(b"\n", 0, position)

    def line_of(self, record: int) -> int:
        """The line where the i-th record begins."""
        return self.line_at(int(self._starts[record]))

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        ends = record_ends(self.data)
        if not len(ends):
            return ends
        starts = np.concatenate([[0], ends[:-1]])
        content = np.frombuffer(self.data, np.uint8)[starts]
        empty = (content == _NEWLINE) | ((content == _RETURN) & (ends - starts == 2))
        return starts[~empty]

    def after_first_record(self) -> tuple[bytes, Block] | None:
        """The first record and the block behind it; None if there is no record."""
        if not len(self._starts):
            return None
        start = int(self._starts[0])
        ends = record_ends(self.data)
        end = int(ends[np.searchsorted(ends, start, side="right")])
        return self.data[start:end], Block(self.data[end:], self.line_at(end))


def record_ends(data: bytes) -> NDArray[np.int64]:
    """Positions behind the line ends that end a record."""
    characters = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(characters == _NEWLINE)
    if b'"' in data:
        quotes = np.flatnonzero(characters == _QUOTE)
        newlines = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    return newlines + 1


def blocks(chunks: Iterator[bytes], separator: str, comment: str | None, where: str, *, trim: bool) -> Iterator[Block]:
    """Blocks of whole records from chunks of text.

    Args:
        chunks: Bytes of the text, cut anywhere.
        separator: What separates fields, one character.
        comment: What a line that is skipped begins with; it becomes an empty line, so that lines keep their numbers.
        where: The file, for errors.
        trim: Whether blanks between a separator and a quote are dropped.

    Raises:
        InputRefused: Not UTF-8, an unclosed or a stray quote, a lone carriage return, or a record without end.
    """
    rest, line = b"", 1
    comments = _comments(comment)
    blanks = _blanks_beside_quotes(separator) if trim else None
    for chunk in chunks:
        rest += chunk
        if comments is not None and comments.probe.search(rest):
            rest = comments.pattern.sub(_keep_quoted, rest)
        ends = record_ends(rest) if b'"' in rest else np.array([rest.rfind(b"\n") + 1])
        cut = int(ends[-1]) if len(ends) else 0
        if cut:
            yield _checked(Block(rest[:cut], line), separator, where, blanks)
            line += rest.count(b"\n", 0, cut)
            rest = rest[cut:]
        if len(rest) > MAX_RECORD_BYTES:
            raise _endless(Block(rest, line), where)
    if rest:
        last = rest if rest.endswith(b"\n") else rest + b"\n"
        if comments is not None:
            last = comments.pattern.sub(_keep_quoted, last)
        block = Block(last, line)
        if last.count(b'"') % 2:
            raise _endless(block, where)
        yield _checked(block, separator, where, blanks)


@dataclass(frozen=True)
class _Comments:
    probe: re.Pattern[bytes]
    pattern: re.Pattern[bytes]


def _comments(comment: str | None) -> _Comments | None:
    if comment is None:
        return None
    prefix = re.escape(comment.encode())
    # A quoted field is taken whole, so that a line inside it is never a comment.
    return _Comments(
        re.compile(b"^" + prefix, re.MULTILINE),
        re.compile(b'("[^"]*(?:""[^"]*)*(?:"|\\Z))|(?:^' + prefix + b"[^\n]*(?=\n))", re.MULTILINE),
    )


def _keep_quoted(match: re.Match[bytes]) -> bytes:
    return match[1] or b""


def _blanks_beside_quotes(separator: str) -> re.Pattern[bytes] | None:
    if separator.isspace():
        return None
    sign = re.escape(separator.encode())
    return re.compile(
        b"((?:^|(?<=[\n" + sign + b']))[ \t]+(?="))|("[^"]*(?:""[^"]*)*")(?:[ \t]+(?=[' + sign + b"\r\n]))?"
    )


def _checked(block: Block, separator: str, where: str, blanks: re.Pattern[bytes] | None) -> Block:
    check_utf8(block.data, where, block.first_line)
    if b'"' in block.data:
        if blanks is not None and _BLANK_BESIDE_QUOTE.search(block.data):
            block = Block(blanks.sub(lambda match: match[2] or b"", block.data), block.first_line)
        _refuse_stray_quotes(block, separator, where)
    if block.data.count(b"\r") != block.data.count(b"\r\n"):
        _refuse_lone_returns(block, where)
    return block


def _refuse_stray_quotes(block: Block, separator: str, where: str) -> None:
    # Two line ends around the block stand for its borders.
    characters = np.frombuffer(b"\n" + block.data + b"\n", np.uint8)
    quotes = np.flatnonzero(characters == _QUOTE)
    outside = np.isin(np.arange(256), [_NEWLINE, _RETURN, ord(separator)])
    before, after = characters[quotes - 1], characters[quotes + 1]
    opening = np.arange(len(quotes)) % 2 == 0
    fits = np.where(opening, outside[before] | (before == _QUOTE), outside[after] | (after == _QUOTE))
    if not fits.all():
        place = int(quotes[np.argmin(fits)]) - 1
        raise InputRefused(
            "a quote stands inside a field that is not quoted as a whole",
            where=f"{where}, line {block.line_at(place):,}",
            fix='write the field as "..." with every quote inside it doubled; blanks around quotes need `trim: true`',
        )


def _refuse_lone_returns(block: Block, where: str) -> None:
    characters = np.frombuffer(block.data, np.uint8)
    returns = np.flatnonzero(characters == _RETURN)
    lone = returns[characters[returns + 1] != _NEWLINE]
    quotes = np.flatnonzero(characters == _QUOTE)
    lone = lone[np.searchsorted(quotes, lone) % 2 == 0]
    if len(lone):
        raise InputRefused(
            "a carriage return stands alone, without a line feed",
            where=f"{where}, line {block.line_at(int(lone[0])):,}",
            fix="save the file with the line ends of Unix or Windows",
        )


def _endless(block: Block, where: str) -> InputRefused:
    quotes = np.flatnonzero(np.frombuffer(block.data, np.uint8) == _QUOTE)
    if len(quotes) % 2:
        opened = block.line_at(int(_last_opening(block.data, quotes)))
        return InputRefused(
            "a quote is opened and not closed",
            where=f"{where}, line {opened:,}",
            fix="close it, or double every quote that belongs to the text",
        )
    return InputRefused(
        f"a row has more than {MAX_RECORD_BYTES:,} bytes",
        where=f"{where}, line {block.first_line:,}",
        fix="check the line ends of the file",
    )


def _last_opening(data: bytes, quotes: NDArray[np.int64]) -> int:
    """Where the quoting went wrong: the quote before the first one that closes in mid-word, else the last one."""
    characters = np.frombuffer(data + b"\n", np.uint8)
    words = ~np.isin(np.arange(256), list(b'\n\r",;\t| '))
    broken = np.flatnonzero(words[characters[quotes[1::2] + 1]])
    return int(quotes[2 * broken[0]] if len(broken) else quotes[-1])
