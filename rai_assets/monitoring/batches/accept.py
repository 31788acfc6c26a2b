"""Publish one batch: prepared on a branch of its own, and merged only if every rule of its contract holds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from rai_assets.data.dataset import Dataset
from rai_assets.data.publish import publish
from rai_assets.data.staging import Progress
from rai_assets.errors import RaiError
from rai_assets.keys import CHAMPION, MAIN, PRODUCTION, batch_folder
from rai_assets.monitoring.batches.batch import BatchRecord
from rai_assets.monitoring.batches.contracts import versions
from rai_assets.monitoring.batches.findings import Finding
from rai_assets.monitoring.batches.overrides import Word, words_on
from rai_assets.monitoring.batches.prepare import Asked, prepare
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
        """Why it is in quarantine, or published all the same."""
        if self.published:
            return None if self.record.override is None else Word.from_json(self.record.override).sentence
        return "\n".join(item.sentence for item in self.findings if item.blocking and not item.passed)


def accept(
    asked: Asked,
    repository: VersionedRepository,
    *,
    run_id: str,
    words: Mapping[str, str] | None = None,
    progress: Progress = lambda *_: None,
) -> Accepted:
    """Publish a batch on `production` if it keeps its contract; else leave it on its run branch.

    What is there already from the same files is left as it is, whoever brought it. Runs of other batches never meet
    this one: each has a folder of its own.

    Args:
        asked: The batch.
        repository: The use case's repository.
        run_id: Names the branch `run-<run_id>`.
        words: Kept with the commits.
        progress: Told (what, bytes done, bytes in all).

    Raises:
        RaiError: Files cannot be brought, or the store cannot be reached.
    """
    ensure_branch(repository, PRODUCTION)
    labels = reference_labels(repository)
    for attempt in range(_ATTEMPTS):
        start = repository.resolve(PRODUCTION)
        present = BatchRecord.read(repository, start, asked.key)
        if present is not None and present.made_of(asked.sources):
            return Accepted(present, True, start, PRODUCTION, changed=False)
        known = versions(repository, start)
        with repository.scratch() as folder:
            word = words_on(repository, start).get(asked.key)
            prepared = prepare(asked, present, known, labels, folder, progress, word)
            try:
                published = publish(
                    repository,
                    PRODUCTION,
                    prepared.add_to(ChangeSet()),
                    run_branch=f"run-{run_id}",
                    start=start,
                    message=prepared.record.title,
                    words={**(words or {}), BATCH: asked.key, "revision": str(prepared.record.revision)},
                    judge=lambda *_: prepared.holds,  # noqa: B023  asked before the loop goes on
                    prefix=batch_folder(asked.key),
                )
            except RaiError:
                # Another run may have published this batch meanwhile: then it is met as it is now.
                if attempt + 1 == _ATTEMPTS or repository.resolve(PRODUCTION) == start:
                    raise
                continue
        return Accepted(prepared.record, published.accepted, published.commit, published.branch, changed=True)
    raise AssertionError


def reference_labels(repository: VersionedRepository) -> tuple[str, ...]:
    """The classes in the data of the champion, or of `main` before there is one."""
    with suppress(NotFound):
        commit = results.load(repository, CHAMPION, CHAMPION, parts=()).provenance.commit
        return Dataset(repository, commit).contract.labels
    with suppress(NotFound):
        return Dataset(repository, MAIN).contract.labels
    return ()
