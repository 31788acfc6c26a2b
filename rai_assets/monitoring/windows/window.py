"""The batches of a window of time with what was found of each: stored results, never rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from rai_assets.errors import UsageError
from rai_assets.keys import PRODUCTION, batch_folder, results_branch
from rai_assets.metrics.number import Number
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.batch import BatchRecord, records
from rai_assets.monitoring.batches.label_store import waiting_labels
from rai_assets.monitoring.batches.settings import BatchSettings
from rai_assets.monitoring.batches.slicing import slot_key, slot_of
from rai_assets.monitoring.checks import ANSWERED
from rai_assets.monitoring.windows.kept import CANNOT_TELL, Keeping
from rai_assets.store import results
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets.store.results import Result

PREDICTIONS = "batch_predictions"
QUESTIONS = tuple(name for name in ANSWERED if name != PREDICTIONS)
_YEAR = timedelta(days=365)
_MOMENT = timedelta(microseconds=1)
_MOST_SLOTS = 20_000


@dataclass(frozen=True)
class Seen:
    """An accepted batch.

    Attributes:
        record: What is known of it.
        results: What is kept of what was found of it, by asset; an asset that has not answered is left out.
    """

    record: BatchRecord
    results: Mapping[str, Result] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The batch."""
        return self.record.key

    def rows_of(self, asset: str) -> Sequence[Mapping[str, Any]]:
        """The flat rows of a comparison."""
        found = self.results.get(asset)
        return () if found is None else found.facts.get("rows", ())

    def failed(self, asset: str) -> Mapping[str, str]:
        """{check: what it says} of the checks of an asset that do not hold."""
        found = self.results.get(asset)
        checks = {} if found is None else found.facts.get("checks", {})
        return {name: item["sentence"] for name, item in checks.items() if not item["passed"]}

    def told(self, asset: str, check: str) -> bool:
        """Whether a check of an asset could be answered."""
        found = self.results.get(asset)
        said = {} if found is None else found.facts.get("checks", {}).get(check, {})
        return bool(said) and not (said["passed"] and said["sentence"].startswith(CANNOT_TELL))

    @property
    def answered(self) -> bool:
        """Whether anything was asked of it that has an answer."""
        return any(name in self.results for name in QUESTIONS)

    @property
    def logged(self) -> Sequence[Mapping[str, Any]]:
        """Of every column with logged predictions: how many rows have it, and how far it is from the champion's."""
        found = self.results.get(PREDICTIONS)
        return () if found is None else found.facts.get("logged", ())

    @property
    def verdicts(self) -> Sequence[Mapping[str, Any]]:
        """What became of every requirement on its labels."""
        found = self.results.get("realized_performance")
        return () if found is None else found.facts.get("verdicts", ())

    @property
    def reference(self) -> str:
        """What it was compared with: commit and split, in words; empty where nothing was asked."""
        references = [item.facts["reference"] for item in self.results.values() if item.facts.get("reference")]
        if not references:
            return ""
        which = references[0]
        return f"{which['split']} rows of commit {which['commit'][:12]}, reference {which['digest'][:8]}"

    def number(self, asset: str, definition: str, **coordinates: str) -> Number | None:
        """The number of all its rows with these coordinates."""
        found = self.results.get(asset)
        for item in () if found is None else found.numbers:
            if item.definition == definition and item.coordinates == coordinates and not item.group:
                return item
        return None


@dataclass(frozen=True)
class Refused:
    """A batch in quarantine: its key, its time, and why."""

    key: str
    time: datetime
    reason: str


@dataclass(frozen=True)
class Window:
    """What stands in production over a time.

    Attributes:
        start: Its first instant, UTC.
        end: The first instant after it.
        batches: Those accepted, by time.
        quarantined: Those refused, by time.
        waiting: Those that have no verdict yet.
        missing: Hours or days of which nothing arrived between the first and the last that did; None where batches are
            files, which are not expected at any time.
        commit: The commit of the results that were read; empty where there is none.
        early_labels: Labels that have come for rows that have not.
        dated: What says when batches were: that their file was changed last, or the hour or day of their rows.
        digest: Over what was read of the accepted batches.
        outside: Accepted batches before and after it.
    """

    start: datetime
    end: datetime
    batches: tuple[Seen, ...]
    quarantined: tuple[Refused, ...] = ()
    waiting: tuple[str, ...] = ()
    missing: tuple[str, ...] | None = None
    commit: str = ""
    early_labels: int = 0
    dated: str = "the last change of their files"
    digest: str = ""
    outside: int = 0

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """First and last instant of the rows of its accepted batches; None where they have no times."""
        spans = [tuple(map(datetime.fromisoformat, span)) for item in self.batches if (span := item.record.span)]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    @property
    def name(self) -> str:
        """First and last day: `2025-01-01_2025-12-31`."""
        return f"{self.start:%Y-%m-%d}_{self.end - timedelta(microseconds=1):%Y-%m-%d}"

    @property
    def rows(self) -> int:
        """Rows of all its accepted batches."""
        return sum(item.record.rows for item in self.batches)

    @cached_property
    def unanswered(self) -> Mapping[str, tuple[str, ...]]:
        """{asset: batches that it has no result of} of the assets that answered for others."""
        asked = [name for name in QUESTIONS if any(name in item.results for item in self.batches)]
        found = {name: tuple(item.key for item in self.batches if name not in item.results) for name in asked}
        return {name: keys for name, keys in found.items() if keys}


