"""Small files that decode to very much: made row group by row group, so that making them stays cheap."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet


def _write(path: Path, column: pa.Array, times: int, **options: object) -> Path:
    """A Parquet file with the column `a` and its values `times` over, in one row group."""
    schema = pa.schema([("a", column.type)])
    batch = pa.record_batch([column], schema=schema)
    with parquet.ParquetWriter(path, schema, compression="zstd", write_statistics=False, **options) as writer:
        for _ in range(times):
            writer.write_batch(batch)
    return path


def dictionary(path: Path) -> Path:
    """One text of 200,000 characters, 200,000 times: 4 KB that decode to 40 GB."""
    codes = pa.array([0] * 10_000, pa.int32())
    return _write(path, pa.DictionaryArray.from_arrays(codes, pa.array(["x" * 200_000])), 20)


def page(path: Path) -> Path:
    """One value of 1.2 GB in one page, 40 KB compressed."""
    value = pa.array([b"x" * 1_200_000_000], pa.large_binary())
    return _write(path, value, 1, use_dictionary=False)


def fixed_width(path: Path) -> Path:
    """8,192 values of 1 MiB each, of a type whose values are all written out: 24 KB that decode to 8 GB."""
    return _write(path, pa.array([b"x" * (1 << 20)] * 16, pa.binary(1 << 20)), 512)


def deltas(path: Path) -> Path:
    """16,384 values that each repeat the one before, at no cost: 6 KB that decode to 1.6 GB."""
    values = pa.array(["x" * 100_000] * 512)
    return _write(path, values, 32, use_dictionary=False, column_encoding={"a": "DELTA_BYTE_ARRAY"})


def nothing(path: Path) -> Path:
    """200 million missing values, one run of one code: 0.4 MB that decode to 1.8 GB."""
    return _write(path, pa.nulls(20_000_000, pa.int64()), 10)


def workbook(path: Path) -> Path:
    """A sheet of 200 MB of blanks, 200 KB compressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            for _ in range(200):
                sheet.write(b" " * 1_000_000)
    return path


def many_parts(path: Path) -> Path:
    """A workbook of 20,000 empty parts."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(str(number), b"")
    return path
