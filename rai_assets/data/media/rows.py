"""The rows of a data set with media: each row's file is told in columns of the row and in the manifest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Protocol, Self

import pyarrow as pa
from pyarrow import parquet

from rai_assets.charts.text import how_many
from rai_assets.data.contract import Column
from rai_assets.data.dataset import FILES
from rai_assets.data.media.examine import Facts
from rai_assets.data.media.settings import FACTS
from rai_assets.data.readers import read_batches
from rai_assets.data.readers.batch import Batch, Part
from rai_assets.data.rules import Violation, shown
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.table_file import TableWriter
from rai_assets.errors import InputRefused
from rai_assets.progress import announce
from rai_assets.store.errors import InvalidPath
from rai_assets.store.names import check_path

_SHOWN = 5
_SCHEMA = pa.schema(
    [pa.field("path", pa.string()), *(pa.field(name, Column(name, item).arrow_type) for name, item in FACTS.items())]
)
# As Python's values are turned into arrays: a category is a text first.
_PLAIN = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in _SCHEMA]

_FIELDS = tuple(name.removeprefix("media_") for name in FACTS)
_AT_ONCE = 4096  # rows whose facts are held as objects


class NotThere(Exception):
    """A row names no file that can be stored; the text says why."""


class FilesOfRows:
    """Files that stay where they are: there is nothing to close, and each is the file of one row."""

    def __init__(self) -> None:
        self._row_of: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def _claim(self, path: str, row: int) -> None:
        """The file is this row's.

        Raises:
            NotThere: An earlier row named it.
        """
        first = self._row_of.setdefault(path, row)
        if first != row:
            raise NotThere(f"is the file of row {first:,} already")


class MediaFiles(Protocol):
    """Files that rows name, wherever they lie. A context manager.

    Attributes:
        where: The place in words.
        tables_have_facts: Whether tables that name them have the columns made of them already.
    """

    where: str
    tables_have_facts: bool

    def __enter__(self) -> MediaFiles: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def facts(self, path: str, row: int) -> Facts:
        """What is known of a row's file.

        Raises:
            NotThere: There is no such file, or it may not be stored, or an earlier row named it.
        """
        ...

    def without_row(self) -> list[str]:
        """Files that no row has named so far."""
        ...


class MediaRows:
    """Goes through the rows of a data set and the files they name. A context manager.

    At its end, files that no row names are counted and said; they are not stored.

    Args:
        settings: The declaration, with `media`.
        files: The files.
        manifest: The Parquet file to write; whole when the context ends.
        violate: Told (rule, violation) where a rule about files does not hold.
    """

    def __init__(
        self, settings: DatasetSettings, files: MediaFiles, manifest: Path, violate: Callable[[str, Violation], None]
    ) -> None:
        assert settings.media is not None  # noqa: S101  asked for such data sets only
        self.files, self.manifest = files, manifest
        self._media, self._trim = settings.media, settings.trim
        self._violate = violate
        # What is declared as `ignored` is no part of a table that is read back from the store.
        kinds = dict(zip(_SCHEMA.names[1:], _PLAIN[1:], strict=True))
        if self._media.label:
            kinds[self._media.label] = pa.string()
        self._made_schema = pa.schema([(name, kind) for name, kind in kinds.items() if name in settings.columns])
        self._rows = self._files = self._bytes = 0
        self._counts = {name: Counter[str]() for name in ("kind", "type", "note")}
        self._open = ExitStack()

    def __enter__(self) -> MediaRows:
        with ExitStack() as stack:
            stack.enter_context(self.files)
            self._writer = stack.enter_context(TableWriter(self.manifest, _SCHEMA))
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and (without := self.files.without_row()):
            some = ", ".join(map(shown, sorted(without)[:_SHOWN]))
            files = how_many(len(without), "file")
            announce(f"Named by no row and left out: {files} of {self.files.where}: {some}")
        self._open.__exit__(kind, error, trace)

    def describe(self, batch: Batch) -> Batch:
        """The batch with the columns that are made of the rows' files.

        Raises:
            InputRefused: The table does not name files, or has a column that is made here.
        """
        columns = self._own_columns(batch)
        paths = columns.column(self._media.path).cast(pa.string())
        starts = range(0, columns.num_rows, _AT_ONCE)
        made = pa.Table.from_batches([self._made(paths, at, batch) for at in starts], self._made_schema)
        arrays = [column.combine_chunks() for column in made.columns]
        joined = pa.RecordBatch.from_arrays(
            [*columns.columns, *arrays], names=[*columns.schema.names, *self._made_schema.names]
        )
        return Batch(batch.file, batch.path, batch.first_row, Part(joined, batch.part.line_of))

    def summary(self) -> dict[str, Any]:
        """How many files of what kinds there are, and their digest, as JSON, once the context has ended."""
        kinds = {f"{name}s": dict(sorted(counts.items())) for name, counts in self._counts.items()}
        return {"files": self._files, "bytes": self._bytes, "digest": _digest(self.manifest), **kinds}

    def _own_columns(self, batch: Batch) -> pa.RecordBatch:
        """The table's columns without those that are made of the files."""
        columns, made = batch.part.columns, {*FACTS, self._media.label}
        names = columns.schema.names
        if self._media.path not in names:
            raise InputRefused(
                f"there is no column {self._media.path!r} that names the files",
                where=batch.path,
                fix="name the column in `media: {path: ...}`",
            )
        taken = next((name for name in names if name in made), None)
        if taken is not None and not self.files.tables_have_facts:
            raise InputRefused(
                f"the column {taken!r} is made of the media files", where=batch.path, fix="rename it in the table"
            )
        return columns.select([name for name in names if name not in made])

    def _made(self, paths: pa.Array, start: int, batch: Batch) -> pa.RecordBatch:
        """The made columns of some rows, whose files are written to the manifest."""
        named = [path and self._trimmed(path) for path in paths.slice(start, _AT_ONCE).to_pylist()]
        found = [self._row(path, batch, index) for index, path in enumerate(named, start)]
        told = [_cells(path, facts) for path, facts in zip(named, found, strict=True)]
        known = [cells for cells, facts in zip(told, found, strict=True) if facts is not None]
        cast = [array.cast(field.type) for array, field in zip(_arrays(known), _SCHEMA, strict=True)]
        self._writer.write(pa.RecordBatch.from_arrays(cast, schema=_SCHEMA))
        made = dict(zip(_SCHEMA.names, _arrays(told), strict=True))
        if self._media.label:
            made[self._media.label] = pa.array([path and _folder(path) for path in named], pa.string())
        return pa.RecordBatch.from_arrays([made[name] for name in self._made_schema.names], schema=self._made_schema)

    def _trimmed(self, path: str) -> str:
        return path.strip() if self._trim else path

    def _row(self, path: str | None, batch: Batch, index: int) -> Facts | None:
        """What is known of the file that a row names; None, and a violation said, where it is not to be stored."""
        self._rows += 1
        try:
            facts = self.files.facts(_checked(path), self._rows)
        except NotThere as refused:
            self._violate("media_files", self._violation(str(refused), path, batch, index))
            return None
        if facts.problem:
            self._violate("media_readable", self._violation(facts.problem, path, batch, index))
        self._files += 1
        self._bytes += facts.bytes
        for what, counts in self._counts.items():
            value = getattr(facts, what)
            counts.update([value] if value else [])
        return facts

    def _violation(self, problem: str, path: str | None, batch: Batch, index: int) -> Violation:
        return Violation(problem, self._media.path, batch.place(index), None if path is None else shown(path))


