"""`rai doctor --stale`: a daemon that is silent is noticed by who asks from outside."""

from __future__ import annotations

import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from rai_assets.home import home, prepare
from rai_assets.monitoring.alerts.events import Event
from rai_assets.monitoring.alerts.outbox import open_outbox
from rai_assets_tests.use_case.conftest import DECLARATION, Rai


def beat(**ages: float) -> None:
    """Parts of the daemon were heard of so many seconds ago."""
    prepare()
    with dg.DagsterInstance.get() as instance:
        for part, age in ages.items():
            instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - age, part, "daemon", []))


def test_a_daemon_that_lives(rai: Rai) -> None:
    beat(SENSOR=12, SCHEDULER=20)
    assert rai("doctor", "--stale", "10m") == "Dagster's daemon was heard of 20 s ago.\n"


def test_no_daemon_yet(rai: Rai, workplace: Path) -> None:
    assert "Dagster's daemon was never heard of" in rai("doctor", "--stale", "10m", code=4)
    assert not (workplace / ".rai").exists(), "asking from outside leaves nothing"
    beat()
    assert "Dagster's daemon was never heard of" in rai("doctor", "--stale", "10m", code=4)


@pytest.mark.parametrize(
    ("ages", "said"),
    [
        ({"SENSOR": 700.0, "SCHEDULER": 900.0}, "Dagster's daemon was not heard of for 11 minutes"),
        ({"SENSOR": 8000.0, "SCHEDULER": 5.0}, "the part of Dagster's daemon for sensors was not heard of for 2 hours"),
        ({"SENSOR": 5.0}, "the part of Dagster's daemon for schedules was never heard of"),
    ],
)
def test_a_silent_daemon_ends_with_4_and_one_sentence(rai: Rai, ages: dict[str, float], said: str) -> None:
    beat(**ages)
    answer = rai("doctor", "--stale", "10m", code=4)
    assert answer.startswith(f"rai: {home()}: {said}\n  Fix: start it: `rai dev`"), answer


def test_an_inbox_that_nobody_looks_into(rai: Rai, workplace: Path) -> None:
    beat(SENSOR=1, SCHEDULER=1)
    (workplace / "defs" / "loans" / "defs.yaml").write_text(DECLARATION + "  production: {inbox: {path: inbox}}\n")
    assert "nobody has looked into the inbox of loans yet" in rai("doctor", "--stale", "10m", code=4)


def test_alerts_that_no_channel_takes(rai: Rai) -> None:
    beat(SENSOR=1, SCHEDULER=1)
    outbox, at = open_outbox(home()), time.time() - 7300
    outbox.put(Event("run_failed", "loans", "", "", "", "run-1", at, "error", "It failed", "Why."), {"ops": at})
    assert rai("doctor", "--stale", "10m"), "what was not tried waits for the end of quiet hours"
    (tried,) = outbox.claim(at)
    outbox.failed(tried, at, "no answer")
    said = rai("doctor", "--stale", "10m", code=4)
    assert "1 alert waits for ops, the oldest for 2 hours" in said
    assert "`rai alerts retry`" in said


@pytest.mark.parametrize("limit", ["0m", "10", "soon"])
def test_what_is_no_limit(rai: Rai, limit: str) -> None:
    assert "--stale" in rai("doctor", "--stale", limit, code=2)
