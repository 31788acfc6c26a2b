"""The sensor `data_branches` on a real store and a real Dagster instance: what a tick asks for, what comes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock

from rai_assets.home import prepare
from rai_assets.progress import Progress
from rai_assets.store.ledger import data_digest
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets.use_case.branch_states import audited_digest
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.graph import LAKE, build, location_definitions
from rai_assets.use_case.publishing import ingest_files
from rai_assets.use_case.reading import repository_of
from rai_assets.use_case.run import run
from rai_assets_tests.use_case.conftest import Rai, loan_rows

AUDIT = ("dataset", "splits", "model", "predictions", "evaluation", "explanations", "fairness_audit", "scorecard")


class Daemon:
    """Does what Dagster's daemon does with the answers of the sensor, on the instance of the state folder."""

    def __init__(self, declared: Declared, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None
        self.definitions = dg.Definitions.merge(location_definitions([declared]), build(declared))
        self._run_keys: set[str] = set()

    def tick(self, *work: str) -> list[str]:
        """One tick; the branches that an audit was asked for. Of these audits the named assets are made."""
        sensor = self.definitions.get_repository_def().get_sensor_def("data_branches")
        with dg.build_sensor_context(self.instance, cursor=self.cursor, resources={"lake": LAKE}) as context:
            answer = sensor(context)
        if isinstance(answer, dg.SkipReason):
            return []
        assert isinstance(answer, dg.SensorResult)
        for change in answer.dynamic_partitions_requests or []:
            name, keys = change.partitions_def_name, list(change.partition_keys)
            if isinstance(change, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions(name, keys)
            else:
                for key in keys:
                    self.instance.delete_dynamic_partition(name, key)
        for event in answer.asset_events:
            assert isinstance(event, dg.AssetObservation)
            self.instance.report_runless_asset_event(event)
        self.cursor = answer.cursor
        asked = [item for item in answer.run_requests or [] if item.run_key not in self._run_keys]
        self._run_keys |= {str(item.run_key) for item in asked}
        for item in asked if work else []:
            job = self.definitions.resolve_job_def(str(item.job_name))
            chosen = [dg.AssetKey(["loans", thing]) for thing in work]
            given = {"instance": self.instance, "partition_key": item.partition_key, "asset_selection": chosen}
            assert job.execute_in_process(**given).success  # type: ignore[arg-type]
        return [str(item.partition_key) for item in asked]

    def partitions(self) -> list[str]:
        return sorted(self.instance.get_dynamic_partitions("loans_branch"))

    def observed(self, branch: str) -> list[dg.AssetObservation]:
        """Observations of the dataset on a branch, the newest first."""
        asked = dg.AssetRecordsFilter(dg.AssetKey(["loans", "dataset"]), asset_partitions=[branch])
        records = self.instance.fetch_observations(asked, limit=100).records
        return [item.asset_observation for item in records if item.asset_observation]


@pytest.fixture
def store(loans: Declared) -> VersionedRepository:
    """The repository of `loans` with data on `main`."""
    ingest_files(loans, [], "main", Progress(print))
    return repository_of("loans")


@pytest.fixture
def daemon(loans: Declared) -> Iterator[Daemon]:
    prepare()
    with dg.DagsterInstance.get() as instance:
        yield Daemon(loans, instance)


def write_rows(loans: Declared, seed: int) -> Path:
    path = loans.folder / f"rows{seed}.csv"
    path.write_text(loan_rows(seed=seed))
    return path


def write(store: VersionedRepository, branch: str, text: str) -> None:
    """What another client does."""
    store.commit(branch, ChangeSet().put("dataset/note.txt", text.encode()), "By another client")


def test_branches_of_any_client_become_partitions_and_leave(daemon: Daemon, store: VersionedRepository) -> None:
    store.create_branch("trial", "main")
    for name in ("run-1", "tx-1", "results-trial", "champion", "production"):
        store.create_branch(name, "main")
    assert daemon.tick() == ["main", "trial"]
    assert daemon.partitions() == ["main", "trial"]
    assert daemon.tick() == []
    store.delete_branch("trial")
    assert daemon.tick() == []
    assert daemon.partitions() == ["main"]
    assert "results-trial" not in store.branches(), "nobody takes them for those of another branch of that name"


def test_a_branch_without_data_is_a_partition_and_asks_for_nothing(daemon: Daemon, loans: Declared) -> None:
    LAKE.repository(loans.use_case.keys()).create_branch("empty", "main")
    assert daemon.tick() == []
    assert daemon.partitions() == ["empty", "main"]
    assert daemon.observed("empty") == []


def test_a_new_head_is_observed_with_its_data_version_and_audited_once(
    daemon: Daemon, store: VersionedRepository
) -> None:
    store.create_branch("trial", "main")
    daemon.tick()
    write(store, "trial", "one")
    head = store.resolve("trial")
    assert daemon.tick() == ["trial"]
    assert daemon.tick() == []
    (observed, _) = daemon.observed("trial")
    assert observed.data_version == data_digest(store, head)
    assert observed.metadata["commit"].value == head
    assert observed.metadata["gated"].value is False
    assert "not audited" in str(observed.metadata["standing"].value)
    assert len(daemon.observed("main")) == 1


def test_a_commit_that_changes_no_data_asks_for_nothing(daemon: Daemon, loans: Declared) -> None:
    run(loans, only=["dataset"])
    store = repository_of("loans")
    assert daemon.tick() == [], "the audit of `rai run` is of these data"
    store.commit("main", ChangeSet(), "A remark", allow_empty=True)
    store.commit("main", ChangeSet().put("docs/readme.txt", b"hello"), "Beside the data")
    assert daemon.tick() == []
    assert daemon.observed("main") == []


def test_the_data_of_the_last_audit_ask_for_nothing_however_the_head_came_to_them(
    daemon: Daemon, loans: Declared
) -> None:
    run(loans, only=["dataset"])
    store = repository_of("loans")
    digest = data_digest(store, "main")
    daemon.tick()
    write(store, "main", "one")
    there = store.resolve("main")
    assert daemon.tick() == ["main"]
    store.revert("main", there)
    assert data_digest(store, "main") == digest
    assert daemon.tick() == []


def test_data_that_come_back_are_audited_again(daemon: Daemon, store: VersionedRepository, loans: Declared) -> None:
    assert daemon.tick("dataset") == ["main"]
    ingest_files(loans, [write_rows(loans, 1)], "main", Progress(print))
    assert daemon.tick("dataset") == ["main"]
    store.revert("main", "main", 1)
    assert daemon.tick("dataset") == ["main"], "Dagster has seen a run for these very data"
    assert audited_digest(store, "main") == data_digest(store, "main")


def test_the_run_that_is_asked_for_is_the_audit_of_that_branch(daemon: Daemon, loans: Declared, rai: Rai) -> None:
    run(loans)
    rai("branch", "create", "loans", "trial")
    rai("ingest", "loans", write_rows(loans, 1), "--branch", "trial")
    before = repository_of("loans").resolve("results-main")
    assert daemon.tick(*AUDIT) == ["trial"]
    listed = json.loads(rai("branch", "list", "loans", "--format", "json"))
    assert [state["requirements"] for state in listed] == ["pass"] * 2
    assert repository_of("loans").resolve("results-main") == before, "the other branch is left alone"
    daemon.cursor = None
    assert daemon.tick() == [], "what was audited is known by the store, also after the cursor is lost"


def test_a_branch_made_again_is_new(daemon: Daemon, loans: Declared, rai: Rai) -> None:
    run(loans, only=["dataset"])
    store = repository_of("loans")
    rai("branch", "create", "loans", "trial")
    assert daemon.tick("dataset") == ["trial"]
    assert daemon.instance.get_materialized_partitions(dg.AssetKey(["loans", "dataset"])) == {"main", "trial"}

    # Between two ticks, at the same commit: Dagster has a run and materializations of the very same data.
    rai("branch", "delete", "loans", "trial")
    rai("branch", "create", "loans", "trial")
    assert audited_digest(store, "trial") is None
    assert daemon.tick("dataset") == ["trial"]
    assert audited_digest(store, "trial") == data_digest(store, "main")


def test_a_branch_that_another_client_makes_again_is_known_by_its_history(
    daemon: Daemon, store: VersionedRepository, loans: Declared
) -> None:
    store.create_branch("trial", "main")
    ingest_files(loans, [write_rows(loans, 1)], "trial", Progress(print))
    assert daemon.tick("dataset") == ["main", "trial"]
    data = store.resolve("trial")
    store.delete_branch("trial")
    store.create_branch("trial", "main")
    store.merge(data, "trial")
    assert audited_digest(store, "trial") == data_digest(store, "trial"), "of the former branch of that name"
    assert daemon.tick() == ["trial"]


def test_a_run_at_work_is_not_joined_by_another(daemon: Daemon, workplace: Path, store: VersionedRepository) -> None:
    daemon.tick()
    write(store, "main", "one")
    with FileLock(workplace / ".rai" / "locks" / "loans.main.lock"):
        assert daemon.tick() == []
    assert daemon.tick() == ["main"]


def test_a_store_that_cannot_be_read_is_said_and_looked_at_again(
    daemon: Daemon, workplace: Path, store: VersionedRepository
) -> None:
    daemon.tick()
    write(store, "main", "one")
    folder = workplace / ".rai" / "store" / "rai-loans"
    folder.rename(folder.with_name("away"))
    folder.write_text("in the way")
    assert daemon.tick() == []
    assert daemon.partitions() == ["main"]
    folder.unlink()
    folder.with_name("away").rename(folder)
    assert daemon.tick() == ["main"]


def test_a_tick_costs_little_where_nothing_moved(daemon: Daemon, store: VersionedRepository) -> None:
    for at in range(100):
        store.create_branch(f"trial-{at}", "main")
    assert len(daemon.tick()) == 101
    assert len(daemon.cursor or "") < 5_000, "Dagster keeps the cursor with every tick"
    began = time.process_time()
    assert daemon.tick() == []
    assert time.process_time() - began < 0.5
