"""Removing what is kept of old batches from the heads of `production` and `results-production`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rai_assets.charts.text import how_many
from rai_assets.errors import RaiError
from rai_assets.keys import BATCHES, PRODUCTION, results_branch
from rai_assets.monitoring.batches.batch import NAMED, TABLE, BatchRecord
from rai_assets.store.errors import StaleHead
from rai_assets.store.ledger import ATTEMPTS
from rai_assets.store.protocol import ChangeSet, ObjectInfo, VersionedRepository

_ASSETS = {"predictions": "batch_predictions", "profiles": "data_profile"}  # every other asset is a result


@dataclass(frozen=True)
class Removed:
    """What was removed from a branch, or would be.

    Attributes:
        kind: `batches`, `predictions`, `profiles` or `results`.
        branch: Where it was.
        batches: How many batches it was kept of.
        bytes: How much it was.
        before: The commit that holds all of it still; the branch's history leads to it.
    """

    kind: str
    branch: str
    batches: int
    bytes: int
    before: str


def remove_old(
    repository: VersionedRepository,
    ages: Mapping[str, timedelta],
    now: datetime,
    *,
    dry_run: bool = False,
    words: Mapping[str, str] | None = None,
) -> list[Removed]:
    """Remove the rows, predictions, profiles and results of batches that are older than what is kept.

    The record of a batch stays: by it the store knows which files it has accepted. Data branches and the champion are
    never touched.

    Args:
        repository: The use case's repository.
        ages: {kind: how long it is kept}; a kind that is not there is kept.
        now: The age of a batch is the time from its own time to this one.
        dry_run: Only tell.
        words: Kept with the commits.

    Raises:
        RaiError: The store cannot be reached, or a branch moves without end.
    """
    removed = []
    heads = repository.branches(PRODUCTION)
    if PRODUCTION not in heads:
        return []
    times: dict[str, datetime] = {}
    for kind, age in ages.items():
        branch = PRODUCTION if kind == "batches" else results_branch(PRODUCTION)
        for _ in range(ATTEMPTS):
            if branch not in repository.branches(branch):
                break
            head = repository.resolve(branch)
            of_kind = [item for item in repository.list_objects(head, BATCHES) if _kind(branch, item.path) == kind]
            _read_times(repository, {_batch(item.path) for item in of_kind}, times)
            old = [item for item in of_kind if times[_batch(item.path)] < now - age]
            if not old:
                break
            told = Removed(kind, branch, len({_batch(item.path) for item in old}), sum(x.size for x in old), head)
            with suppress(StaleHead):
                if not dry_run:
                    message = f"Retention: {kind} of {how_many(told.batches, 'batch')} older than {age.days} days"
                    repository.commit(branch, _without(old), message, words, expected_head=head)
                removed.append(told)
                break
        else:
            raise RaiError(f"branch {branch!r} moved {ATTEMPTS} times while old {kind} were removed", fix="run again")
    return removed


def _kind(branch: str, path: str) -> str:
    """What an object under `batches/` is; empty for what stays."""
    parts = path.split("/")
    if branch == PRODUCTION:
        return "batches" if parts[2:] == [TABLE] or parts[2] == NAMED.rstrip("/") else ""
    return next((kind for kind, asset in _ASSETS.items() if parts[2] == asset), "results")


def _batch(path: str) -> str:
    return path.split("/")[1]


def _read_times(repository: VersionedRepository, keys: Collection[str], times: dict[str, datetime]) -> None:
    """Add the times of batches that are not known yet; one without a record is as new as can be."""
    head = repository.resolve(PRODUCTION)
    for key in sorted(set(keys) - times.keys()):
        record = BatchRecord.read(repository, head, key)
        times[key] = datetime.max.replace(tzinfo=UTC) if record is None else datetime.fromisoformat(record.time)


def _without(old: Iterable[ObjectInfo]) -> ChangeSet:
    changes = ChangeSet()
    for item in old:
        changes.delete(item.path)
    return changes


def sentences(removed: Iterable[Removed], *, dry_run: bool) -> Iterator[str]:
    """What was removed and what history still holds, a line each."""
    done = "would be removed" if dry_run else "removed"
    for item in removed:
        yield f"{item.kind} of {how_many(item.batches, 'batch')} ({item.bytes:,} bytes) {done} from {item.branch}"
        held = f"commit {item.before[:12]} and before; `rai gc` keeps what {item.branch} leads to"
        yield f"  history holds them still: {held}"
