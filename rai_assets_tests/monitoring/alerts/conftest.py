"""Events and channels that the tests share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rai_assets.monitoring.alerts.events import Event
from rai_assets.monitoring.alerts.outbox import Outbox
from rai_assets.monitoring.alerts.settings import AlertSettings

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC


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
