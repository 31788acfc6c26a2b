"""What is compared - a file, a pandas frame, an Arrow table or reader - as record batches of normal columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rai_assets.charts.text import cut
from rai_assets.data.evidence import Evidence, Guesses
from rai_assets.data.paths import resolve
from rai_assets.data.profiling import MARKERS, Profile
from rai_assets.data.readers import read_parts
from rai_assets.data.readers.batch import Layout
from rai_assets.data.sniffing import sniff
from rai_assets.errors import InputRefused
from rai_assets.monitoring.drift.columns import Kind
from rai_assets.monitoring.drift.normal import held_by, normal_column

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Source:
    """One side of a comparison.

    Attributes:
        name: For people: the file's name, else `reference` or `current`.
        kinds: What every column holds; None where no row has a value.
        batches: The rows, as normal columns; to be read once, unless they are a list.
        unread: {column: why it cannot be compared}.
        vectors: {column of vectors, which the batches have too: their length}.
        notes: What is to be known of how its rows were made.
    """

    name: str
    kinds: Mapping[str, Kind | None]
    batches: Iterable[pa.RecordBatch]
    unread: Mapping[str, str] = field(default_factory=dict)
    vectors: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column, also those that cannot be compared."""
        return (*self.kinds, *self.vectors, *self.unread)


def open_source(
    data: Any,
    name: str,
    categorical: Sequence[str] = (),
    missing: Sequence[str] = (),
    header: Sequence[str] | None = None,
    progress: Progress = lambda *_: None,
) -> Source:
    """Look at one side of a comparison.

    Args:
        data: A path, a frame, a table, or a reader of record batches, which is read once.
        name: What it is called if it is no file.
        categorical: Columns whose numbers are codes.
        missing: Spellings that mean a missing value in a file of text.
        header: Names of the columns of a file of text that has only rows.
        progress: Told (what, bytes done, bytes in all) of a file.

    Raises:
        InputRefused: It cannot be read.
    """
    if isinstance(data, str | Path):
        return _file(Path(data), categorical, missing, header, progress)
    if isinstance(data, pa.RecordBatchReader):
        return _typed(name, data.schema, iter(data), categorical)
    if not isinstance(data, pa.Table):
        data = _from_pandas(data, name)
    return _typed(name, data.schema, iter(data.to_batches()), categorical)


def _from_pandas(frame: Any, name: str) -> pa.Table:
    if not hasattr(frame, "columns") or not hasattr(frame, "dtypes"):
        kind = type(frame).__name__
        raise InputRefused(
            f"the {name} is a {kind}", fix="give a path, a pandas frame, an Arrow table or a RecordBatchReader"
        )
    columns = []
    for position, label in enumerate(frame.columns):
        try:
            columns.append(pa.Array.from_pandas(frame.iloc[:, position]))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InputRefused(
                f"the column holds values of several types: {str(error).splitlines()[0][:120]}",
                where=f"{name}, column {str(label)[:200]!r}",
                fix="give its values one type, e.g. frame[column].astype('string')",
            ) from error
    return pa.table(columns, names=[str(label) for label in frame.columns])


def _file(
    path: Path,
    categorical: Sequence[str],
    missing: Sequence[str],
    header: Sequence[str] | None,
    progress: Progress,
) -> Source:
    found = resolve(Path.cwd(), str(path))
    layout = sniff(found, header, None).layout
    size = found.stat().st_size

    def tell(done: int) -> None:
        progress(f"reading {found.name}", done, size)

    if layout.format == "parquet":
        parts = read_parts(found, layout, tell)
        first = next(parts, None)
        if first is None:
            from pyarrow import parquet

            return _typed(found.name, parquet.read_schema(found), iter(()), categorical)
        batches = chain([first.columns], (part.columns for part in parts))
        return _typed(found.name, first.columns.schema, batches, categorical)
    return _texts(found, layout, categorical, missing, progress, tell)


