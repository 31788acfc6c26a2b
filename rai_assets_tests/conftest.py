"""What tests of many rooms need: the folder of real data sets beside the project, a receiver of alerts."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from rai_assets_tests.monitoring.alerts.sinks import SECRET, Sink, http_sink
from rai_assets_tests.store.backends import counted

# The same examples on every machine; how fast one with other work draws them says nothing of the code.
settings.register_profile("any machine", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
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


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """An HTTP endpoint on this machine that an administrator allowed, and the secret that it knows."""
    monkeypatch.setenv("RAI_ALERT_HOSTS", "localhost, other.example.org")
    monkeypatch.setenv("RAI_OPS_SECRET", SECRET)
    with http_sink() as opened:
        yield opened


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
