"""The reading half of the embedded engine; it needs no lock, for what a commit holds never changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from dulwich.objects import ObjectID

from rai_assets.store import history, names, refusals, trees
from rai_assets.store.blobs import ContentFolder
from rai_assets.store.errors import InvalidRef, NotFound
from rai_assets.store.faults import faults
from rai_assets.store.git_layer import GitLayer
from rai_assets.store.history import Node
from rai_assets.store.merge import conflicts
from rai_assets.store.origins import copy_of
from rai_assets.store.pointers import Pointer
from rai_assets.store.protocol import Change, Commit, ObjectInfo

FULL_ID = 40  # hexadecimal digits


class EmbeddedReader:
    """What the protocol can tell about a repository in one folder.

    Args:
        root: The repository's folder.

    Attributes:
        root: The same.
    """

    default_branch = names.DEFAULT_BRANCH
    capabilities = frozenset({"expected_head", "hooks", "gc"})

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repository = root.name
        self._contents = ContentFolder(root)
        self._git = GitLayer(root)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.root})"

    def resolve(self, ref: str) -> str:  # noqa: D102
        return self._node(ref).id

    def branches(self, prefix: str = "") -> dict[str, str]:  # noqa: D102
        return {name: head for name, head in self._git.branches().items() if name.startswith(prefix)}

    def tags(self) -> dict[str, str]:  # noqa: D102
        return self._git.tags()

    def get_commit(self, ref: str) -> Commit:  # noqa: D102
        return self._node(ref).commit

    def log(  # noqa: D102
        self, ref: str, limit: int | None = None, *, first_parent: bool = False, prefixes: Sequence[str] = ()
    ) -> Iterator[Commit]:
        walked = history.walk(self._git.objects, self._node(ref), first_parent=first_parent)
        return islice((node.commit for node in walked if not prefixes or self._touches(node, prefixes)), limit)

    def list_objects(  # noqa: D102
        self, ref: str, prefix: str = "", delimiter: Literal["/"] | None = None
    ) -> Iterator[ObjectInfo]:
        found = trees.walk(self._git.objects, self._node(ref).tree, prefix, fold=delimiter is not None)
        return (self._info(path, pointer) or ObjectInfo(path, 0, "", "", is_prefix=True) for path, pointer in found)

    def stat(self, ref: str, path: str) -> ObjectInfo:  # noqa: D102
        return self._pointer(ref, path).info(path)

    def open(self, ref: str, path: str) -> BinaryIO:  # noqa: D102
        pointer = self._pointer(ref, path)
        with faults(self._git.root):
            return self._contents.open(pointer.blob)

    def download(self, ref: str, path: str, destination: Path) -> ObjectInfo:  # noqa: D102
        pointer = self._pointer(ref, path)
        with faults(destination):
            self._contents.copy(pointer.blob, destination)
        return pointer.info(path)

    def diff(  # noqa: D102
        self, left: str, right: str, prefix: str = "", *, two_dot: bool = False
    ) -> Iterator[Change]:
        before, after = self._node(left), self._node(right)
        objects = self._git.objects
        base = before if two_dot else history.merge_base(objects, before, after)
        changed = trees.compare(objects, base.tree, after.tree)
        present = trees.find_all(objects, before.tree, changed)
        contested = set(conflicts(changed, present))
        # What both sides did alike is no difference between them.
        shown = (path for path in changed if path.startswith(prefix) and present[path] != changed[path][1])
        return (self._change(path, changed[path], path in contested) for path in sorted(shown, key=str.encode))

    def tree_digest(self, ref: str, prefix: str = "") -> str:  # noqa: D102
        digest = hashlib.sha256()
        for item in self.list_objects(ref, prefix):
            digest.update(f"{item.sha256}  {item.path}\n".encode())
        return digest.hexdigest()

    def _node(self, ref: str) -> Node:
        name, steps = names.parse_ref(ref)
        try:
            return self._named_node(ref, name, steps)
        except NotFound:
            copy = copy_of(name, [*self._git.branches().values(), *self._git.tags().values()], self.log)
            if copy is None:
                raise
            return self._named_node(ref, copy, steps)

    def _named_node(self, ref: str, name: str, steps: int) -> Node:
        identity = self._git.branch(name) or self._git.tag(name) or self._commit_id(name)
        try:
            node = history.read(self._git.objects, identity)
            for _ in range(steps):
                node = history.read(self._git.objects, node.commit.parents[0])
        except (KeyError, IndexError) as fault:
            raise refusals.no_commit(ref, self.repository) from fault
        return node

    def _commit_id(self, prefix: str) -> str:
        if len(prefix) == FULL_ID and names.is_commit(prefix):
            return prefix
        found = self._git.commits_from(prefix) if names.is_commit(prefix) else []
        if not found:
            raise refusals.no_commit(prefix, self.repository)
        if len(found) > 1:
            raise InvalidRef(f"several commits start with {prefix!r}", where=self.repository, fix="give more digits")
        return found[0]

    def _pointer(self, ref: str, path: str) -> Pointer:
        names.check_path(path)
        node = self._node(ref)
        found = trees.find(self._git.objects, node.tree, path)
        if found is None:
            raise refusals.no_object(path, ref, self.repository)
        return Pointer.decode(self._git.pointer(found))

    def _info(self, path: str, pointer: ObjectID | None) -> ObjectInfo | None:
        return Pointer.decode(self._git.pointer(pointer)).info(path) if pointer else None

    def _change(self, path: str, sides: trees.Sides, contested: bool) -> Change:
        before, after = (self._info(path, side) for side in sides)
        if contested:
            return Change(path, "conflict", before, after)
        return Change(path, "added" if before is None else "removed" if after is None else "changed", before, after)

    def _touches(self, node: Node, prefixes: Sequence[str]) -> bool:
        """True if a commit changed something under one of the prefixes, against its first parent."""
        objects = self._git.objects
        if not node.commit.parents:
            return any(trees.state(objects, node.tree, prefix) for prefix in prefixes)
        parent = history.read(objects, node.commit.parents[0])
        return any(
            trees.state(objects, node.tree, prefix) != trees.state(objects, parent.tree, prefix) for prefix in prefixes
        )
