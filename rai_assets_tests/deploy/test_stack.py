"""The services of compose.yaml as processes: they become healthy in order and audit, with everything on lakeFS."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rai_assets.home import demo_definition
from rai_assets.store.open import open_repository
from rai_assets_tests.acceptance.asking import asking, ended, launched, wait_for
from rai_assets_tests.acceptance.conftest import RAI
from rai_assets_tests.deploy.stack import Stack, made_environment, postgres_program
from rai_assets_tests.store.lakefs_server import executable
from rai_assets_tests.use_case.conftest import put_loans

RESULTS = {"splits", "model", "predictions", "evaluation", "explanations", "fairness_audit", "scorecard"}


@pytest.fixture
def stack() -> Iterator[Stack]:
    """The services on the demo and a use case whose gate passes, in a folder that PostgreSQL's user may enter."""
    missing = [
        *(["a `lakefs` executable on PATH"] if executable() is None else []),
        *(["PostgreSQL's server"] if postgres_program("initdb") is None else []),
    ]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="stack-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        shutil.copytree(demo_definition().parent, folder / "mine" / "lending")
        put_loans(folder / "mine")
        environment = {**made_environment(folder), "RAI_DEFS": str(folder / "mine")}
        stack = Stack(folder, environment, objects_in_folder=shutil.which("versitygw") is None)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()


@pytest.mark.nightly  # six servers start twice, two audits run
def test_the_services_audit_and_keep_everything(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.surroundings("code").items():
        if name.startswith("RAI_"):
            monkeypatch.setenv(name, value)
    ask = asking(stack.ports["3000"])
    runs = {name: launched(ask, "main", name) for name in ("loans", "lending")}
    assert ended(ask, runs["loans"], 400) == "SUCCESS", stack.logs()
    # The demo's gate fails by plan, when all is made.
    assert ended(ask, runs["lending"], 400) == "FAILURE", stack.logs()

    for name, run in runs.items():
        repository = open_repository(stack.path("/rai"), f"rai-{name}", create=False)
        results = {item.path.split("/")[0] for item in repository.list_objects("results-main")}
        assert results >= RESULTS
        commit = repository.get_commit("main")
        pages = stack.services["code"]["environment"]["RAI_DAGSTER_URL"]
        assert commit.metadata["::lakefs::Dagster::url[url:ui]"] == f"{pages}/runs/{run}"
    assert any(path.is_file() for path in stack.path("/data").rglob("*")), "objects are in the volume"
    assert not [*stack.path("/rai").rglob("*.db"), *stack.path("/rai/store").glob("*")], (
        "nothing is in files of Dagster"
    )

    said = command(stack, "doctor")
    assert "lakeFS 1." in said and "Dagster's records: PostgreSQL" in said and "Nothing is missing." in said
    listed = {name: command(stack, "branch", "list", name) for name in runs}
    assert "requirements: pass  head: gated" in listed["loans"]
    assert "requirements: fail  head: gated" in listed["lending"]

    stack.stop()
    stack.start()
    ask = asking(stack.ports["3000"])
    assert ended(ask, runs["loans"], 10) == "SUCCESS", "the records outlive the services"
    assert {name: command(stack, "branch", "list", name) for name in runs} == listed

    # The daemon's sensor finds a new branch, and its audit waits in the queue and is launched.
    command(stack, "branch", "create", "loans", "trial")
    loans = open_repository(stack.path("/rai"), "rai-loans", create=False)
    wait_for(lambda: "results-trial" in loans.branches(), 240, "results of a new branch")
    wait_for(lambda: any(loans.list_objects("results-trial", "scorecard/")), 240, "the audit of a new branch")
    assert not kept_in_clear(stack), "a secret is in a file"


def command(stack: Stack, *words: str) -> str:
    """What `rai` says in the container of the code."""
    done = subprocess.run(
        [*RAI, *words], env=stack.surroundings("code"), cwd=stack.path("/rai"), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def kept_in_clear(stack: Stack) -> list[Path]:
    """Files, PostgreSQL's and logs among them, that hold a secret as it is."""
    secrets = [value.encode() for name, value in stack.environment.items() if "PASSWORD" in name or "SECRET" in name]
    files = [path for path in stack.folder.rglob("*") if path.is_file() and path.name != ".env"]
    return [path for path in files if any(secret in path.read_bytes() for secret in secrets)]
