"""Events, channels and receivers that the tests share."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rai_assets.monitoring.alerts.events import Event
from rai_assets.monitoring.alerts.outbox import Outbox
from rai_assets.monitoring.alerts.settings import AlertSettings
from rai_assets_tests.monitoring.alerts.sinks import Sink, http_sink

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def event(**changes: Any) -> Event:
    """The failed check of a branch."""
    usual = Event("check_failed", "lending", "scorecard", "gate", "main", "run-1", NOON, "error", "It failed", "Why.")
    return replace(usual, **changes)


def settings(*rules: dict[str, Any], **more: Any) -> AlertSettings:
    """Rules on two channels, `ops` and `team`."""
    channels = {
        "ops": {"type": "webhook", "url": "https://hooks.example.org/rai", "secret_env": "RAI_OPS_SECRET"},
        "team": {"type": "mail", "to": ["risk@example.org"]},
    }
    return AlertSettings.model_validate({"channels": channels, "rules": list(rules), **more})


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "alerts" / "outbox.sqlite")


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """An HTTP endpoint on this machine that an administrator allowed, and the secret that it knows."""
    monkeypatch.setenv("RAI_ALERT_HOSTS", "localhost, other.example.org")
    monkeypatch.setenv("RAI_OPS_SECRET", SECRET)
    with http_sink() as opened:
        yield opened
