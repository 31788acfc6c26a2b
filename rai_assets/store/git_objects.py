"""Git's objects on disk: read through dulwich's packs, written by the store's own hands."""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from dulwich.object_format import SHA1
from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID
from dulwich.pack import PackFileDisappeared, UnpackedObject, write_pack_data, write_pack_index_v2

from rai_assets.store.durable import sync_folder, write_file, writing_file
from rai_assets.store.errors import BackendUnavailable
from rai_assets.store.folders import Folder

COMMIT, TREE, BLOB = 1, 2, 3
PACK_FROM = 100  # objects; more than these are written as one pack
_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob"}
_NUMBERS = {name: number for number, name in _NAMES.items()}
_SWEEPS_AT_ONCE = 5  # a reader looks again so often; each look can lose only to one more sweep
_FAST = 1  # zlib's level: half of a tree is digests, which no level makes smaller
_BUFFER = 1 << 20  # bytes of a pack gathered before they are written
_KEPT, _KEPT_BYTES = 8, 8 << 20  # folders that were asked for last, and bytes of all: they are asked for again


@dataclass(frozen=True)
class GitObject:
    """An object of git with its id.

    Attributes:
        kind: `COMMIT`, `TREE` or `BLOB`.
        raw: Its bytes, without git's header.
        id: SHA-1 over header and bytes, 40 hexadecimal digits.
    """

    kind: int
    raw: bytes
    id: ObjectID

    @classmethod
    def make(cls, kind: int, raw: bytes) -> GitObject:
        """An object of these bytes."""
        digest = hashlib.sha1(_header(kind, raw), usedforsecurity=False)
        digest.update(raw)
        return cls(kind, raw, ObjectID(digest.hexdigest().encode()))


