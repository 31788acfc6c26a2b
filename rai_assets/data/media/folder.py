"""The files that a table's rows name: each found, looked at, told in columns of its row and in the manifest."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import astuple
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

import pyarrow as pa

from rai_assets.data.contract import Column
from rai_assets.data.dataset import FILES
from rai_assets.data.media.examine import Facts, examine
from rai_assets.data.media.memory import FileMemory
from rai_assets.data.media.settings import FACTS
from rai_assets.data.paths import resolve_folder
from rai_assets.data.readers.batch import Batch, Part
from rai_assets.data.rules import Violation, shown
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.table_file import TableWriter
from rai_assets.errors import InputRefused
from rai_assets.home import home
from rai_assets.progress import announce
from rai_assets.store.errors import InvalidPath
from rai_assets.store.names import check_path

Violate = Callable[[str, Violation], None]
Progress = Callable[[str, int, int], None]

_SHOWN = 5
_NOTHING: tuple[None, ...] = (None,) * len(FACTS)
_TYPES = [pa.field(name, Column(name, declared).arrow_type) for name, declared in FACTS.items()]
_PLAIN = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in _TYPES]
SCHEMA = pa.schema([pa.field("path", pa.string()), *_TYPES])
"""The manifest: the path inside the folder, and the columns that are made of every file."""


class MediaFolder:
    """Goes through the rows of a data set and the files they name. A context manager.

    Args:
        settings: The declaration, with `media`.
        base: The folder declared paths start from.
        manifest: The Parquet file to write; whole when the context ends.
        violate: Told (rule, violation) where a rule about files does not hold.
        progress: Told (what, bytes done, bytes in all).
    """

    def __init__(
        self, settings: DatasetSettings, base: Path, manifest: Path, violate: Violate, progress: Progress
    ) -> None:
        assert settings.media is not None  # noqa: S101  asked for such data sets only
        self._media, self._trim = settings.media, settings.trim
        self.root = resolve_folder(base, self._media.folder)
        self.manifest = manifest
        self._violate, self._progress = violate, progress
        self._device = self.root.stat().st_dev
        self._links: Counter[Any] = Counter()  # names in the folder of files that have several
        self._total = self._done = self._rows = 0
        self._row_of: dict[Any, int] = {}
        self._counts = {name: Counter[str]() for name in ("kind", "type", "note")}
        for _, status in _walk(self.root):
            self._total += status.st_size
            if status.st_nlink > 1:
                self._links[self._key(status)] += 1
        with ExitStack() as stack:
            self._memory = stack.enter_context(FileMemory(home() / "media.sqlite"))
            self._manifest = stack.enter_context(TableWriter(manifest, SCHEMA))
            self._open = stack.pop_all()

    def __enter__(self) -> MediaFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def describe(self, batch: Batch) -> Batch:
        """The batch with the columns that are made of the rows' files.

        Raises:
            InputRefused: The table does not name files, or has a column that is made here.
        """
        columns = batch.part.columns
        names = columns.schema.names
        made = [*FACTS, *([self._media.label] if self._media.label else [])]
        if self._media.path not in names:
            raise InputRefused(
                f"there is no column {self._media.path!r} that names the files",
                where=batch.path,
                fix="name the column in `media: {path: ...}`",
            )
        taken = next((name for name in made if name in names), None)
        if taken is not None:
            raise InputRefused(
                f"the column {taken!r} is made of the media files", where=batch.path, fix="rename it in the table"
            )
        paths = columns.column(self._media.path).cast(pa.string()).to_pylist()
        paths = [path.strip() if path and self._trim else path for path in paths]
        found = [self._row(path, batch, index) for index, path in enumerate(paths)]
        told = [(path, *_values(facts)) for path, facts in zip(paths, found, strict=True) if facts is not None]
        self._manifest.write(_batch(told))
        arrays = _arrays([_NOTHING if facts is None else _values(facts) for facts in found], _PLAIN)
        if self._media.label:
            arrays.append(pa.array([path and (PurePosixPath(path).parent.name or None) for path in paths], pa.string()))
        joined = pa.RecordBatch.from_arrays([*columns.columns, *arrays], names=[*names, *made])
        return Batch(batch.file, batch.path, batch.first_row, Part(joined, batch.part.line_of))

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What was found, as JSON, once all rows were described.

        Files that no row names are counted, said, and not stored.
        """
        without = [path for path, status in _walk(self.root) if self._key(status) not in self._row_of]
        if without:
            some = ", ".join(map(shown, sorted(without)[:_SHOWN]))
            announce(f"{len(without):,} files of {self._media.folder} are named by no row and not stored: {some}")
        return {
            "files": self._counts["kind"].total(),
            "bytes": self._done,
            "files_without_row": len(without),
            **{f"{name}s": dict(sorted(counts.items())) for name, counts in self._counts.items()},
        }

    def _row(self, name: str | None, batch: Batch, index: int) -> Facts | None:
        """What is known of the file that a row names; None, and a violation said, where it is not to be stored."""
        self._rows += 1
        try:
            path, status = self._file(name)
            facts = self._facts(path, status)
        except _NotStored as refused:
            self._violate("media_files", self._violation(str(refused), name, batch, index))
            return None
        if facts.problem:
            self._violate("media_readable", self._violation(facts.problem, name, batch, index))
        for what, counts in self._counts.items():
            value = getattr(facts, what)
            counts.update([value] if value else [])
        return facts

    def _violation(self, problem: str, name: str | None, batch: Batch, index: int) -> Violation:
        return Violation(problem, self._media.path, batch.place(index), None if name is None else shown(name))

    def _file(self, name: str | None) -> tuple[Path, os.stat_result]:
        if not name:
            raise _NotStored("names no file")
        try:
            check_path(FILES + name)
            path = Path(os.path.realpath(self.root / name, strict=True))
            status = path.stat()
        except InvalidPath as error:
            raise _NotStored(f"is no path inside the media folder: {error.what.rpartition(': ')[2]}") from error
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _NotStored("is not in the media folder") from error
        except OSError as error:
            raise _NotStored(f"cannot be reached: {error.strerror}") from error
        if not path.is_relative_to(self.root):
            raise _NotStored("is a link that leads out of the media folder")
        if not stat.S_ISREG(status.st_mode):
            raise _NotStored("is not a regular file")
        key = self._key(status)
        if status.st_nlink > max(self._links[key], 1):
            raise _NotStored("has another name outside the media folder (a hard link); copy it into the folder")
        first = self._row_of.setdefault(key, self._rows)
        if first != self._rows:
            raise _NotStored(f"is the file of row {first:,} already")
        return path, status

    def _facts(self, path: Path, status: os.stat_result) -> Facts:
        what = f"bytes of {self._media.folder}"

        def tell(count: int) -> None:
            self._done += count
            self._progress(what, self._done, self._total)

        facts = self._memory.recall(path, status)
        if facts is not None:
            tell(status.st_size)
            return facts
        try:
            facts = examine(path, tell)
        except OSError as error:
            raise _NotStored(f"cannot be read: {error.strerror}") from error
        self._memory.keep(path, status, facts)
        return facts

    def _key(self, status: os.stat_result) -> Any:
        """What tells one file from another, whatever its names."""
        return status.st_ino if status.st_dev == self._device else (status.st_dev, status.st_ino)


class _NotStored(Exception):
    """The file of a row is refused; the text says why."""


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every regular file below a folder with its path inside; links are not followed."""
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield os.path.relpath(entry.path, folder), entry.stat(follow_symlinks=False)


def _values(facts: Facts) -> tuple[Any, ...]:
    """The columns `media_…` in order; a file that cannot be read says so in its note."""
    *values, note, problem = astuple(facts)
    return (*values, problem or note)


def _batch(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    plain = _arrays(rows, [pa.string(), *_PLAIN])
    arrays = [array.cast(field.type) for array, field in zip(plain, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _arrays(rows: list[tuple[Any, ...]], kinds: list[pa.DataType]) -> list[pa.Array]:
    columns = zip(*rows, strict=True) if rows else ((),) * len(kinds)
    return [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
