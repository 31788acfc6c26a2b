"""Many batches in one process: audited one by one, published together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from uuid import uuid4

from rai_assets.charts.text import how_many
from rai_assets.data.publish import publish
from rai_assets.errors import RaiError
from rai_assets.keys import PRODUCTION, batch_folder
from rai_assets.monitoring.batches.accept import Accepted, accept, reference_labels
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.batch import BatchRecord
from rai_assets.monitoring.batches.contracts import versions
from rai_assets.monitoring.batches.intake import Looked
from rai_assets.monitoring.batches.overrides import words_on
from rai_assets.monitoring.batches.prepare import Asked, Prepared, prepare
from rai_assets.monitoring.batches.production import Production
from rai_assets.store.open import ensure_branch
from rai_assets.store.protocol import ChangeSet, VersionedRepository

_TOGETHER = 200  # batches that are published by one commit
_AT_ONCE = 1000  # files that are taken by one look
_HELD = 1800.0  # seconds; a group takes minutes


@dataclass
class Backfilled:
    """What a backfill did.

    Attributes:
        accepted: Batches that were published.
        present: Batches that were published before.
        quarantined: Batches that break their contract.
        waiting: Files, with labels too, that are not taken yet.
        problems: Files and batches that could not be worked on, and why.
    """

    accepted: int = 0
    present: int = 0
    quarantined: int = 0
    waiting: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, group: Sequence[Accepted | str]) -> list[Accepted]:
        """Count what became of a group; returns its batches that got a verdict."""
        found = [item for item in group if isinstance(item, Accepted)]
        self.problems += [item for item in group if isinstance(item, str)]
        self.accepted += sum(item.published and item.changed for item in found)
        self.present += sum(item.published and not item.changed for item in found)
        self.quarantined += sum(not item.published for item in found)
        return found


def take_everything(
    production: Production, arrivals: Arrivals, tell: Callable[[str, int, int], None]
) -> tuple[list[str], int]:
    """Take all that is ready in the inbox; returns the files that could not be read, and why; how many others wait."""
    return _take(lambda: production.look(arrivals, limit=_AT_ONCE), "files taken", tell)


def take_labels(
    production: Production, repository: VersionedRepository, tell: Callable[[str, int, int], None]
) -> tuple[list[str], int]:
    """Take all labels that are ready, and write them beside their rows; returns the same as `take_everything`."""
    if production.settings.labels is None:
        return [], 0
    with production.label_inbox.arrivals() as arrivals:
        return _take(
            lambda: production.label_inbox.look(repository, arrivals, limit=_AT_ONCE), "files with labels taken", tell
        )


def _take(look: Callable[[], Looked], what: str, tell: Callable[[str, int, int], None]) -> tuple[list[str], int]:
    """Look until nothing more is taken."""
    problems: list[str] = []
    taken = 0
    while True:
        looked = look()
        problems += [problem for problem in looked.problems if problem not in problems]
        taken += len(looked.taken)
        tell(what, taken, taken + looked.waiting)
        if not looked.taken:
            return problems, looked.waiting - len(looked.problems)


def in_range(production: Production, arrivals: Arrivals, start: datetime | None, end: datetime | None) -> list[Asked]:
    """The known batches whose time is in [start, end), by time."""
    rows = arrivals.recent_rows("")
    found = []
    for entry in arrivals.entries():
        sources = arrivals.sources(entry.key)
        asked = production.asked(entry.key, sources, rows)
        if sources and (start is None or asked.time >= start) and (end is None or asked.time < end):
            found.append(asked)
    return sorted(found, key=lambda asked: (asked.time, asked.key))


@contextmanager
def holding(ledgers: Sequence[Arrivals], keys: Sequence[str]) -> Iterator[Callable[[], None]]:
    """Batches that no sensor asks runs for while this process works on them; for half an hour if it dies.

    Yields:
        What holds them for another half an hour.
    """

    def hold(until: float) -> None:
        for ledger in ledgers:
            ledger.hold(keys, until)

    hold(time.time() + _HELD)
    try:
        yield lambda: hold(time.time() + _HELD)
    finally:
        hold(0.0)


def audit_together(
    production: Production,
    repository: VersionedRepository,
    arrivals: Arrivals,
    asked: Sequence[Asked],
    tell: Callable[[str, int, int], None],
) -> Iterator[list[Accepted | str]]:
    """Audit batches, and publish those that keep their contract in groups; the ledger is told.

    Yields:
        What became of each batch of a group; a sentence where it could not be worked on.
    """
    ensure_branch(repository, PRODUCTION)
    labels = reference_labels(repository)
    waiting, done = iter(asked), 0
    while group := list(islice(waiting, _TOGETHER)):
        found = _group(production, repository, group, labels)
        for item in found:
            if isinstance(item, Accepted):
                production.tell(arrivals, item)
        done += len(group)
        tell("batches audited", done, len(asked))
        yield found


def _group(
    production: Production, repository: VersionedRepository, group: Sequence[Asked], labels: Sequence[str]
) -> list[Accepted | str]:
    """What became of each batch of a group; those that keep their contract are published by one commit."""
    words = {"run_id": str(uuid4()), "use_case": production.keys.name}
    start = repository.resolve(PRODUCTION)
    found: list[Accepted | str] = []
    together: dict[str, Prepared] = {}
    alone: set[str] = set()
    with repository.scratch() as folder:
        for asked, made in zip(group, _prepared(repository, start, group, labels, folder), strict=True):
            if not isinstance(made, Prepared):
                found.append(made)
            elif made.holds:
                together[asked.key] = made
            else:
                alone.add(asked.key)
        if together:
            try:
                found += _published(repository, start, [*together.values()], words)
            except RaiError:
                # Others publish batches meanwhile: each goes its own way.
                alone |= together.keys()
    return [*found, *(_by_itself(asked, repository, words) for asked in group if asked.key in alone)]


def _prepared(
    repository: VersionedRepository, start: str, group: Sequence[Asked], labels: Sequence[str], folder: Path
) -> Iterator[Prepared | Accepted | str]:
    """Each batch written into a folder and checked, or as it stands in the commit `start` already, or why neither."""
    known, given = versions(repository, start), words_on(repository, start)
    for number, asked in enumerate(group):
        present = BatchRecord.read(repository, start, asked.key)
        if present is not None and present.made_of(asked.sources):
            yield Accepted(present, True, start, PRODUCTION, changed=False)
            continue
        place = folder / str(number)
        place.mkdir()
        try:
            yield prepare(asked, present, known, labels, place, lambda *_: None, given.get(asked.key))
        except RaiError as fault:
            yield f"{asked.key}: {fault}"


def _published(
    repository: VersionedRepository, start: str, prepared: Sequence[Prepared], words: Mapping[str, str]
) -> list[Accepted]:
    """Batches that were prepared on the commit `start`, published by one commit.

    Raises:
        RaiError: Others published batches meanwhile.
    """
    changes = ChangeSet()
    for item in prepared:
        item.add_to(changes)
    published = publish(
        repository,
        PRODUCTION,
        changes,
        run_branch=f"run-{words['run_id']}",
        start=start,
        message=f"{how_many(len(prepared), 'batch')}, {prepared[0].record.key} to {prepared[-1].record.key}",
        words=words,
        judge=lambda *_: True,  # each was judged by itself
        prefix=[batch_folder(item.record.key) for item in prepared],
    )
    return [Accepted(item.record, True, published.commit, PRODUCTION, changed=True) for item in prepared]


def _by_itself(asked: Asked, repository: VersionedRepository, words: Mapping[str, str]) -> Accepted | str:
    """What became of a batch that is audited alone, as in a run of its own."""
    try:
        return accept(asked, repository, run_id=str(uuid4()), words=words)
    except RaiError as fault:
        return f"{asked.key}: {fault}"
