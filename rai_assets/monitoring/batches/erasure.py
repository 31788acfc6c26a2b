"""A person's rows in the batches of production."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from rai_assets.charts.text import how_many
from rai_assets.data.erasure import count_rows, write_without
from rai_assets.data.staging import PARQUET
from rai_assets.errors import RaiError
from rai_assets.keys import BATCHES, PRODUCTION, batch_folder, results_branch
from rai_assets.monitoring.batches.batch import RECORD, TABLE, BatchRecord
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
    repository: VersionedRepository, identifiers: Sequence[str], value: str, words: Mapping[str, str]
) -> dict[str, int]:
    """Commit every batch that has a person's rows without them, and drop what was found of these batches.

    The files that a batch came from stay known, so that they are not taken again.

    Args:
        repository: The use case's repository.
        identifiers: Names of the columns.
        value: Of the person.
        words: Kept with the commits.

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
                later = replace(
                    record,
                    rows=sum(left),
                    source_rows=left if record.source_rows else (),
                    revision=record.revision + 1,
                )
                changes.adopt(batch_folder(key) + TABLE, table, PARQUET)
                changes.put(batch_folder(key) + RECORD, later.as_json(), "application/json")
            message = f"Erasure: {how_many(sum(found.values()), 'row')} of {how_many(len(found), 'batch')}"
            repository.commit(PRODUCTION, changes, message, words, expected_head=head)
            _drop_results(repository, found, words)
            return found
    raise RaiError(f"branch {PRODUCTION!r} moved {ATTEMPTS} times while rows were erased", fix="run again")


def _drop_results(repository: VersionedRepository, batches: Mapping[str, int], words: Mapping[str, str]) -> None:
    branch = results_branch(PRODUCTION)
    if branch not in repository.branches(branch):
        return
    changes = ChangeSet()
    for key in batches:
        changes.delete_prefix(batch_folder(key))
    with suppress(NoChanges):
        repository.commit(branch, changes, f"Erasure: results of {how_many(len(batches), 'batch')}", words)
