"""An accepted batch: its rows, and the record of where they came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from rai_assets.charts.text import how_many
from rai_assets.data.contract import Contract
from rai_assets.keys import BATCHES, PRODUCTION, batch_folder
from rai_assets.monitoring.batches.contracts import read_json
from rai_assets.monitoring.batches.entries import Taken, sources_digest
from rai_assets.store.protocol import NotFound, VersionedRepository

TABLE, RECORD = "table.parquet", "batch.json"
NAMED = "files/"  # the files that rows name, by their paths in the inbox


@dataclass(frozen=True)
class BatchRecord:
    """What is known of a batch beside its rows.

    Attributes:
        key: The batch.
        revision: 1 for the first rows that were accepted, one more for each correction.
        contract: Number of the contract that it kept.
        rows: How many.
        sources: The files that the rows came from, in order, and after them those that rows name.
        source_rows: How many rows came from each table among them.
        time: The time of the batch, ISO, UTC: begin of its hour or day, else when its newest file was changed last.
        span: First and last instant of its rows, ISO, UTC; None where they have no times.
        columns: The contract of the stored table, as JSON; None where no file could be read.
        findings: Of every rule its name, whether it holds, whether it had to, and the outcome in words.
        override: The word of the person who let it pass; None where none was needed.
    """

    key: str
    revision: int
    contract: int
    rows: int
    sources: tuple[Taken, ...]
    source_rows: tuple[int, ...]
    time: str
    span: tuple[str, str] | None
    columns: dict[str, Any] | None
    findings: tuple[dict[str, Any], ...] = field(default=())
    override: dict[str, Any] | None = None

    @property
    def title(self) -> str:
        """The batch in one line."""
        return f"Batch {self.key}, revision {self.revision}: {how_many(self.rows, 'row')}"

    @property
    def digest(self) -> str:
        """What identifies its content."""
        return sources_digest(self.sources)

    @property
    def tables(self) -> tuple[Taken, ...]:
        """The files that the rows came from."""
        return tuple(source for source in self.sources if not source.named_by)

    def made_of(self, sources: Sequence[Taken]) -> bool:
        """Whether it was made of these very bytes."""
        return self.digest == sources_digest(sources)

    def as_json(self) -> bytes:
        """The record as a file; the same batch gives the same bytes."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1, allow_nan=False).encode()

    @classmethod
    def read(cls, repository: VersionedRepository, commit: str, key: str) -> BatchRecord | None:
        """The record of a batch in a commit; None if there is none."""
        value = read_json(repository, commit, batch_folder(key) + RECORD)
        if value is None:
            return None
        sources = tuple(Taken(**source) for source in value["sources"])
        span = None if value["span"] is None else tuple(value["span"])
        plain = {"source_rows": tuple(value["source_rows"]), "findings": tuple(value["findings"]), "span": span}
        return cls(**{**value, "sources": sources, **plain})


class Batch:
    """An accepted batch in one commit of `production`, read when asked for.

    Args:
        repository: Where it is stored.
        commit: A commit of `production`, by its id.
        key: The batch.

    Raises:
        NotFound: There is no such batch in the commit.
    """

    def __init__(self, repository: VersionedRepository, commit: str, key: str) -> None:
        record = BatchRecord.read(repository, commit, key)
        if record is None:
            raise NotFound(
                f"there is no batch {key!r} on {PRODUCTION!r}",
                where=repository.repository,
                fix="`rai batches` of its use case lists them; one in quarantine is not there",
            )
        self._repository, self.commit, self.key, self.record = repository, commit, key, record

    @cached_property
    def contract(self) -> Contract:
        """What every column of its table is. The target, if there is one, is a column like others here."""
        return Contract.from_json(self.record.columns or {"columns": {}, "split": None, "labels": []})

    @cached_property
    def whole(self) -> pa.Table:
        """All rows, read once."""
        return self.table()

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows, one chunk a column; categories are codes of one dictionary each.

        Args:
            columns: Names of columns; all when left out.
        """
        from pyarrow import parquet

        with self._repository.open(self.commit, self._table) as stream:
            table = parquet.read_table(stream, columns=None if columns is None else list(columns), use_threads=False)
        return table.unify_dictionaries().combine_chunks()

    def batches(self, columns: Sequence[str] | None = None, rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """The rows as a stream, in memory that does not grow with them."""
        from pyarrow import parquet

        with (
            self._repository.open(self.commit, self._table) as stream,
            parquet.ParquetFile(stream, pre_buffer=False) as file,
        ):
            yield from file.iter_batches(rows, columns=None if columns is None else list(columns), use_threads=False)

    @property
    def _table(self) -> str:
        return batch_folder(self.key) + TABLE


def records(repository: VersionedRepository, commit: str) -> Iterator[BatchRecord]:
    """Every batch in a commit of `production`, by key."""
    for item in repository.list_objects(commit, BATCHES, delimiter="/"):
        if item.is_prefix:
            record = BatchRecord.read(repository, commit, item.path.rstrip("/").rpartition("/")[2])
            if record is not None:
                yield record
