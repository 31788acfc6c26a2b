"""The one outbox: what is to be told, kept on disk until every channel has taken it."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rai_assets.errors import RaiError
from rai_assets.monitoring.alerts.events import Event

FIRST_WAIT = 30.0  # seconds before the second try
LONGEST_WAIT = 3600.0
GIVE_UP_AFTER = 7 * 86_400.0  # seconds from the event on
_FARTHEST = 2 * 86_400.0  # nothing is put off so far, but by a clock that was set back since
_LEASE = 120.0  # seconds for one try: a process that dies in it holds nothing up for longer
_KEPT = 90 * 86_400.0  # seconds that what was sent is remembered
_TABLES = (
    """create table if not exists event (
         id text primary key, use_case text not null, at real not null, body text not null)""",
    """create table if not exists sending (
         event text not null references event (id), channel text not null, state text not null, due real not null,
         tries integer not null default 0, fault text not null default '', rest text not null default '[]',
         primary key (event, channel))""",
    "create index if not exists sending_due on sending (state, due)",
    """create table if not exists standing (
         thing text primary key, since real not null, content text not null default '')""",
    "create table if not exists mark (name text primary key, value text not null)",
)
_ERASED = "Removed with rows that were erased."
_ADDED = (("sending", "rest", "[]"), ("standing", "content", ""))


@dataclass(frozen=True)
class Sending:
    """One event on its way to one channel.

    Attributes:
        use_case: Name of the use case.
        channel: Name of the channel.
        state: `waiting`, `sent` or `given up`.
        due: When it is tried next, in seconds since 1970.
        tries: How often it was tried.
        fault: Why the last try failed; empty if none did.
        rest: The channel's receivers that have not taken it, where others have; empty: all.
        body: The event as JSON value.
    """

    use_case: str
    channel: str
    state: str
    due: float
    tries: int
    fault: str
    rest: tuple[str, ...]
    body: Mapping[str, Any]

    @property
    def event(self) -> str:
        """Id of the event."""
        return str(self.body["id"])


class Outbox:
    """The outbox in one file; several processes may use it at once.

    Args:
        path: The file; made if it is not there.

    Raises:
        RaiError: It cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as database:
            for statement in _TABLES:
                database.execute(statement)
            for table, column, default in _ADDED:  # to an outbox of an older version
                if column not in {row[1] for row in database.execute(f"pragma table_info({table})")}:
                    database.execute(f"alter table {table} add column {column} text not null default '{default}'")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as database:
                database.execute("pragma journal_mode = wal")
                database.execute("pragma synchronous = full")
                database.execute("begin immediate")
                yield database
                database.execute("commit")
        except (sqlite3.Error, OSError) as fault:
            raise RaiError(
                f"the outbox of alerts cannot be used: {fault}",
                where=str(self.path),
                fix="make its folder writable and free some disk; an outbox that is damaged may be moved away, then "
                "what was waiting in it is lost",
            ) from fault

    def put(self, event: Event, channels: Mapping[str, float]) -> bool:
        """Keep an event for its channels, if it is news.

        It is none if it was put before, or if the same thing stands already with the same content, told of in an
        earlier run. The end of a run is news each time.

        Args:
            event: What happened.
            channels: {channel: when it may be sent, in seconds since 1970}.

        Returns:
            Whether it was news.
        """
        with self._open() as database:
            row = (event.id, event.use_case, event.at, json.dumps(event.body()))
            if not database.execute("insert or ignore into event values (?, ?, ?, ?)", row).rowcount:
                return False
            if event.kind != "run_failed":
                content = database.execute("select content from standing where thing = ?", (event.thing,)).fetchone()
                if content == (event.content,):
                    return False
                thing = (event.thing, event.at, event.content)
                database.execute("insert or replace into standing (thing, since, content) values (?, ?, ?)", thing)
            database.executemany(
                "insert into sending (event, channel, state, due) values (?, ?, 'waiting', ?)",
                [(event.id, channel, due) for channel, due in channels.items()],
            )
        return True

    def over(self, thing: str, at: float) -> None:
        """A thing that was told of stands no more: the next time it does is news.

        Args:
            thing: `Event.thing`.
            at: When it was found to be over, in seconds since 1970.
        """
        with self._open() as database:
            database.execute("delete from standing where thing = ? and since < ?", (thing, at))

    def standing(self, use_case: str) -> set[str]:
        """The partitions of a use case of which something that was told stands.

        Args:
            use_case: Its name.
        """
        with self._open() as database:
            things = [json.loads(thing) for (thing,) in database.execute("select thing from standing")]
        return {partition for name, _, _, _, partition in things if name == use_case}

    def erase(self, use_case: str, partitions: Collection[str]) -> int:
        """Remove the texts of what was told, or is to be, of some partitions; returns of how many events."""
        with self._open() as database:
            changed = database.execute(
                """update event set body = json_set(body, '$.text', ?) where use_case = ? and
                   json_extract(body, '$.text') != ? and
                   json_extract(body, '$.partition') in (select value from json_each(?))""",
                (_ERASED, use_case, _ERASED, json.dumps(sorted(partitions))),
            )
            return changed.rowcount

    def claim(self, now: float, limit: int = 20) -> list[Sending]:
        """What is due, the least tried first, then the oldest; nobody else is given it for two minutes.

        Args:
            now: Seconds since 1970.
            limit: At most so many.
        """
        with self._open() as database:
            rows = database.execute(
                f"{_SELECT} where state = 'waiting' and (due <= ? or due > ?) order by tries, due limit ?",
                (now, now + _FARTHEST, limit),
            ).fetchall()
            found = [_sending(row) for row in rows]
            database.executemany(
                "update sending set due = ? where event = ? and channel = ?",
                [(now + _LEASE, item.event, item.channel) for item in found],
            )
        return found

    def sent(self, sending: Sending) -> None:
        """A channel has taken it."""
        with self._open() as database:
            database.execute(
                "update sending set state = 'sent', tries = tries + 1, fault = '' where event = ? and channel = ?",
                (sending.event, sending.channel),
            )

    def failed(self, sending: Sending, now: float, fault: str, rest: Sequence[str] = ()) -> None:
        """A channel has not taken it: try again later, for a week from the event on.

        Nothing else of the channel is tried before, unless it took it for all receivers but the `rest`.
        """
        wait = min(FIRST_WAIT * 2**sending.tries, LONGEST_WAIT) * random.uniform(0.8, 1.2)  # noqa: S311 spreads tries
        with self._open() as database:
            (at,) = database.execute("select at from event where id = ?", (sending.event,)).fetchone()
            if now - at > GIVE_UP_AFTER:
                state, due = "given up", sending.due
            else:
                state, due = "waiting", now + wait
            database.execute(
                """update sending set state = ?, due = ?, tries = tries + 1, fault = ?, rest = ?
                   where event = ? and channel = ?""",
                (state, due, fault[:500], json.dumps(rest or sending.rest), sending.event, sending.channel),
            )
            if rest:
                return
            database.execute(
                """update sending set due = max(due, ?) where state = 'waiting' and channel = ?
                   and event in (select id from event where use_case = ?)""",
                (now + wait, sending.channel, sending.use_case),
            )

    def again(self, now: float) -> int:
        """Make everything that is not sent due now; returns how much that is."""
        with self._open() as database:
            changed = database.execute("update sending set state = 'waiting', due = ? where state != 'sent'", (now,))
            return changed.rowcount

    def listing(self, use_case: str | None = None, limit: int = 50) -> list[Sending]:
        """The newest sendings first."""
        where, values = ("where use_case = ?", [use_case]) if use_case else ("", [])
        with self._open() as database:
            rows = database.execute(f"{_SELECT} {where} order by at desc limit ?", [*values, limit]).fetchall()
        return [_sending(row) for row in rows]

    def untaken(self, before: float) -> list[Sending]:
        """What happened before a moment, was tried, and is not taken, oldest first.

        Args:
            before: Seconds since 1970.
        """
        with self._open() as database:
            rows = database.execute(
                f"{_SELECT} where state = 'waiting' and tries > 0 and at < ? order by at", (before,)
            ).fetchall()
        return [_sending(row) for row in rows]

    def mark(self, name: str, value: str | None = None) -> str:
        """The value of a bookmark, empty if there is none; with a value, set it."""
        with self._open() as database:
            if value is not None:
                database.execute("insert or replace into mark values (?, ?)", (name, value))
                return value
            row = database.execute("select value from mark where name = ?", (name,)).fetchone()
        return row[0] if row else ""

    def forget(self, now: float) -> None:
        """Drop what was sent, or given up, three months ago."""
        with self._open() as database:
            for statement in _FORGET:
                database.execute(statement, (now - _KEPT,))


_FORGET = (
    """delete from sending where event in (
         select id from event where at < ?
         and not exists (select 1 from sending where event = id and state = 'waiting'))""",
    "delete from event where at < ? and not exists (select 1 from sending where event = id)",
)
_SELECT = """select use_case, channel, state, due, tries, fault, rest, body
             from sending join event on event.id = sending.event"""


def _sending(row: tuple[Any, ...]) -> Sending:
    use_case, channel, state, due, tries, fault, rest, body = row
    return Sending(use_case, channel, state, due, tries, fault, tuple(json.loads(rest)), json.loads(body))


def open_outbox(home: Path) -> Outbox:
    """The outbox of a state folder."""
    return Outbox(home / "alerts" / "outbox.sqlite")