def named_files(settings: DatasetSettings, base: Path) -> set[str]:
    """What the rows of files name, as it stands there; nothing where no column names files.

    Args:
        settings: The files, with `media`.
        base: The folder relative paths start from.

    Raises:
        InputRefused: A file cannot be read.
    """
    assert settings.media is not None  # noqa: S101  asked for such data sets only
    found: set[str] = set()
    for batch in read_batches(settings, base):
        if settings.media.path in batch.part.columns.schema.names:
            names = batch.part.columns.column(settings.media.path).cast(pa.string()).to_pylist()
            found.update(name.strip() if settings.trim else name for name in names if name)
    return found


def sorted_files(manifest: Path, columns: Sequence[str]) -> pa.Table:
    """Columns of a manifest, with its rows in byte order of their paths: the order of a store's listing."""
    return parquet.read_table(manifest, columns=list(columns), use_threads=False).sort_by("path")


def _digest(manifest: Path) -> str:
    """What the store's `tree_digest` says of exactly the files of a manifest."""
    digest = hashlib.sha256()
    for batch in sorted_files(manifest, ["path", "media_sha256"]).to_batches(_AT_ONCE):
        for path, sha256 in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            digest.update(f"{sha256}  {FILES}{path}\n".encode())
    return digest.hexdigest()


def facts_of(row: dict[str, Any]) -> Facts:
    """The facts that a row of a manifest was written from."""
    found = {name.removeprefix("media_"): value for name, value in row.items() if name in FACTS}
    readable = found.pop("readable")
    return Facts(**found) if readable else Facts(**{**found, "note": None, "problem": found["note"]})


def _checked(path: str | None) -> str:
    if not path:
        raise NotThere("names no file")
    try:
        check_path(FILES + path)
    except InvalidPath as error:
        raise NotThere(f"is no path inside the media folder: {error.what.rpartition(': ')[2]}") from error
    return path


def _folder(path: str) -> str | None:
    return PurePosixPath(path).parent.name or None


def _cells(path: str | None, facts: Facts | None) -> tuple[Any, ...]:
    """A row of the manifest; a file that cannot be read says why in its note."""
    if facts is None:
        return (path, *(None for _ in FACTS))
    cells = vars(facts) | {"note": facts.problem or facts.note, "readable": facts.problem is None}
    return (path, *map(cells.__getitem__, _FIELDS))


def _arrays(rows: list[tuple[Any, ...]]) -> list[pa.Array]:
    columns = zip(*rows, strict=True) if rows else ((),) * len(_PLAIN)
    return [pa.array(column, kind) for column, kind in zip(columns, _PLAIN, strict=True)]
