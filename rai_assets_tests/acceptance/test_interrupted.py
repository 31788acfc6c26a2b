"""A run that is stopped or killed: what was finished is kept, nothing half-made is seen, the next run just works."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from rai_assets.errors import RaiError
from rai_assets.store import results
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets_tests.acceptance.conftest import RAI, Rai, environment, wait_until_alone
from rai_assets_tests.use_case.conftest import DECLARATION, loan_rows

STEPS = ["dataset", "splits", "model", "predictions", "evaluation", "explanations", "fairness_audit", "scorecard"]
MOMENTS = [f"{step} {when}" for step in STEPS for when in ("...", "done in")] + ["champion ..."]
PER_RUN = {"commit", "address"}  # what two runs on the same data do not share: their commits carry the time


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_use_case(tmp_path)


def a_use_case(root: Path, seed: int = 0) -> Path:
    place = root / "defs" / "loans"
    place.mkdir(parents=True, exist_ok=True)
    (place / "defs.yaml").write_text(DECLARATION)
    (place / "loans.csv").write_text(loan_rows(seed=seed))
    return root


def broken_off(
    folder: Path, line: str, how: signal.Signals, *, after: float = 0.0, whole_group: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the audit and send one signal, `after` seconds after it has said `line`; nothing of it goes on then."""
    errors = folder / "errors.txt"
    with errors.open("w") as stream:
        process = subprocess.Popen(
            [*RAI, "run", "loans"],
            cwd=folder,
            env=environment(folder),
            stdout=subprocess.DEVNULL,
            stderr=stream,
            start_new_session=True,
        )
        until = time.monotonic() + 120
        while line not in errors.read_text() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(after)
        if process.poll() is None:
            os.killpg(process.pid, how) if whole_group else process.send_signal(how)
        code = process.wait(60)
    wait_until_alone(process.pid)
    return subprocess.CompletedProcess("rai run loans", code, "", errors.read_text())


def statuses(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How the audit runs stand, the newest first."""
    import dagster as dg

    monkeypatch.setenv("DAGSTER_HOME", str(folder / ".rai" / "dagster"))
    with dg.DagsterInstance.get() as instance:
        return [run.status.value for run in instance.get_runs(dg.RunsFilter(job_name="loans_audit"))]


def numbers(rai: Rai) -> list[dict[str, Any]]:
    published = json.loads(rai("metrics", "loans", "--format", "json").stdout)
    return [{key: value for key, value in number.items() if key not in PER_RUN} for number in published]


def check_what_is_stored(folder: Path, said: str) -> None:
    """Every stored result is whole and pinned, and each step that said it was done left one."""
    try:
        repository = open_repository(folder / ".rai", "rai-loans", create=False)
        head = repository.resolve("results-main")
    except NotFound:
        assert "splits done" not in said
        return
    stored = results.assets(repository, head)
    for asset in stored:
        result = results.load(repository, head, asset)
        repository.get_commit(result.provenance.commit)
        assert consistent(repository, head, result) or "scorecard done" not in said
    assert {step for step in STEPS if f"{step} done" in said} <= set(stored)


def consistent(repository: VersionedRepository, head: str, result: results.Result) -> bool:
    try:
        results.refuse_outdated(repository, head, result)
    except RaiError:
        return False
    return True


@pytest.mark.parametrize("moment", ["model ...", "evaluation done in", "champion ..."])
def test_one_ctrl_c_stops_and_says_how_to_go_on(rai: Rai, folder: Path, moment: str) -> None:
    check_ctrl_c(rai, folder, moment)


@pytest.mark.nightly  # a run for each moment, and one after it
@pytest.mark.parametrize("after", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("moment", MOMENTS)
def test_one_ctrl_c_at_any_moment(rai: Rai, folder: Path, moment: str, after: float) -> None:
    check_ctrl_c(rai, folder, moment, after)


def check_ctrl_c(rai: Rai, folder: Path, moment: str, after: float = 0.0) -> None:
    done = broken_off(folder, moment, signal.SIGINT, after=after)
    if moment == "champion ..." and done.returncode == 0:
        return  # it was over already
    assert done.returncode == 130, done.stderr
    assert "what was finished is kept" in done.stderr
    assert "Traceback" not in done.stderr
    check_what_is_stored(folder, done.stderr)
    assert "Requirements: pass" in rai("run", "loans").stdout


# The signal may come before the command has begun, which is not what is tested.
STARTED = """\
from rai_assets.cli import main
try:
    print("started", flush=True)
    main()
except KeyboardInterrupt:
    raise SystemExit(130)
"""


def test_ctrl_c_in_init_leaves_a_whole_declaration_or_none(rai: Rai, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(loan_rows(100_000))
    words = ("init", "loans", "--data", "table.csv", "--target", "repaid", "--sensitive", "sex")
    command = [RAI[0], "-c", STARTED, *words]
    declared = tmp_path / "defs" / "loans" / "defs.yaml"
    stopped = 0
    for after in (0.0, 0.1, 0.2, 0.4, 0.7):
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None and process.stdout.readline() == "started\n"
            time.sleep(after)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        wait_until_alone(process.pid)
        # It is the signal's own end where the command was over when it came.
        assert process.returncode in (0, 130, -signal.SIGINT) and "Traceback" not in said, said
        left = [path for path in (tmp_path / "defs").rglob("*") if path.is_file()]
        assert left == [declared] or (left == [] and process.returncode != 0)
        if left:  # it may have been written when the signal came
            assert "loans is valid" in rai("validate", "loans").stdout
        declared.unlink(missing_ok=True)
        stopped += process.returncode == 130
    assert stopped, "no moment was early enough"
    rai(*words)
    assert "loans is valid" in rai("validate", "loans").stdout


def test_a_killed_run_is_ended_by_the_next_one(rai: Rai, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert broken_off(folder, "evaluation ...", signal.SIGKILL).returncode == -signal.SIGKILL
    assert "Requirements: pass" in rai("run", "loans").stdout
    assert statuses(folder, monkeypatch) == ["SUCCESS", "FAILURE"]


@pytest.mark.parametrize(
    "kills",
    [pytest.param(5, id="a few"), pytest.param(60, id="many", marks=pytest.mark.nightly)],  # 4 s for each kill
)
def test_killed_at_random_moments_it_ends_like_an_undisturbed_run(
    rai: Rai, folder: Path, tmp_path_factory: pytest.TempPathFactory, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(kills)
    for number in range(kills):
        a_use_case(folder, seed=number % 3)  # new data, so that there is something to be lost
        done = broken_off(
            folder,
            draw.choice(MOMENTS),
            signal.SIGKILL,
            after=draw.uniform(0, 0.3),
            whole_group=draw.random() < 0.5,
        )
        check_what_is_stored(folder, done.stderr)
    a_use_case(folder, seed=7)
    assert "Requirements: pass" in rai("run", "loans").stdout
    assert not {"STARTED", "STARTING", "NOT_STARTED"} & set(statuses(folder, monkeypatch))

    alone = a_use_case(tmp_path_factory.mktemp("alone"), seed=7)
    subprocess.run([*RAI, "run", "loans"], cwd=alone, env=environment(alone), check=True, capture_output=True)
    disturbed = numbers(rai)
    told = subprocess.run(
        [*RAI, "metrics", "loans", "--format", "json"], cwd=alone, env=environment(alone), capture_output=True
    )
    undisturbed = [
        {key: value for key, value in item.items() if key not in PER_RUN} for item in json.loads(told.stdout)
    ]
    assert disturbed == undisturbed
