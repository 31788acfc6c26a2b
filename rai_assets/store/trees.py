"""Folders as git trees: finding, listing, comparing and rewriting them without touching what did not change."""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dulwich.objects import ObjectID

from rai_assets.store import folders
from rai_assets.store.errors import InvalidPath
from rai_assets.store.folders import FILE_MODE, FOLDER_MODE, Entry, Folder
from rai_assets.store.git_objects import TREE, GitObject, GitObjects

Sides = tuple[ObjectID | None, ObjectID | None]
"""Pointer ids of one path before and after; None where it is absent."""


class PathClash(InvalidPath):
    """A path is an object and a folder at once."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path!r} would be an object and a folder at once", fix="choose another path")


def find(store: GitObjects, tree: ObjectID, path: str) -> ObjectID | None:
    """Id of the pointer at `path`, or None where there is no object."""
    return _kinds(_entry(store, tree, path))[0]


def find_all(store: GitObjects, tree: ObjectID, paths: Iterable[str]) -> dict[str, ObjectID | None]:
    """The same of many paths; each folder is opened once."""
    together: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        together[path.rpartition("/")[0]].append(path)
    found: dict[str, ObjectID | None] = {}
    for folder, inside in together.items():
        there = _opened(store, _folder(store, tree, folder))
        found |= {path: _kinds(there.get(path.rpartition("/")[2].encode()))[0] for path in inside}
    return found


def walk(
    store: GitObjects, tree: ObjectID, prefix: str = "", *, fold: bool = False
) -> Iterator[tuple[str, ObjectID | None]]:
    """Paths that start with `prefix` and their pointers, in byte order; with `fold`, folders below it without one."""
    folder, _, start = prefix.rpartition("/")
    base = folder + "/" if folder else ""
    below = _folder(store, tree, folder)
    if below:
        yield from _descend(store, below, base, _bytes(start), fold)


def state(store: GitObjects, tree: ObjectID, prefix: str) -> object:
    """Something that is equal for two trees whose objects under `prefix` are."""
    return sorted(_shallow(store, tree, prefix))


def compare(store: GitObjects, before: ObjectID, after: ObjectID) -> dict[str, Sides]:
    """Paths whose pointers differ; folders that are the same are not opened."""
    sides: dict[str, Sides] = {}
    _compare(store, before, after, "", sides)
    return sides


def rewrite(
    store: GitObjects, tree: ObjectID, changes: Mapping[str, ObjectID | None]
) -> tuple[ObjectID, list[GitObject]]:
    """The tree with `changes` applied: pointer ids to set, None to delete. Deleting what is absent is no fault.

    Returns:
        The new tree's id, and the trees that have to be stored with it.

    Raises:
        PathClash: A path would be an object and a folder at once.
    """
    plan = _Plan()
    for path, pointer in changes.items():
        plan.add(path.encode().split(b"/"), pointer)
    made: list[GitObject] = []
    root = _apply(store, tree, plan, made, "")
    if root is None:
        made.append(GitObject.make(TREE, b""))
        return made[-1].id, made
    return root, made


def entries(store: GitObjects, tree: ObjectID | None) -> list[Entry]:
    """What lies in a folder, in git's order: that of whole paths, byte by byte."""
    return folders.entries(_raw(store, tree))


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
    store: GitObjects, origin: ObjectID | None, plan: _Plan, made: list[GitObject], base: str
) -> ObjectID | None:
    """Rewrite one folder; None if nothing is left in it."""
    raw = _raw(store, origin)
    folder = Folder(raw)
    for name, pointer in plan.objects.items():
        if pointer is None and _kinds(folder.get(name))[0]:
            folder.remove(name)
    for name, inner in plan.folders.items():
        present, below = _kinds(folder.get(name))
        if present:
            if inner.puts():
                raise PathClash(base + name.decode())
            continue
        rewritten = _apply(store, below, inner, made, f"{base}{name.decode()}/")
        if rewritten is not None:
            folder.set(name, FOLDER_MODE, rewritten)
        elif below:
            folder.remove(name)
    for name, pointer in plan.objects.items():
        if pointer is not None:
            if _kinds(folder.get(name))[1]:
                raise PathClash(base + name.decode())
            folder.set(name, FILE_MODE, pointer)
    new = folder.encode()
    if not new:
        return None
    if origin and new == raw:
        return origin
    made.append(GitObject.make(TREE, new))
    return made[-1].id


def _compare(
    store: GitObjects, before: ObjectID | None, after: ObjectID | None, base: str, sides: dict[str, Sides]
) -> None:
    left, right = folders.differing(_raw(store, before), _raw(store, after))
    for name in left.keys() | right.keys():
        path = base + name.decode()
        (old_object, old_folder), (new_object, new_folder) = _kinds(left.get(name)), _kinds(right.get(name))
        if old_object or new_object:
            sides[path] = (old_object, new_object)
        if old_folder or new_folder:
            _compare(store, old_folder, new_folder, path + "/", sides)


def _kinds(entry: Entry | None) -> Sides:
    """An entry as (object, folder), of which at most one is there."""
    if entry is None:
        return None, None
    return (None, entry[2]) if stat.S_ISDIR(entry[1]) else (entry[2], None)


def _descend(
    store: GitObjects, tree: ObjectID, base: str, start: bytes, fold: bool
) -> Iterator[tuple[str, ObjectID | None]]:
    for name, mode, identity in entries(store, tree):
        if not name.startswith(start):
            continue
        path = base + name.decode()
        if not stat.S_ISDIR(mode):
            yield path, identity
        elif fold:
            yield path + "/", None
        else:
            yield from _descend(store, identity, path + "/", b"", fold)


def _shallow(store: GitObjects, tree: ObjectID, prefix: str) -> Iterator[tuple[bytes, ObjectID]]:
    folder, _, start = prefix.rpartition("/")
    for name, _, identity in entries(store, _folder(store, tree, folder)):
        if name.startswith(_bytes(start)):
            yield name, identity


def _folder(store: GitObjects, tree: ObjectID, path: str) -> ObjectID | None:
    """Id of the tree of a folder, the topmost if `path` is empty, or None."""
    return _kinds(_entry(store, tree, path))[1] if path else tree


def _entry(store: GitObjects, tree: ObjectID, path: str) -> Entry | None:
    found: Entry = b"", FOLDER_MODE, tree
    for part in _bytes(path).split(b"/"):
        below = store.folder(found[2]).get(part) if stat.S_ISDIR(found[1]) else None
        if below is None:
            return None
        found = below
    return found


def _opened(store: GitObjects, tree: ObjectID | None) -> Folder:
    return store.folder(tree) if tree else Folder(b"")


def _raw(store: GitObjects, tree: ObjectID | None) -> bytes:
    return _opened(store, tree).raw


def _bytes(text: str) -> bytes:
    """A text as git stores it; one that is not valid Unicode names nothing."""
    return text.encode("utf-8", "surrogatepass")
