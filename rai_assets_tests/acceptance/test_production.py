"""Batches dropped into the inbox of a use case under `rai dev`: the real sensor, daemon and run workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.batch import records
from rai_assets.store.open import open_repository
from rai_assets_tests.acceptance.asking import Ask, wait_for
from rai_assets_tests.acceptance.conftest import Rai
from rai_assets_tests.acceptance.test_dev import holds, served, worker_of
from rai_assets_tests.use_case.conftest import DECLARATION, loan_rows, put_loans

CHECKS = """{ assetNodeOrError(assetKey: {path: ["loans", "batch"]}) { ... on AssetNode { assetChecksOrError {
  ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } } }"""
RUNS = """{ runsOrError(filter: {pipelineName: "loans_production"}) { ... on Runs { results {
  runId status tags { key value } } } } }"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with a use case in production."""
    declaration = DECLARATION + "  production: {inbox: {path: inbox, complete: rename}}\n"
    (put_loans(tmp_path / "defs", declaration) / "inbox").mkdir()
    return tmp_path


def states(folder: Path) -> dict[str, str]:
    path = folder / ".rai" / "production" / "loans" / "arrivals.sqlite"
    if not path.exists():
        return {}
    with Arrivals(path) as ledger:
        return {entry.key: entry.state for entry in ledger.entries()}


def runs(ask: Ask) -> list[tuple[str, str, str]]:
    """(id, batch, status) of every run of the production job."""
    found = ask(RUNS)["runsOrError"]["results"]
    return [
        (run["runId"], next(tag["value"] for tag in run["tags"] if tag["key"] == "dagster/partition"), run["status"])
        for run in found
    ]


@pytest.mark.nightly  # the daemon's ticks are 30 s apart
def test_batches_are_accepted_or_quarantined_and_a_killed_run_is_made_again(rai: Rai, folder: Path) -> None:
    rai("run", "loans")
    inbox = folder / "defs" / "loans" / "inbox"
    repository = open_repository(folder / ".rai", "rai-loans")
    with served(folder) as (ask, _):
        (inbox / "good.csv").write_text(loan_rows(50, seed=1))
        (inbox / "bad.csv").write_text(loan_rows(50, seed=2).replace(",F,", ",?,"))
        (inbox / "half.csv.part").write_text("weekday,inc")
        killed: list[str] = []

        def kill_one() -> bool:
            for run, batch, _ in runs(ask):
                process = worker_of(folder, run)
                if batch == "good" and process is not None:
                    os.kill(process, signal.SIGKILL)
                    killed.append(run)
                    return True
            return states(folder).get("good") == "accepted"  # it was too fast for us

        wait_for(kill_one, 300, "a process for a run")
        wait_for(lambda: states(folder) == {"good": "accepted", "bad": "quarantined"}, 500, "a verdict on each")
        found = {record.key: record.revision for record in records(repository, repository.resolve("production"))}
        assert found == {"good": 1}
        scored = "batches/good/batch_predictions/result.json"

        def scored_once() -> bool:
            return holds(repository, "results-production", scored)

        wait_for(scored_once, 300, "the predictions of the batch")
        wait_for(lambda: any(status == "FAILURE" for _, batch, status in runs(ask) if batch == "bad"), 60, "its run")
        assert ask(CHECKS)["assetNodeOrError"]["assetChecksOrError"]["checks"]
