"""Write, audit, publish one batch: its files become rows on a branch of their own, merged only if every rule holds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rai_assets.data.dataset import Dataset
from rai_assets.data.ingest import publish
from rai_assets.data.settings import DatasetSettings, FileSettings
from rai_assets.data.staging import PARQUET, Progress, Staged, stage_files
from rai_assets.errors import InputRefused, RaiError
from rai_assets.keys import CHAMPION, MAIN, PRODUCTION, batch_folder
from rai_assets.monitoring.batches.arrivals import Taken
from rai_assets.monitoring.batches.batch import RECORD, TABLE, BatchRecord
from rai_assets.monitoring.batches.contracts import ContractVersion, for_batches, path_of, version_for, versions
from rai_assets.monitoring.batches.findings import (
    Finding,
    of_rules,
    readable,
    rule_descriptions,
    unreadable,
    usual_size,
)
from rai_assets.store import results
from rai_assets.store.open import ensure_branch
from rai_assets.store.protocol import ChangeSet, NotFound, VersionedRepository

BATCH = "batch"  # what the commits of a run branch call the batch that they are about
_ATTEMPTS = 5  # while other runs publish the same batch


@dataclass(frozen=True)
class Accepted:
    """What became of a batch.

    Attributes:
        record: What is known of it.
        published: Whether it is on `production`; else it is in quarantine on its run branch.
        commit: The commit that holds it.
        branch: The branch of that commit.
        changed: False if `production` held these very files of it already.
    """

    record: BatchRecord
    published: bool
    commit: str
    branch: str
    changed: bool

    @property
    def findings(self) -> list[Finding]:
        """The outcome of every rule."""
        return [Finding(**{**item, "columns": tuple(item["columns"])}) for item in self.record.findings]

    @property
    def reason(self) -> str | None:
        """Why it is in quarantine."""
        broken = [item.sentence for item in self.findings if item.blocking and not item.passed]
        return None if self.published else "\n".join(broken)


def accept(
    declared: DatasetSettings,
    repository: VersionedRepository,
    key: str,
    sources: Sequence[Taken],
    bring: Callable[[Taken], Path],
    *,
    run_id: str,
    former_rows: Sequence[int] = (),
    words: Mapping[str, str] | None = None,
    progress: Progress = lambda *_: None,
) -> Accepted:
    """Publish a batch on `production` if it keeps its contract; else leave it on its run branch.

    What is there already from the same files is left as it is, whoever brought it. Runs of other batches never meet
    this one: each has a folder of its own.

    Args:
        declared: The declared data set; its contract is the first version.
        repository: The use case's repository.
        key: The batch.
        sources: Its files, in order.
        bring: Gives the bytes of a file.
        run_id: Names the branch `run-<run_id>`.
        former_rows: Rows of batches before, that tell what is usual.
        words: Kept with the commits.
        progress: Told (what, bytes done, bytes in all).

    Raises:
        RaiError: Files cannot be brought, or the store cannot be reached.
    """
    ensure_branch(repository, PRODUCTION)
    labels = _reference_labels(repository)
    for attempt in range(_ATTEMPTS):
        start = repository.resolve(PRODUCTION)
        present = BatchRecord.read(repository, start, key)
        wanted = [(source.path, source.sha256) for source in sources]
        if present is not None and [(source.path, source.sha256) for source in present.sources] == wanted:
            return Accepted(present, True, start, PRODUCTION, changed=False)
        known = versions(repository, start)
        time = datetime.fromtimestamp(max(source.modified for source in sources), UTC)
        contract = version_for(known, time) if known else ContractVersion.declared(declared)
        revision = 1 if present is None else present.revision + 1
        with repository.scratch() as folder:
            staged, findings = _audit(contract, labels, key, sources, bring, folder, progress)
            findings += [usual_size(staged.rows, former_rows)] if staged is not None else []
            record = BatchRecord(
                key=key,
                revision=revision,
                contract=contract.number,
                rows=0 if staged is None else staged.rows,
                sources=tuple(sources),
                source_rows=() if staged is None else tuple(source.rows for source in staged.sources),
                time=time.isoformat(timespec="seconds"),
                columns=None if staged is None else staged.contract.as_json(),
                findings=tuple(item.as_json() for item in findings),
            )
            holds = all(item.passed for item in findings if item.blocking)
            changes = _changes(record, staged, None if known else contract)
            try:
                published = publish(
                    repository,
                    PRODUCTION,
                    changes,
                    run_branch=f"run-{run_id}",
                    start=start,
                    message=f"Batch {key}, revision {revision}: {record.rows:,} rows",
                    words={**(words or {}), BATCH: key, "revision": str(revision)},
                    judge=_verdict(holds),
                    prefix=batch_folder(key),
                )
            except RaiError:
                # Another run may have published this batch meanwhile: then it is met as it is now.
                if attempt + 1 == _ATTEMPTS or repository.resolve(PRODUCTION) == start:
                    raise
                continue
        return Accepted(record, published.accepted, published.commit, published.branch, changed=True)
    raise AssertionError


def _audit(
    contract: ContractVersion,
    labels: Sequence[str],
    key: str,
    sources: Sequence[Taken],
    bring: Callable[[Taken], Path],
    folder: Path,
    progress: Progress,
) -> tuple[Staged | None, list[Finding]]:
    """The rows of a batch with the outcome of every rule; None for the rows where no file could be read."""
    base = folder / "files"
    for source in sources:
        _lay_out(bring(source), base / source.path)
    declared = contract.settings([FileSettings(path=source.path) for source in sources])
    settings = for_batches(declared, labels)
    try:
        staged = stage_files(settings, base, folder, progress, optional=declared.with_role("target"))
    except InputRefused as refusal:
        others = [rule for rule in rule_descriptions(settings) if rule != "readable"]
        return None, unreadable(refusal, others)
    return staged, [readable(), *of_rules(staged.rules)]


def _verdict(holds: bool) -> Callable[[str, str], bool]:
    return lambda _commit, _digest: holds


def _lay_out(kept: Path, place: Path) -> None:
    """Bytes under the name that the file had, which says how it is written and stands in every message."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.hardlink_to(kept)
    except OSError:  # another file system
        shutil.copyfile(kept, place)


def _changes(record: BatchRecord, staged: Staged | None, first: ContractVersion | None) -> ChangeSet:
    folder = batch_folder(record.key)
    changes = ChangeSet().delete_prefix(folder).put(folder + RECORD, record.as_json(), "application/json")
    if staged is not None:
        changes.adopt(folder + TABLE, staged.table, PARQUET)
    if first is not None:
        changes.put(path_of(first), first.as_bytes(), "application/json")
    return changes


def _reference_labels(repository: VersionedRepository) -> tuple[str, ...]:
    """The classes in the data of the champion, or of `main` before there is one."""
    with suppress(NotFound):
        commit = results.load(repository, CHAMPION, CHAMPION, whole=False).provenance.commit
        return Dataset(repository, commit).contract.labels
    with suppress(NotFound):
        return Dataset(repository, MAIN).contract.labels
    return ()
