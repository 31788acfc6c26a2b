"""Contents of objects, each in a file named by its SHA-256, written beside and moved into place whole."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import math
import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rai_assets.store import durable
from rai_assets.store.changes import Put
from rai_assets.store.errors import BackendUnavailable

CHUNK = 4 << 20  # bytes read, hashed and written at a time
SYNC_EACH = 256  # files flushed one by one; more are flushed by one sync of the file system


@dataclass(frozen=True)
class Blob:
    """A content: its digest and its size in bytes."""

    sha256: str
    size: int


class ContentFolder:
    """The folder `objects/sha256` of a repository and the `tmp` beside it.

    Args:
        root: The repository's folder.
    """

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects" / "sha256"
        self._tmp = root / "tmp"

    def create(self) -> None:
        """Make the folders."""
        self._objects.mkdir(parents=True)
        self._tmp.mkdir()

    def path(self, sha256: str) -> Path:
        """Where a content lies."""
        return self._objects.joinpath(sha256[:2], sha256)

    def holds(self, sha256: str, size: int) -> bool:
        """True if the content is there already; a file of another size is damaged and gets replaced."""
        try:
            return self.path(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def stored(self) -> Iterator[Path]:
        """The files of all contents."""
        return self._objects.glob("*/*")

    def open(self, blob: Blob) -> BinaryIO:
        """Open a content for reading.

        Raises:
            BackendUnavailable: It is missing, or has another size than it was written with.
        """
        path = self.path(blob.sha256)
        try:
            stream = path.open("rb")
        except FileNotFoundError as fault:
            raise _damaged(path, "is missing") from fault
        size = os.fstat(stream.fileno()).st_size
        if size != blob.size:
            stream.close()
            raise _damaged(path, f"has {size:,} bytes instead of {blob.size:,}")
        return stream

    def copy(self, blob: Blob, destination: Path) -> None:
        """Copy a content to a file that appears only when it is whole and its digest is right.

        Raises:
            BackendUnavailable: The content is damaged.
        """
        partial = destination.with_name(f".{destination.name}.{uuid.uuid4().hex}")
        try:
            with self.open(blob) as stream, partial.open("xb", buffering=0) as out:
                copied = copy_hashed(stream, out)
            if copied != blob:
                raise _damaged(self.path(blob.sha256), "does not have the digest of its name")
            partial.replace(destination)
        finally:
            partial.unlink(missing_ok=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder of its own on the store's file system, gone when the context ends.

        The system's lock on it says that its maker lives, whatever the clock says.
        """
        folder = self._tmp / uuid.uuid4().hex
        folder.mkdir()
        try:
            with _locked(folder):
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def staging(self, count: int) -> Iterator[Staging]:
        """A place where the so many contents of one change set wait for their publication."""
        with self.scratch() as folder:
            yield Staging(self, folder, count)

    def sweep(self, used: Collection[str], grace: float, *, dry_run: bool) -> tuple[int, int]:
        """Remove contents that are not `used` and older than `grace` seconds; returns how many, and their bytes."""
        limit = time.time() - grace
        count = size = 0
        for path in self.stored():
            status = path.stat()
            if path.name not in used and status.st_mtime <= limit:
                if not dry_run:
                    path.unlink()
                count, size = count + 1, size + status.st_size
        return count, size

    def sweep_tmp(self, grace: float, *, dry_run: bool) -> int:
        """Remove what dead writers left; returns how many folders. A folder counts as young as its youngest file."""
        limit = time.time() - grace
        count = 0
        for folder in self._tmp.iterdir():
            with suppress(FileNotFoundError, BlockingIOError), _locked(folder):
                if _youngest(folder) <= limit:
                    if not dry_run:
                        shutil.rmtree(folder, ignore_errors=True)
                    count += 1
        return count


class Staging:
    """Contents of one change set: written and flushed, but not yet in their place.

    Args:
        contents: Where they go.
        folder: A folder of their own on the same file system.
        count: How many there are, which decides how they are flushed.
    """

    def __init__(self, contents: ContentFolder, folder: Path, count: int) -> None:
        self._contents = contents
        self._folder = folder
        self._staged: dict[Blob, Path] = {}
        self._numbers = itertools.count()
        self._each = count <= SYNC_EACH

    def add(self, put: Put) -> Blob:
        """Bring the content of a put into the folder, in constant memory, and return its digest and size.

        A file to be adopted stays where it is until `publish` if it lies on the same file system.
        """
        source = put.source
        if put.consume and isinstance(source, Path) and _same_device(source, self._folder):
            path = source
            with put.opened() as stream:
                blob = copy_hashed(stream, None)
                self._flush(stream)
        else:
            path = self._folder / str(next(self._numbers))
            # Born read-only: nothing may write a content twice.
            with put.opened() as stream, open(path, "xb", 0, opener=_read_only) as out:
                blob = copy_hashed(stream, out)
                self._flush(out)
        if self._staged.setdefault(blob, path) != path:
            path.unlink()
        return blob

    def settle(self) -> None:
        """Make the staged contents durable."""
        if not self._each:
            os.sync()

    def publish(self) -> None:
        """Move the contents into their place; to be called under the repository's lock, so that no sweep intervenes."""
        folders = set()
        for blob, path in self._staged.items():
            target = self._contents.path(blob.sha256)
            if not self._contents.holds(blob.sha256, blob.size):
                if target.parent not in folders:
                    target.parent.mkdir(exist_ok=True)
                    folders |= {target.parent, target.parent.parent}
                if path.parent != self._folder:
                    path.chmod(0o444)
                path.replace(target)
        if not self._each:
            os.sync()
        else:
            for folder in folders:
                durable.sync_folder(folder)

    def _flush(self, stream: BinaryIO) -> None:
        if self._each:
            os.fsync(stream.fileno())


def copy_hashed(stream: BinaryIO, out: BinaryIO | None) -> Blob:
    """Read a stream to its end, write it to `out` if there is one, and hash it.

    Hashing runs in a thread beside the write; both let go of the interpreter's lock.
    """
    digest = hashlib.sha256()
    first = stream.read(CHUNK)
    if len(first) < CHUNK:
        # A stream may give less than asked for before its end, so the end is an empty read.
        size = 0
        while first:
            digest.update(first)
            if out is not None:
                durable.write_all(out, first)
            size += len(first)
            first = stream.read(CHUNK)
        return Blob(digest.hexdigest(), size)
    size = 0
    with ThreadPoolExecutor(1) as pool:
        chunk = first
        while chunk:
            hashed = pool.submit(digest.update, chunk)
            if out is not None:
                durable.write_all(out, chunk)
            following = stream.read(CHUNK)
            hashed.result()
            size += len(chunk)
            chunk = following
    return Blob(digest.hexdigest(), size)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; the system frees it when this process dies.

    Raises:
        BlockingIOError: Another holds it.
        FileNotFoundError: There is no such folder any more.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _read_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o444)


def _same_device(source: Path, folder: Path) -> bool:
    return not source.is_symlink() and source.stat().st_dev == folder.stat().st_dev


def _youngest(folder: Path) -> float:
    """The latest time of change in a folder; a folder that changes under our eyes has a writer at work."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return math.inf


def _damaged(path: Path, how: str) -> BackendUnavailable:
    return BackendUnavailable(
        f"the content {how}", where=str(path), fix="restore the store's folder from a backup; other objects are intact"
    )
