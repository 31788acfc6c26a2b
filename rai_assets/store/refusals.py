"""What both engines refuse: the same words, with the same remedy."""

from __future__ import annotations

from collections.abc import Sequence

from rai_assets.store.errors import (
    AlreadyExists,
    InvalidRef,
    MergeConflict,
    NoChanges,
    NotFound,
    ProtectedBranch,
    StaleHead,
)
from rai_assets.store.records import Commit

_SHORT = 12  # digits of a commit id for people


def no_branch(name: str, repository: str) -> NotFound:
    """There is no branch of this name."""
    fix = "`rai branch list` shows the branches, and `rai branch create` starts one"
    return NotFound(f"there is no branch {name!r}", where=repository, fix=fix)


def no_tag(name: str, repository: str) -> NotFound:
    """There is no tag of this name."""
    return NotFound(f"there is no tag {name!r}", where=repository, fix="`rai tag list` shows the tags")


def no_commit(ref: str, repository: str) -> NotFound:
    """A ref names nothing."""
    return NotFound(
        f"there is no branch, tag or commit {ref!r}",
        where=repository,
        fix="`rai branch list` and `rai tag list` show the names, `rai log` the commits",
    )


def no_object(path: str, ref: str, repository: str) -> NotFound:
    """A commit has nothing at a path."""
    return NotFound(
        f"there is no object {path!r} in {ref!r}",
        where=repository,
        fix="choose a path that this commit holds, or a commit that holds this path",
    )


def taken(name: str, repository: str) -> AlreadyExists:
    """A new branch or tag has a name that means something already."""
    return AlreadyExists(
        f"{name!r} names a branch, a tag or a commit already",
        where=repository,
        fix="choose another name; a tag never moves, so one that is to name another commit is deleted first",
    )


def object_exists(path: str, repository: str) -> AlreadyExists:
    """A path that was to be written only if absent is there."""
    return AlreadyExists(
        f"there is an object {path!r} already", where=repository, fix="choose another path, or allow to replace it"
    )


def stays(branch: str, repository: str) -> ProtectedBranch:
    """The default branch, or a protected one, was to be deleted."""
    return ProtectedBranch(
        f"branch {branch!r} may not be deleted",
        where=repository,
        fix="delete another branch, or lift the protection of this one",
    )


def merges_only(branch: str, repository: str) -> ProtectedBranch:
    """A protected branch was to take a commit."""
    return ProtectedBranch(
        f"branch {branch!r} takes merges only", where=repository, fix="commit to a branch, then merge it"
    )


def stale(branch: str, head: str, expected: str, repository: str) -> StaleHead:
    """A branch is not where the caller thinks it is."""
    return StaleHead(
        f"branch {branch!r} stands at {head[:_SHORT]}, not at {expected[:_SHORT]}",
        where=repository,
        fix="read the branch again and repeat the change on its new head",
    )


def unchanged(branch: str, repository: str) -> NoChanges:
    """A commit would leave everything as it is."""
    return NoChanges(
        f"branch {branch!r} holds this content already", where=repository, fix="nothing is left to be done"
    )


def nothing_to_merge(source: str, destination: str, where: str) -> NoChanges:
    """A source has nothing that its destination has not."""
    return NoChanges(
        f"nothing to merge: {source!r} has nothing that {destination!r} has not",
        where=where,
        fix=f"nothing is left to be done, unless {source!r} was to be changed first",
    )


def conflict(paths: Sequence[str], repository: str = "") -> MergeConflict:
    """Both sides of a merge changed the same paths."""
    return MergeConflict(
        paths,
        where=repository,
        fix="merge the destination into the source first and settle these objects there, "
        "or choose a side with the strategy source-wins or dest-wins",
    )


def merged_clash(path: str, repository: str) -> MergeConflict:
    """A path would be an object and a folder at once after a merge or a revert."""
    return MergeConflict([path], where=repository, fix="rename one of them; no strategy helps")


def undone_already(ref: str, branch: str, repository: str) -> NoChanges:
    """What a commit did is taken back already."""
    return NoChanges(
        f"what {ref!r} did is undone on {branch!r} already", where=repository, fix="nothing is left to be done"
    )


def parent_to_go_back_to(commit: Commit, number: int, repository: str) -> str:
    """Id of the parent that a revert goes back to.

    Args:
        commit: What is taken back.
        number: Which parent of a merge, from 1; 0 for a commit with one parent.
        repository: For errors.

    Raises:
        InvalidRef: There is no such parent, or several and none is named.
    """
    parents = commit.parents
    if not parents:
        raise InvalidRef(
            "the first commit of a repository holds nothing that could be taken back",
            where=repository,
            fix="name a later commit; `rai log` shows them",
        )
    if number == 0 and len(parents) > 1:
        raise InvalidRef(
            f"{commit.id[:_SHORT]} is a merge",
            where=repository,
            fix="say which parent to go back to: parent_number=1 or 2",
        )
    if not 0 <= number <= len(parents):
        raise InvalidRef(
            f"{commit.id[:_SHORT]} has no parent number {number}", where=repository, fix=f"it has {len(parents)}"
        )
    return parents[max(number, 1) - 1]
