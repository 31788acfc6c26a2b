"""A person's rows in the batches of production, and what was made from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rai_assets.charts.text import how_many
from rai_assets.data.erasure import count_rows, write_without
from rai_assets.data.staging import PARQUET
from rai_assets.errors import RaiError
from rai_assets.keys import BATCHES, PRODUCTION, WINDOWS, batch_folder, results_branch
from rai_assets.monitoring.batches.batch import NAMED, RECORD, TABLE, Batch, BatchRecord
from rai_assets.monitoring.batches.prepare import span_of
from rai_assets.monitoring.batches.settings import BatchSettings
from rai_assets.store import results
from rai_assets.store.errors import NoChanges, StaleHead
from rai_assets.store.ledger import ATTEMPTS
from rai_assets.store.protocol import ChangeSet, VersionedRepository


def batches_of(
    repository: VersionedRepository, commit: str, identifiers: Sequence[str], value: str
) -> Iterator[tuple[str, int]]:
    """The batches of a commit with a person's rows, and how many those are."""
    for item in repository.list_objects(commit, BATCHES):
        _, key, *rest = item.path.split("/")
        if rest == [TABLE]:
            with repository.open(commit, item.path) as stream:
                rows = count_rows(stream, identifiers, value)
            if rows:
                yield key, rows


def erase_from_batches(
    repository: VersionedRepository,
    identifiers: Sequence[str],
    value: str,
    rule: BatchSettings,
    words: Mapping[str, str],
    names: str | None = None,
) -> dict[str, int]:
    """Commit every batch that has a person's rows without them; its record says no value that may be of these rows.

    The pictures and recordings that no other row names go with them.

    The files that a batch came from stay known, so that they are not taken again.

    Args:
        repository: The use case's repository.
        identifiers: Names of the columns.
        value: Of the person.
        rule: What one batch is.
        words: Kept with the commits.
        names: The column that names files, where one does.

    Returns:
        {batch: how many rows were erased}.

    Raises:
        RaiError: `production` moves without end.
    """
    for _ in range(ATTEMPTS):
        head = repository.resolve(PRODUCTION)
        found = dict(batches_of(repository, head, identifiers, value))
        if not found:
            return {}
        with repository.scratch() as folder, suppress(StaleHead):
            changes = ChangeSet()
            for number, key in enumerate(found):
                stored, table = folder / f"{number}-stored.parquet", folder / f"{number}.parquet"
                repository.download(head, batch_folder(key) + TABLE, stored)
                record = BatchRecord.read(repository, head, key)
                assert record is not None  # noqa: S101  a table is committed with its record
                left = write_without(stored, table, identifiers, value, record.source_rows or (record.rows,))
                contract = Batch(repository, head, key).contract
                later = replace(
                    record,
                    rows=sum(left),
                    source_rows=left if record.source_rows else (),
                    revision=record.revision + 1,
                    span=span_of(table, contract, rule) if sum(left) else None,
                    findings=tuple(_without_values(item) for item in record.findings),
                )
                for path in _values(stored, names) - _values(table, names):
                    changes.delete(batch_folder(key) + NAMED + path)
                changes.adopt(batch_folder(key) + TABLE, table, PARQUET)
                changes.put(batch_folder(key) + RECORD, later.as_json(), "application/json")
            message = f"Erasure: {how_many(sum(found.values()), 'row')} of {how_many(len(found), 'batch')}"
            repository.commit(PRODUCTION, changes, message, words, expected_head=head)
            return found
    raise RaiError(f"branch {PRODUCTION!r} moved {ATTEMPTS} times while rows were erased", fix="run again")


def _values(table: Path, column: str | None) -> set[str]:
    """The texts in a column of a stored table."""
    from pyarrow import parquet

    if column is None or column not in parquet.read_schema(table).names:
        return set()
    return {value for value in parquet.read_table(table, columns=[column]).column(0).to_pylist() if value}


def _without_values(finding: Mapping[str, Any]) -> dict[str, Any]:
    """A rule that does not hold, without the values that it was told of."""
    if finding["passed"]:
        return dict(finding)
    said = f"{how_many(finding['count'], 'violation')}; which they were was removed with rows that were erased"
    return {**finding, "sentence": said}


def made_from(
    repository: VersionedRepository, commit: str, keys: Collection[str], rows: Callable[[str, str], int]
) -> list[str]:
    """Folders in a commit of `results-production` with what was made from a person's rows: of a batch, of a window.

    Args:
        repository: The use case's repository.
        commit: The commit.
        keys: The batches that have, or had, rows of the person.
        rows: How many rows of a table are the person's, by a commit of `production` and a path.
    """
    windows = (item.path for item in repository.list_objects(commit, WINDOWS, delimiter="/") if item.is_prefix)
    folders = [*map(batch_folder, sorted(keys)), *windows]
    return [folder for folder in folders if is_made_from(repository, commit, folder, keys, rows)]


def is_made_from(
    repository: VersionedRepository, commit: str, folder: str, keys: Collection[str], rows: Callable[[str, str], int]
) -> bool:
    """Whether one folder is; arguments as `made_from`."""
    read = {
        results.load(repository, commit, asset, parts=(), folder=folder).provenance.commit
        for asset in results.assets(repository, commit, folder)
    }
    if folder.startswith(WINDOWS):
        days = folder.removeprefix(WINDOWS).rstrip("/").split("_")
        return any(_within(repository, data, key, days) and rows(data, _table(key)) for data in read for key in keys)
    return any(rows(data, folder + TABLE) for data in read)


def _within(repository: VersionedRepository, commit: str, key: str, days: Sequence[str]) -> bool:
    record = BatchRecord.read(repository, commit, key)
    return record is not None and days[0] <= record.time[:10] <= days[-1]


def _table(key: str) -> str:
    return batch_folder(key) + TABLE


def drop(repository: VersionedRepository, folders: Sequence[str], words: Mapping[str, str]) -> None:
    """Commit `results-production` without some folders."""
    changes = ChangeSet()
    for folder in folders:
        changes.delete_prefix(folder)
    with suppress(NoChanges):
        message = f"Erasure: results of {how_many(len(folders), 'batch or window', 'batches and windows')}"
        repository.commit(results_branch(PRODUCTION), changes, message, words)
