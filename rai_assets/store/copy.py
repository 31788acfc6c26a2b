"""A repository brought to another store, with its history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast
from uuid import uuid4

from rai_assets.errors import UsageError
from rai_assets.store.changes import ChangeSet
from rai_assets.store.clone import Brought, clone
from rai_assets.store.embedded import EmbeddedRepository
from rai_assets.store.errors import AlreadyExists, BackendUnavailable, InvalidPath, InvalidRef, MergeConflict, NoChanges
from rai_assets.store.merge import STRATEGY_KEY
from rai_assets.store.open import first_commit
from rai_assets.store.origins import ORIGIN
from rai_assets.store.protocol import Change, Commit, ObjectInfo, Strategy, VersionedRepository
from rai_assets.store.verify import Opener, Report, checked, opener

MADE = "rai-copied-time"  # key of a copy's metadata: when the original was made
WORK = "run-copy-"  # branches that hold what is copied until one of its own does; an interrupted copy leaves them
_BIG = 64 << 20  # bytes of a commit whose progress is told in bytes
_NEVER_KEPT = (
    f"the ids of commits: the original's stands in the metadata as `{ORIGIN}`, and still names the commit",
    f"the times of commits: the original's stands in the metadata as `{MADE}`",
    "which branches are protected",
)


def copy(source: VersionedRepository, target: VersionedRepository, report: Report = lambda *_: None) -> Brought:
    """Bring every branch and tag with its history to another repository; what is there already is skipped.

    Between two embedded stores commits keep their ids. Elsewhere commits are made again along first parents, merges as
    merges, and tell the original's id and time in their metadata. Afterwards the tree digests of all branches and
    tags are compared.

    Args:
        source: Where to read; what others write there meanwhile is not copied.
        target: A repository without history, or one that was copied from or to `source` before.
        report: Told how far it is.

    Raises:
        UsageError: The target's `main` holds commits that are none of the source's.
        BackendUnavailable: A content of the source is damaged, a store cannot be reached, or the copy is not equal.
    """
    if isinstance(source, EmbeddedRepository) and isinstance(target, EmbeddedRepository):
        brought = clone(source, target, report)
    else:
        brought = _Replay(source, target, report).run()
    equal: dict[tuple[str, str], bool] = {}
    for number, (name, pair) in enumerate(brought.placed.items()):
        report("branches and tags compared", number, len(brought.placed))
        if pair not in equal:
            equal[pair] = source.tree_digest(pair[0]) == target.tree_digest(pair[1])
        if not equal[pair]:
            raise BackendUnavailable(
                f"{name} is not the same after the copy",
                where=target.repository,
                fix="`rai store verify` looks for damage in either store; copy to an empty one again",
            )
    return brought


@dataclass
class _Later:
    """A stream that opens its object when it is first read: a commit may have more objects than a process has files."""

    pieces: Iterator[bytes]
    rest: bytes = b""

    def read(self, size: int = -1) -> bytes:
        """Up to `size` of the next bytes; none at the end."""
        piece = self.rest or next(self.pieces, b"")
        if 0 <= size < len(piece):
            piece, self.rest = piece[:size], piece[size:]
        else:
            self.rest = b""
        return piece


class _Replay:
    """One copy under way, commit by commit.

    Args:
        source: Where to read.
        target: Where to write.
        report: Told how far it is.
    """

    def __init__(self, source: VersionedRepository, target: VersionedRepository, report: Report) -> None:
        self._source, self._target, self._report = source, target, report
        self._open: Opener = opener(source)
        self._root = first_commit(target)
        self._made: dict[str, str] = {}  # id of each copied commit of the source to that of its copy
        self._heads: dict[str, str] = {}  # where our branches of the target stand
        self._flat = 0  # merges that became ordinary commits

    def run(self) -> Brought:
        main = self._source.default_branch
        heads = {name: head for name, head in self._source.branches().items() if not name.startswith(WORK)}
        tags = self._source.tags()
        commits = self._history([heads[main], *heads.values(), *tags.values()])
        self._find_copies(commits)
        trunk = {commit.id for commit in self._source.log(heads[main], first_parent=True)}
        self._refuse_others(main, trunk)
        missing = [commit for commit in commits.values() if commit.id not in self._made]
        for number, commit in enumerate(missing):
            self._report("commits copied", number, len(missing))
            self._add(commit, main if commit.id in trunk else None)
        placed, lost = self._place(main, heads, tags)
        for name in self._target.branches(WORK):
            self._target.delete_branch(name)
        if self._flat:
            lost.append(f"{self._flat} merges: they are ordinary commits now, with the same contents")
        return Brought(len(missing), len(commits) - len(missing), placed, (*_NEVER_KEPT, *lost))

    def _history(self, heads: list[str]) -> dict[str, Commit]:
        """The source's commits by id, parents before children."""
        found: dict[str, Commit] = {}
        for head in heads:
            if head not in found:
                older = [commit for commit in self._source.log(head) if commit.id not in found]
                found.update((commit.id, commit) for commit in reversed(older))
                self._report("commits read", len(found), 0)
        return found

    def _find_copies(self, commits: Mapping[str, Commit]) -> None:
        """Which commits the target has already: made by an earlier copy, or the originals of what the source has."""
        there: set[str] = set()
        for head in (*self._target.branches().values(), *self._target.tags().values()):
            if head in there:
                continue
            for commit in self._target.log(head):
                there.add(commit.id)
                origins = commit.metadata.get(ORIGIN, "").split()
                self._made.update((origin, commit.id) for origin in origins if origin in commits)
        for commit in commits.values():
            for origin in commit.metadata.get(ORIGIN, "").split():
                if origin in there:
                    self._made[commit.id] = origin
            if not commit.parents and next(self._source.list_objects(commit.id), None) is None:
                self._made[commit.id] = self._root
        self._heads = self._target.branches(WORK)

    def _refuse_others(self, main: str, trunk: set[str]) -> None:
        head = self._target.resolve(main)
        if head != self._root and head not in {self._made.get(commit) for commit in trunk}:
            raise UsageError(
                f"branch {main!r} holds commits that the store to copy has not",
                where=self._target.repository,
                fix="copy to a store that has no such repository yet",
            )

    def _add(self, commit: Commit, branch: str | None) -> None:
        """Make one commit again, on a branch that stands at its first parent."""
        base = self._made[commit.parents[0]] if commit.parents else self._root
        branch = branch or next((name for name, head in self._heads.items() if head == base), None)
        if branch is None:
            branch = self._work_branch(base)
        origins = f"{commit.metadata.get(ORIGIN, '')} {commit.id}".strip()
        words = {MADE: commit.time.isoformat(), **commit.metadata, ORIGIN: origins}
        made = self._merge(commit, base, branch, words) if len(commit.parents) > 1 else None
        if made is None:
            changes = self._changes(commit)
            made = self._target.commit(branch, changes, commit.message, words, expected_head=base, allow_empty=True)
        self._made[commit.id] = made.id
        if branch in self._heads:
            self._heads[branch] = made.id

    def _merge(self, commit: Commit, base: str, branch: str, words: Mapping[str, str]) -> Commit | None:
        """The same merge, or None if it would not give the same: somebody settled its conflicts by hand."""
        other = self._made[commit.parents[1]]
        how = commit.metadata.get(STRATEGY_KEY)
        strategy = cast("Strategy", how) if how in ("source-wins", "dest-wins") else None
        said = {key: value for key, value in words.items() if key != STRATEGY_KEY}
        trial = self._work_branch(base)
        try:
            tried = self._target.merge(other, trial, commit.message, said, strategy=strategy, allow_empty=True)
            wanted = _sides(self._source.diff(commit.parents[0], commit.id, two_dot=True))
            same = _sides(self._target.diff(base, tried.commit.id, two_dot=True)) == wanted
        except (MergeConflict, NoChanges, InvalidPath):
            same = False
        finally:
            self._drop(trial)
        if not same:
            self._flat += 1
            return None
        merged = self._target.merge(
            other, branch, commit.message, said, strategy=strategy, expected_head=base, allow_empty=True
        )
        for name in [name for name, head in self._heads.items() if head == other and name != branch]:
            self._drop(name)
        return merged.commit

    def _changes(self, commit: Commit) -> ChangeSet:
        """What a commit changed against its first parent."""
        if commit.parents:
            found = list(self._source.diff(commit.parents[0], commit.id, two_dot=True))
        else:
            found = [Change(item.path, "added", None, item) for item in self._source.list_objects(commit.id)]
        total, done = sum(change.after.size for change in found if change.after), 0

        def pieces(item: ObjectInfo) -> Iterator[bytes]:
            nonlocal done
            with self._open(commit.id, item) as stream:
                for piece in checked(stream, item):
                    done += len(piece)
                    if total >= _BIG:
                        self._report(f"bytes of commit {commit.id[:12]}", done, total)
                    yield piece

        changes = ChangeSet()
        for change in found:
            if change.after is None:
                changes.delete(change.path)
            else:
                stream = cast("BinaryIO", _Later(pieces(change.after)))
                changes.put(change.path, stream, change.after.content_type, change.after.metadata)
        return changes

    def _place(
        self, main: str, heads: Mapping[str, str], tags: Mapping[str, str]
    ) -> tuple[dict[str, tuple[str, str]], list[str]]:
        """Let branches and tags stand where their commits are now, but for those with commits of their own."""
        placed = {f"branch {main}": (heads[main], self._target.resolve(main))}
        lost = []
        present = {f"branch {name}": head for name, head in self._target.branches().items()}
        present |= {f"tag {name}": head for name, head in self._target.tags().items()}
        copies = {*self._made.values(), self._root}
        for kind, names in (("branch", heads), ("tag", tags)):
            for name, head in names.items():
                ref, wanted = f"{kind} {name}", self._made[head]
                there = present.get(ref)
                if ref in placed:
                    continue
                try:
                    if there != wanted:
                        if there is not None and (kind == "tag" or there not in copies):
                            raise AlreadyExists("it stands elsewhere there")
                        if there is not None:
                            self._target.delete_branch(name)
                        make = self._target.create_branch if kind == "branch" else self._target.create_tag
                        make(name, wanted)
                    placed[ref] = (head, wanted)
                except (AlreadyExists, InvalidRef) as fault:
                    lost.append(f"{ref}: {fault.what}")
        return placed, lost

    def _work_branch(self, base: str) -> str:
        name = f"{WORK}{uuid4().hex[:12]}"
        self._heads[name] = self._target.create_branch(name, base)
        return name

    def _drop(self, name: str) -> None:
        del self._heads[name]
        self._target.delete_branch(name)


def _sides(changes: Iterator[Change]) -> dict[str, ObjectInfo | None]:
    return {change.path: change.after for change in changes}
