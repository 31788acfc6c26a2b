"""Folders as git trees: finding, listing, comparing and rewriting them without touching what did not change."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dulwich.diff_tree import tree_changes
from dulwich.object_store import BaseObjectStore
from dulwich.objects import ObjectID, Tree

from rai_assets.store.errors import InvalidPath

FILE_MODE = 0o100644
Sides = tuple[ObjectID | None, ObjectID | None]
"""Pointer ids of one path before and after; None where it is absent."""


class PathClash(InvalidPath):
    """A path is an object and a folder at once."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path!r} would be an object and a folder at once", fix="choose another path")


def find(store: BaseObjectStore, tree: ObjectID, path: str) -> ObjectID | None:
    """Id of the pointer at `path`, or None where there is no object."""
    entry = _entry(store, tree, path)
    return entry[1] if entry and not stat.S_ISDIR(entry[0]) else None


def walk(
    store: BaseObjectStore, tree: ObjectID, prefix: str = "", *, fold: bool = False
) -> Iterator[tuple[str, ObjectID | None]]:
    """Paths that start with `prefix` and their pointers, in byte order; with `fold`, folders below it without one."""
    folder, _, start = prefix.rpartition("/")
    base = folder + "/" if folder else ""
    entry = _entry(store, tree, folder) if folder else (stat.S_IFDIR, tree)
    if entry and stat.S_ISDIR(entry[0]):
        yield from _descend(store, entry[1], base, start.encode(), fold)


def state(store: BaseObjectStore, tree: ObjectID, prefix: str) -> object:
    """Something that is equal for two trees whose objects under `prefix` are."""
    return sorted(_shallow(store, tree, prefix))


def compare(store: BaseObjectStore, before: ObjectID, after: ObjectID) -> dict[str, Sides]:
    """Paths whose pointers differ."""
    sides: dict[str, Sides] = {}
    for change in tree_changes(store, before, after, change_type_same=True):
        for number, entry in enumerate((change.old, change.new)):
            if entry is not None and entry.path is not None:
                path = entry.path.decode()
                old, new = sides.get(path, (None, None))
                sides[path] = (entry.sha, new) if number == 0 else (old, entry.sha)
    return sides


def rewrite(
    store: BaseObjectStore, tree: ObjectID, changes: Mapping[str, ObjectID | None]
) -> tuple[ObjectID, list[Tree]]:
    """The tree with `changes` applied: pointer ids to set, None to delete. Deleting what is absent is no fault.

    Returns:
        The new tree's id, and the trees that have to be stored with it.

    Raises:
        PathClash: A path would be an object and a folder at once.
    """
    plan = _Plan()
    for path, pointer in changes.items():
        plan.add(path.encode().split(b"/"), pointer)
    made: list[Tree] = []
    root = _apply(store, tree, plan, made, "")
    if root is None:
        empty = Tree()
        made.append(empty)
        return empty.id, made
    return root, made


@dataclass
class _Plan:
    """Changes of one folder: of its own objects, and of the folders in it."""

    objects: dict[bytes, ObjectID | None] = field(default_factory=dict)
    folders: dict[bytes, _Plan] = field(default_factory=dict)

    def add(self, parts: list[bytes], pointer: ObjectID | None) -> None:
        plan = self
        for part in parts[:-1]:
            plan = plan.folders.setdefault(part, _Plan())
        plan.objects[parts[-1]] = pointer

    def puts(self) -> bool:
        """True if anything is set here or below."""
        return any(self.objects.values()) or any(plan.puts() for plan in self.folders.values())


def _apply(
    store: BaseObjectStore, origin: ObjectID | None, plan: _Plan, made: list[Tree], base: str
) -> ObjectID | None:
    """Rewrite one folder; None if nothing is left in it."""
    tree = _tree(store, origin) if origin else Tree()
    for name, pointer in plan.objects.items():
        if pointer is None and name in tree and not _is_folder(tree, name):
            del tree[name]
    for name, inner in plan.folders.items():
        present = name in tree
        if present and not _is_folder(tree, name):
            if inner.puts():
                raise PathClash(base + name.decode())
            continue
        rewritten = _apply(store, tree[name][1] if present else None, inner, made, f"{base}{name.decode()}/")
        if rewritten is not None:
            tree[name] = (stat.S_IFDIR, rewritten)
        elif present:
            del tree[name]
    for name, pointer in plan.objects.items():
        if pointer is not None:
            if name in tree and _is_folder(tree, name):
                raise PathClash(base + name.decode())
            tree[name] = (FILE_MODE, pointer)
    if not len(tree):
        return None
    if tree.id != origin:
        made.append(tree)
    return tree.id


def _descend(
    store: BaseObjectStore, tree: ObjectID, base: str, start: bytes, fold: bool
) -> Iterator[tuple[str, ObjectID | None]]:
    for entry in _tree(store, tree).iteritems():
        if not entry.path.startswith(start):
            continue
        path = base + entry.path.decode()
        if not stat.S_ISDIR(entry.mode):
            yield path, entry.sha
        elif fold:
            yield path + "/", None
        else:
            yield from _descend(store, entry.sha, path + "/", b"", fold)


def _shallow(store: BaseObjectStore, tree: ObjectID, prefix: str) -> Iterator[tuple[bytes, ObjectID]]:
    folder, _, start = prefix.rpartition("/")
    entry = _entry(store, tree, folder) if folder else (stat.S_IFDIR, tree)
    if entry and stat.S_ISDIR(entry[0]):
        for item in _tree(store, entry[1]).iteritems():
            if item.path.startswith(start.encode()):
                yield item.path, item.sha


def _entry(store: BaseObjectStore, tree: ObjectID, path: str) -> tuple[int, ObjectID] | None:
    mode, current = stat.S_IFDIR, tree
    for part in path.encode().split(b"/"):
        if not stat.S_ISDIR(mode):
            return None
        folder = _tree(store, current)
        if part not in folder:
            return None
        mode, current = folder[part]
    return mode, current


def _tree(store: BaseObjectStore, identity: ObjectID) -> Tree:
    found = store[identity]
    if not isinstance(found, Tree):
        raise TypeError(f"{identity!r} is no tree")
    return found


def _is_folder(tree: Tree, name: bytes) -> bool:
    return stat.S_ISDIR(tree[name][0])
