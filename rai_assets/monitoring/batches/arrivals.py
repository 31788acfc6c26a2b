"""The ledger of what has arrived: files as they were seen and taken, batches and what became of each.

It is a SQLite file in the state folder, so that a look at ten thousand known files costs milliseconds. What was
accepted is told by the store, which it can be made from again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from rai_assets.monitoring.batches.entries import Entry, Request, State, Taken, Taking, sources_digest
from rai_assets.monitoring.batches.ledger import Ledger
from rai_assets.monitoring.batches.sources import Found

_TABLES = """
CREATE TABLE IF NOT EXISTS files (
  path TEXT PRIMARY KEY, size INTEGER NOT NULL, stamp TEXT NOT NULL, modified REAL NOT NULL, since REAL NOT NULL,
  state TEXT NOT NULL, sha256 TEXT, same_as TEXT);
CREATE INDEX IF NOT EXISTS files_sha256 ON files(sha256);
CREATE INDEX IF NOT EXISTS files_state ON files(state);
CREATE TABLE IF NOT EXISTS slices (path TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (path, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS slices_key ON slices(key);
CREATE TABLE IF NOT EXISTS named (
  path TEXT NOT NULL, key TEXT NOT NULL, by TEXT NOT NULL, PRIMARY KEY (path, key, by)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS named_key ON named(key);
CREATE INDEX IF NOT EXISTS named_by ON named(by);
CREATE TABLE IF NOT EXISTS batches (
  key TEXT PRIMARY KEY, state TEXT NOT NULL, request INTEGER NOT NULL, attempts INTEGER NOT NULL,
  not_before REAL NOT NULL, since REAL NOT NULL, revision INTEGER, rows INTEGER, branch TEXT, reason TEXT,
  open INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS batches_state ON batches(state);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_RECENT = 100  # batches that tell what is usual
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 3600.0  # seconds before a batch is tried again whose run ended without a verdict


class Arrivals(Ledger):
    """The ledger of one use case. Processes may share it; threads open one each.

    Args:
        path: The SQLite file; made if it is not there.

    Raises:
        RaiError: It cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _TABLES)

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

    def sources(self, key: str) -> tuple[Taken, ...]:
        """The files that a batch is made of, in order: tables, and what their rows name as far as it is there."""
        tables = self._all(
            "SELECT f.path, f.size, f.modified, f.sha256 FROM slices s JOIN files f ON f.path = s.path "
            "WHERE s.key = ? ORDER BY f.path",
            (key,),
        )
        named = self._all(
            "SELECT f.path, f.size, f.modified, f.sha256, min(n.by) FROM named n JOIN files f ON f.path = n.path "
            "WHERE n.key = ? AND f.sha256 IS NOT NULL GROUP BY f.path ORDER BY f.path",
            (key,),
        )
        return tuple(Taken(*row) for row in (*tables, *named))

    def pending(self, limit: int, now: float) -> list[Request]:
        """The batches that wait for a verdict, those asked for first first."""
        rows = self._all(
            "SELECT key, request FROM batches WHERE state = 'pending' AND not_before <= ? ORDER BY request LIMIT ?",
            (now, limit),
        )
        return [Request(key, sources_digest(self.sources(key)), number) for key, number in rows]

    def unfinished(self, limit: int, now: float) -> list[Request]:
        """The accepted batches whose run is not known to have ended well: what follows the audit may be missing."""
        rows = self._all(
            "SELECT key, request, attempts FROM batches WHERE open = 1 AND state = 'accepted' AND not_before <= ? "
            "ORDER BY request LIMIT ?",
            (now, limit),
        )
        return [Request(key, sources_digest(self.sources(key)), number, attempts) for key, number, attempts in rows]

    def finished(self, request: Request) -> None:
        """All that was asked of a batch was done, or is not tried again."""
        with self._writing():
            self._run("UPDATE batches SET open = 0 WHERE key = ? AND request = ?", (request.key, request.number))

    def ended_without_verdict(self, key: str, now: float) -> None:
        """The run of a batch broke off, or did not end well: it is asked for again after a pause that doubles."""
        with self._writing():
            self._run(
                "UPDATE batches SET attempts = attempts + 1, request = max(request + 1, ?), "
                "not_before = ? + min(?, ? * (1 << min(attempts, 20))) WHERE key = ? AND open = 1",
                (_milliseconds(now), now, _LONGEST_PAUSE, _FIRST_PAUSE, key),
            )

    def decided(
        self,
        key: str,
        digest: str,
        state: State,
        *,
        revision: int | None = None,
        rows: int | None = None,
        branch: str | None = None,
        reason: str | None = None,
    ) -> None:
        """A batch made of the files with this digest got its verdict; what came since stays pending."""
        with self._writing():
            if sources_digest(self.sources(key)) != digest:
                return
            self._run(
                "UPDATE batches SET state = ?, since = ?, attempts = iif(state = 'pending', 0, attempts), "
                "revision = coalesce(?, revision), rows = ?, branch = ?, reason = ?, "
                "open = iif(? = 'accepted', open, 0) WHERE key = ?",
                (state, time.time(), revision, rows, branch, reason, state, key),
            )

    def ask_again(self, keys: Iterable[str], now: float) -> None:
        """Have batches audited once more."""
        with self._writing():
            for key in keys:
                self._ask(key, now)

    def entries(self, state: State | None = None) -> list[Entry]:
        """Every batch, or those in a state, by key."""
        rows = self._all(
            "SELECT key, state, revision, branch, reason, since, attempts FROM batches "
            "WHERE ? IS NULL OR state = ? ORDER BY key",
            (state, state),
        )
        return [Entry(*row) for row in rows]

    def entry(self, key: str) -> Entry | None:
        """What is known of one batch."""
        rows = self._all(
            "SELECT key, state, revision, branch, reason, since, attempts FROM batches WHERE key = ?", (key,)
        )
        return Entry(*rows[0]) if rows else None

    def recent_rows(self, key: str) -> list[int]:
        """Rows of the batches that were accepted last, without this one."""
        rows = self._all(
            "SELECT rows FROM batches WHERE state = 'accepted' AND key != ? AND rows > 0 ORDER BY since DESC LIMIT ?",
            (key, _RECENT),
        )
        return [count for (count,) in rows]

    def digests_in_use(self) -> set[str]:
        """Digests of the files of every batch that has no verdict, or a bad one."""
        rows = self._all(
            "SELECT f.sha256 FROM batches b JOIN slices s ON s.key = b.key JOIN files f ON f.path = s.path "
            "WHERE b.state != 'accepted' UNION "
            "SELECT f.sha256 FROM batches b JOIN named n ON n.key = b.key JOIN files f ON f.path = n.path "
            "WHERE b.state != 'accepted'"
        )
        return {digest for (digest,) in rows}

    def counts(self) -> Mapping[str, int]:
        """How many batches are in each state."""
        return dict(self._all("SELECT state, count(*) FROM batches GROUP BY state"))

    def _ask(self, key: str, now: float) -> None:
        self._run(
            "INSERT INTO batches VALUES (?, 'pending', ?, 0, 0, ?, NULL, NULL, NULL, NULL, 1) "
            "ON CONFLICT (key) DO UPDATE SET state = 'pending', request = max(request + 1, excluded.request), "
            "attempts = 0, not_before = 0, open = 1, since = excluded.since",
            (key, _milliseconds(now), now),
        )


def _milliseconds(now: float) -> int:
    return int(now * 1000)
