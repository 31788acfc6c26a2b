"""`retention:` of a declaration: what is too old goes, and what the champion came of stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from rai_assets.errors import DeclarationError, UsageError
from rai_assets.keys import CHAMPION
from rai_assets.progress import Progress
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.backfill import backfill
from rai_assets.use_case.declaration import Declared, load
from rai_assets.use_case.graph import LAKE, build, location_definitions
from rai_assets.use_case.retention import remove_runs, retain
from rai_assets_tests.monitoring.batches.conftest import PRODUCTION, Daemon, Desk
from rai_assets_tests.use_case.conftest import DECLARATION, loan_rows

DAY = 86_400


def keeping(place: Path, kept: str) -> Declared:
    """The use case with other words under `retention`."""
    path = place / "defs" / "loans" / "defs.yaml"
    path.write_text(DECLARATION + PRODUCTION + kept)
    item = load(path)
    assert item is not None
    return item


def retained(item: Declared, daemon: Daemon, *, dry_run: bool = False) -> list[str]:
    return list(retain(item, LAKE.repository(item.use_case.keys()), daemon.instance, dry_run=dry_run))


def paths(store: VersionedRepository, branch: str) -> set[str]:
    return {item.path for item in store.list_objects(branch, "batches/")}


def test_old_batches_go_and_history_still_holds_them(
    place: Path, daemon: Daemon, inbox: Desk, store: VersionedRepository
) -> None:
    inbox.put("old.csv", loan_rows(20), age=100 * DAY)
    inbox.put("new.csv", loan_rows(20, seed=1), age=DAY)
    assert daemon.tick() == {"old": True, "new": True}
    head, champion = store.resolve("production"), store.resolve(CHAMPION)
    rows, found = paths(store, "production"), paths(store, "results-production")
    item = keeping(place, "  retention: {batches: 90d, predictions: 90d}\n")

    told = retained(item, daemon, dry_run=True)
    size = store.stat(head, "batches/old/table.parquet").size
    assert told[0] == f"batches of 1 batch ({size:,} bytes) would be removed from production"
    assert told[1].startswith(f"  history holds them still: commit {head[:12]}")
    assert told[2].startswith("predictions of 1 batch")
    assert store.resolve("production") == head, "only told"

    assert retained(item, daemon)[0] == told[0].replace("would be ", "")
    assert rows - paths(store, "production") == {"batches/old/table.parquet"}
    gone = found - paths(store, "results-production")
    assert gone == {path for path in found if path.startswith("batches/old/batch_predictions/")}
    assert retained(item, daemon) == ["nothing of loans is older than it is kept"]
    assert daemon.tick() == {}, "a file whose batch is gone is not taken again"
    assert store.resolve(CHAMPION) == champion
    done = backfill(item, None, None, Progress(lambda _: None), again=True)
    (said,) = done.problems
    assert said.startswith("old: its rows were removed (`rai retention`)")

    item = keeping(place, '  retention: {results: 50d}\n  schedules: {retention: {cron: "0 4 * * *"}}\n')
    assert list(item.use_case.schedules.sentences()) == ["retention at 0 4 * * * (UTC)"]
    repository = dg.Definitions.merge(location_definitions([item]), build(item)).get_repository_def()
    schedule = repository.get_schedule_def("loans_retention_schedule")
    assert (schedule.job_name, schedule.cron_schedule) == ("loans_retention", "0 4 * * *")
    assert repository.get_job(schedule.job_name).execute_in_process(instance=daemon.instance).success
    left = paths(store, "results-production")
    # Profiles have an age of their own, and none is declared.
    assert {path for path in left if "/old/data_profile/" not in path} == {
        path for path in found if path.startswith("batches/new/")
    }

    store.collect_garbage(timedelta(0))
    assert store.stat(head, "batches/old/table.parquet").size == size, "what history leads to outlives the sweep"


def test_records_of_old_runs_go_but_not_those_of_the_champion(daemon: Daemon, inbox: Desk, declared: Declared) -> None:
    for number in range(2):
        inbox.put(f"batch-{number}.csv", loan_rows(20, seed=number))
        assert daemon.tick() == {f"batch-{number}": True}
    keys, instance = declared.use_case.keys(), daemon.instance
    repository, now = LAKE.repository(keys), datetime.now(UTC) + timedelta(seconds=1)
    before = {run.run_id: run.tags.get("dagster/partition") for run in instance.get_runs()}
    assert len(before) == 4, "an audit, a promotion, two batches"
    assert list(remove_runs(instance, repository, keys, now - timedelta(hours=1), False)) == []
    (told,) = remove_runs(instance, repository, keys, now, True)
    assert told.startswith("records of 1 run, with their events and check results, would be deleted")
    assert len(instance.get_runs()) == 4

    assert list(remove_runs(instance, repository, keys, now, False)) == [told.replace("would be ", "")]
    left = {run.run_id for run in instance.get_runs()}
    assert {before[run] for run in before.keys() - left} == {"batch-0"}
    for run in before.keys() - left:
        assert instance.get_records_for_run(run).records == []
    for thing, partition in (("scorecard", "main"), ("batch_predictions", "batch-1")):
        asked = dg.AssetRecordsFilter(dg.AssetKey(["loans", thing]), asset_partitions=[partition])
        assert instance.fetch_materializations(asked, limit=1).records


def test_what_is_not_declared_is_refused(place: Path, daemon: Daemon, declared: Declared) -> None:
    with pytest.raises(UsageError, match="declares no retention"):
        retained(declared, daemon)
    with pytest.raises(DeclarationError, match="there is nothing to remove without `retention`"):
        keeping(place, '  schedules: {retention: {cron: "0 4 * * *"}}\n')
