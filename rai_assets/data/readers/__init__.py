"""Source files of every format as Arrow record batches, streamed; memory does not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from rai_assets.data.paths import resolve
from rai_assets.data.readers.batch import Batch, Layout, Part
from rai_assets.data.settings import DatasetSettings, Format
from rai_assets.errors import InputRefused

__all__ = ["Batch", "Layout", "Part", "format_of", "read_batches", "read_parts", "separator_of"]

_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".dat": "csv",
    ".data": "csv",
    ".test": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "excel",
}
_REFUSED = {
    ".feather": "Feather files are not read: a damaged one can harm the reader; write the data as Parquet",
    ".arrow": "Arrow files are not read: a damaged one can harm the reader; write the data as Parquet",
    ".ipc": "Arrow files are not read: a damaged one can harm the reader; write the data as Parquet",
    ".json": "one JSON document is not read; write one object a line and name the file .jsonl",
    ".xls": "old workbooks are not read; save the sheet as .xlsx or CSV",
    ".pkl": "pickles run code when they are read; write the data as CSV or Parquet",
    ".pickle": "pickles run code when they are read; write the data as CSV or Parquet",
    ".npy": "arrays without column names are not read; write the data as CSV or Parquet",
    ".npz": "arrays without column names are not read; write the data as CSV or Parquet",
    ".zip": "archives are not read; unpack it and name the file inside",
    ".tar": "archives are not read; unpack it and name the file inside",
}


def format_of(path: str, declared: Format | None = None) -> Format:
    """How a file is written: as declared, else as its extension says.

    Raises:
        InputRefused: The extension is unknown, or names a format that is not read.
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    last = suffixes[-1] if suffixes else ""
    inner = suffixes[-2] if last == ".gz" and len(suffixes) > 1 else last
    if inner in _REFUSED:
        what, fix = _REFUSED[inner].split("; ")
        raise InputRefused(what, where=path[:200], fix=fix)
    if declared is not None:
        return declared
    found = _FORMATS.get(inner)
    if found is None:
        raise InputRefused(
            f"the extension {inner[:20]!r} does not tell how the file is written",
            where=path[:200],
            fix="declare `format: csv`, `parquet`, `jsonl` or `excel`",
        )
    if last == ".gz" and found in ("parquet", "excel"):
        raise InputRefused("this format is compressed already", where=path[:200], fix="unpack the .gz")
    return found


def separator_of(path: str, declared: str | None) -> str:
    """What separates the fields of a text file: as declared, else a tab for `.tsv` and a comma for the rest."""
    return declared or ("\t" if ".tsv" in Path(path).suffixes[-2:] else ",")


def read_parts(path: Path, layout: Layout, tell: Callable[[int], None] = lambda _: None) -> Iterator[Part]:
    """The rows of one file as they stand there.

    Args:
        path: The file.
        layout: How the rows stand in it.
        tell: Told the bytes of the file read so far.

    Raises:
        InputRefused: The file cannot be read as this layout says; names file, line, column, cause and fix.
    """
    if layout.format == "csv":
        from rai_assets.data.readers.csv_files import csv_parts

        return csv_parts(path, layout, tell)
    if layout.format == "jsonl":
        from rai_assets.data.readers.json_lines import json_parts

        return json_parts(path, layout, tell)
    if layout.format == "parquet":
        from rai_assets.data.readers.parquet_files import parquet_parts

        return parquet_parts(path, tell)
    from rai_assets.data.readers.excel import excel_parts

    return excel_parts(path, layout, tell)


def read_batches(
    settings: DatasetSettings, base: Path, progress: Callable[[str, int, int], None] = lambda *_: None
) -> Iterator[Batch]:
    """The rows of a data set's files, one file after the other, not yet converted to the declared types.

    Args:
        settings: The declared files.
        base: The folder relative paths start from.
        progress: Told (what, bytes done, bytes in all) of every file.

    Raises:
        InputRefused: A file is not there or cannot be read.
    """
    for index, file in enumerate(settings.files):
        layout = Layout.of(settings, format_of(file.path, settings.format), separator_of(file.path, settings.separator))
        path = resolve(base, file.path)
        size, first_row = path.stat().st_size, 1

        def tell(done: int, name: str = path.name, size: int = size) -> None:
            progress(f"reading {name}", done, size)

        for part in read_parts(path, layout, tell):
            yield Batch(index, file.path, first_row, part)
            first_row += part.columns.num_rows
