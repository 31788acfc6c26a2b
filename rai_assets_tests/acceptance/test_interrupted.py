"""A run that is stopped or killed: what was finished is kept, nothing half-made is seen, the next run just works."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from rai_assets_tests.acceptance.conftest import RAI, Rai, environment
from rai_assets_tests.use_case.conftest import DECLARATION, loan_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "defs" / "loans"
    place.mkdir(parents=True)
    (place / "defs.yaml").write_text(DECLARATION)
    (place / "loans.csv").write_text(loan_rows())
    return tmp_path


def stopped_while(folder: Path, line: str, how: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Run the audit and send a signal to all its processes when it has said `line`."""
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
            time.sleep(0.01)
        while process.poll() is None and "stopped" not in errors.read_text() and time.monotonic() < until:
            os.killpg(process.pid, how)  # again and again, as impatient people do
            time.sleep(1)
        code = process.wait(60)
    return subprocess.CompletedProcess("rai run loans", code, "", errors.read_text())


@pytest.mark.parametrize("line", ["dataset ...", "model ...", "scorecard ..."])
def test_ctrl_c_says_how_to_go_on(rai: Rai, folder: Path, line: str) -> None:
    done = stopped_while(folder, line, signal.SIGINT)
    assert done.returncode == 130, done.stderr
    assert "what was finished is kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Gate: pass" in rai("run", "loans").stdout


@pytest.mark.parametrize("line", ["model ...", "evaluation ..."])
def test_a_killed_run_is_ended_by_the_next_one(
    rai: Rai, folder: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stopped_while(folder, line, signal.SIGKILL).returncode == -signal.SIGKILL
    assert "Gate: pass" in rai("run", "loans").stdout

    import dagster as dg

    monkeypatch.setenv("DAGSTER_HOME", str(folder / ".rai" / "dagster"))
    with dg.DagsterInstance.get() as instance:
        ended = [run.status.value for run in instance.get_runs(dg.RunsFilter(job_name="loans_audit"))]
    assert ended == ["SUCCESS", "FAILURE"]