def _typed(name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch], categorical: Sequence[str]) -> Source:
    if twice := [column for column, rows in Counter(schema.names).items() if rows > 1]:
        raise InputRefused(f"the column name {cut(twice[0], 60)!r} stands twice", where=name, fix="rename one of them")
    kinds: dict[str, Kind | None] = {}
    unread, vectors = {}, {}
    for item in schema:
        kind = held_by(item.type)
        if kind == "vector":
            vectors[item.name] = item.type.list_size
            continue
        if kind == "unreadable":
            unread[item.name] = f"it holds {str(item.type)[:60]}, not single values"
        else:
            kinds[item.name] = "category" if kind == "number" and item.name in categorical else kind  # type: ignore[assignment]

    def normal() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns = [normal_column(batch.column(column), kind) for column, kind in kinds.items()]
            columns += [batch.column(column) for column in vectors]
            yield pa.RecordBatch.from_arrays(columns, names=[*kinds, *vectors])

    return Source(name, kinds, normal(), unread, vectors)


@dataclass(frozen=True)
class _Column:
    """How the texts of one column are read."""

    kind: Kind | None
    trim: bool
    missing: tuple[str, ...]
    zone: bool = False
    lower: bool = False

    def read(self, raw: pa.Array) -> pa.Array:
        if self.kind is None:
            return pa.nulls(len(raw), pa.float64())
        coded = raw if pa.types.is_dictionary(raw.type) else raw.cast(pa.string()).dictionary_encode()
        texts = coded.dictionary.cast(pa.string())
        if self.trim:
            texts = pc.ascii_trim_whitespace(texts)
        if self.lower:
            texts = pc.utf8_lower(texts)
        marked = pc.is_in(texts, pa.array(self.missing, pa.string()))
        texts = pc.if_else(marked, pa.scalar(None, pa.string()), texts)
        if self.kind == "category":
            return pa.DictionaryArray.from_arrays(coded.indices, texts)
        values = texts.cast(pa.float64() if self.kind == "number" else pa.timestamp("us", "UTC" if self.zone else None))
        return normal_column(values.take(coded.indices), self.kind)


def _texts(
    path: Path,
    layout: Layout,
    categorical: Sequence[str],
    missing: Sequence[str],
    progress: Progress,
    tell: Callable[[int], None],
) -> Source:
    """A file of texts, looked at once to see what its columns hold, and read again."""
    size = path.stat().st_size
    profiles: dict[str, Profile] = {}
    try:
        for part in read_parts(path, layout, lambda done: progress(f"looking at {path.name}", done, size)):
            for name in part.columns.schema.names:
                if name not in profiles:
                    profiles[name] = Profile(name)
                profiles[name].add(part.columns.column(name), trim=layout.trim, missing=missing)
        columns = {
            name: _column(profile, layout, name in categorical, tuple(missing)) for name, profile in profiles.items()
        }
    finally:
        for profile in profiles.values():
            profile.close()

    def batches() -> Iterator[pa.RecordBatch]:
        for part in read_parts(path, layout, tell):
            arrays = [column.read(part.columns.column(name)) for name, column in columns.items()]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))

    return Source(path.name, {name: column.kind for name, column in columns.items()}, batches())


def _column(profile: Profile, layout: Layout, code: bool, missing: tuple[str, ...]) -> _Column:
    """Numbers and times may have marks of missing values among them; in texts only the empty one is missing."""
    found = Guesses(missing=["", *missing, *profile.markers])
    kind = Evidence(profile, found).kind
    plain = ("", *missing)
    if kind == "timestamp":
        return _Column("time", layout.trim, (*plain, *MARKERS), zone=profile.utc_times)
    if kind in ("integer", "number") and not code:
        return _Column("number", layout.trim, (*plain, *MARKERS))
    if kind is None:
        real = set(profile.markers) - set(plain)
        return _Column("category" if real - {"NA", "NaN", "nan", "NULL", "null", "?"} else None, layout.trim, plain)
    return _Column("category", layout.trim, plain, lower=kind == "boolean")
