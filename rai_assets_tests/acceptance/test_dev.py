"""`rai dev`: the real web server, daemon and run worker on the state that `rai run` left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rai_assets_tests.acceptance.conftest import RAI, Rai, environment
from rai_assets_tests.use_case.conftest import DECLARATION, loan_rows

Ask = Callable[..., Any]

ASSETS = '{ assetNodes { assetKey { path } latestMaterializationByPartition(partitions: ["main"]) { runId } } }'
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["loans", "dataset"]}) {
  ... on AssetNode { partitionKeys } } }"""


@pytest.fixture
def ask(rai: Rai, tmp_path: Path) -> Iterator[Ask]:
    """Dagster's GraphQL on the state of an audited use case."""
    place = tmp_path / "defs" / "loans"
    place.mkdir(parents=True)
    (place / "defs.yaml").write_text(DECLARATION)
    (place / "loans.csv").write_text(loan_rows())
    rai("run", "loans")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path / "dev.log").open("w")
    server = subprocess.Popen(
        [*RAI, "dev", "--port", str(port)],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )

    def graphql(query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    try:
        wait_for(lambda: answers(graphql), 120, "the web server")
        yield graphql
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        log.close()


def answers(graphql: Ask) -> bool:
    try:
        return bool(graphql(ASSETS)["assetNodes"])
    except (OSError, TypeError):
        return False


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")


def test_the_pages_show_the_run_and_the_daemon_runs_a_new_one(ask: Ask, tmp_path: Path) -> None:
    nodes = {node["assetKey"]["path"][-1]: node for node in ask(ASSETS)["assetNodes"]}
    assert nodes["scorecard"]["latestMaterializationByPartition"][0] is not None

    from rai_assets.store.open import open_repository

    open_repository(tmp_path / ".rai", "rai-loans").create_branch("trial", "main")

    def partitions() -> list[str]:
        return ask(PARTITIONS)["assetNodeOrError"]["partitionKeys"]

    wait_for(lambda: partitions() == ["main", "trial"], 90, "the partition of a new branch")

    selector = {
        "repositoryLocationName": "rai_assets",
        "repositoryName": "__repository__",
        "jobName": "loans_audit",
    }
    tags = [{"key": "dagster/partition", "value": "trial"}]
    params = {"selector": selector, "executionMetadata": {"tags": tags}, "runConfigData": {}}
    launched = ask(LAUNCH, params=params)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run = launched["run"]["runId"]
    ended = ("SUCCESS", "FAILURE", "CANCELED")

    def status() -> str:
        return ask(STATUS, id=run)["runOrError"]["status"]

    wait_for(lambda: status() in ended, 180, "the end of the run")
    assert status() == "SUCCESS"
    assert "results-trial" in open_repository(tmp_path / ".rai", "rai-loans").branches()
