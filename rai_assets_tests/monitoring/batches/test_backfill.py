"""A range of batches in one process: the same as run by run, seen in Dagster, and done once."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from rai_assets.errors import UsageError
from rai_assets.monitoring.batches.backfill import holding, take_everything
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.progress import Progress
from rai_assets.store import results
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.arrivals import due
from rai_assets.use_case.backfill import backfill
from rai_assets.use_case.batches import production_of
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.ended_runs import ended_runs
from rai_assets.use_case.retention import remove_runs
from rai_assets_tests.monitoring.batches.conftest import Daemon, Desk
from rai_assets_tests.use_case.conftest import call, loan_rows

QUIET = Progress(lambda _: None)


def test_a_backfill_leaves_what_single_runs_leave(
    declared: Declared, inbox: Desk, daemon: Daemon, store: VersionedRepository
) -> None:
    for number in range(4):
        inbox.put(f"b{number}.csv", loan_rows(30, seed=number))
    inbox.put("bad.csv", loan_rows(3).replace(",F,", ",?,").replace(",M,", ",?,"))
    assert daemon.tick()["b0"]
    alone = {path.path: path.sha256 for path in store.list_objects("production", "batches/")}
    scored = {path.path: path.sha256 for path in store.list_objects("results-production", "batches/")}

    for branch in ("production", "results-production"):
        store.delete_branch(branch)
    for path in inbox.folder.parents[2].glob(".rai/production/loans/arrivals.sqlite"):
        path.unlink()
    done = backfill(declared, None, None, QUIET)
    assert (done.accepted, done.present, done.quarantined, done.problems) == (4, 0, 1, [])
    assert {path.path: path.sha256 for path in store.list_objects("production", "batches/")} == alone
    there = {path.path: path.sha256 for path in store.list_objects("results-production", "batches/")}
    assert there.keys() == scored.keys()
    assert {path: digest for path, digest in there.items() if path.endswith(".parquet")} == {
        path: digest for path, digest in scored.items() if path.endswith(".parquet")
    }

    head = store.resolve("production")
    again = backfill(declared, None, None, QUIET)
    assert (again.accepted, again.present, again.quarantined) == (0, 4, 1)
    assert store.resolve("production") == head
    assert daemon.tick() == {}


def test_only_the_batches_of_the_range_are_worked_on_and_dagster_shows_them(
    declared: Declared, inbox: Desk, daemon: Daemon, store: VersionedRepository
) -> None:
    for days in (3, 2, 1):
        inbox.put(f"d{days}.csv", loan_rows(10, seed=days), age=days * 86_400)
    now = datetime.now(UTC)
    done = backfill(declared, now - timedelta(days=2.5), now - timedelta(days=1.5), QUIET)
    assert done.accepted == 1
    assert Batch(store, store.resolve("production"), "d2").record.rows == 10
    assert daemon.partitions() == {"d2"}
    for thing in ("batch", "batch_predictions"):
        assert daemon.instance.get_materialized_partitions(dg.AssetKey(["loans", thing])) == {"d2"}
    found = results.load(store, "results-production", "batch_predictions", folder="batches/d2/")
    assert found.tables["predictions"].num_rows == 10


def test_dagster_shows_the_checks_of_a_backfill_as_those_of_a_run_and_nobody_is_told(
    declared: Declared, inbox: Desk, daemon: Daemon, store: VersionedRepository
) -> None:
    inbox.put("good.csv", loan_rows(30, seed=1))
    inbox.put("bad.csv", loan_rows(3).replace(",F,", ",?,").replace(",M,", ",?,"))
    backfill(declared, None, None, QUIET)
    instance = daemon.instance
    (run,) = instance.get_runs(dg.RunsFilter(job_name="loans_production"))
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert instance.get_materialized_partitions(dg.AssetKey(["loans", "drift"])) == {"good"}

    def passed(asset: str, check: str) -> dict[str | None, bool]:
        key = dg.AssetCheckKey(dg.AssetKey(["loans", asset]), check)
        found = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
        return {item.partition: item.status.value == "SUCCEEDED" for item in found}

    assert passed("batch", "allowed_values") == {"good": True, "bad": False}
    assert passed("batch", "readable") == {"good": True, "bad": True}
    assert passed("drift", "columns_unchanged") == {"good": True}
    # Once more, with all questions again, is a run of its own and no news.
    backfill(declared, None, None, QUIET, again=True)
    assert len(instance.get_runs(dg.RunsFilter(job_name="loans_production"))) == 2
    assert (
        list(ended_runs(instance, 0.0))
        == [item for item in instance.get_run_records() if item.dagster_run.job_name != "loans_production"][::-1]
    )


def test_records_of_a_backfill_are_deleted_as_those_of_runs(
    declared: Declared, inbox: Desk, daemon: Daemon, store: VersionedRepository
) -> None:
    for seed in (1, 2):
        inbox.put("b.csv", loan_rows(10, seed=seed), age=60)
        backfill(declared, None, None, QUIET)
    instance, keys = daemon.instance, declared.use_case.keys()
    newest, oldest = instance.get_runs(dg.RunsFilter(job_name="loans_production"))
    told = list(remove_runs(instance, store, keys, datetime.now(UTC) + timedelta(seconds=60), dry_run=False))
    assert told
    left = {run.run_id for run in instance.get_runs()}
    assert newest.run_id in left  # Dagster shows what it made
    assert oldest.run_id not in left
    assert instance.all_logs(oldest.run_id) == []


def test_files_that_are_not_taken_yet_are_counted(declared: Declared, inbox: Desk) -> None:
    production = declared.use_case.production
    assert production is not None
    patient = production.inbox.model_copy(update={"settle": 3600})
    use_case = declared.use_case.model_copy(update={"production": production.model_copy(update={"inbox": patient})})
    inbox.put("first.csv", loan_rows(10))
    inbox.put("second.csv", loan_rows(10, seed=2))
    done = backfill(replace(declared, use_case=use_case), None, None, QUIET)
    assert (done.accepted, done.waiting) == (0, 2)
    done = backfill(declared, None, None, QUIET)
    assert (done.accepted, done.waiting) == (2, 0)


def test_a_range_that_ends_before_it_starts_is_refused(declared: Declared) -> None:
    now = datetime.now(UTC)
    with pytest.raises(UsageError, match="(?s)no time lies from .* Fix: name an earlier --from"):
        backfill(declared, now, now - timedelta(days=1), QUIET)


def test_the_exit_code_tells_of_batches_in_quarantine_and_of_what_could_not_be_worked_on(
    declared: Declared,
    inbox: Desk,
    store: VersionedRepository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def rai(*words: str) -> tuple[int, str]:
        code, said, _ = call(monkeypatch, capsys, *words)
        return code, said

    inbox.put("a.csv", "weekday,sex\nmon,F\ntue,M\n")
    code, said = rai("backfill", "loans")
    assert (code, said.splitlines()[0]) == (3, "0 batches accepted, 0 were there, 1 in quarantine")
    code, said = rai("contract", "accept", "loans", "--reason", "Nobody is asked for an income.")
    assert "Mind: the champion reads 'income', which is not there." in said
    assert code == 0
    champion = store.resolve("champion")
    store.delete_branch("champion")
    code, said = rai("backfill", "loans")
    assert (code, said.splitlines()[:2]) == (4, ["1 batch accepted, 0 were there, 0 in quarantine", "1 problem:"])
    assert "loans has no champion yet that could score a batch" in said
    store.create_branch("champion", champion)
    assert rai("backfill", "loans")[0] == 0
    assert rai("backfill", "loans", "--from", "2030-01-01")[0] == 0


def test_no_runs_are_asked_for_of_what_a_backfill_works_on(
    declared: Declared, inbox: Desk, daemon: Daemon, store: VersionedRepository
) -> None:
    def asked() -> set[str]:
        answer = daemon.ask()
        requests = answer.run_requests or [] if isinstance(answer, dg.SensorResult) else []
        return {str(request.partition_key) for request in requests}

    inbox.put("a.csv", loan_rows(5))
    inbox.put("b.csv", loan_rows(6))
    production, keys = production_of(declared), declared.use_case.keys()
    with production.arrivals(store) as ledger:
        assert take_everything(production, ledger, QUIET) == ([], 0)
        with holding([ledger], ["a", "b"]):
            inbox.put("new.csv", loan_rows(7))
            assert asked() == {"new"}
            inbox.put("a.csv", loan_rows(8))  # other bytes are asked for at once
            assert asked() == {"a", "new"}
        assert asked() == {"a", "b", "new"}
        # A process that died says no word: half an hour later they are asked for.
        ledger.hold(["a", "b", "new"], time.time() + 1800)
        assert due(ledger, daemon.instance, keys, time.time() + 1700) == []
        assert {request.key for request in due(ledger, daemon.instance, keys, time.time() + 1801)} == {"a", "b", "new"}
