"""The bytes of a result: its numbers, charts and tables as files, and back. The same result gives the same bytes."""

from __future__ import annotations

import io
import json
import mimetypes
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from rai_assets.metrics.number import Number
from rai_assets.store.changes import OCTET_STREAM

if TYPE_CHECKING:
    import pyarrow as pa

    from rai_assets.provenance import Provenance
    from rai_assets.store.results import Result

# Written once per result, in its provenance, and put back when the numbers are read.
_PINNED = frozenset({"branch", "commit", "model", "address"})
_DEFAULTS = {
    item.name: item.default_factory() if item.default_factory is not MISSING else item.default
    for item in fields(Number)
    if item.default is not MISSING or item.default_factory is not MISSING
}


def encode(result: Result, input_digest: str) -> list[tuple[str, bytes]]:
    """Path and content of every file of a result."""
    head = {
        "asset": result.asset,
        "provenance": result.provenance.as_json(),
        "input_digest": input_digest,
        "facts": result.facts,
        "notes": result.notes,
        "parts": {"charts": list(result.charts), "tables": list(result.tables), "files": list(result.files)},
    }
    return [
        ("result.json", _json(head, indent=1)),
        ("numbers.json", encode_numbers(result.numbers)),
        *((f"charts/{name}.json", _json(chart)) for name, chart in result.charts.items()),
        *((f"tables/{name}.parquet", _parquet(table)) for name, table in result.tables.items()),
        *((f"files/{name}", content) for name, content in result.files.items()),
    ]


def encode_numbers(numbers: list[Number]) -> bytes:
    """One number per line, without the fields that stand at their default."""
    lines = (
        json.dumps(
            {name: value for name, value in number.as_json().items() if _says_something(name, value)},
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
            default=_plain,
        )
        for number in numbers
    )
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def decode_numbers(content: bytes, provenance: Provenance) -> list[Number]:
    """The numbers of a result, pinned to its provenance."""
    return [Number.from_json(value).pinned(provenance) for value in json.loads(content)]


def decode_table(content: bytes) -> pa.Table:
    """A table as it was encoded."""
    import pyarrow.parquet as pq

    # Without Arrow's threads: a short command could end before they do, and abort.
    with pq.ParquetFile(io.BytesIO(content), pre_buffer=False) as file:
        return file.read(use_threads=False)


def content_type(path: str) -> str:
    """Media type of a file of a result."""
    if path.endswith(".parquet"):
        return "application/vnd.apache.parquet"
    return mimetypes.types_map.get(f".{path.rpartition('.')[2]}", OCTET_STREAM)


def _says_something(name: str, value: object) -> bool:
    return name not in _PINNED and (name not in _DEFAULTS or value != _DEFAULTS[name])


def _json(value: object, indent: int | None = None) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, default=_plain)
    return (text + "\n").encode()


def _plain(value: Any) -> Any:
    """A numpy scalar as Python's own."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return value.item()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _parquet(table: pa.Table) -> bytes:
    """A table as Parquet; its bytes depend on its rows, not on how they are cut into chunks."""
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(table.unify_dictionaries().combine_chunks(), out, compression="zstd")
    return out.getvalue()
