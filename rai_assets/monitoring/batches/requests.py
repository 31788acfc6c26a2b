"""What is asked of the batches in the ledger of arrivals, and what became of each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from rai_assets.monitoring.batches.entries import Entry, Request, State, Taken, sources_digest
from rai_assets.monitoring.batches.ledger import Ledger

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
CREATE TABLE IF NOT EXISTS answered (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_RECENT = 100  # batches that tell what is usual
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 3600.0  # seconds before a batch is tried again whose run ended without a verdict


class Requests(Ledger):
    """The batches of the ledger: each waits for its audit, has a verdict, or is asked for again.

    Processes may share it; threads open one each.

    Args:
        path: The SQLite file; made if it is not there.

    Raises:
        RaiError: It cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _TABLES)

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

    def hold(self, keys: Iterable[str], until: float) -> None:
        """Somebody works on batches that wait: they are not asked for before a moment, unless something new arrives."""
        with self._writing():
            for key in keys:
                self._run("UPDATE batches SET not_before = ? WHERE key = ? AND state = 'pending'", (until, key))

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
