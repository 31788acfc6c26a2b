"""What every test needs: the folder of real data sets beside the project."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from rai_assets_tests.store.backends import counted

# How fast a machine with other work draws examples says nothing of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure() -> None:
    """Answer Ctrl-C, as in a terminal.

    A script's background jobs ignore it, and Dagster has SIGTERM answered as Ctrl-C is: a pool of processes would then
    never end.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets in `../shared/data`, beside the project's folder."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not beside the project, in ../shared/data")
    return SHARED_DATA


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which engines of the store were tested."""
    reports = [
        (report.nodeid, outcome)
        for outcome in ("passed", "failed", "skipped")
        for report in terminalreporter.getreports(outcome)
        if outcome != "passed" or report.when == "call"
    ]
    for line in counted(reports):
        terminalreporter.write_line(line)
