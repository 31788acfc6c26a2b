"""Labels of a batch: in a column of its own files, or in files that come later and are joined on the identifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from rai_assets.data.contract import Contract
from rai_assets.data.settings import DatasetSettings, FileSettings
from rai_assets.data.staging import PARQUET, stage_files
from rai_assets.errors import InputRefused
from rai_assets.keys import PRODUCTION, batch_folder
from rai_assets.monitoring.batches.batch import Batch, records
from rai_assets.monitoring.batches.contracts import for_batches
from rai_assets.monitoring.performance.labels import Arrived, join_labels
from rai_assets.store.protocol import ChangeSet, NoChanges, NotFound, VersionedRepository

LABELS = "labels.parquet"


def read_labels(declared: DatasetSettings, classes: Sequence[str], base: Path, name: str, scratch: Path) -> pa.Table:
    """The identifiers and labels of a file.

    Args:
        declared: The declared contract.
        classes: The classes found in the reference data; empty where they are not known.
        base: The folder of the file.
        name: Its name there.
        scratch: A folder to write in.

    Raises:
        InputRefused: The file cannot be read, lacks a column, or has a value that cannot be a label.
    """
    contract = Contract.of(declared)
    names = {*contract.identifiers, str(contract.target)}
    columns = {name: column for name, column in for_batches(declared, classes).columns.items() if name in names}
    files = [FileSettings(path=name)]
    settings = declared.model_copy(update={"columns": columns, "files": files, "split": None, "aliases": {}})
    staged = stage_files(settings, base, scratch, lambda *_: None)
    refused = [rule for rule in staged.rules if not rule.passed and rule.rule != "identifiers"]
    if refused:
        raise InputRefused("\n".join(rule.sentence for rule in refused), where=name, fix="mend the file of labels")
    return parquet.read_table(staged.table, use_threads=False)


def batches_of_labels(
    repository: VersionedRepository, labels: pa.Table, identifiers: Sequence[str]
) -> Iterator[tuple[str, int]]:
    """The accepted batches that have rows with these identifiers, and how many; the newest first."""
    heads = repository.branches(PRODUCTION)
    if PRODUCTION not in heads:
        return
    wanted = {tuple(row.values()) for row in labels.select(list(identifiers)).to_pylist()}
    for record in sorted(records(repository, heads[PRODUCTION]), key=lambda item: item.time, reverse=True):
        if not wanted:
            return
        rows = Batch(repository, heads[PRODUCTION], record.key).table(list(identifiers)).to_pylist()
        found = wanted & {tuple(row.values()) for row in rows}
        if found:
            wanted -= found
            yield record.key, len(found)


def attach(
    repository: VersionedRepository,
    key: str,
    labels: Sequence[pa.Table],
    identifiers: Sequence[str],
    words: dict[str, str],
) -> bool:
    """Write the labels of a batch beside its rows, in the place of those before; False if they were there already."""
    batch = Batch(repository, repository.resolve(PRODUCTION), key)
    together = pa.concat_tables([table.cast(labels[0].schema) for table in labels]).unify_dictionaries()
    rows = {tuple(row.values()) for row in batch.table(list(identifiers)).to_pylist()}
    mine = [tuple(row.values()) in rows for row in together.select(list(identifiers)).to_pylist()]
    with repository.scratch() as folder:
        path = folder / LABELS
        parquet.write_table(together.filter(pa.array(mine, pa.bool_())).combine_chunks(), path, compression="zstd")
        changes = ChangeSet().adopt(batch_folder(key) + LABELS, path, PARQUET)
        try:
            repository.commit(PRODUCTION, changes, f"Labels of batch {key}: {sum(mine):,}", words)
        except NoChanges:
            return False
    return True


def labels_of(repository: VersionedRepository, batch: Batch, contract: Contract) -> tuple[pa.Table, Arrived]:
    """The labels that have arrived for a batch, and which is whose: those that came in files, else its own column.

    Args:
        repository: Where the batch is stored; its labels are read at the head of `production`.
        batch: The batch.
        contract: Of the use case; it names the identifiers and the target.
    """
    target = str(contract.target)
    try:
        with repository.open(PRODUCTION, batch_folder(batch.key) + LABELS) as stream:
            labels = parquet.read_table(stream, use_threads=False)
    except NotFound:
        own = batch.table([target]) if target in batch.contract else pa.table({target: pa.nulls(batch.record.rows)})
        known = own.column(0).is_valid().to_numpy()
        return own, Arrived(np.where(known, np.arange(len(known)), -1))
    identifiers = list(contract.identifiers)
    return labels, join_labels(batch.table(identifiers), labels, identifiers, target)


def labels_digest(repository: VersionedRepository, key: str) -> str | None:
    """What identifies the labels that came for a batch in files; None where none did."""
    try:
        return repository.stat(PRODUCTION, batch_folder(key) + LABELS).sha256
    except NotFound:
        return None
