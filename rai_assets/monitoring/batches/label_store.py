"""Labels on `production`: beside the rows that they belong to, or waiting until these arrive."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet

from rai_assets.charts.text import how_many
from rai_assets.data.erasure import is_of
from rai_assets.data.staging import PARQUET
from rai_assets.errors import RaiError
from rai_assets.keys import BATCHES, PRODUCTION, WAITING_LABELS, batch_folder
from rai_assets.monitoring.batches.batch import Batch, records
from rai_assets.monitoring.batches.intake import slug
from rai_assets.monitoring.batches.labels import LABELS
from rai_assets.provenance import digest_of
from rai_assets.store.errors import NoChanges, StaleHead
from rai_assets.store.ledger import ATTEMPTS
from rai_assets.store.open import ensure_branch
from rai_assets.store.protocol import ChangeSet, NotFound, VersionedRepository

FILE = "__file"
"""The column of stored labels that names the file which brought them: a corrected file replaces its own."""

Row = tuple[Any, ...]


def keep_labels(
    repository: VersionedRepository,
    path: str,
    labels: pa.Table,
    identifiers: Sequence[str],
    former: Collection[str],
    words: Mapping[str, str],
) -> list[str]:
    """Write the labels of a file beside the rows that they belong to; those of no row wait until it arrives.

    What the same file brought before is replaced. Of rows with one identifier those of the newest batch get the label.

    Args:
        repository: The use case's repository.
        path: The file.
        labels: The identifiers and the target of its rows.
        identifiers: The columns that name a row.
        former: Batches that have labels of it.
        words: Kept with the commit.

    Returns:
        The batches that have labels of it now.

    Raises:
        RaiError: `production` moves without end.
    """
    ensure_branch(repository, PRODUCTION)
    labels = _known(labels)
    labels = labels.append_column(FILE, pa.array([path] * labels.num_rows, pa.string()))
    ids = _rows(labels, identifiers)
    for _ in range(ATTEMPTS):
        head = repository.resolve(PRODUCTION)
        batch_of = _batches_of(repository, head, ids, identifiers)
        found = set(batch_of.values())
        with repository.scratch() as folder:
            changes = _Changes(repository, head, folder)
            for key in sorted(found | set(former)):
                place = batch_folder(key) + LABELS
                others = _without(_read(repository, head, place), path)
                changes.write(place, [*others, labels.filter(_mask([batch_of.get(one) == key for one in ids]))])
            rest = labels.filter(_mask([one not in batch_of for one in ids]))
            changes.write(_waiting(path), [rest])
            if changes.commit(
                f"Labels of {path}: {len(ids) - rest.num_rows:,}; of rows to come {rest.num_rows:,}", words
            ):
                return sorted(found)
    raise _restless()


def join_waiting(
    repository: VersionedRepository, keys: Sequence[str], identifiers: Sequence[str], words: Mapping[str, str]
) -> dict[str, list[str]]:
    """Move labels that waited for the rows of some batches to these.

    Args:
        repository: The use case's repository.
        keys: Accepted batches.
        identifiers: The columns that name a row.
        words: Kept with the commit.

    Returns:
        {batch: the files that its new labels came from}.

    Raises:
        RaiError: `production` moves without end.
    """
    for _ in range(ATTEMPTS):
        head = repository.resolve(PRODUCTION)
        with repository.scratch() as folder:
            changes = _Changes(repository, head, folder)
            moved: dict[str, list[pa.Table]] = {}
            batch_of: dict[Row, str] | None = None
            for place in _all_waiting(repository, head):
                labels = _read(repository, head, place)
                assert labels is not None  # noqa: S101  it was listed
                if batch_of is None:
                    batch_of = _rows_of(repository, head, keys, identifiers)
                home = [batch_of.get(one) for one in _rows(labels, identifiers)]
                for key in sorted({key for key in home if key is not None}):
                    moved.setdefault(key, []).append(labels.filter(_mask([there == key for there in home])))
                if any(key is not None for key in home):
                    changes.write(place, [labels.filter(_mask([key is None for key in home]))])
            for key, tables in moved.items():
                place = batch_folder(key) + LABELS
                present = _read(repository, head, place)
                changes.write(place, [*([] if present is None else [present]), *tables])
            if changes.commit(f"Labels that waited for {how_many(len(moved), 'batch')}", words):
                return {key: sorted(_files(tables)) for key, tables in moved.items()}
    raise _restless()


def waiting_labels(repository: VersionedRepository) -> dict[str, int]:
    """{file: how many of its labels are of rows that have not arrived}."""
    heads = repository.branches(PRODUCTION)
    if PRODUCTION not in heads:
        return {}
    found: dict[str, int] = {}
    for place in _all_waiting(repository, heads[PRODUCTION]):
        labels = _read(repository, heads[PRODUCTION], place)
        for file in [] if labels is None else labels.column(FILE).to_pylist():
            found[file] = found.get(file, 0) + 1
    return found


def labels_of_person(
    repository: VersionedRepository, commit: str, identifiers: Sequence[str], value: str
) -> dict[str, pa.BooleanArray]:
    """{place: which of its labels are a person's} of the places of a commit that have some.

    Args:
        repository: The use case's repository.
        commit: A commit of `production`.
        identifiers: The columns that name a row.
        value: Of the person.
    """
    beside = (item.path for item in repository.list_objects(commit, BATCHES) if item.path.split("/")[2:] == [LABELS])
    found = {}
    for place in (*beside, *_all_waiting(repository, commit)):
        labels = _read(repository, commit, place)
        if labels is not None and labels.num_rows:
            (batch,) = labels.combine_chunks().to_batches()
            mine = is_of(batch, identifiers, value)
            if mine.true_count:
                found[place] = mine
    return found


def erase_labels(
    repository: VersionedRepository, identifiers: Sequence[str], value: str, words: Mapping[str, str]
) -> int:
    """Commit all labels without a person's; returns how many those were.

    Raises:
        RaiError: `production` moves without end.
    """
    for _ in range(ATTEMPTS):
        head = repository.resolve(PRODUCTION)
        found = labels_of_person(repository, head, identifiers, value)
        erased = sum(mine.true_count for mine in found.values())
        with repository.scratch() as folder:
            changes = _Changes(repository, head, folder)
            for place, mine in found.items():
                labels = _read(repository, head, place)
                assert labels is not None  # noqa: S101  it was just read
                changes.write(place, [labels.filter(pc.invert(mine))])
            if changes.commit(f"Erasure: {how_many(erased, 'label')}", words):
                return erased
    raise _restless()


class _Changes:
    """Tables to be written for one head of `production`; an empty one is no object.

    Args:
        repository: Where they go.
        head: What they were made for.
        folder: A scratch folder of the store.
    """

    def __init__(self, repository: VersionedRepository, head: str, folder: Path) -> None:
        self._repository, self._head, self._folder = repository, head, folder
        self._changes, self._number = ChangeSet(), 0

    def write(self, place: str, tables: Sequence[pa.Table]) -> None:
        """Put the rows of some tables in a place."""
        some = [table for table in tables if table.num_rows]
        if not some:
            self._changes.delete(place)
            return
        together = pa.concat_tables([table.cast(some[0].schema) for table in some]).unify_dictionaries()
        self._number += 1
        file = self._folder / f"{self._number}.parquet"
        parquet.write_table(together.combine_chunks(), file, compression="zstd")
        self._changes.adopt(place, file, PARQUET)

    def commit(self, message: str, words: Mapping[str, str]) -> bool:
        """Commit them; False if the branch moved meanwhile."""
        if not (self._changes.puts or self._changes.deletes):
            return True
        try:
            with suppress(NoChanges):
                self._repository.commit(PRODUCTION, self._changes, message, dict(words), expected_head=self._head)
        except StaleHead:
            return False
        return True


def _batches_of(
    repository: VersionedRepository, commit: str, ids: Collection[Row], identifiers: Sequence[str]
) -> dict[Row, str]:
    """The newest accepted batch that has a row, of those ids that have one."""
    found: dict[Row, str] = {}
    missing = set(ids)
    for record in sorted(records(repository, commit), key=lambda item: item.time, reverse=True):
        if not missing:
            break
        there = missing & _rows_of(repository, commit, [record.key], identifiers).keys()
        found |= dict.fromkeys(there, record.key)
        missing -= there
    return found


def _rows_of(
    repository: VersionedRepository, commit: str, keys: Sequence[str], identifiers: Sequence[str]
) -> dict[Row, str]:
    """The batch of every row of some batches; none of those whose rows are kept no longer."""
    found: dict[Row, str] = {}
    for key in keys:
        with suppress(NotFound):
            table = Batch(repository, commit, key).table(list(identifiers))
            found |= dict.fromkeys(_rows(table, identifiers), key)
    return found


def _rows(table: pa.Table, identifiers: Sequence[str]) -> list[Row]:
    return list(zip(*(table.column(name).to_pylist() for name in identifiers), strict=True))


def _known(labels: pa.Table) -> pa.Table:
    """The rows that have a label and all of their identifiers."""
    known = np.ones(labels.num_rows, bool)
    for column in labels.columns:
        known &= pc.is_valid(column).to_numpy()
    return labels.filter(_mask(known))


def _without(labels: pa.Table | None, path: str) -> list[pa.Table]:
    return [] if labels is None else [labels.filter(pc.not_equal(labels.column(FILE), path))]


def _files(tables: Sequence[pa.Table]) -> set[str]:
    return {file for table in tables for file in table.column(FILE).to_pylist() if file}


def _read(repository: VersionedRepository, commit: str, place: str) -> pa.Table | None:
    """Stored labels; None where there are none."""
    try:
        with repository.open(commit, place) as stream:
            table = parquet.read_table(stream, use_threads=False)
    except NotFound:
        return None
    if FILE not in table.column_names:
        table = table.append_column(FILE, pa.array([""] * table.num_rows, pa.string()))
    return table


def _all_waiting(repository: VersionedRepository, commit: str) -> Iterator[str]:
    for item in repository.list_objects(commit, WAITING_LABELS):
        yield item.path


def _waiting(path: str) -> str:
    return f"{WAITING_LABELS}{slug(path)}-{digest_of(path)[:8]}.parquet"


def _mask(values: Sequence[bool] | NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, pa.bool_())


def _restless() -> RaiError:
    return RaiError(f"branch {PRODUCTION!r} moved {ATTEMPTS} times while labels were written", fix="run again")
