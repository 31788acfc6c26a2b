"""Inboxes: what lies in them, and copying it out whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from rai_assets.data.paths import resolve_folder
from rai_assets.errors import RaiError
from rai_assets.monitoring.batches.settings import InboxSettings

MARKER = ".done"
_UNFINISHED = (".part", ".tmp", MARKER)
_HIDDEN = (".", "_")
_CHUNK = 1 << 20


class Found(NamedTuple):
    """A file as it lies in an inbox.

    Attributes:
        path: Its place in the inbox, with slashes.
        size: Bytes.
        stamp: Differs when it was written again: inode and time of the last change, or an ETag.
        modified: Time of the last change, seconds since 1970.
    """

    path: str
    size: int
    stamp: str
    modified: float


@dataclass(frozen=True)
class Copied:
    """Bytes that were copied out of an inbox.

    Attributes:
        found: The file as it was before and after.
        sha256: Digest of the bytes.
    """

    found: Found
    sha256: str


class Inbox(Protocol):
    """Where data arrive.

    Attributes:
        where: Its place, for people.
        whole: Whether what it shows is always whole, so that nothing is waited for.
    """

    @property
    def where(self) -> str: ...  # noqa: D102

    @property
    def whole(self) -> bool: ...  # noqa: D102

    def look(self) -> Iterator[Found]:
        """Everything in it that may be data.

        Raises:
            RaiError: It cannot be reached.
        """
        ...

    def copy(self, path: str, destination: Path) -> Copied | None:
        """Copy a file out; None if it changed or went away meanwhile.

        Raises:
            RaiError: It cannot be read.
        """
        ...


class FolderInbox:
    """A local folder. Links in it are not followed; nor are hard links, where rows name files.

    Args:
        base: The declaration's folder.
        settings: The declared inbox.
        is_table: Whether a file holds rows; others are files that rows name.
    """

    def __init__(self, base: Path, settings: InboxSettings, is_table: Callable[[str], bool] = lambda _: True) -> None:
        self._base, self._settings, self._is_table = base, settings, is_table

    @property
    def where(self) -> str:
        """Its place, for people."""
        return str((self._base / self._settings.path).absolute())

    @property
    def whole(self) -> bool:
        """Whether its writers give a file its name when it is whole."""
        return self._settings.complete == "rename"

    def look(self) -> Iterator[Found]:
        """Everything in it that may be data; with `complete: marker`, of tables only those that have their marker."""
        root = resolve_folder(self._base, self._settings.path)
        marked = self._settings.complete == "marker"
        waiting = [(str(root), "")]
        while waiting:
            folder, prefix = waiting.pop()
            entries = _entries(folder)
            markers = {entry.name for entry in entries if entry.name.endswith(MARKER)} if marked else set()
            for entry in entries:
                name = entry.name
                if not is_data(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, f"{prefix}{name}/"))
                elif entry.is_file(follow_symlinks=False) and (
                    not marked or name + MARKER in markers or not self._is_table(name)
                ):
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if status.st_nlink > 1 and not self._is_table(name):
                        continue  # it may show what is another's
                    yield _found(prefix + name, status)

    def copy(self, path: str, destination: Path) -> Copied | None:
        """Copy a file, hashed on the way and looked at again; None if it changed or went away meanwhile."""
        root = resolve_folder(self._base, self._settings.path)
        source, digest, size = root / path, hashlib.sha256(), 0
        try:
            descriptor = _open_inside(root, path)
            with os.fdopen(descriptor, "rb") as stream, destination.open("wb") as target:
                before = os.fstat(descriptor)
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
                    target.write(chunk)
                    size += len(chunk)
                target.flush()
                os.fsync(target.fileno())
            after = source.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise RaiError(
                f"the file cannot be copied: {fault.strerror}", where=str(source), fix="check that you may read it"
            ) from fault
        found = _found(path, after)
        return Copied(found, digest.hexdigest()) if found == _found(path, before) and size == found.size else None


def is_data(path: str) -> bool:
    """Whether a name, or any folder on the way to it, is not one of work in progress."""
    parts = path.split("/")
    return bool(parts[-1]) and not any(part.startswith(_HIDDEN) or part.endswith(_UNFINISHED) for part in parts)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
    except OSError as fault:
        raise RaiError(
            f"the inbox cannot be read: {fault.strerror}", where=folder, fix="check that you may read the folder"
        ) from fault


def _open_inside(root: Path, path: str) -> int:
    """A descriptor of a file, reached by no link: a folder may have been replaced by one since it was looked at.

    Raises:
        OSError: It cannot be opened so.
    """
    *folders, name = path.split("/")
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            above, at = at, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(above)
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=at)
    finally:
        os.close(at)


def _found(path: str, status: os.stat_result) -> Found:
    return Found(path, status.st_size, f"{status.st_ino}:{status.st_mtime_ns}", status.st_mtime)
