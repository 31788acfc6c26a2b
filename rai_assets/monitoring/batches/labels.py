"""Labels of a batch: in a column of its own files, or in files that come later and are joined on the identifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from rai_assets.data.contract import Contract
from rai_assets.data.settings import DatasetSettings, FileSettings
from rai_assets.data.staging import stage_files
from rai_assets.errors import InputRefused
from rai_assets.keys import PRODUCTION, batch_folder
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.contracts import for_batches
from rai_assets.monitoring.performance.labels import Arrived, join_labels
from rai_assets.store.protocol import NotFound, VersionedRepository

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
    settings = declared.model_copy(
        update={"columns": columns, "files": files, "split": None, "aliases": {}, "media": None}
    )
    staged = stage_files(settings, base, scratch, lambda *_: None)
    refused = [rule for rule in staged.rules if not rule.passed and rule.rule != "identifiers"]
    if refused:
        raise InputRefused("\n".join(rule.sentence for rule in refused), where=name, fix="mend the file of labels")
    return parquet.read_table(staged.table, use_threads=False)


def labels_of(repository: VersionedRepository, batch: Batch, contract: Contract) -> tuple[pa.Table, Arrived]:
    """The labels that have arrived for a batch, and which is whose: that of a file, else that of its own column.

    Args:
        repository: Where the batch is stored; its labels are read at the head of `production`.
        batch: The batch.
        contract: Of the use case; it names the identifiers and the target.
    """
    target = str(contract.target)
    own = batch.whole.select([target]) if target in batch.contract else pa.table({target: pa.nulls(batch.record.rows)})
    known = own.column(0).is_valid().to_numpy()
    place = np.where(known, np.arange(len(known)), -1)
    try:
        with repository.open(PRODUCTION, batch_folder(batch.key) + LABELS) as stream:
            labels = parquet.read_table(stream, use_threads=False)
    except NotFound:
        return own, Arrived(place)
    identifiers = list(contract.identifiers)
    arrived = join_labels(batch.whole.select(identifiers), labels, identifiers, target)
    both = pa.concat_tables([labels.select([target]), own.cast(labels.select([target]).schema)])
    later = np.where(known, place + labels.num_rows, -1)
    return both.unify_dictionaries(), replace(arrived, label=np.where(arrived.known, arrived.label, later))


def labels_digest(repository: VersionedRepository, key: str) -> str | None:
    """What identifies the labels that came for a batch in files; None where none did."""
    try:
        return repository.stat(PRODUCTION, batch_folder(key) + LABELS).sha256
    except NotFound:
        return None
