"""A use case in production: audited, with a champion, and an inbox that the tests put files into."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from rai_assets.home import prepare
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.batches import production_of
from rai_assets.use_case.declaration import Declared, load
from rai_assets.use_case.graph import LAKE, build, location_definitions
from rai_assets.use_case.reading import repository_of
from rai_assets_tests.use_case.conftest import DECLARATION, audit_loans, call, enter

PRODUCTION = "  production: {inbox: {path: inbox, settle: 0}}\n"


Rai = Callable[..., str]


class Daemon:
    """Does what Dagster's daemon does with the answers of the sensor, on the instance of the state folder.

    Args:
        declared: The use case.
        instance: Of the state folder.
        asked: The assets that its runs make; all if there are none.
    """

    def __init__(self, declared: Declared, instance: dg.DagsterInstance, *asked: str) -> None:
        self.declared, self.instance, self.asked = declared, instance, asked
        self.definitions = dg.Definitions.merge(location_definitions([declared]), build(declared))
        self.runs: dict[str, dg.ExecuteInProcessResult] = {}

    def ask(self) -> dg.SensorResult | dg.SkipReason:
        """One tick of the sensor; nothing is done with its answer."""
        sensor = self.definitions.get_repository_def().get_sensor_def("loans_arrivals")
        with dg.build_sensor_context(self.instance, resources={"lake": LAKE}) as context:
            answer = sensor(context)
        assert isinstance(answer, dg.SensorResult | dg.SkipReason)
        return answer

    def tick(self) -> dict[str, bool]:
        """One tick and the runs that it asks for; {batch: whether its run succeeded}."""
        answer = self.ask()
        if isinstance(answer, dg.SkipReason):
            return {}
        for change in answer.dynamic_partitions_requests or []:
            assert isinstance(change, dg.AddDynamicPartitionsRequest)
            self.instance.add_dynamic_partitions(change.partitions_def_name, list(change.partition_keys))
        return {str(item.partition_key): self.execute(item) for item in answer.run_requests or []}

    def execute(self, request: dg.RunRequest) -> bool:
        done = self.definitions.resolve_job_def("loans_production").execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            tags={"dagster/run_key": str(request.run_key)},
            asset_selection=[dg.AssetKey(["loans", asset]) for asset in self.asked] or None,
            raise_on_error=False,
        )
        self.runs[str(request.partition_key)] = done
        return bool(done.success)

    def checks(self, batch: str) -> dict[str, tuple[bool, str]]:
        """{check: (passed, what it says)} of the last run of a batch."""
        found = self.runs[batch].get_asset_check_evaluations()
        assert all(item.partition == batch for item in found)
        return {item.check_name: (item.passed, str(item.description)) for item in found}

    def failed(self, batch: str) -> dict[str, str]:
        return {name: said for name, (passed, said) in self.checks(batch).items() if not passed}

    def partitions(self) -> set[str]:
        return set(self.instance.get_dynamic_partitions("loans_batch"))

    def states(self) -> dict[str, str]:
        """{batch: its state} in the ledger."""
        with production_of(self.declared).arrivals(LAKE.repository(self.declared.use_case.keys())) as ledger:
            return {entry.key: entry.state for entry in ledger.entries()}


class Desk:
    """Where people put files into the inbox."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def put(self, name: str, text: str | bytes, age: float = 3600) -> Path:
        """A whole file, last changed `age` seconds ago."""
        import os

        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        changed = time.time() - age
        os.utime(path, (changed, changed))
        return path


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of `loans` after its first audit: a champion serves. Copied for each test."""
    folder = tmp_path_factory.mktemp("audited")
    audit_loans(folder, DECLARATION + PRODUCTION)
    return folder


@pytest.fixture
def place(audited: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with `loans` in production."""
    folder = tmp_path / "place"
    shutil.copytree(audited, folder)
    enter(folder, monkeypatch)
    return folder


@pytest.fixture
def declared(place: Path) -> Declared:
    found = load(place / "defs" / "loans" / "defs.yaml")
    assert found is not None
    return found


@pytest.fixture
def inbox(place: Path) -> Desk:
    return Desk(place / "defs" / "loans" / "inbox")


@pytest.fixture
def store(declared: Declared) -> VersionedRepository:
    return repository_of("loans")


@pytest.fixture
def daemon(declared: Declared) -> Iterator[Daemon]:
    prepare()
    with dg.DagsterInstance.get() as instance:
        yield Daemon(declared, instance)


@pytest.fixture
def receiving(declared: Declared) -> Iterator[Daemon]:
    """A daemon whose runs take a batch and score it: what else is asked of batches is not the matter of every test."""
    prepare()
    with dg.DagsterInstance.get() as instance:
        yield Daemon(declared, instance, "batch", "batch_predictions")


@pytest.fixture
def rai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rai:
    """Calls `rai` in a user's empty folder; what it printed, if it ended with `code`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAI_HOME", str(tmp_path / ".rai"))
    monkeypatch.setenv("RAI_DEFS", str(tmp_path / "defs"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    def run(*words: str, code: int = 0) -> str:
        ended, out, err = call(monkeypatch, capsys, *words)
        assert ended == code, out + err
        return out

    return run
