"""The embedded engine: git's history over a folder of contents, in one directory, without a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from dulwich.objects import ObjectID

from rai_assets.store import garbage, history, migrate, names, refusals, trees
from rai_assets.store.blobs import ContentFolder, Staging
from rai_assets.store.changes import ChangeSet, check_texts
from rai_assets.store.expiry import expired
from rai_assets.store.faults import faults
from rai_assets.store.git_layer import GitLayer
from rai_assets.store.git_objects import BLOB, TREE, GitObject
from rai_assets.store.history import Node
from rai_assets.store.hooks import Gate, Hooks
from rai_assets.store.merge import STRATEGY_KEY, check_strategy, merge_changes
from rai_assets.store.pointers import Pointer
from rai_assets.store.protocol import Collected, Commit, MergeResult, Strategy
from rai_assets.store.reading import EmbeddedReader


class EmbeddedRepository(EmbeddedReader):
    """A `VersionedRepository` in one folder: readers need no lock, writers take turns.

    Args:
        root: The repository's folder, filled by `create`.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._hooks = Hooks()

    @classmethod
    def create(cls, root: Path) -> None:
        """Fill an empty folder with a repository of one empty commit on the default branch."""
        GitLayer.create(root, cls.default_branch)
        ContentFolder(root).create()
        migrate.mark(root)
        git = GitLayer(root)
        with git.writing():
            empty = GitObject.make(TREE, b"")
            first, node = history.make(empty.id, [], "Repository created", {})
            git.store([empty, first])
            git.set_branch(cls.default_branch, None, node.id)

    def create_branch(self, name: str, source: str, *, exist_ok: bool = False) -> str:  # noqa: D102
        names.check_branch(name)
        with self._git.writing():
            present = self._git.branch(name)
            if present is not None and exist_ok:
                return present
            self._check_free(name)
            head = self._node(source).id
            self._git.set_branch(name, None, head)
            return head

    def delete_branch(self, name: str) -> None:  # noqa: D102
        with self._git.writing():
            self._head(name)
            if name == self.default_branch or self._protected(name):
                raise refusals.stays(name, self.repository)
            self._git.remove_branch(name)

    def create_tag(self, tag: str, ref: str) -> str:  # noqa: D102
        names.check_tag(tag)
        with self._git.writing():
            self._check_free(tag)
            target = self._node(ref).id
            self._git.set_tag(tag, target)
            return target

    def delete_tag(self, tag: str) -> None:  # noqa: D102
        names.check_tag(tag)
        with self._git.writing():
            if self._git.tag(tag) is None:
                raise refusals.no_tag(tag, self.repository)
            self._git.remove_tag(tag)

    @contextmanager
    def scratch(self) -> Iterator[Path]:  # noqa: D102
        with ExitStack() as stack:
            with faults(self._git.root):
                folder = stack.enter_context(self._contents.scratch())
            yield folder

    def commit(  # noqa: D102
        self,
        branch: str,
        changes: ChangeSet,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        expected_head: str | None = None,
        allow_empty: bool = False,
    ) -> Commit:
        described = _described(message, metadata, branch)
        # Asked before the upload, so that nobody waits for a refusal; asked again under the lock.
        self._writable(branch, expected_head)
        with faults(self._git.root), self._contents.staging(len(changes.puts)) as staging:
            pointers = _stage(changes, staging)
            with self._git.writing():
                head = self._writable(branch, expected_head)
                objects = {path: GitObject.make(BLOB, item.encode()) for path, item in pointers.items()}
                tree, made = trees.rewrite(self._git.objects, head.tree, self._plan(head, changes, objects))
                if tree == head.tree and not allow_empty:
                    raise refusals.unchanged(branch, self.repository)
                staging.publish()
                return self._advance(branch, head, tree, [*objects.values(), *made], message, described)

    def merge(  # noqa: D102
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
        message = message or f"Merge {source!r} into {destination!r}"
        described = {**_described(message, metadata, destination), STRATEGY_KEY: check_strategy(strategy)}
        while True:
            with self._git.writing():
                head = self._head(destination, expected_head)
                other = self._node(source)
                base = history.merge_base(self._git.objects, head, other)
                if other.tree == base.tree and not allow_empty:
                    raise refusals.nothing_to_merge(source, destination, self.repository)
                tree, made = self._merge_trees(base.tree, other.tree, head.tree, strategy)
                candidate, node = history.make(tree, [head] if squash else [head, other], message, described)
                self._git.store([*made, candidate])
                if not self._hooks:
                    self._git.set_branch(destination, head.id, node.id)
                    return MergeResult(node.commit, base.id)
            # The lock is free while a gate works, so that it may take its time and write to the store itself.
            self._hooks.ask(other.id, destination, head.id, node.id)
            with self._git.writing():
                if self._head(destination).id == head.id:
                    # Once more: a sweep may have come between.
                    self._git.store([*made, candidate])
                    self._git.set_branch(destination, head.id, node.id)
                    return MergeResult(node.commit, base.id)

    def protect(self, patterns: Sequence[str]) -> None:  # noqa: D102
        names.check_patterns(patterns)
        with self._git.writing():
            self._git.set_protected(patterns)

    def before_merge(self, gate: Gate) -> None:  # noqa: D102
        self._hooks.append(gate)

    def revert(  # noqa: D102
        self,
        branch: str,
        ref: str,
        parent_number: int = 0,
        *,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> Commit:
        message = message or f"Revert {ref}"
        described = _described(message, metadata, branch)
        with self._git.writing():
            head, undone = self._head(branch), self._node(ref)
            parent = refusals.parent_to_go_back_to(undone.commit, parent_number, self.repository)
            before = history.read(self._git.objects, parent)
            tree, made = self._merge_trees(undone.tree, before.tree, head.tree, None)
            if tree == head.tree:
                raise refusals.undone_already(ref, branch, self.repository)
            return self._advance(branch, head, tree, made, message, described)

    def collect_garbage(  # noqa: D102
        self, grace: timedelta = timedelta(days=14), *, expire_runs: timedelta | None = None, dry_run: bool = False
    ) -> Collected:
        seconds = grace.total_seconds()
        with self._git.writing():
            old = expired(self, expire_runs) if expire_runs is not None else ()
            reachable, contents = garbage.mark(self._git, without=old)
            leftovers = self._contents.sweep_tmp(seconds, dry_run=dry_run)
            if not dry_run:
                for name in old:
                    self._git.remove_branch(name)
                self._git.sweep(reachable, seconds)
            objects, size = self._contents.sweep(contents, seconds, dry_run=dry_run)
        return Collected(old, objects, size, leftovers)

    def _head(self, branch: str, expected: str | None = None) -> Node:
        head = self._git.branch(names.check_branch(branch))
        if head is None:
            raise refusals.no_branch(branch, self.repository)
        if expected is not None and head != expected:
            raise refusals.stale(branch, head, expected, self.repository)
        return history.read(self._git.objects, head)

    def _writable(self, branch: str, expected: str | None) -> Node:
        head = self._head(branch, expected)
        if self._protected(branch):
            raise refusals.merges_only(branch, self.repository)
        return head

    def _protected(self, branch: str) -> bool:
        return any(fnmatchcase(branch, pattern) for pattern in self._git.protected())

    def _check_free(self, name: str) -> None:
        if self._git.branch(name) or self._git.tag(name) or (names.is_commit(name) and self._git.commits_from(name)):
            raise refusals.taken(name, self.repository)

    def _plan(self, head: Node, changes: ChangeSet, objects: Mapping[str, GitObject]) -> dict[str, ObjectID | None]:
        """What becomes of each path that the change set touches."""
        store = self._git.objects
        for path, put in changes:
            if put.if_absent and trees.find(store, head.tree, path) is not None:
                raise refusals.object_exists(path, self.repository)
        plan: dict[str, ObjectID | None] = dict.fromkeys(changes.deletes)
        for prefix in changes.prefixes:
            plan.update(dict.fromkeys(path for path, _ in trees.walk(store, head.tree, prefix)))
        plan.update({path: item.id for path, item in objects.items()})
        return plan

    def _merge_trees(
        self, base: ObjectID, source: ObjectID, destination: ObjectID, strategy: Strategy | None
    ) -> tuple[ObjectID, list[GitObject]]:
        """The destination's tree with what the source changed since the base, and the trees to store with it."""
        if destination == base:
            return source, []
        store = self._git.objects
        changed = trees.compare(store, base, source)
        present = trees.find_all(store, destination, changed)
        try:
            return trees.rewrite(store, destination, merge_changes(changed, present, strategy))
        except trees.PathClash as clash:
            raise refusals.merged_clash(clash.path, self.repository) from clash

    def _advance(
        self,
        branch: str,
        head: Node,
        tree: ObjectID,
        objects: Sequence[GitObject],
        message: str,
        metadata: Mapping[str, str],
    ) -> Commit:
        """Store what a commit needs and the commit, then move the branch; under the lock."""
        made, node = history.make(tree, [head], message, metadata)
        self._git.store([*objects, made])
        self._git.set_branch(branch, head.id, node.id)
        return node.commit


def _described(message: str, metadata: Mapping[str, str] | None, where: str) -> dict[str, str]:
    check_texts({"message": message, **(metadata or {})}, where=where)
    return dict(metadata or {})


def _stage(changes: ChangeSet, staging: Staging) -> dict[str, Pointer]:
    """Bring every content beside its place, and name it."""
    pointers = {path: Pointer(staging.add(put), put.content_type, put.metadata) for path, put in changes}
    staging.settle()
    return pointers
