"""From events to receivers: every channel gets what is due, and one that is dead holds up no other."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from rai_assets.monitoring.alerts.delivery import deliver, keep
from rai_assets.monitoring.alerts.outbox import Outbox
from rai_assets.monitoring.alerts.settings import AlertSettings
from rai_assets_tests.monitoring.alerts.conftest import NOON, event, settings
from rai_assets_tests.monitoring.alerts.sinks import Sink

RULE = {"when": "check_failed", "to": ["ops"]}


def hooked(sink: Sink, **more: object) -> AlertSettings:
    """`ops` is a webhook to the sink."""
    channel = {"type": "webhook", "url": sink.url, "secret_env": "RAI_OPS_SECRET"}
    return AlertSettings.model_validate({"channels": {"ops": channel}, "rules": [RULE], **more})


def test_an_event_is_sent_once_however_often_it_is_kept(outbox: Outbox, sink: Sink) -> None:
    ours = hooked(sink)
    assert keep(outbox, ours, [event()], NOON) == 1
    assert keep(outbox, ours, [event()], NOON) == 0
    assert deliver(outbox, {"lending": ours}) == (1, [])
    assert deliver(outbox, {"lending": ours}) == (0, [])
    assert [item["id"] for item in sink.events()] == [event().id]


def test_what_was_not_taken_is_sent_again_with_the_same_id(outbox: Outbox, sink: Sink) -> None:
    ours = hooked(sink)
    sink.answers = [503]
    keep(outbox, ours, [event()], NOON)
    sent, faults = deliver(outbox, {"lending": ours})
    assert (sent, faults) == (0, ["lending, ops: the endpoint answered 503"])
    outbox.again(time.time())
    assert deliver(outbox, {"lending": ours}) == (1, [])
    assert [head["webhook-id"] for head in sink.heads] == [event().id] * 2


def test_a_dead_endpoint_is_tried_once_a_round_and_holds_up_no_other(outbox: Outbox, sink: Sink) -> None:
    dead = settings(RULE)
    ours = hooked(sink)
    for number in range(5):
        keep(outbox, dead, [event(use_case="other", subject=str(number), at=time.time())], NOON)
    keep(outbox, ours, [event()], NOON + 1)
    sent, faults = deliver(outbox, {"lending": ours})  # nothing is known of the channels of `other`
    assert sent == 1
    assert faults[0] == "other, ops: the channel is not declared any more"
    assert faults[1:] == ["other, ops: not tried: the channel failed a moment ago"] * 4
    assert sum(item.state == "waiting" for item in outbox.listing()) == 5


def test_in_quiet_hours_only_what_is_urgent_is_due(outbox: Outbox) -> None:
    night = datetime(2026, 1, 10, 23, tzinfo=UTC).timestamp()
    hours = {"start": "22:00", "end": "06:00", "zone": "UTC"}
    calm = settings(RULE, {"when": "check_failed", "to": ["team"], "urgent": True}, quiet_hours=hours)
    keep(outbox, calm, [event(at=night)], night)
    assert [item.channel for item in outbox.claim(night)] == ["team"]
    assert "ops" not in {item.channel for item in outbox.claim(night + 7 * 3600 - 1)}
    assert [item.channel for item in outbox.claim(night + 7 * 3600)] == ["ops"]


def test_a_channel_without_its_variable_says_which(outbox: Outbox, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAI_OPS_SECRET")
    keep(outbox, hooked(sink), [event()], NOON)
    _, faults = deliver(outbox, {"lending": hooked(sink)})
    assert faults == ["lending, ops: the environment variable RAI_OPS_SECRET is not set"]
    assert sink.bodies == []