class GitObjects(DiskObjectStore):
    """The objects of one repository, found also while a sweep moves them into a pack.

    Args:
        folder: Git's `objects`.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder
        self._packs = folder / "pack"
        self._folders: dict[ObjectID, Folder] = {}

    @staticmethod
    def create(folder: Path) -> None:
        """Make the folders of an empty store."""
        for name in ("info", "pack"):
            (folder / name).mkdir(parents=True)

    def get_raw(self, name: ObjectID) -> tuple[int, bytes]:  # type: ignore[override]
        """Kind and bytes of an object.

        Raises:
            KeyError: There is none.
            BackendUnavailable: Its file is damaged or cannot be read.
        """
        for _ in range(_SWEEPS_AT_ONCE):
            # It may leave the loose files after they were searched; then it is in a new pack.
            found = self._loose(name)
            if found is not None:
                return found
            try:
                return self._packed(name)
            except KeyError:
                continue
        raise KeyError(name)

    def read(self, name: ObjectID, kind: int) -> bytes:
        """Bytes of an object that another one names.

        Raises:
            BackendUnavailable: It is missing, of another kind, or damaged.
        """
        try:
            found, raw = self.get_raw(name)
        except KeyError as fault:
            raise _damaged(self._path(name)) from fault
        if found != kind:
            raise _damaged(self._path(name))
        return raw

    def folder(self, name: ObjectID) -> Folder:
        """A folder that another one or a commit names, to be looked up and not changed.

        Raises:
            BackendUnavailable: It is missing, of another kind, or damaged.
        """
        found = self._folders.get(name) or Folder(self.read(name, TREE))
        others = [(other, folder) for other, folder in self._folders.items() if other != name][1 - _KEPT :]
        while others and sum(len(folder.raw) for _, folder in others) + len(found.raw) > _KEPT_BYTES:
            del others[0]
        # Replaced, not changed: other threads may read it.
        self._folders = {**dict(others), name: found}
        return found

    def ids_from(self, prefix: str) -> list[ObjectID]:
        """Ids that start with a hexadecimal prefix."""
        for _ in range(_SWEEPS_AT_ONCE):
            try:
                return list(self.iter_prefix(prefix.encode()))
            except PackFileDisappeared:
                # A sweep put one pack in place of several between the listing and the reading.
                continue
        return []

    def write(self, objects: Sequence[GitObject]) -> None:
        """Write objects durably: as one file each, or as one pack if they are many. Under the lock."""
        if len(objects) > PACK_FROM:
            unique = {item.id: item for item in objects}
            self._write_pack(unique, lambda identity: (unique[identity].kind, unique[identity].raw))
            return
        folders = set()
        for item in objects:
            path = self._path(item.id)
            if path.exists():
                # Young again, so that no sweep takes it before a ref leads to it.
                os.utime(path)
                continue
            path.parent.mkdir(exist_ok=True)
            write_file(path, zlib.compress(_header(item.kind, item.raw) + item.raw, _FAST))
            folders |= {path.parent, self._folder}
        for folder in folders:
            sync_folder(folder)

    def remove_loose(self, identity: ObjectID) -> bool:
        """Remove the file of one object; False if it has none. Under the lock."""
        path = self._path(identity)
        there = path.exists()
        path.unlink(missing_ok=True)
        return there

    def pack_all(self, kept: Collection[ObjectID]) -> None:
        """Bring the objects to keep into one pack, and remove every other file. Under the lock."""
        before = [path.stem for path in self._packs.glob("*.pack")]
        loose = [path for path in self._folder.glob("??/*") if path.is_file()]
        new = self._write_pack(kept, self.get_raw) if kept else ""
        for path in loose:
            path.unlink()
        # The index first: without it nobody looks for the pack.
        for name in before:
            if name != new:
                for ending in (".idx", ".pack"):
                    (self._packs / (name + ending)).unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove what writers left that died over a pack. Under the lock, so that none is at work."""
        for path in self._packs.glob("*.pack"):
            if not path.with_suffix(".idx").exists():
                path.unlink()

    def _write_pack(self, ids: Collection[ObjectID], read: Callable[[ObjectID], tuple[int, bytes]]) -> str:
        """Write a pack of objects without holding them all, unless there is one of the same; returns its name."""
        ordered = sorted(ids)
        name = f"pack-{hashlib.sha1(b''.join(ordered), usedforsecurity=False).hexdigest()}"
        pack, index = (self._packs / f"{name}{ending}" for ending in (".pack", ".idx"))
        if index.exists():
            os.utime(pack)
            return name
        with writing_file(pack) as write:
            buffer = io.BytesIO()

            def gather(chunk: bytes) -> None:
                buffer.write(chunk)
                if buffer.tell() >= _BUFFER:
                    flush()

            def flush() -> None:
                write(buffer.getvalue())
                buffer.seek(0)
                buffer.truncate()

            records = (_record(identity, *read(identity)) for identity in ordered)
            offsets, checksum = write_pack_data(
                gather, records, SHA1, num_records=len(ordered), compression_level=_FAST
            )
            flush()
        content = io.BytesIO()
        write_pack_index_v2(content, sorted((sha, *place) for sha, place in offsets.items()), checksum)
        write_file(index, content.getvalue())
        sync_folder(self._packs)
        return name

    def _loose(self, name: ObjectID) -> tuple[int, bytes] | None:
        text = name.decode()
        try:
            # A listing asks for every object: to make a `Path` takes longer than not to find the file.
            with open(f"{self._folder}/{text[:2]}/{text[2:]}", "rb", 0) as stream:  # noqa: PTH123
                header, _, raw = zlib.decompress(stream.read()).partition(b"\0")
            kind, size = header.split(b" ")
            if int(size) != len(raw):
                raise ValueError(f"{len(raw)} bytes instead of {int(size)}")
            return _NUMBERS[kind], raw
        except FileNotFoundError:
            return None
        except (OSError, zlib.error, ValueError, KeyError) as fault:
            raise _damaged(self._path(name)) from fault

    def _packed(self, name: ObjectID) -> tuple[int, bytes]:
        try:
            return super().get_raw(name)
        except (OSError, zlib.error, ValueError, AssertionError) as fault:
            raise _damaged(self._packs) from fault

    def _path(self, name: ObjectID) -> Path:
        text = name.decode()
        return self._folder / text[:2] / text[2:]


def _record(identity: ObjectID, kind: int, raw: bytes) -> UnpackedObject:
    return UnpackedObject(kind, sha=bytes.fromhex(identity.decode()), decomp_chunks=[raw], decomp_len=len(raw))


def _header(kind: int, raw: bytes) -> bytes:
    return b"%s %d\0" % (_NAMES[kind], len(raw))


def _damaged(path: Path) -> BackendUnavailable:
    return BackendUnavailable(
        "the history is damaged, or this user may not read it",
        where=str(path),
        fix="give this user the right to read it, or restore the store's folder from a backup; `git fsck` says more",
    )
