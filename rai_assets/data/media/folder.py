"""The files of a folder on this machine that rows may name."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from rai_assets.data.media.examine import Facts, examine
from rai_assets.data.media.memory import FileMemory
from rai_assets.data.media.rows import NotThere
from rai_assets.data.paths import resolve_folder
from rai_assets.home import home

Progress = Callable[[str, int, int], None]


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
        self._total = self._done = 0
        self._row_of: dict[Any, int] = {}
        for _, status in _walk(self.root):
            self._total += status.st_size
            if status.st_nlink > 1:
                self._links[self._key(status)] += 1

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
            file = Path(os.path.realpath(self.root / path, strict=True))
            status = file.stat()
            self._check(file, status, row)
            found = self._memory.recall(file, status)
            if found is not None:
                self._tell(status.st_size)
                return found
            found = examine(file, self._tell)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotThere("is not in the media folder") from error
        except OSError as error:
            raise NotThere(f"cannot be read: {error.strerror}") from error
        self._memory.keep(file, status, found)
        return found

    def without_row(self) -> list[str]:
        """Files of the folder that no row has named so far; links are not among them."""
        return [path for path, status in _walk(self.root) if self._key(status) not in self._row_of]

    def _check(self, file: Path, status: os.stat_result, row: int) -> None:
        if not file.is_relative_to(self.root):
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


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every regular file below a folder with its path inside; links are not followed."""
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield os.path.relpath(entry.path, folder), entry.stat(follow_symlinks=False)
