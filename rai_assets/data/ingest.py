"""Rows of a data set become one table on a branch of its own, published only if every rule of their contract holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rai_assets.charts.text import how_many
from rai_assets.data.dataset import PREFIX, TABLE, read_sources
from rai_assets.data.media.stored import files_edited
from rai_assets.data.media.upload import bring, upload
from rai_assets.data.paths import resolve_folder
from rai_assets.data.publish import publish
from rai_assets.data.rules import RuleResult
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.staging import Origin, Progress, Staged, stage_files, stage_stored
from rai_assets.store import ledger
from rai_assets.store.protocol import NotFound, VersionedRepository

DESTINATION = "destination"  # what the commits of a run branch call the branch that they were made for


@dataclass(frozen=True)
class Ingested:
    """What came of reading the rows.

    Attributes:
        accepted: Whether the data are published: every rule holds, or a person let these very data pass.
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
    origin: Origin = "declared",
    metadata: Mapping[str, str] | None = None,
    progress: Progress = lambda *_: None,
) -> Ingested:
    """Read files and publish them on a data branch, if every rule of their contract holds.

    Args:
        settings: The files and their contract.
        base: The folder relative paths start from.
        repository: Where the data go.
        branch: The data branch.
        run_id: Names the branch `run-<run_id>` that holds the data until they are accepted, and after, if not.
        origin: `given` for files that are not those of the declaration: the branch's data stand on their own then.
        metadata: Kept with the commits.
        progress: Told (what, bytes done, bytes in all).

    Returns:
        What was stored where. Rules that do not hold are no error: they are in `rules`, the data on the run branch.

    Raises:
        InputRefused: A file cannot be read; nothing is stored.
        RaiError: Another run published other data on the branch meanwhile.
    """
    start = repository.resolve(branch)
    with repository.scratch() as folder:
        staged, parts = stage_files(settings, base, folder, progress, origin), None
        if settings.media is not None and staged.media is not None:
            files = resolve_folder(base, settings.media.folder)
            parts = upload(repository, branch, files, staged.media.manifest, run_id, progress)
        ingested = publish_staged(staged, repository, branch, start, run_id, dict(metadata or {}), parts)
    if parts is not None and ingested.accepted:
        repository.delete_branch(parts)
    return ingested


def stands_alone(repository: VersionedRepository, ref: str) -> bool:
    """Whether a commit's data are not those of the declared files: given by a person, or edited by another client."""
    commit = repository.resolve(ref)
    try:
        table = repository.stat(commit, TABLE)
    except NotFound:
        return False
    sources = read_sources(repository, commit)
    return sources.origin == "given" or sources.table not in ("", table.sha256) or files_edited(repository, commit)


def audit_branch(
    settings: DatasetSettings,
    repository: VersionedRepository,
    branch: str,
    *,
    run_id: str,
    metadata: Mapping[str, str] | None = None,
    progress: Progress = lambda *_: None,
) -> Ingested:
    """Check the data that stand on a data branch, and write them as the store writes them, if every rule holds.

    The rows stay as they are. The arguments, what is returned and what is raised are those of `ingest`.
    """
    start = repository.resolve(branch)
    with repository.scratch() as folder:
        staged = stage_stored(settings, repository, start, folder, progress)
        return publish_staged(staged, repository, branch, start, run_id, dict(metadata or {}))


def audit_commit(
    settings: DatasetSettings, repository: VersionedRepository, commit: str, branch: str, *, run_id: str
) -> tuple[RuleResult, ...]:
    """Check the data of a commit as they are, and write the verdict into the ledger of a data branch.

    Args:
        settings: The declaration, for its contract.
        repository: Where they are stored.
        commit: Any ref.
        branch: The data branch whose ledger takes the verdict.
        run_id: Kept with the verdict.

    Raises:
        InputRefused: The table cannot be read.
    """
    commit = repository.resolve(commit)
    with repository.scratch() as folder:
        staged = stage_stored(settings, repository, commit, folder, lambda *_: None)
    _judge(staged, repository, branch, commit, repository.tree_digest(commit, PREFIX), run_id)
    return staged.rules


def publish_staged(
    staged: Staged,
    repository: VersionedRepository,
    branch: str,
    start: str,
    run_id: str,
    metadata: Mapping[str, str],
    parts: str | None = None,
) -> Ingested:
    """Publish rows that were read and checked on a data branch, if every rule of their contract holds.

    The run branch starts at `start`; files that the rows name were gathered on the branch `parts`. The other arguments,
    what is returned and what is raised are those of `ingest`.
    """
    words = {**metadata, DESTINATION: branch, **staged.words}
    published = publish(
        repository,
        branch,
        staged.changes(),
        run_branch=f"run-{run_id}",
        start=start,
        message=f"{how_many(staged.rows, 'row')} for {branch}",
        words=words,
        judge=lambda commit, digest: _judge(staged, repository, branch, commit, digest, run_id),
        before=lambda run_branch: bring(repository, parts, run_branch) if parts is not None else None,
    )
    return Ingested(**vars(published), rules=staged.rules, rows=staged.rows, changed=published.commit != start)


def _judge(staged: Staged, repository: VersionedRepository, branch: str, commit: str, digest: str, run_id: str) -> bool:
    """Write what the rules say of the data with this digest into the ledger; True if they may be published."""
    holds = not staged.failed
    verdict = {"holds": holds, "failed": list(staged.failed)}
    ledger.record(repository, branch, digest, "contract", verdict, commit=commit, run_id=run_id)
    return holds or ledger.overrides(repository, digest, "contract")
