"""A published data set: one commit's table with its contract, its sources and its splits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, BinaryIO

import pyarrow as pa

from rai_assets.data import splits
from rai_assets.data.contract import Contract
from rai_assets.data.settings import SplitName
from rai_assets.errors import UsageError
from rai_assets.keys import DATA_PREFIX as PREFIX
from rai_assets.store.protocol import NotFound, VersionedRepository

TABLE, CONTRACT, SOURCES = (PREFIX + name for name in ("table.parquet", "contract.json", "sources.json"))
# Of a data set with media: what is known of each file, the whole in short, and the files as they were.
MANIFEST, MEDIA, FILES = (PREFIX + name for name in ("manifest.parquet", "media.json", "files/"))


@dataclass(frozen=True)
class Source:
    """One file that the rows came from.

    Attributes:
        path: As declared.
        sha256: Digest of its bytes.
        rows: Number of its rows.
        split: The split that all its rows belong to, or None.
    """

    path: str
    sha256: str
    rows: int
    split: SplitName | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Sources:
    """Where the rows of a commit came from.

    Attributes:
        origin: `declared` for the files of the declaration, `given` for rows that a person brought.
        table: SHA-256 of the table as it was written; empty if that was not noted.
        files: The files, in order.
    """

    origin: str
    table: str
    files: tuple[Source, ...]


def read_sources(repository: VersionedRepository, commit: str) -> Sources:
    """Where the rows of a commit came from; rows that come without a readable word of it were given.

    Raises:
        NotFound: There is no such commit.
    """
    commit = repository.resolve(commit)
    try:
        with repository.open(commit, SOURCES) as stream:
            stored = json.load(stream)
        if isinstance(stored, list):  # as it was written before data could be given
            return Sources("declared", "", tuple(Source(**entry) for entry in stored))
        return Sources(stored["origin"], stored["table"], tuple(Source(**entry) for entry in stored["files"]))
    except (NotFound, ValueError, TypeError, KeyError):
        return Sources("given", "", ())


class Dataset:
    """The data of one commit, read when asked for.

    Args:
        repository: Where it is stored.
        commit: Its commit; a branch is resolved once.
    """

    def __init__(self, repository: VersionedRepository, commit: str) -> None:
        self._repository = repository
        self.commit = repository.resolve(commit)

    @cached_property
    def contract(self) -> Contract:
        """What every column is and may hold."""
        return Contract.from_json(self._json(CONTRACT))

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The files that the rows came from, in order."""
        return read_sources(self._repository, self.commit).files

    @cached_property
    def media(self) -> dict[str, Any] | None:
        """How many media files of what kinds were stored with the table; None for a table alone."""
        try:
            return dict(self._json(MEDIA))
        except NotFound:
            return None

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return sum(source.rows for source in self.sources)

    @cached_property
    def version(self) -> str:
        """The data version: SHA-256 over path and digest of all that was stored."""
        return self._repository.tree_digest(self.commit, PREFIX)

    @cached_property
    def split_codes(self) -> splits.Codes:
        """The split of every row, as an index into `splits.NAMES`; int8, shape (n,).

        Raises:
            InputRefused: A split is empty, or a row fits none.
        """
        needed = splits.columns_needed(self.contract, self.sources)
        return splits.assign(self._read(needed), self.contract, self.sources)

    def table(self, columns: Sequence[str] | None = None, split: str | None = None) -> pa.Table:
        """The rows in file order, one chunk a column; categories are codes of one dictionary each.

        Args:
            columns: Names of columns; all when left out.
            split: `train`, `calibration` or `test`; all rows when left out or `all`.

        Raises:
            UsageError: There is no such column or split.
        """
        table = self._read(self.contract.names if columns is None else columns)
        if split not in (None, "all"):
            table = table.filter(pa.array(self.split_codes == splits.code_of(str(split))))
        return table.unify_dictionaries().combine_chunks()

    def batches(self, columns: Sequence[str] | None = None, rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """The rows as a stream, in memory that does not grow with them."""
        from pyarrow import parquet

        with self._open() as stream, parquet.ParquetFile(stream, pre_buffer=False) as file:
            yield from file.iter_batches(rows, columns=None if columns is None else list(columns), use_threads=False)

    def schema_summary(self) -> list[dict[str, Any]]:
        """Name, dtype, roles and description of every column, for people."""
        return [
            {
                "name": column.name,
                "dtype": column.dtype,
                "roles": list(column.roles),
                "description": column.settings.description,
            }
            for column in self.contract
        ]

    def _read(self, columns: Sequence[str]) -> pa.Table:
        from pyarrow import parquet

        unknown = next((name for name in columns if name not in self.contract), None)
        if unknown is not None:
            raise UsageError(
                f"the data have no column {unknown!r}", fix=f"there are {', '.join(self.contract.names)[:500]}"
            )
        if not columns:
            return pa.table({})
        with self._open() as stream, parquet.ParquetFile(stream, pre_buffer=False) as file:
            return file.read(columns=list(columns), use_threads=True)

    def _open(self) -> BinaryIO:
        return self._repository.open(self.commit, TABLE)

    def _json(self, path: str) -> Any:
        with self._repository.open(self.commit, path) as stream:
            return json.load(stream)
