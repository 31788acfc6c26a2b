"""Folders as git trees: finding, listing, comparing and rewriting them without touching what did not change."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dulwich.object_store import BaseObjectStore
from dulwich.objects import ObjectID, Tree, parse_tree

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
        yield from _descend(store, entry[1], base, _bytes(start), fold)


def state(store: BaseObjectStore, tree: ObjectID, prefix: str) -> object:
    """Something that is equal for two trees whose objects under `prefix` are."""
    return sorted(_shallow(store, tree, prefix))


def compare(store: BaseObjectStore, before: ObjectID, after: ObjectID) -> dict[str, Sides]:
    """Paths whose pointers differ; folders that are the same are not opened."""
    sides: dict[str, Sides] = {}
    _compare(store, before, after, "", sides)
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


def _compare(
    store: BaseObjectStore, before: ObjectID | None, after: ObjectID | None, base: str, sides: dict[str, Sides]
) -> None:
    old, new = set(_entries(store, before)), set(_entries(store, after))
    left = {name: (mode, identity) for name, mode, identity in old - new}
    right = {name: (mode, identity) for name, mode, identity in new - old}
    for name in left.keys() | right.keys():
        path = base + name.decode()
        (old_object, old_folder), (new_object, new_folder) = _kinds(left.get(name)), _kinds(right.get(name))
        if old_object or new_object:
            sides[path] = (old_object, new_object)
        if old_folder or new_folder:
            _compare(store, old_folder, new_folder, path + "/", sides)


def _kinds(entry: tuple[int, ObjectID] | None) -> Sides:
    """An entry as (object, folder), of which at most one is there."""
    if entry is None:
        return None, None
    return (None, entry[1]) if stat.S_ISDIR(entry[0]) else (entry[1], None)


def _descend(
    store: BaseObjectStore, tree: ObjectID, base: str, start: bytes, fold: bool
) -> Iterator[tuple[str, ObjectID | None]]:
    for name, mode, identity in _entries(store, tree):
        if not name.startswith(start):
            continue
        path = base + name.decode()
        if not stat.S_ISDIR(mode):
            yield path, identity
        elif fold:
            yield path + "/", None
        else:
            yield from _descend(store, identity, path + "/", b"", fold)


def _shallow(store: BaseObjectStore, tree: ObjectID, prefix: str) -> Iterator[tuple[bytes, ObjectID]]:
    folder, _, start = prefix.rpartition("/")
    entry = _entry(store, tree, folder) if folder else (stat.S_IFDIR, tree)
    if entry and stat.S_ISDIR(entry[0]):
        for name, _, identity in _entries(store, entry[1]):
            if name.startswith(_bytes(start)):
                yield name, identity


def _entry(store: BaseObjectStore, tree: ObjectID, path: str) -> tuple[int, ObjectID] | None:
    mode, current = stat.S_IFDIR, tree
    for part in _bytes(path).split(b"/"):
        if not stat.S_ISDIR(mode):
            return None
        found = next((entry for entry in _entries(store, current) if entry[0] == part), None)
        if found is None:
            return None
        _, mode, current = found
    return mode, current


def _entries(store: BaseObjectStore, tree: ObjectID | None) -> Iterator[tuple[bytes, int, ObjectID]]:
    """Name, mode and id of what lies in a folder, in git's order: that of whole paths, byte by byte."""
    parsed = parse_tree(store.get_raw(tree)[1], 20) if tree else ()
    return ((name, mode, ObjectID(identity)) for name, mode, identity in parsed)


def _tree(store: BaseObjectStore, identity: ObjectID) -> Tree:
    found = store[identity]
    if not isinstance(found, Tree):
        raise TypeError(f"{identity!r} is no tree")
    return found


def _is_folder(tree: Tree, name: bytes) -> bool:
    return stat.S_ISDIR(tree[name][0])


def _bytes(text: str) -> bytes:
    """A text as git stores it; one that is not valid Unicode names nothing."""
    return text.encode("utf-8", "surrogatepass")
