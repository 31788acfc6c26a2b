"""Write, audit, publish: data are written on a branch of their own, judged there, and merged if the verdict is good."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rai_assets.data.dataset import PREFIX
from rai_assets.errors import RaiError
from rai_assets.provenance import digest_of
from rai_assets.store import ledger
from rai_assets.store.errors import MergeConflict
from rai_assets.store.protocol import ChangeSet, NoChanges, NotFound, StaleHead, VersionedRepository


@dataclass(frozen=True)
class Published:
    """What came of data that were written and audited.

    Attributes:
        accepted: Whether they are published.
        commit: The commit that holds them.
        branch: Its branch: the destination, or the run branch if they were not accepted.
        version: Digest of all that is stored under the prefix.
    """

    accepted: bool
    commit: str
    branch: str
    version: str


def publish(
    repository: VersionedRepository,
    branch: str,
    changes: ChangeSet,
    *,
    run_branch: str,
    start: str,
    message: str,
    words: Mapping[str, str],
    judge: Callable[[str, str], bool],
    prefix: str | Sequence[str] = PREFIX,
    before: Callable[[str], None] = lambda _: None,
) -> Published:
    """Write data on a branch of its own, have that commit judged, and publish it if the verdict is good.

    Args:
        repository: Where the data go.
        branch: The branch that they are for.
        changes: The data, all under `prefix`.
        run_branch: Holds the data until they are accepted, and after, if not.
        start: Commit of `branch` that the data were made on; what came since is met at the merge.
        message: Of the commit.
        words: Kept with the commits.
        judge: Asked whether the data of a commit, with their digest, may be published.
        prefix: The folder, or folders, that the verdict is about.
        before: Told the run branch before the data are written on it.

    Raises:
        RaiError: Others published other data under the prefix meanwhile.
    """
    # A run that is tried again finds the branch of its first attempt.
    with suppress(NotFound):
        repository.delete_branch(run_branch)
    repository.create_branch(run_branch, start)
    try:
        before(run_branch)
        commit = repository.commit(run_branch, changes, message, words).id
    except NoChanges:
        commit = repository.resolve(run_branch)
    except BaseException:
        repository.delete_branch(run_branch)
        raise
    version = _version(repository, commit, prefix)
    accepted = judge(commit, version)
    if commit != start:
        if not accepted:
            return Published(False, commit, run_branch, version)
        commit = land(repository, run_branch, branch, version, words, audited_on=start, prefix=prefix)
    repository.delete_branch(run_branch)
    return Published(accepted, commit, branch, version)


def land(
    repository: VersionedRepository,
    run_branch: str,
    branch: str,
    version: str,
    words: Mapping[str, str],
    *,
    audited_on: str = "",
    prefix: str | Sequence[str] = PREFIX,
) -> str:
    """Bring audited data into the data branch while its head is what they were audited on; else once more.

    What others changed meanwhile is merged into the run branch first. The verdict is on that commit too where its
    data have the digest `version`; where they do not, others published data, and nobody's are mixed with them.

    Args:
        repository: Where the data are.
        run_branch: The branch that holds them.
        branch: The data branch.
        version: Digest of the audited data.
        words: Kept with the merge.
        audited_on: Commit of the data branch that the run branch holds already.
        prefix: The folder of the data, or their folders.

    Returns:
        The data branch's commit that holds the data.

    Raises:
        RaiError: Others published other data, or the branch moves without end.
    """
    for _ in range(ledger.ATTEMPTS):
        head = repository.resolve(branch)
        if head != audited_on:
            if _version(repository, head, prefix) == version:
                return head
            try:
                with suppress(NoChanges):
                    repository.merge(head, run_branch, f"{branch} moved on", words)
            except MergeConflict as conflict:
                raise _overtaken(branch, run_branch) from conflict
            if _version(repository, run_branch, prefix) != version:
                raise _overtaken(branch, run_branch)
            audited_on = head
        with suppress(StaleHead):
            merged = repository.merge(run_branch, branch, f"Data published on {branch}", words, expected_head=head)
            return merged.commit.id
    raise RaiError(f"branch {branch!r} moved {ledger.ATTEMPTS} times while publishing", fix="run again")


def _version(repository: VersionedRepository, ref: str, prefix: str | Sequence[str]) -> str:
    if isinstance(prefix, str):
        return repository.tree_digest(ref, prefix)
    return digest_of([repository.tree_digest(ref, one) for one in prefix])


def _overtaken(branch: str, run_branch: str) -> RaiError:
    return RaiError(
        f"another run published other data on {branch!r} meanwhile; these stay on branch {run_branch!r}",
        fix="look at what was published; run again to replace it",
    )