def read_window(
    repository: VersionedRepository,
    arrivals: Arrivals,
    rule: BatchSettings,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Window:
    """Read what was found of the batches of a window, batch by batch: no more of it is held than a report shows.

    Args:
        repository: The use case's repository.
        arrivals: The ledger, for what is in quarantine or waits.
        rule: What one batch is.
        start: Batches from this time on; a year before the end when None.
        end: Batches before this time; until the newest batch when None.

    Raises:
        UsageError: No batch is in the window.
    """
    heads = repository.branches("")
    keeping = Keeping()
    stored = records(repository, heads[PRODUCTION]) if PRODUCTION in heads else ()
    known = [keeping.record(item) for item in stored]
    refused = list(_refused(arrivals, rule))
    times = [_time(item) for item in known] + [item.time for item in refused]
    if end is None:
        end = (max(times, default=datetime.now(UTC))).replace(hour=0, minute=0, second=0) + timedelta(days=1)
    start = start or end - _YEAR
    inside = sorted((item for item in known if start <= _time(item) < end), key=lambda item: (_time(item), item.key))
    quarantined = tuple(item for item in refused if start <= item.time < end)
    if start >= end:
        raise UsageError(
            f"the first day, {start:%Y-%m-%d}, is after the last, {end - _MOMENT:%Y-%m-%d}",
            where=repository.repository,
            fix="name an earlier first day or a later last one",
        )
    if not inside and not quarantined:
        raise UsageError(
            f"no batch of production from {start:%Y-%m-%d} to {end - _MOMENT:%Y-%m-%d}",
            where=repository.repository,
            fix="put files into the inbox, or name another time by --from and --to; `rai batches` lists what there is",
        )
    commit = heads.get(results_branch(PRODUCTION), "")
    seen = tuple(Seen(item, dict(_results(repository, commit, item.key, keeping))) for item in inside)
    waiting = tuple(entry.key for entry in arrivals.entries("pending"))
    early = sum(waiting_labels(repository).values())
    there = [*(item.key for item in inside), *(item.key for item in quarantined), *waiting]
    missing = _missing(rule, there)
    return Window(
        start, end, seen, quarantined, waiting, missing, commit, early, _dated(rule), keeping.digest,
        len(known) - len(inside),
    )  # fmt: skip


def _dated(rule: BatchSettings) -> str:
    return f"the {'hour' if rule.rule == 'hourly' else 'day'} of their rows" if rule.by_event else Window.dated


def _results(repository: VersionedRepository, commit: str, key: str, keeping: Keeping) -> Iterator[tuple[str, Result]]:
    for asset in (*QUESTIONS, PREDICTIONS) if commit else ():
        with suppress(NotFound):
            found = results.load(repository, commit, asset, parts=(), folder=batch_folder(key))
            yield asset, keeping.result(key, found)


def _refused(arrivals: Arrivals, rule: BatchSettings) -> Iterator[Refused]:
    found = []
    for entry in arrivals.entries("quarantined"):
        slot = slot_of(rule, entry.key)
        changed = max((source.modified for source in arrivals.sources(entry.key)), default=entry.since)
        time = slot[0] if slot else datetime.fromtimestamp(changed, UTC)
        found.append(Refused(entry.key, time, entry.reason or ""))
    yield from sorted(found, key=lambda item: (item.time, item.key))


def _missing(rule: BatchSettings, keys: Sequence[str]) -> tuple[str, ...] | None:
    slots = sorted(slot for key in keys if (slot := slot_of(rule, key)) is not None)
    if not slots:
        return None
    (first, after), last = slots[0], slots[-1][0]
    expected = [slot_key(rule, first + number * (after - first)) for number in range((last - first) // (after - first))]
    there = set(keys)
    return tuple(key for key in expected[:_MOST_SLOTS] if key not in there)


def _time(record: BatchRecord) -> datetime:
    return datetime.fromisoformat(record.time)
