"""The bare git repository below an embedded store: its objects, its refs, and the one lock for writers."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from dulwich.file import FileLocked
from dulwich.objects import ObjectID
from dulwich.refs import DiskRefsContainer, Ref
from filelock import FileLock, Timeout

from rai_assets.store.durable import sync_folder, write_file
from rai_assets.store.errors import BackendUnavailable
from rai_assets.store.faults import faults
from rai_assets.store.git_objects import BLOB, COMMIT, GitObject, GitObjects

LOCK_SECONDS = 120.0
LOOSE_LIMIT, PACK_LIMIT = 2000, 20  # files of objects and packs; a sweep that finds more makes one pack of them
_BRANCHES = "refs/heads/"
_TAGS = "refs/tags/"
_HEAD = re.compile(rb"[0-9a-f]{40}\n")

_T = TypeVar("_T")


class _Opened:
    """Git's objects opened by one thread; the packs are closed when the thread or the repository goes."""

    def __init__(self, folder: Path) -> None:
        self.objects = GitObjects(folder)
        weakref.finalize(self, self.objects.close)


class GitLayer:
    """Objects and refs of one repository.

    Args:
        root: The repository's folder; git's own is `git` in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._git = root / "git"
        self._settings = root / "settings.json"
        self._lock = FileLock(root / "lock", timeout=LOCK_SECONDS, poll_interval=0.01)
        self._refs = DiskRefsContainer(self._git)
        self._own = threading.local()

    @property
    def objects(self) -> GitObjects:
        """The objects, with the open packs of the calling thread: dulwich opens packs when it needs them, unguarded."""
        if not hasattr(self._own, "opened"):
            self._own.opened = _Opened(self._git / "objects")
        opened: _Opened = self._own.opened
        return opened.objects

    @staticmethod
    def create(root: Path, default_branch: str) -> None:
        """Make an empty repository in an existing folder."""
        git = root / "git"
        for folder in (_BRANCHES, _TAGS):
            (git / folder).mkdir(parents=True)
        GitObjects.create(git / "objects")
        write_file(git / "config", b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
        write_file(git / "HEAD", f"ref: {_BRANCHES}{default_branch}\n".encode())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the repository's lock. The system frees it when its process dies.

        Raises:
            BackendUnavailable: Another process holds the lock for too long, or the folder cannot be written.
        """
        with faults(self.root):
            try:
                self._lock.acquire()
            except Timeout as fault:
                raise BackendUnavailable(
                    f"another process has been writing for more than {LOCK_SECONDS:.0f} s",
                    retryable=True,
                    where=str(self.root),
                    fix="wait for it to finish, then try again",
                ) from fault
            try:
                yield
            finally:
                self._lock.release()

    def branches(self) -> dict[str, str]:
        """Branches and their heads, sorted."""
        return self._named(_BRANCHES)

    def tags(self) -> dict[str, str]:
        """Tags and their commits, sorted."""
        return self._named(_TAGS)

    def every_ref(self) -> Iterator[tuple[str, str | BackendUnavailable]]:
        """`branch <name>` or `tag <name>` with the commit's id, or with what is wrong with it."""
        for kind, base in (("branch", _BRANCHES), ("tag", _TAGS)):
            for name in self._names(base):
                try:
                    head = self._read(base + name)
                except BackendUnavailable as fault:
                    yield f"{kind} {name}", fault
                else:
                    if head is not None:
                        yield f"{kind} {name}", head

    def branch(self, name: str) -> str | None:
        """Head of a branch, or None."""
        return self._read(_BRANCHES + name)

    def tag(self, name: str) -> str | None:
        """Commit of a tag, or None."""
        return self._read(_TAGS + name)

    def set_branch(self, name: str, old: str | None, new: str) -> None:
        """Move a branch from `old`, or make it; under the lock."""
        self._set(_BRANCHES + name, old, new)

    def set_tag(self, name: str, new: str) -> None:
        """Make a tag; under the lock."""
        self._set(_TAGS + name, None, new)

    def remove_branch(self, name: str) -> None:
        """Remove a branch; under the lock."""
        self._remove(_BRANCHES + name)

    def remove_tag(self, name: str) -> None:
        """Remove a tag; under the lock."""
        self._remove(_TAGS + name)

    def commits_from(self, prefix: str) -> list[str]:
        """Ids of stored commits that start with a hexadecimal prefix."""
        found = self.objects.ids_from(prefix)
        return sorted(identity.decode() for identity in found if self.objects.get_raw(identity)[0] == COMMIT)

    def pointer(self, identity: ObjectID) -> bytes:
        """The bytes of a stored pointer."""
        return self.objects.read(identity, BLOB)

    def store(self, objects: Sequence[GitObject]) -> None:
        """Write objects, many of them as one pack; under the lock."""
        self.objects.write(objects)

    def protected(self) -> list[str]:
        """Patterns of the protected branches."""
        with faults(self._settings):
            return list(json.loads(self._settings.read_text())["protected"]) if self._settings.exists() else []

    def set_protected(self, patterns: Sequence[str]) -> None:
        """Replace the patterns; under the lock."""
        write_file(self._settings, json.dumps({"protected": list(patterns)}).encode())
        sync_folder(self.root)

    def sweep(self, reachable: set[ObjectID], grace: float) -> None:
        """Drop objects that are not reachable and older than `grace` seconds, and pack the rest; under the lock."""
        limit = time.time() - grace
        present = set(self.objects)
        dropped = {identity for identity in present - reachable if self.objects.get_object_mtime(identity) <= limit}
        packed = {identity for identity in dropped if not self.objects.remove_loose(identity)}
        many = self.objects.count_loose_objects() > LOOSE_LIMIT or self.objects.count_pack_files() > PACK_LIMIT
        if many or packed:
            self.objects.pack_all(present - dropped)
        self.objects.remove_leftovers()
        for leftover in self._git.rglob("*.lock"):
            leftover.unlink()

    def _named(self, base: str) -> dict[str, str]:
        # A name can go between the listing and the reading.
        return {name: head for name in self._names(base) if (head := self._read(base + name)) is not None}

    def _names(self, base: str) -> list[str]:
        return sorted(name.decode() for name in self._refs.subkeys(Ref(base.encode())))

    def _read(self, ref: str) -> str | None:
        with faults(self.root):
            try:
                text = (self._git / ref).read_bytes()
            except FileNotFoundError:
                # Git itself may have packed it.
                found = self._refs.read_ref(Ref(ref.encode()))
                return found.decode() if found else None
        if not _HEAD.fullmatch(text):
            # Not as if it were absent: a sweep would take what it leads to.
            raise BackendUnavailable(
                "the file holds no commit id", where=str(self._git / ref), fix="restore this file from a backup"
            )
        return text[:-1].decode()

    def _set(self, ref: str, old: str | None, new: str) -> None:
        if self._read(ref) != old:
            raise BackendUnavailable(
                f"{ref} was moved by a program that does not hold the store's lock",
                retryable=True,
                where=str(self.root),
                fix="try again, and let only this product write to the folder",
            )
        path = self._git / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, f"{new}\n".encode())
        sync_folder(path.parent)

    def _remove(self, ref: str) -> None:
        self._unstale(lambda: self._refs.remove_if_equals(Ref(ref.encode()), None))
        # dulwich removes a folder of refs with the last ref in it.
        parent = (self._git / ref).parent
        sync_folder(parent if parent.is_dir() else parent.parent)

    def _unstale(self, action: Callable[[], _T]) -> _T:
        """Run an action of dulwich; a lock file it meets was left by a dead writer, for the living hold our lock."""
        while True:
            try:
                return action()
            except FileLocked as left:
                Path(os.fsdecode(left.lockfilename)).unlink(missing_ok=True)
