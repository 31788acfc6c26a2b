"""Asking Dagster's web server, as its pages do."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

Ask = Callable[..., Any]

_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


def asking(port: int) -> Ask:
    """Takes a GraphQL query and its variables, gives the data of the answer."""

    def ask(query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    return ask


def launched(ask: Ask, branch: str, use_case: str = "loans") -> str:
    """The id of a new run of the audit, started as the pages do."""
    selector = {
        "repositoryLocationName": "rai_assets",
        "repositoryName": "__repository__",
        "jobName": f"{use_case}_audit",
    }
    tags = [{"key": "dagster/partition", "value": branch}]
    params = {"selector": selector, "executionMetadata": {"tags": tags}, "runConfigData": {}}
    answer = ask(_LAUNCH, params=params)["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return str(answer["run"]["runId"])


def ended(ask: Ask, run: str, seconds: float = 180) -> str:
    """How a run ends."""

    def status() -> str:
        said = ask(_STATUS, id=run)["runOrError"]["status"]
        return said if said in ("SUCCESS", "FAILURE", "CANCELED") else ""

    return str(wait_for(status, seconds, "the end of the run"))


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """What the condition gives once that is something.

    Raises:
        AssertionError: It is not in time.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")
