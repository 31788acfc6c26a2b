"""What a versioned repository tells about its commits, objects, changes and merges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Strategy = Literal["source-wins", "dest-wins"]


@dataclass(frozen=True)
class Commit:
    """An immutable snapshot of a repository.

    Attributes:
        id: Full id, lower-case hexadecimal.
        parents: Ids of the parents: none for the first commit, the destination's head first for a merge.
        message: What the committer said.
        metadata: Text keys and values.
        time: When it was made, in UTC, to the second.
    """

    id: str
    parents: tuple[str, ...]
    message: str
    metadata: Mapping[str, str]
    time: datetime


@dataclass(frozen=True)
class ObjectInfo:
    """One object of a commit, or a folder when listed with a delimiter.

    Attributes:
        path: Full path; a folder's ends in the delimiter.
        size: Bytes.
        sha256: Digest of the content; empty for a folder.
        content_type: Media type; empty for a folder.
        metadata: The writer's words about the object.
        is_prefix: True for a folder.
    """

    path: str
    size: int
    sha256: str
    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    is_prefix: bool = False


@dataclass(frozen=True)
class Change:
    """One path that differs between two commits.

    Attributes:
        path: Path of the object.
        kind: What happened to it; `conflict` only between a source and a destination that both changed it.
        before: The object as it was, or None where it was not.
        after: The object as it is now, or None where it is gone.
    """

    path: str
    kind: Literal["added", "removed", "changed", "conflict"]
    before: ObjectInfo | None
    after: ObjectInfo | None


@dataclass(frozen=True)
class MergeResult:
    """What a merge made.

    Attributes:
        commit: The destination's new head.
        base: Id of the commit where the two sides parted.
    """

    commit: Commit
    base: str


@dataclass(frozen=True)
class MergeCandidate:
    """A merge about to happen, for a gate to judge.

    Attributes:
        run_id: Id of this run of the gate.
        source: Id of the commit to be merged.
        destination: Branch that would move.
        head: Head of the destination now.
        commit: Id of the merge commit, readable already.
    """

    run_id: str
    source: str
    destination: str
    head: str
    commit: str


@dataclass(frozen=True)
class Collected:
    """What a sweep removed.

    Attributes:
        branches: Expired branches of dead runs.
        objects: Contents that no commit refers to.
        bytes: Their size.
        leftovers: Unfinished files of dead writers.
    """

    branches: tuple[str, ...]
    objects: int
    bytes: int
    leftovers: int
