"""What was found out about files, kept in the state folder, so that a file that did not change is not read again."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from rai_assets.data.media.examine import Facts
from rai_assets.data.media.headers import readers

_VERSION = 1  # of what is found out
_AT_ONCE = 1000  # files written in one transaction
_SETTLED_NS = 2_000_000_000  # a file younger than this may change again without another time stamp


class FileMemory:
    """Facts by path, size, times of change, inode and installed libraries. A context manager.

    It is only a memory: where it is damaged or cannot be written, files are read again.

    Args:
        path: The SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._readers = f"{_VERSION} {readers()}"
        self._new: dict[bytes, tuple[str, str]] = {}
        self._store: sqlite3.Connection | None = None
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._store = _opened(path)
            except sqlite3.DatabaseError:
                path.unlink(missing_ok=True)
                with suppress(sqlite3.DatabaseError):
                    self._store = _opened(path)

    def __enter__(self) -> FileMemory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()
        if self._store is not None:
            self._store.close()

    def recall(self, path: str, status: os.stat_result) -> Facts | None:
        """What is known of a file that still has this status, or None."""
        if self._store is None:
            return None
        try:
            found = self._store.execute("SELECT stamp, facts FROM files WHERE path = ?", [os.fsencode(path)]).fetchone()
        except sqlite3.DatabaseError:
            return None
        return Facts(**json.loads(found[1])) if found and found[0] == self._stamp(status) else None

    def keep(self, path: str, status: os.stat_result, facts: Facts) -> None:
        """Remember what was found out about a file; `status` is from before it was read."""
        if self._store is None or time.time_ns() - status.st_mtime_ns < _SETTLED_NS:
            return
        known = {name: value for name, value in vars(facts).items() if value is not None}
        self._new[os.fsencode(path)] = (self._stamp(status), json.dumps(known))
        if len(self._new) >= _AT_ONCE:
            self._write()

    def _write(self) -> None:
        if self._store is not None and self._new:
            with suppress(sqlite3.DatabaseError), self._store:
                rows = ((path, *kept) for path, kept in self._new.items())
                self._store.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)
        self._new = {}

    def _stamp(self, status: os.stat_result) -> str:
        # The time of the status cannot be set back as that of the content can.
        return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino} {self._readers}"


def _opened(path: Path) -> sqlite3.Connection:
    store = sqlite3.connect(path, timeout=5)
    store.execute("PRAGMA synchronous = OFF")  # a memory lost with the power is no harm
    store.execute("CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, stamp TEXT, facts TEXT) WITHOUT ROWID")
    return store
