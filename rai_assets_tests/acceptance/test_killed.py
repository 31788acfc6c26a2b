"""Dagster's daemon, its sensors and its runs killed while batches arrive: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from rai_assets.home import shipped
from rai_assets.monitoring.batches.batch import records
from rai_assets.store.open import open_repository
from rai_assets_tests.acceptance.asking import wait_for
from rai_assets_tests.acceptance.conftest import Rai, environment, of_session
from rai_assets_tests.acceptance.test_dev import holds, is_of
from rai_assets_tests.acceptance.test_production import states
from rai_assets_tests.acceptance.test_told import told_settings, watched
from rai_assets_tests.monitoring.alerts.sinks import Sink, http_sink
from rai_assets_tests.use_case.conftest import loan_rows

KILLS, FILES = 12, 12
ASKED = ("batch", "batch_predictions", "data_profile", "drift", "fairness_drift", "estimated_performance")


@contextmanager
def daemons(folder: Path, settings: dict[str, str]) -> Iterator[Callable[[], psutil.Process]]:
    """Starts Dagster's daemon with the servers and runs of its own, as under `rai dev`; all of them end with the test.

    What a daemon started outlives it until then.
    """
    command = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(shipped("workspace.yaml"))]
    variables = environment(folder, {**settings, "DAGSTER_HOME": str(folder / ".rai" / "dagster")})
    started: list[subprocess.Popen[bytes]] = []
    with (folder / "daemon.log").open("a") as log:

        def start() -> psutil.Process:
            started.append(
                subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True)
            )
            return psutil.Process(started[-1].pid)

        try:
            yield start
        finally:
            for process in [item for item in psutil.process_iter() for one in started if of_session(item, one.pid)]:
                with suppress(psutil.Error):
                    process.kill()
            for one in started:
                one.wait()


def alive(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def workers(folder: Path) -> list[psutil.Process]:
    """The processes that work on a run: each holds the mark of one."""
    marks = str((folder / ".rai" / "locks").resolve() / "run-")
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(item.path.startswith(marks) for item in process.open_files()):
                found.append(process)
    return found


def victim(killed: Counter[str], folder: Path, running: psutil.Process) -> tuple[str, psutil.Process | None]:
    """A process of a run, the one in which sensors are evaluated, or the daemon: what was killed least is first."""
    found: dict[str, psutil.Process | None] = {"run": next(iter(workers(folder)), None), "sensor": None}
    with suppress(psutil.Error):
        servers = [item for item in running.children(recursive=True) if is_of(item, "api grpc")]
        found["sensor"] = servers[-1] if servers else None
    if killed["daemon"] <= killed["run"]:
        found["daemon"] = running
    if killed["sensor"] > killed["run"]:
        found["sensor"] = None  # where they die all the time, no run ever begins
    there = [kind for kind, process in found.items() if process is not None]
    kind = min(there, key=lambda kind: killed[kind], default="")
    return kind, found.get(kind)


class Arriving:
    """Files that come one after the other; every fourth is refused."""

    def __init__(self, inbox: Path) -> None:
        self.inbox = inbox
        self.verdicts: dict[str, str] = {}
        self.digests: dict[str, str] = {}

    def one(self) -> None:
        number = len(self.verdicts)
        bad = number % 4 == 3
        rows = loan_rows(60, seed=100 + number)
        data = (rows.replace(",F,", ",?,") if bad else rows).encode()
        name = f"b{number:03d}"
        (self.inbox / f"{name}.csv").write_bytes(data)
        self.verdicts[name] = "quarantined" if bad else "accepted"
        self.digests[name] = hashlib.sha256(data).hexdigest()

    def of(self, verdict: str) -> set[str]:
        return {name for name, became in self.verdicts.items() if became == verdict}


def check_all_came_once(folder: Path, arriving: Arriving, sink: Sink) -> None:
    """Every file has its one verdict, every accepted batch every result, and every refused one its one alert."""
    repository = open_repository(folder / ".rai", "rai-loans")
    accepted, refused = arriving.of("accepted"), arriving.of("quarantined")
    wait_for(lambda: states(folder) == arriving.verdicts, 900, "a verdict on each")
    found = {record.key: record for record in records(repository, repository.resolve("production"))}
    assert {key: record.revision for key, record in found.items()} == dict.fromkeys(accepted, 1)
    digests = {key: [source.sha256 for source in record.sources] for key, record in found.items()}
    assert digests == {key: [arriving.digests[key]] for key in accepted}
    merged = Counter(
        commit.metadata["batch"]
        for commit in repository.log("production", first_parent=True)
        if len(commit.parents) > 1 and "batch" in commit.metadata
    )
    assert merged == Counter(dict.fromkeys(accepted, 1)), "published once each"

    def answered() -> bool:
        paths = [f"batches/{key}/{asset}/result.json" for key in accepted for asset in ASKED]
        return all(holds(repository, "results-production", path) for path in paths)

    wait_for(answered, 600, "an answer to every question")
    wait_for(lambda: {item["partition"] for item in quarantines(sink)} == refused, 300, "the alerts")
    assert len({item["id"] for item in quarantines(sink)}) == len(refused), "a copy has the id of its alert"


def quarantines(sink: Sink) -> list[dict[str, str]]:
    return [item for item in sink.events() if item["type"] == "rai.quarantine"]


@pytest.mark.nightly  # each death costs a start of Dagster's processes, and a pause before a run is made again
@pytest.mark.timeout(3600)
def test_whatever_is_killed_every_file_is_ours_once(rai: Rai, tmp_path: Path) -> None:
    draw = random.Random(1)
    settings = told_settings()
    killed: Counter[str] = Counter()
    with http_sink() as sink, daemons(tmp_path, settings) as start:
        arriving = Arriving(watched(tmp_path, sink.port))
        rai("run", "loans", settings=settings)
        running, until = start(), time.monotonic() + 1800
        while killed.total() < KILLS:
            assert time.monotonic() < until, f"too little to kill: {killed}"
            if len(arriving.verdicts) < FILES:
                arriving.one()
            time.sleep(draw.uniform(1, 25))
            kind, chosen = victim(killed, tmp_path, running)
            if chosen is not None:
                with suppress(psutil.NoSuchProcess):
                    chosen.send_signal(signal.SIGKILL)
                    killed[kind] += 1
            if not alive(running):
                running = start()
        assert killed.keys() == {"daemon", "run", "sensor"}, killed
        check_all_came_once(tmp_path, arriving, sink)
    rai("store", "verify", "loans")


@pytest.mark.nightly  # two daemons, and ticks that are 30 s apart
@pytest.mark.timeout(1800)
def test_two_daemons_and_an_inbox_that_is_away_for_a_while(rai: Rai, tmp_path: Path) -> None:
    settings = told_settings()
    with http_sink() as sink, daemons(tmp_path, settings) as start:
        inbox = watched(tmp_path, sink.port)
        arriving = Arriving(inbox)
        rai("run", "loans", settings=settings)
        for _ in range(2):
            start()
        for _ in range(4):
            arriving.one()
        wait_for(lambda: states(tmp_path), 200, "the first files")
        away = inbox.with_name("away")
        inbox.rename(away)
        arriving.inbox = away  # they are written on, out of reach
        for _ in range(2):
            arriving.one()
        time.sleep(75)
        away.rename(inbox)
        arriving.inbox = inbox
        arriving.one()
        check_all_came_once(tmp_path, arriving, sink)
    rai("store", "verify", "loans")
