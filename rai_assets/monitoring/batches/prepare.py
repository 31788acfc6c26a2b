"""Read and audit one batch: its files become rows, and the outcome of every rule of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
from pyarrow import parquet

from rai_assets.data.contract import Contract
from rai_assets.data.rules import rules_of
from rai_assets.data.settings import DatasetSettings, FileSettings
from rai_assets.data.staging import PARQUET, Progress, Staged, stage_files
from rai_assets.errors import InputRefused
from rai_assets.keys import batch_folder
from rai_assets.monitoring.batches.batch import NAMED, RECORD, TABLE, BatchRecord
from rai_assets.monitoring.batches.contracts import ContractVersion, for_batches, path_of, version_for
from rai_assets.monitoring.batches.entries import Taken, sources_digest
from rai_assets.monitoring.batches.findings import (
    Finding,
    event_time,
    has_values,
    lateness,
    of_rules,
    readable,
    unreadable,
    usual_size,
)
from rai_assets.monitoring.batches.named import TakenFiles, lay_out
from rai_assets.monitoring.batches.overrides import Word
from rai_assets.monitoring.batches.settings import BatchSettings
from rai_assets.monitoring.batches.slicing import in_utc, slot_of
from rai_assets.store.protocol import ChangeSet


@dataclass(frozen=True)
class Asked:
    """A batch that is to be audited.

    Attributes:
        key: The batch.
        sources: Its files, in order.
        bring: Gives a file with the rows of one of them, and whether they were cut out of it.
        declared: The declared data set; its contract is the first version.
        rule: What one batch is.
        optional: Columns that a file may lack.
        former_rows: Rows of batches before, that tell what is usual.
    """

    key: str
    sources: tuple[Taken, ...]
    bring: Callable[[Taken], tuple[Path, bool]]
    declared: DatasetSettings
    rule: BatchSettings
    optional: frozenset[str] = frozenset()
    former_rows: Sequence[int] = ()

    def settings(self, contract: ContractVersion, base: Path) -> DatasetSettings:
        """Lay the files out in a folder, and say how they are read by a contract.

        Raises:
            RaiError: Files cannot be brought.
        """
        files, cut_out = [], False
        for source in self.sources:
            if source.named_by:
                continue
            kept, cut_out = self.bring(source)
            files.append(FileSettings(path=source.path.removesuffix(".gz") if cut_out else source.path))
            lay_out(kept, base / files[-1].path)
            if cut_out:
                kept.unlink()
        settings = contract.settings(files)
        return settings.model_copy(update={"format": "parquet", "header": True}) if cut_out else settings

    @property
    def arrived(self) -> datetime:
        """When the newest file was changed last."""
        return datetime.fromtimestamp(max(source.modified for source in self.sources), UTC)

    @property
    def time(self) -> datetime:
        """The time of the batch, which decides what contract it keeps: its hour or day, else when it arrived."""
        slot = slot_of(self.rule, self.key)
        return self.arrived if slot is None else slot[0]


@dataclass(frozen=True)
class Prepared:
    """A batch that was read and audited, and is not stored yet.

    Attributes:
        record: What is known of it.
        table: Its rows; None where no file could be read.
        first_contract: The contract, where it is the first of the use case.
        named: {path: bytes and media type} of the files that its rows name; None where they name none.
    """

    record: BatchRecord
    table: Path | None
    first_contract: ContractVersion | None
    named: Mapping[str, tuple[Path, str]] | None = None

    @property
    def holds(self) -> bool:
        """Whether it may be published."""
        return all(item["passed"] for item in self.record.findings if item["blocking"])

    def add_to(self, changes: ChangeSet) -> ChangeSet:
        """Write it in the place of what was there; nothing else stays of that but labels that came later."""
        folder = batch_folder(self.record.key)
        changes.put(folder + RECORD, self.record.as_json(), "application/json")
        if self.table is None:
            changes.delete(folder + TABLE)
        else:
            changes.adopt(folder + TABLE, self.table, PARQUET)
        if self.named is not None:
            changes.delete_prefix(folder + NAMED)
            for path, (kept, media_type) in self.named.items():
                changes.put(folder + NAMED + path, kept, media_type)
        if self.first_contract is not None:
            changes.put(path_of(self.first_contract), self.first_contract.as_bytes(), "application/json")
        return changes


def prepare(
    asked: Asked,
    present: BatchRecord | None,
    known: Sequence[ContractVersion],
    labels: Sequence[str],
    folder: Path,
    progress: Progress,
    word: Word | None = None,
) -> Prepared:
    """Read and audit a batch.

    Args:
        asked: The batch.
        present: What is accepted of it.
        known: The contracts of production; none before the first batch.
        labels: The classes found in the reference data.
        folder: One of the store's `scratch` folders.
        progress: Told (what, bytes done, bytes in all).
        word: A person's word on the batch.

    Raises:
        RaiError: Files cannot be brought.
    """
    contract = version_for(known, asked.time) if known else ContractVersion.declared(asked.declared)
    named = None
    if asked.declared.media is not None:
        prefix = batch_folder(asked.key) + NAMED
        named = TakenFiles(asked.sources, lambda source: asked.bring(source)[0], folder, prefix)
    staged, findings = _audit(asked, contract, labels, folder, progress, named)
    further = [item for item in asked.sources if not item.named_by and item.path not in _paths(present)]
    arrived = [datetime.fromtimestamp(source.modified, UTC) for source in further]
    findings.append(lateness(asked.key, asked.rule, arrived if present is not None else []))
    word = word if word is not None and word.digest == sources_digest(asked.sources) else None
    if word is not None:
        findings = word.on(findings)
    span = None if staged is None else span_of(staged.table, staged.contract, asked.rule)
    record = BatchRecord(
        key=asked.key,
        revision=1 if present is None else present.revision + 1,
        contract=contract.number,
        rows=0 if staged is None else staged.rows,
        sources=asked.sources,
        source_rows=() if staged is None else tuple(source.rows for source in staged.sources),
        time=asked.time.isoformat(timespec="seconds"),
        span=span,
        columns=None if staged is None else staged.contract.as_json(),
        findings=tuple(item.as_json() for item in findings),
        override=None if word is None else word.as_json(),
    )
    table = None if staged is None else staged.table
    return Prepared(record, table, None if known else contract, None if named is None else named.kept)


def _audit(
    asked: Asked,
    contract: ContractVersion,
    labels: Sequence[str],
    folder: Path,
    progress: Progress,
    named: TakenFiles | None,
) -> tuple[Staged | None, list[Finding]]:
    """The rows of a batch with the outcome of every rule; None for the rows where a file could not be read."""
    base = folder / "files"
    declared = asked.settings(contract, base)
    settings = for_batches(declared, labels)
    try:
        staged = stage_files(settings, base, folder, progress, media_files=named, optional=asked.optional)
    except InputRefused as refusal:
        others = [rule.name for rule in rules_of(settings)]
        return None, unreadable(refusal, others)
    findings = [readable(), *of_rules(staged.rules), usual_size(staged.rows, asked.former_rows)]
    made = set(settings.columns).difference(settings.file_columns)  # a picture has no duration, a recording no width
    findings.append(has_values(_missing(staged.table), staged.rows, asked.optional | made))
    stamp = staged.contract.timestamp
    if stamp is not None and staged.contract[stamp].dtype == "timestamp":
        times = parquet.read_table(staged.table, columns=[stamp], use_threads=False).column(0)
        findings.append(event_time(stamp, times, asked.rule, asked.arrived))
    return staged, findings


def _missing(table: Path) -> dict[str, int]:
    """Missing values of every column of a stored table, as its row groups say."""
    with parquet.ParquetFile(table, pre_buffer=False) as file:
        metadata, names = file.metadata, file.schema_arrow.names
        groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
        return {name: sum(group.column(at).statistics.null_count for group in groups) for at, name in enumerate(names)}


def span_of(table: Path, contract: Contract, rule: BatchSettings) -> tuple[str, str] | None:
    """First and last instant of the rows of a stored table, ISO, UTC; None where they have none."""
    stamp = contract.timestamp
    if stamp is None or contract[stamp].dtype != "timestamp":
        return None
    column = parquet.read_table(table, columns=[stamp], use_threads=False).column(0)
    ends = pc.min_max(in_utc(column.combine_chunks(), rule.time_zone)).as_py()
    return None if ends["min"] is None else (ends["min"].isoformat(), ends["max"].isoformat())


def _paths(present: BatchRecord | None) -> set[str]:
    return set() if present is None else {source.path for source in present.sources}
