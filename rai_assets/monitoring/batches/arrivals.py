"""The ledger of what has arrived: files as they were seen and taken, batches and what became of each.

It is a SQLite file in the state folder, so that a look at ten thousand known files costs milliseconds. What was
accepted is told by the store, which it can be made from again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from rai_assets.monitoring.batches.entries import Taken, Taking
from rai_assets.monitoring.batches.requests import Requests
from rai_assets.monitoring.batches.sources import Found


class Arrivals(Requests):
    """The ledger of one use case: what it knows of files, beside what is asked of batches."""

    @property
    def filled(self) -> bool:
        """Whether what the store holds was written into it."""
        return bool(self._all("SELECT 1 FROM facts WHERE name = 'filled'"))

    def fill(self, batches: Iterable[tuple[str, int, int, Iterable[Taken]]]) -> None:
        """Write down what the store has accepted: (key, revision, rows, files) of every batch."""
        now = time.time()
        with self._writing():
            for key, revision, rows, files in batches:
                for file in files:
                    self._run(
                        "INSERT OR IGNORE INTO files VALUES (?, ?, '', ?, ?, 'taken', ?, NULL)",
                        (file.path, file.size, file.modified, now, file.sha256),
                    )
                    if file.named_by:
                        self._run("INSERT OR IGNORE INTO named VALUES (?, ?, ?)", (file.path, key, file.named_by))
                    else:
                        self._run("INSERT OR IGNORE INTO slices VALUES (?, ?)", (file.path, key))
                self._run(
                    "INSERT OR IGNORE INTO batches VALUES (?, 'accepted', 0, 0, 0, ?, ?, ?, NULL, NULL, 0)",
                    (key, now, revision, rows),
                )
            self._run("INSERT OR REPLACE INTO facts VALUES ('filled', ?)", (str(now),))

    def answered(self) -> tuple[list[str], set[str]]:
        """What was noted last of batches that have every answer: as of what, and those of them that are accepted."""
        noted = self._all("SELECT value FROM facts WHERE name = 'answered'")
        keys = self._all("SELECT a.key FROM answered a JOIN batches b ON b.key = a.key WHERE b.state = 'accepted'")
        return noted[0][0].split(" ") if noted else [], {key for (key,) in keys}

    def note_answered(self, as_of: Iterable[str], keys: Iterable[str]) -> None:
        """Note the batches that have every answer, and as of what, in the place of those noted before.

        No run of theirs is waited for any more.
        """
        with self._writing():
            self._run("DELETE FROM answered", ())
            for key in keys:
                self._run("INSERT INTO answered VALUES (?)", (key,))
                self._run("UPDATE batches SET open = 0 WHERE key = ? AND state = 'accepted'", (key,))
            self._run("INSERT OR REPLACE INTO facts VALUES ('answered', ?)", (" ".join(as_of),))

    def known(self) -> dict[str, tuple[int, str, float, str]]:
        """{path: (size, stamp, when it was first seen so, state)} of every file that was ever seen."""
        rows = self._all("SELECT path, size, stamp, since, state FROM files")
        return {path: (size, stamp, since, state) for path, size, stamp, since, state in rows}

    def saw(self, files: Iterable[Found], now: float) -> None:
        """Files are there that were not, or not so: from now on they are waited for."""
        with self._writing():
            for item in files:
                self._run(
                    "INSERT INTO files VALUES (?, ?, ?, ?, ?, 'waiting', NULL, NULL) ON CONFLICT (path) DO UPDATE SET "
                    "size = excluded.size, stamp = excluded.stamp, modified = excluded.modified, "
                    "since = excluded.since, state = 'waiting'",
                    (item.path, item.size, item.stamp, item.modified, now),
                )

    def take(
        self,
        found: Found,
        sha256: str,
        keys: Iterable[str],
        now: float,
        named: Mapping[str, Iterable[str]] = MappingProxyType({}),
    ) -> Taking:
        """The bytes of a file were taken: ask for every batch that has rows of it, or had.

        Args:
            found: The file.
            sha256: Digest of its bytes.
            keys: The batches that it has rows of.
            now: Seconds since 1970.
            named: {batch: the files that its rows of that batch name}, whether they are there or not.

        Returns:
            What it is: `same bytes` as this file had, or another has, ask for nothing.
        """
        file = (found.size, found.stamp, found.modified, now)
        with self._writing():
            former, twin = self._former(found.path), self._twin(found.path, sha256)
            if self.has_bytes(found.path, sha256):
                same_as = None if former == sha256 else twin
                self._run(
                    "INSERT INTO files VALUES (?, ?, ?, ?, ?, 'same bytes', ?, ?) ON CONFLICT (path) DO UPDATE SET "
                    "size = excluded.size, stamp = excluded.stamp, modified = excluded.modified, "
                    "since = excluded.since, "
                    "state = iif(excluded.same_as IS NULL, 'taken', 'same bytes'), same_as = excluded.same_as",
                    (found.path, *file, former, same_as),
                )
                return "same bytes"
            self._run(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, 'taken', ?, NULL)", (found.path, *file, sha256)
            )
            had = {key for (key,) in self._all("SELECT key FROM slices WHERE path = ?", (found.path,))}
            self._run("DELETE FROM slices WHERE path = ?", (found.path,))
            wanted = set(keys)
            for key in sorted(wanted):
                self._run("INSERT INTO slices VALUES (?, ?)", (found.path, key))
            self._run("DELETE FROM named WHERE by = ?", (found.path,))
            for key, names in named.items():
                for name in names:
                    self._run("INSERT OR IGNORE INTO named VALUES (?, ?, ?)", (name, key, found.path))
            for key in sorted(wanted | had):
                self._ask(key, now)
        return "new" if former is None else "corrected"

    def take_named(self, files: Iterable[tuple[Found, str]], now: float) -> dict[str, Taking]:
        """The bytes of files that tables name were taken: ask for every batch with rows that name changed ones.

        Args:
            files: Each file, with the digest of its bytes.
            now: Seconds since 1970.
        """
        told: dict[str, Taking] = {}
        changed: set[str] = set()
        with self._writing():
            for found, sha256 in files:
                former = self._former(found.path)
                self._run(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, 'taken', ?, NULL)",
                    (found.path, found.size, found.stamp, found.modified, now, sha256),
                )
                told[found.path] = "new" if former is None else "same bytes" if former == sha256 else "corrected"
                if former != sha256:
                    changed |= {key for (key,) in self._all("SELECT key FROM named WHERE path = ?", (found.path,))}
            for key in sorted(changed):
                self._ask(key, now)
        return told

    def named_anew(self) -> dict[str, list[str]]:
        """{table: the files that its rows name} of the tables that were taken, and name files that came or changed."""
        rows = self._all(
            "SELECT DISTINCT by, path FROM named WHERE by IN "
            "(SELECT n.by FROM named n JOIN files f ON f.path = n.path WHERE f.state = 'waiting')"
        )
        found: dict[str, list[str]] = {}
        for table, path in rows:
            found.setdefault(table, []).append(path)
        return found

    def has_bytes(self, path: str, sha256: str) -> bool:
        """Whether the same bytes were taken, from this file or, if it is new, from another."""
        former = self._former(path)
        return former == sha256 or (former is None and self._twin(path, sha256) is not None)

    def _former(self, path: str) -> str | None:
        """Digest of the bytes that were taken from a file."""
        rows = self._all("SELECT sha256 FROM files WHERE path = ?", (path,))
        return rows[0][0] if rows else None

    def _twin(self, path: str, sha256: str) -> str | None:
        """Another file of which the same bytes were taken."""
        rows = self._all("SELECT path FROM files WHERE sha256 = ? AND path != ? LIMIT 1", (sha256, path))
        return rows[0][0] if rows else None

    def add(self, path: str, keys: Iterable[str]) -> None:
        """A file that was taken belongs to further batches, which are made of it already."""
        with self._writing():
            for key in keys:
                self._run("INSERT OR IGNORE INTO slices VALUES (?, ?)", (path, key))

    def owner(self, key: str) -> str | None:
        """A file that has rows of a batch."""
        rows = self._all("SELECT path FROM slices WHERE key = ? LIMIT 1", (key,))
        return rows[0][0] if rows else None

    def keys_of(self, path: str) -> list[str]:
        """The batches that a file has rows of."""
        return [key for (key,) in self._all("SELECT key FROM slices WHERE path = ? ORDER BY key", (path,))]
