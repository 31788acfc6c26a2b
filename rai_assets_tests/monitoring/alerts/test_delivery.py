"""From events to receivers: every channel gets what is due, and one that is dead holds up no other."""

from __future__ import annotations

import email
import time
from datetime import UTC, datetime
from itertools import repeat

import pytest

from rai_assets.errors import RaiError
from rai_assets.monitoring.alerts import delivery, webhook
from rai_assets.monitoring.alerts.delivery import deliver, keep, send
from rai_assets.monitoring.alerts.outbox import Outbox
from rai_assets.monitoring.alerts.settings import AlertSettings
from rai_assets_tests.monitoring.alerts.conftest import NOON, event, settings
from rai_assets_tests.monitoring.alerts.sinks import Sink, mail_sink, raw_sink

SECRET_NAME = "RAI_OPS_SECRET"
RULE = {"when": "check_failed", "to": ["ops"]}
TO_TEAM = {"when": "check_failed", "to": ["team"]}
NOT_TAKEN = "lending, team: the mail server did not take it: SMTPRecipientsRefused"


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
    assert faults == ["other, ops: the channel is not declared any more"]
    waiting = [item for item in outbox.listing() if item.state == "waiting"]
    assert sorted(item.tries for item in waiting) == [0, 0, 0, 0, 1]  # what was not tried is not counted as a try
    assert all(item.due > time.time() + 20 for item in waiting)


def test_one_alert_that_is_always_refused_holds_up_none_of_its_channel(outbox: Outbox, sink: Sink) -> None:
    ours = hooked(sink)
    sink.answers = [400]
    keep(outbox, ours, [event(subject="refused"), event(subject="fine")], NOON)
    assert deliver(outbox, {"lending": ours})[0] == 0
    sink.answers = [200, 400]  # what was refused comes last
    outbox.again(time.time())
    assert deliver(outbox, {"lending": ours})[0] == 1
    assert [item["subject"] for item in sink.events()] == ["refused", "fine", "refused"]


def test_a_channel_that_hangs_is_left_alone_after_a_while(
    outbox: Outbox, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_LONGEST", 0.3)
    monkeypatch.setattr(webhook, "_LONGEST", 2.0)
    with raw_sink(repeat(b"H"), 0.1) as port:
        slow = AlertSettings.model_validate(
            {"channels": {"ops": {"type": "webhook", "url": f"http://localhost:{port}/", "secret_env": SECRET_NAME}}}
        )
        for said in ("not taken within 0.3 s", "the former try has not ended yet"):
            began = time.monotonic()
            with pytest.raises(RaiError, match=said):
                send(slow.channels["ops"], event().body(), "channel ops of slow")
            assert time.monotonic() - began < 1.5


def test_a_fault_that_nobody_thought_of_is_told_without_its_words(outbox: Outbox, sink: Sink) -> None:
    strange = hooked(sink)
    body = {**event().body(), "title": "\udc80 hunter2"}  # half a character, which no text in UTF-8 has
    with pytest.raises(RaiError, match="UnicodeEncodeError") as fault:
        send(strange.channels["ops"], body, "channel ops of lending")
    assert "hunter2" not in str(fault.value) and "address and secret" in fault.value.fix


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


def test_receivers_that_were_refused_are_tried_again_and_no_others(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = AlertSettings.model_validate(
        {"channels": {"team": {"type": "mail", "to": ["risk@example.org", "gone@example.org"]}}, "rules": [TO_TEAM]}
    )
    with mail_sink() as sink:
        monkeypatch.setenv("RAI_SMTP_URL", f"smtp://localhost:{sink.port}")
        monkeypatch.setenv("RAI_SMTP_FROM", "alerts@example.org")
        sink.refused = {"gone@example.org"}
        keep(outbox, both, [event(), event(subject="another")], NOON)
        said = "lending, team: the mail server refused gone@example.org, and took it for the others"
        assert deliver(outbox, {"lending": both}) == (0, [said] * 2)  # the first holds up no other
        assert {item.rest for item in outbox.listing()} == {("gone@example.org",)}

        outbox.again(time.time())
        assert deliver(outbox, {"lending": both}) == (0, [NOT_TAKEN])  # nobody took it now: the other one waits
        outbox.again(time.time())
        sink.refused = set()
        assert deliver(outbox, {"lending": both}) == (2, [])
        to = [email.message_from_bytes(body)["To"] for body in sink.bodies]
        assert to == ["risk@example.org, gone@example.org"] * 2 + ["gone@example.org"] * 2


def test_a_refused_receiver_that_is_declared_no_more_is_waited_for_no_longer(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = settings(TO_TEAM)
    keep(outbox, ours, [event()], NOON)
    (sending,) = outbox.claim(NOON)
    outbox.failed(sending, NOON, "refused", ["gone@example.org"])
    outbox.again(NOON)
    monkeypatch.setenv("RAI_SMTP_URL", "smtp://localhost:1")  # where nobody answers
    assert deliver(outbox, {"lending": ours}) == (1, [])
