"""A versioned repository in lakeFS's words: the one protocol that every engine of the store follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from rai_assets.store.changes import ChangeSet
from rai_assets.store.errors import (
    AlreadyExists,
    BackendUnavailable,
    DirtyBranch,
    HookRejected,
    InvalidPath,
    InvalidRef,
    MergeConflict,
    NoChanges,
    NotFound,
    ProtectedBranch,
    StaleHead,
)
from rai_assets.store.records import (
    Change,
    Collected,
    Commit,
    MergeCandidate,
    MergeResult,
    ObjectInfo,
    Strategy,
)

__all__ = [
    "AlreadyExists",
    "BackendUnavailable",
    "Change",
    "ChangeSet",
    "Collected",
    "Commit",
    "DirtyBranch",
    "HookRejected",
    "InvalidPath",
    "InvalidRef",
    "MergeCandidate",
    "MergeConflict",
    "MergeResult",
    "NoChanges",
    "NotFound",
    "ObjectInfo",
    "ProtectedBranch",
    "StaleHead",
    "Strategy",
    "VersionedRepository",
]


class VersionedRepository(Protocol):
    """Branches, commits and objects of one use case.

    A ref is a branch, a tag, a commit id (full, or its first 8 digits or more), or one of these with `~N`.
    Reading by commit id is stable for ever; reading by branch sees the head of that moment. Writes are change
    sets: a commit is visible whole or not at all. Every method may raise `BackendUnavailable`; a malformed name
    is `InvalidRef` or `InvalidPath`. What returns an iterator looks the ref up at once, the rest while it is read.

    Attributes:
        repository: Name of the repository.
        default_branch: The branch that cannot be deleted.
        capabilities: What this engine can do beyond the protocol's common ground: `expected_head` (exact),
            `hooks`, `gc`, `presign`, `s3`.
    """

    @property
    def repository(self) -> str: ...  # noqa: D102

    @property
    def default_branch(self) -> str: ...  # noqa: D102

    @property
    def capabilities(self) -> frozenset[str]: ...  # noqa: D102

    def resolve(self, ref: str) -> str:
        """The full id of the commit that `ref` names now.

        Raises:
            InvalidRef: The prefix fits several; lakeFS itself does not tell that from none.
            NotFound: There is none.
        """
        ...

    def branches(self, prefix: str = "") -> dict[str, str]:
        """Branches whose name starts with `prefix`, sorted, with the commit id of their heads."""
        ...

    def create_branch(self, name: str, source: str, *, exist_ok: bool = False) -> str:
        """Start a branch at the commit that `source` names, and return that commit's id.

        Args:
            name: The new branch.
            source: Any ref.
            exist_ok: Return the head of a branch that exists instead of raising.

        Raises:
            AlreadyExists: The name is taken by a branch, a tag or a commit id.
            NotFound: There is no such source.
        """
        ...

    def delete_branch(self, name: str) -> None:
        """Delete a branch; its commits stay readable by id until the next sweep.

        Raises:
            NotFound: There is none.
            ProtectedBranch: It is the default branch or protected.
        """
        ...

    def tags(self) -> dict[str, str]:
        """Tags, sorted, with the commit ids they name."""
        ...

    def create_tag(self, tag: str, ref: str) -> str:
        """Name the commit of `ref`, and return its id; a tag never moves.

        Raises:
            AlreadyExists: The name is taken by a tag, a branch or a commit id.
            NotFound: There is no such ref.
        """
        ...

    def delete_tag(self, tag: str) -> None:
        """Delete a tag.

        Raises:
            NotFound: There is none.
        """
        ...

    def get_commit(self, ref: str) -> Commit:
        """The commit that `ref` names.

        Raises:
            NotFound: There is none.
        """
        ...

    def log(
        self, ref: str, limit: int | None = None, *, first_parent: bool = False, prefixes: Sequence[str] = ()
    ) -> Iterator[Commit]:
        """Commits from `ref` back to the first, children before their parents.

        Args:
            ref: Where to start.
            limit: Stop after so many.
            first_parent: Follow first parents only.
            prefixes: Only commits that changed, against their first parent, a path starting with one of these.

        Raises:
            NotFound: There is no such ref.
        """
        ...

    def list_objects(self, ref: str, prefix: str = "", delimiter: Literal["/"] | None = None) -> Iterator[ObjectInfo]:
        """Objects whose path starts with `prefix`, in byte order of the paths.

        Args:
            ref: The commit to list.
            prefix: Any beginning of a path, not only a folder.
            delimiter: With `/`, what lies deeper than the next slash is folded into one entry with `is_prefix`.

        Raises:
            NotFound: There is no such ref. A prefix without objects is no fault.
        """
        ...

    def stat(self, ref: str, path: str) -> ObjectInfo:
        """Size, digest and metadata of one object.

        Raises:
            NotFound: There is no such ref or object.
        """
        ...

    def open(self, ref: str, path: str) -> BinaryIO:
        """Open an object for reading, from any position; the caller closes it. Its digest is not checked.

        Raises:
            NotFound: There is no such ref or object.
        """
        ...

    def download(self, ref: str, path: str, destination: Path) -> ObjectInfo:
        """Copy an object to a file, check its digest, and only then give the file its name.

        Raises:
            NotFound: There is no such ref or object.
        """
        ...

    def scratch(self) -> AbstractContextManager[Path]:
        """A folder for files to be adopted by a change set; gone with all it holds when the context ends."""
        ...

    def commit(
        self,
        branch: str,
        changes: ChangeSet,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        expected_head: str | None = None,
        allow_empty: bool = False,
    ) -> Commit:
        """Apply a change set to the head of a branch.

        Args:
            branch: The branch that moves.
            changes: What to write and delete.
            message: One line for people, more if wished.
            metadata: Text keys and values, kept with the commit.
            expected_head: Full id of the commit the changes were made for.
            allow_empty: Commit even if nothing changes.

        Raises:
            NotFound: There is no such branch.
            ProtectedBranch: The branch takes merges only.
            StaleHead: The head is not `expected_head`.
            AlreadyExists: A path put with `if_absent` exists.
            InvalidPath: A path is a file on one side and a folder on the other.
            NoChanges: The content would be the same.
        """
        ...

    def diff(self, left: str, right: str, prefix: str = "", *, two_dot: bool = False) -> Iterator[Change]:
        """What `right` changed since it parted from `left`, in byte order of the paths.

        Args:
            left: The destination of a merge.
            right: The source of a merge.
            prefix: Only paths that start with it.
            two_dot: Compare the two commits as they are instead.

        Raises:
            NotFound: There is no such ref.
        """
        ...

    def merge(
        self,
        source: str,
        destination: str,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
        *,
        expected_head: str | None = None,
        strategy: Strategy | None = None,
        squash: bool = False,
        allow_empty: bool = False,
    ) -> MergeResult:
        """Bring what a source changed into a branch, object by object; contents are never mixed.

        Args:
            source: Any ref.
            destination: The branch that moves.
            message: One line for people; a plain one is made up if it is empty.
            metadata: Kept with the commit, together with `.lakefs.merge.strategy`.
            expected_head: Full id of the destination's head the merge was judged on.
            strategy: Which side wins an object changed on both; without one that is a conflict.
            squash: Make a commit with one parent.
            allow_empty: Commit even if the source changed nothing.

        Raises:
            NotFound: There is no such source or destination.
            MergeConflict: Both sides changed the same paths; nothing is changed.
            NoChanges: The source changed nothing since the two parted.
            StaleHead: The head is not `expected_head`.
            HookRejected: A gate refused; nothing is changed.
        """
        ...

    def tree_digest(self, ref: str, prefix: str = "") -> str:
        """SHA-256 (hex) over the lines `<sha256>  <path>` under a prefix: what `sha256sum` would print of the files.

        Raises:
            NotFound: There is no such ref.
        """
        ...

    def protect(self, patterns: Sequence[str]) -> None:
        """Set the branches that take merges only, as patterns with `*`; replaces what was set before.

        Raises:
            InvalidRef: A pattern fits no branch name.
        """
        ...

    def before_merge(self, gate: Callable[[MergeCandidate], None]) -> None:
        """Ask `gate` before every merge made through this object; what it raises as `RaiError` refuses the merge.

        The gate may read and write the store, and is asked again if the destination moved meanwhile.
        """
        ...

    def revert(
        self,
        branch: str,
        ref: str,
        parent_number: int = 0,
        *,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> Commit:
        """Take back what one commit changed, as a new commit. Protected branches may be reverted.

        Args:
            branch: The branch that moves.
            ref: The commit to take back.
            parent_number: Which parent of a merge to go back to, from 1; 0 for a commit with one parent.
            message: Instead of `Revert <ref>`.
            metadata: Kept with the commit.

        Raises:
            NotFound: There is no such branch or ref.
            InvalidRef: The commit is the first one, has no such parent, or is a merge and no parent is named.
            MergeConflict: Later commits changed the same paths; nothing is changed.
            NoChanges: What it did is undone already.
        """
        ...

    def collect_garbage(
        self, grace: timedelta = timedelta(days=14), *, expire_runs: timedelta | None = None, dry_run: bool = False
    ) -> Collected:
        """Remove what no branch or tag leads to, and what dead writers left.

        Args:
            grace: Nothing younger is removed, so that writers at work lose nothing.
            expire_runs: Delete `run-` and `tx-` branches whose head is older.
            dry_run: Only tell what would go.

        Returns:
            What was removed.
        """
        ...
