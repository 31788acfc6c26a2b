"""Write, audit, publish: source files become one table on a branch of its own, merged only if every rule holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from rai_assets.data.contract import Contract
from rai_assets.data.conversion import Conversion
from rai_assets.data.dataset import CONTRACT, PREFIX, SOURCES, TABLE, Source
from rai_assets.data.factories import materialized
from rai_assets.data.paths import resolve
from rai_assets.data.readers import read_batches
from rai_assets.data.rules import RuleResult
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.table_file import TableWriter
from rai_assets.data.validation import Validator
from rai_assets.errors import InputRefused, RaiError
from rai_assets.store.protocol import ChangeSet, NoChanges, NotFound, StaleHead, VersionedRepository

Progress = Callable[[str, int, int], None]
_ATTEMPTS = 20  # at publishing, while others publish


@dataclass(frozen=True)
class Ingested:
    """What came of reading the source files.

    Attributes:
        accepted: Whether every rule holds and the data are published.
        commit: The data branch's commit that holds them; the run branch's, if they were not accepted.
        branch: The branch of that commit.
        rules: The outcome of every rule.
        rows: Number of rows.
        version: The data version: SHA-256 over path and digest of all that was stored.
        changed: False if the data branch had the same data already.
    """

    accepted: bool
    commit: str
    branch: str
    rules: tuple[RuleResult, ...]
    rows: int
    version: str
    changed: bool


def ingest(
    settings: DatasetSettings,
    base: Path,
    repository: VersionedRepository,
    branch: str,
    *,
    run_id: str,
    metadata: Mapping[str, str] | None = None,
    progress: Progress = lambda *_: None,
) -> Ingested:
    """Read the declared files and publish them on a data branch, if every rule of their contract holds.

    Args:
        settings: The declared files and contract.
        base: The folder relative paths start from.
        repository: Where the data go.
        branch: The data branch.
        run_id: Names the branch `run-<run_id>` that holds the data until they are accepted, and after, if not.
        metadata: Kept with the commits.
        progress: Told (what, bytes done, bytes in all).

    Returns:
        What was stored where. Rules that do not hold are no error: they are in `rules`, the data on the run branch.

    Raises:
        InputRefused: A file cannot be read; nothing is stored.
        RaiError: Another run published other data on the branch meanwhile.
    """
    repository.resolve(branch)
    with repository.scratch() as folder:
        staged = _stage(settings, base, folder, progress)
        return _publish(staged, repository, branch, f"run-{run_id}", dict(metadata or {}))


@dataclass(frozen=True)
class _Staged:
    table: Path
    contract: Contract
    sources: tuple[Source, ...]
    rules: tuple[RuleResult, ...]

    @property
    def rows(self) -> int:
        return sum(source.rows for source in self.sources)

    @property
    def accepted(self) -> bool:
        return all(rule.passed for rule in self.rules)

    def changes(self) -> ChangeSet:
        sources = [source.as_json() for source in self.sources]
        return (
            ChangeSet()
            .delete_prefix(PREFIX)
            .adopt(TABLE, self.table, "application/vnd.apache.parquet")
            .put(CONTRACT, _json(self.contract.as_json()), "application/json")
            .put(SOURCES, _json(sources), "application/json")
        )


def _stage(settings: DatasetSettings, base: Path, folder: Path, progress: Progress) -> _Staged:
    """Read, convert, check and write the rows, once through, in memory that does not grow with them."""
    names = [file.name for file in settings.files]
    settings = materialized(settings, base, folder)
    before = [_fingerprint(resolve(base, file.path)) for file in settings.files]
    conversion = Conversion(settings, Contract.of(settings))
    table = folder / "table.parquet"
    rows = [0] * len(settings.files)
    with ExitStack() as stack:
        validator = stack.enter_context(Validator(settings))
        writer: TableWriter | None = None
        for batch in read_batches(settings, base, progress):
            converted = conversion.convert(batch)
            validator.add(converted)
            rows[batch.file] += converted.data.num_rows
            writer = writer or stack.enter_context(TableWriter(table, converted.data.schema))
            writer.write(converted.data)
        if not any(rows):
            raise InputRefused(
                "the files have no rows", where=", ".join(names)[:500], fix="declare files with rows under the header"
            )
        contract = conversion.finished_contract().with_labels(validator.labels)
        rules = tuple(validator.results())
    sources = []
    for name, file, count, fingerprint in zip(names, settings.files, rows, before, strict=True):
        path = resolve(base, file.path)
        sources.append(Source(name, _sha256(path, progress), count, file.split))
        if _fingerprint(path) != fingerprint:
            raise InputRefused("the file changed while it was read", where=name, fix="run again")
    return _Staged(table, contract, tuple(sources), rules)


def _publish(
    staged: _Staged, repository: VersionedRepository, branch: str, run_branch: str, metadata: Mapping[str, str]
) -> Ingested:
    # A run that is tried again finds the branch of its first attempt.
    with suppress(NotFound):
        repository.delete_branch(run_branch)
    start = repository.create_branch(run_branch, branch)
    failed = [rule.rule for rule in staged.rules if not rule.passed]
    words = {
        **metadata,
        "rows": str(staged.rows),
        "rules": f"{len(staged.rules) - len(failed)} of {len(staged.rules)} hold",
        **({"failed_rules": ", ".join(failed)} if failed else {}),
    }
    try:
        written = repository.commit(run_branch, staged.changes(), f"{staged.rows:,} rows for {branch}", words)
    except NoChanges:
        repository.delete_branch(run_branch)
        version = repository.tree_digest(start, PREFIX)
        return Ingested(staged.accepted, start, branch, staged.rules, staged.rows, version, changed=False)
    except BaseException:
        repository.delete_branch(run_branch)
        raise
    version = repository.tree_digest(written.id, PREFIX)
    if failed:
        return Ingested(False, written.id, run_branch, staged.rules, staged.rows, version, changed=True)
    commit = _merge(repository, run_branch, branch, start, version, words)
    repository.delete_branch(run_branch)
    return Ingested(True, commit, branch, staged.rules, staged.rows, version, changed=commit != start)


def _merge(
    repository: VersionedRepository, run_branch: str, branch: str, start: str, version: str, words: Mapping[str, str]
) -> str:
    """Bring the audited data into the data branch while its head is what they were audited on; else once more."""
    audited_on, before = start, repository.tree_digest(start, PREFIX)
    for _ in range(_ATTEMPTS):
        head = repository.resolve(branch)
        if head != audited_on:
            present = repository.tree_digest(head, PREFIX)
            if present == version:
                return head
            if present != before:
                raise RaiError(
                    f"another run published other data on {branch!r} meanwhile", fix="run again to replace it"
                )
            with suppress(NoChanges):
                repository.merge(head, run_branch, f"{branch} moved on", words)
            audited_on = head
        with suppress(StaleHead):
            merged = repository.merge(run_branch, branch, f"Data published on {branch}", words, expected_head=head)
            return merged.commit.id
    raise RaiError(f"branch {branch!r} moved {_ATTEMPTS} times while publishing", fix="run again")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).encode()


def _fingerprint(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _sha256(path: Path, progress: Progress) -> str:
    digest, size, done = hashlib.sha256(), path.stat().st_size, 0
    with path.open("rb") as stream:
        while chunk := stream.read(4 << 20):
            digest.update(chunk)
            done += len(chunk)
            progress(f"hashing {path.name}", done, size)
    return digest.hexdigest()
