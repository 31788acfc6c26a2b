"""The files of a folder on this machine that rows may name."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

from rai_assets.data.media.examine import Facts, examine
from rai_assets.data.media.memory import FileMemory
from rai_assets.data.media.rows import NotThere
from rai_assets.data.paths import resolve_folder
from rai_assets.home import home

Progress = Callable[[str, int, int], None]

_FOLDERS = 1000  # whose real places are kept in mind


class FolderFiles:
    """The media files in a folder. A context manager.

    Args:
        base: The folder declared paths start from.
        folder: The declared folder.
        progress: Told (what, bytes done, bytes in all).

    Raises:
        InputRefused: There is no such folder.
    """

    tables_have_facts = False

    def __init__(self, base: Path, folder: str, progress: Progress) -> None:
        self.root = resolve_folder(base, folder)
        self.where = folder
        self._progress = progress
        self._device = self.root.stat().st_dev
        self._links: Counter[Any] = Counter()  # names in the folder of files that have several
        self._total = self._done = self._count = 0
        self._row_of: dict[Any, int] = {}
        self._inside = f"{self.root}/"
        # A folder's real place is looked up once, for it costs a question per folder above it.
        self._real_folder = lru_cache(_FOLDERS)(lambda folder: os.path.realpath(self._inside + folder, strict=True))
        for entry in _walk(self.root):
            status = entry.stat(follow_symlinks=False)
            self._total += status.st_size
            if status.st_nlink > 1:
                self._links[self._key(status)] += 1
            else:
                self._count += 1

    def __enter__(self) -> FolderFiles:
        self._memory = FileMemory(home() / "media.sqlite").__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._row_of.clear()
        self._memory.__exit__(kind, error, trace)

    def facts(self, path: str, row: int) -> Facts:
        """What is known of a row's file: remembered, or found out by reading it once.

        Raises:
            NotThere: There is no such file in the folder, or it may not be stored, or an earlier row named it.
        """
        try:
            file, status = self._found(path)
            self._check(file, status, row)
            found = self._memory.recall(file, status)
            if found is not None:
                self._tell(status.st_size)
                return found
            found = examine(Path(file), self._tell)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotThere("is not in the media folder") from error
        except OSError as error:
            raise NotThere(f"cannot be read: {error.strerror}") from error
        self._memory.keep(file, status, found)
        return found

    def place(self, path: str) -> Path:
        """Where a file lies."""
        return self.root / path

    def without_row(self) -> list[str]:
        """Files of the folder that no row has named so far; links are not among them."""
        if len(self._row_of) == self._count + len(self._links):
            return []
        left = (entry for entry in _walk(self.root) if self._key(entry.stat(follow_symlinks=False)) not in self._row_of)
        return [entry.path.removeprefix(self._inside) for entry in left]

    def _found(self, path: str) -> tuple[str, os.stat_result]:
        """Where a row's file really lies, links followed, and its status."""
        folder, _, name = path.rpartition("/")
        file = f"{self._real_folder(folder)}/{name}"
        status = os.lstat(file)
        if stat.S_ISLNK(status.st_mode):
            file = os.path.realpath(file, strict=True)
            status = os.lstat(file)
        return file, status

    def _check(self, file: str, status: os.stat_result, row: int) -> None:
        if not file.startswith(self._inside):
            raise NotThere("is a link that leads out of the media folder")
        if not stat.S_ISREG(status.st_mode):
            raise NotThere("is not a regular file")
        key = self._key(status)
        if status.st_nlink > max(self._links[key], 1):
            raise NotThere("has another name outside the media folder (a hard link); copy it into the folder")
        first = self._row_of.setdefault(key, row)
        if first != row:
            raise NotThere(f"is the file of row {first:,} already")

    def _tell(self, count: int) -> None:
        self._done += count
        self._progress(f"bytes of {self.where}", self._done, self._total)

    def _key(self, status: os.stat_result) -> Any:
        """What tells one file from another, whatever its names."""
        return status.st_ino if status.st_dev == self._device else (status.st_dev, status.st_ino)


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Every regular file below a folder; links are not followed."""
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry
