"""Bytes of a text file, decompressed and decoded, as chunks of UTF-8; what cannot be text is refused by name."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from rai_assets.data.readers.limits import CHUNK_BYTES, Expansion
from rai_assets.errors import InputRefused

_FOREIGN = {
    b"PAR1": ("a Parquet file", "declare `format: parquet`"),
    b"ARROW1": ("an Arrow file", "write the data as Parquet"),
    b"FEA1": ("a Feather file", "write the data as Parquet"),
    b"PK\x03\x04": ("a zip archive or a workbook", "unpack it; for a workbook declare `format: excel`"),
    b"\x1f\x8b": ("compressed by gzip", "give its name the ending .gz"),
    b"BZh": ("compressed by bzip2", "unpack it, or compress it by gzip"),
    b"\xfd7zXZ": ("compressed by xz", "unpack it, or compress it by gzip"),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "unpack it, or compress it by gzip"),
    b"\x80\x04\x95": ("a pickle", "write the data as CSV or Parquet"),
    b"SQLite format 3": ("a database", "export the table as CSV or Parquet"),
}


def decoded_chunks(path: Path, encoding: str, tell: Callable[[int], None]) -> Iterator[bytes]:
    """The text of a file in UTF-8, without its byte order mark.

    UTF-8 itself is passed on unchecked: a character may be cut in two here. Whoever cuts lines checks it.

    Args:
        path: The file; decompressed if its name ends in `.gz`.
        encoding: Its text encoding.
        tell: Told the bytes of the file read so far.

    Raises:
        InputRefused: It is not text, not in this encoding, damaged, or expands too much.
    """
    where = path.name
    expansion = Expansion(where, path.stat().st_size)
    utf8 = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
    decoder = codecs.getincrementaldecoder("utf-8" if utf8 else encoding)()
    line, first = 1, True
    for raw in _raw_chunks(path, tell):
        expansion.add(len(raw))
        if first:
            _refuse_foreign(raw, where, utf8=utf8)
            raw = raw.removeprefix(codecs.BOM_UTF8) if utf8 else raw
            first = False
        chunk = raw if utf8 else _decode(decoder, raw, where, encoding, line)
        if b"\0" in chunk:
            line += chunk[: chunk.index(b"\0")].count(b"\n")
            raise InputRefused(
                "the file holds a NUL byte",
                where=f"{where}, line {line:,}",
                fix="remove it; if the file is UTF-16, declare `encoding: utf-16`",
            )
        yield chunk
        line += chunk.count(b"\n")
    if first:
        raise InputRefused("the file is empty", where=where, fix="fetch or export it again")
    if not utf8:
        rest = _decode(decoder, b"", where, encoding, line, final=True)
        if rest:
            yield rest


def _raw_chunks(path: Path, tell: Callable[[int], None]) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            stream: BinaryIO = gzip.GzipFile(fileobj=file) if path.suffix.lower() == ".gz" else file  # type: ignore[assignment]
            with closing(stream):
                while chunk := stream.read(CHUNK_BYTES):
                    yield chunk
                    tell(file.tell())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputRefused(
            f"the file ends in .gz and cannot be decompressed: {error}",
            where=path.name,
            fix="fetch it again, it is damaged",
        ) from error
    except OSError as error:
        raise InputRefused(
            f"the file cannot be read: {error.strerror or error}", where=path.name, fix="check that you may read it"
        ) from error


def _refuse_foreign(start: bytes, where: str, *, utf8: bool) -> None:
    for magic, (what, fix) in _FOREIGN.items():
        if start.startswith(magic):
            raise InputRefused(f"the file is {what}, not plain text", where=where, fix=fix)
    if utf8 and start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputRefused("the file is UTF-16", where=where, fix="declare `encoding: utf-16`, or save it as UTF-8")


def _decode(
    decoder: codecs.IncrementalDecoder, raw: bytes, where: str, encoding: str, line: int, *, final: bool = False
) -> bytes:
    try:
        return decoder.decode(raw, final).encode()
    except UnicodeError as error:
        line += raw[: getattr(error, "start", 0)].count(b"\n")
        raise InputRefused(
            f"the file is not text in the encoding {encoding}",
            where=f"{where}, about line {line:,}",
            fix="declare the encoding it was written in",
        ) from error


def check_utf8(block: bytes, where: str, first_line: int) -> None:
    """Refuse bytes that are not UTF-8, with their line.

    Raises:
        InputRefused: They are not.
    """
    try:
        block.decode()
    except UnicodeDecodeError as error:
        line = first_line + block[: error.start].count(b"\n")
        raise InputRefused(
            f"the byte 0x{block[error.start]:02X} is not UTF-8",
            where=f"{where}, line {line:,}",
            fix="declare the file's encoding, e.g. `encoding: latin-1`, or save it as UTF-8",
        ) from error
