"""How long what is kept stays: old batches and what was found of them, and Dagster's records of old runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rai_assets.charts.text import how_many
from rai_assets.errors import UsageError
from rai_assets.home import home, prepare
from rai_assets.keys import CHAMPION, MAIN, UseCaseKeys, results_branch
from rai_assets.monitoring.batches.removal import remove_old, sentences
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.declaration import Declared

_AT_ONCE = 500  # runs that are looked at together


def retain_here(declared: Declared, *, dry_run: bool = False) -> Iterator[str]:
    """`retain` from the command line; a use case that was not run has nothing to remove."""
    repository = open_repository(prepare(), declared.use_case.keys().repository)

    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        yield from retain(declared, repository, instance, dry_run=dry_run)


def retain(
    declared: Declared, repository: VersionedRepository, instance: Any, *, dry_run: bool = False
) -> Iterator[str]:
    """Remove what is older than the declaration keeps it, and say what was removed and what history still holds.

    Args:
        declared: The use case.
        repository: Its repository.
        instance: Dagster's records.
        dry_run: Only tell.

    Raises:
        UsageError: Nothing is declared under `retention`.
        RaiError: The store cannot be reached.
    """
    name, ages = declared.use_case.name, declared.use_case.retention.ages
    if not ages:
        fix = "add e.g. `retention: {batches: 365d, predictions: 90d, runs: 90d}`"
        raise UsageError(f"{name} declares no retention", where=str(declared.path), fix=fix)
    keys, now = declared.use_case.keys(), datetime.now(UTC)
    of_batches = {kind: age for kind, age in ages.items() if kind != "runs"}
    removed = remove_old(repository, of_batches, now, dry_run=dry_run, words={"use_case": name})
    told = list(sentences(removed, dry_run=dry_run))
    if "runs" in ages:
        told += remove_runs(instance, repository, keys, now - ages["runs"], dry_run)
    yield from (told or [f"nothing of {name} is older than it is kept"])


def remove_runs(
    instance: Any, repository: VersionedRepository, keys: UseCaseKeys, before: datetime, dry_run: bool
) -> Iterator[str]:
    """Delete Dagster's records of runs that ended before a time, with their events; says so.

    Args:
        instance: Dagster's instance.
        repository: The use case's repository; runs that its champion came of stay.
        keys: Names of the use case.
        before: The time.
        dry_run: Only tell what would go.
    """
    needed = _needed(instance, repository, keys)
    old = [run for run in _ended(instance, keys, before) if run not in needed]
    if not dry_run:
        for run in old:
            instance.delete_run(run)
            _shrink(home() / "dagster" / "history" / "runs" / f"{run}.db")
    if old:
        done = "would be deleted" if dry_run else "deleted"
        runs = how_many(len(old), "run")
        yield f"records of {runs}, with their events and check results, {done}; what they published stays"


def _shrink(events: Path) -> None:
    """Give the disk back what Dagster deleted in a run's own file; with a database server there is none."""
    if events.exists():
        with suppress(sqlite3.Error), closing(sqlite3.connect(events)) as database:
            database.execute("vacuum")


def _ended(instance: Any, keys: UseCaseKeys, before: datetime) -> list[str]:
    """Runs of the use case that ended before a time."""
    import dagster as dg

    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    asked = dg.RunsFilter(statuses=ended, updated_before=before)
    found, cursor = [], None
    while records := instance.get_run_records(asked, limit=_AT_ONCE, cursor=cursor):
        cursor = records[-1].dagster_run.run_id
        found += [item.dagster_run.run_id for item in records if _is_of(item.dagster_run, keys)]
    return found


def _is_of(run: Any, keys: UseCaseKeys) -> bool:
    chosen = {key.path[0] for key in run.asset_selection or ()}
    jobs = (keys.audit_job, keys.promotion_job, keys.production_job, keys.retention_job)
    return chosen == {keys.name} or (not chosen and run.job_name in jobs)


def _needed(instance: Any, repository: VersionedRepository, keys: UseCaseKeys) -> set[str]:
    """Runs that stay: those that promotions came of, and those that Dagster shows as the newest of an asset."""
    import dagster as dg

    runs: set[str] = set()
    data: set[str] = set()
    for branch in (CHAMPION, results_branch(MAIN)):
        if branch not in repository.branches(branch):
            continue
        for commit in repository.log(branch):
            if branch == CHAMPION:
                data.add(commit.metadata.get("data_commit", ""))
            if branch == CHAMPION or commit.metadata.get("data_commit") in data:
                runs.add(commit.metadata.get("run_id", ""))
    branches = instance.get_dynamic_partitions(keys.branch_partitions)
    for key in instance.get_asset_keys([keys.name]):
        newest = instance.fetch_materializations(key, limit=1).records
        for partition in branches:
            of_branch = dg.AssetRecordsFilter(key, asset_partitions=[partition])
            newest = [*newest, *instance.fetch_materializations(of_branch, limit=1).records]
        runs.update(item.run_id for item in newest)
    return runs
