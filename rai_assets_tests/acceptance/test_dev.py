"""`rai dev`: the real web server, daemon and run worker on the state that `rai run` left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

import psutil
import pytest

from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.acceptance.asking import Ask, asking, ended, launched, wait_for
from rai_assets_tests.acceptance.conftest import RAI, Rai, environment, wait_until_alone
from rai_assets_tests.use_case.conftest import DECLARATION, loan_rows, put_loans

ASSETS = '{ assetNodes { assetKey { path } latestMaterializationByPartition(partitions: ["main"]) { runId } } }'
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["loans", "dataset"]}) {
  ... on AssetNode { partitionKeys } } }"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with an audited use case."""
    put_loans(tmp_path / "defs")
    return tmp_path


@contextmanager
def served(
    folder: Path, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[Ask, subprocess.Popen[bytes]]]:
    """Dagster's GraphQL under `rai dev` with some settings, and its first process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (folder / "dev.log").open("w")
    server = subprocess.Popen(
        [*RAI, "dev", "--port", str(port)],
        cwd=folder,
        env=environment(folder, settings),
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )

    graphql = asking(port)
    try:
        wait_for(lambda: answers(graphql), 120, "the web server")
        yield graphql, server
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(120)
            wait_until_alone(server.pid)
        except (subprocess.TimeoutExpired, AssertionError):
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            raise
        finally:
            log.close()


def worker_of(folder: Path, run: str) -> int | None:
    """The process that works on a run: it holds the run's mark."""
    mark = (folder / ".rai" / "locks" / f"run-{run}.alive").resolve()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(Path(item.path) == mark for item in process.open_files()):
                return process.pid
    return None


def holds(repository: VersionedRepository, branch: str, path: str) -> bool:
    return branch in repository.branches() and any(repository.list_objects(branch, path))


def answers(graphql: Ask) -> bool:
    try:
        return bool(graphql(ASSETS)["assetNodes"])
    except (OSError, TypeError):
        return False


def test_the_pages_show_the_run_and_the_daemon_runs_a_new_one(rai: Rai, folder: Path) -> None:
    rai("run", "loans")
    with served(folder) as (ask, _):
        nodes = {node["assetKey"]["path"][-1]: node for node in ask(ASSETS)["assetNodes"]}
        assert nodes["scorecard"]["latestMaterializationByPartition"][0] is not None

        repository = open_repository(folder / ".rai", "rai-loans")
        repository.create_branch("trial", "main")

        def partitions() -> list[str]:
            return ask(PARTITIONS)["assetNodeOrError"]["partitionKeys"]

        wait_for(lambda: partitions() == ["main", "trial"], 180, "the partition of a new branch")
        wait_for(lambda: holds(repository, "results-trial", "scorecard/result.json"), 180, "the audit of a new branch")
        assert ended(ask, launched(ask, "trial")) == "SUCCESS"

        # Two more of one branch beside each other, and a third from the command line: one after the other, or refused.
        (folder / "defs" / "loans" / "loans.csv").write_text(loan_rows(seed=1))
        both = [launched(ask, "main"), launched(ask, "main")]
        wait_for(lambda: any(worker_of(folder, run) for run in both), 180, "a process for a run")
        third = subprocess.run(
            [*RAI, "run", "loans"], cwd=folder, env=environment(folder), capture_output=True, text=True
        )
        assert third.returncode in (0, 4), third.stderr
        assert third.returncode == 0 or "is under way" in third.stderr
        assert [ended(ask, run) for run in both] == ["SUCCESS", "SUCCESS"]
        writers = [commit.metadata["run_id"] for commit in repository.log("results-main") if commit.parents]
        assert len(list(groupby(writers))) == len(set(writers)), "no run wrote between the commits of another"
        rai("metrics", "loans")

        # A worker that is killed.
        (folder / "defs" / "loans" / "loans.csv").write_text(loan_rows(seed=2))
        run = launched(ask, "main")
        os.kill(wait_for(lambda: worker_of(folder, run), 180, "the run's process"), signal.SIGKILL)
        assert ended(ask, run, 120) == "FAILURE"


@pytest.mark.parametrize(
    "after",
    # A start of Dagster's processes for each.
    [2.0, *(pytest.param(seconds, marks=pytest.mark.nightly) for seconds in (0.0, 0.5, 1.0, 4.0, 8.0))],
)
def test_ctrl_c_while_the_pages_start_leaves_nothing_behind(rai: Rai, folder: Path, after: float) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    log = folder / "dev.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [*RAI, "dev", "--port", port],
            cwd=folder,
            env={**environment(folder), "PYTHONUNBUFFERED": "1"},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for(lambda: "State:" in log.read_text(), 120, "the first line")
            time.sleep(after)
            os.killpg(server.pid, signal.SIGINT)
            server.wait(60)
            wait_until_alone(server.pid)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
    assert "loans  not run yet" in rai("list").stdout
    rai("run", "loans", "--only", "dataset")


@pytest.mark.nightly  # a start of all of Dagster's processes for each
@pytest.mark.parametrize("program", ["dagster_webserver", "dagster._daemon", "code-server"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_dagster_loses_is_found_again(rai: Rai, folder: Path, program: str, how: signal.Signals) -> None:
    rai("run", "loans")
    with served(folder) as (ask, server):
        launched(ask, "main")
        parts = [item for item in psutil.Process(server.pid).children(recursive=True) if is_of(item, program)]
        assert parts, [item.cmdline() for item in psutil.Process(server.pid).children(recursive=True)]
        for part in parts:
            with suppress(psutil.NoSuchProcess):
                part.send_signal(how)
        time.sleep(10)
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    (folder / "defs" / "loans" / "loans.csv").write_text(loan_rows(seed=1))
    assert "Requirements: pass" in rai("run", "loans").stdout
    rai("metrics", "loans")


def is_of(process: psutil.Process, program: str) -> bool:
    try:
        return program in " ".join(process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.nightly  # a start of all of Dagster's processes, and the minutes in which a dead daemon becomes silent
def test_a_schedule_runs_and_a_dead_daemon_is_noticed_from_outside(rai: Rai, folder: Path) -> None:
    (folder / "defs" / "loans" / "defs.yaml").write_text(
        DECLARATION + '  schedules: {audit: {cron: "* * * * *"}}\n  production: {inbox: {path: inbox}}\n'
    )
    rai("run", "loans", "--only", "dataset")
    with served(folder) as (_, server):
        repository = open_repository(folder / ".rai", "rai-loans")
        wait_for(lambda: holds(repository, "results-main", "scorecard/result.json"), 240, "the scheduled audit")
        wait_for(lambda: alive(folder, "5m").returncode == 0, 120, "the first look into the inbox")
        said = alive(folder, "5m").stdout
        assert "Dagster's daemon was heard of" in said
        assert "loans: the inbox was looked into" in said
        for part in psutil.Process(server.pid).children(recursive=True):
            if is_of(part, "dagster._daemon"):
                part.kill()
        silence = "Dagster's daemon was not heard of for 1 minute"  # said once its last part is silent
        wait_for(lambda: silence in alive(folder, "1m").stderr, 180, "the silence")
        assert alive(folder, "1m").returncode == 4


def alive(folder: Path, limit: str) -> subprocess.CompletedProcess[str]:
    """What is said from outside of the daemon."""
    command = [*RAI, "doctor", "--stale", limit]
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
