"""From events to receivers: every channel gets what is due, and one that is dead holds up no other."""

from __future__ import annotations

import email
import time
from datetime import UTC, datetime
from itertools import repeat, takewhile
from threading import Event

import pytest

from rai_assets.errors import RaiError, UsageError
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
    began = time.time()
    sent, faults = deliver(outbox, {"lending": ours})  # nothing is known of the channels of `other`
    assert sent == 1
    assert faults == ["other, ops: the channel is not declared any more"]
    waiting = [item for item in outbox.listing() if item.state == "waiting"]
    assert sorted(item.tries for item in waiting) == [0, 0, 0, 0, 1]  # what was not tried is not counted as a try
    assert all(item.due > began + 20 for item in waiting)


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
    monkeypatch.setattr(webhook, "_LONGEST", 60.0)  # the first try is at work all the time
    ended = Event()
    with raw_sink(takewhile(lambda _: not ended.is_set(), repeat(b"H")), 0.1) as port:
        slow = AlertSettings.model_validate(
            {"channels": {"ops": {"type": "webhook", "url": f"http://localhost:{port}/", "secret_env": SECRET_NAME}}}
        )
        for said in ("not taken within 0.3 s", "the former try has not ended yet"):
            began = time.monotonic()
            with pytest.raises(RaiError, match=said):
                send(slow.channels["ops"], event().body(), "channel ops of slow")
            assert time.monotonic() - began < 30
        ended.set()


def test_where_the_time_is_up_nothing_more_is_begun(outbox: Outbox, sink: Sink) -> None:
    ours = hooked(sink)
    keep(outbox, ours, [event()], NOON)
    assert deliver(outbox, {"lending": ours}, seconds=0.0) == (0, [])
    assert [(item.state, item.due) for item in outbox.listing()] == [("waiting", NOON)]
    assert sink.bodies == []
    assert deliver(outbox, {"lending": ours}) == (1, [])


def test_a_webhook_is_told_when_it_was_sent_and_its_address_may_be_a_secret_too(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAI_OPS_URL", sink.url)
    hidden = {"ops": {"type": "webhook", "url_env": "RAI_OPS_URL", "secret_env": SECRET_NAME}}
    began = int(time.time())
    send(AlertSettings.model_validate({"channels": hidden}).channels["ops"], event().body(), "channel ops")
    assert began <= int(sink.heads[0]["webhook-timestamp"]) <= time.time()


def test_a_service_is_called_at_the_address_in_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = AlertSettings.model_validate({"channels": {"chat": {"type": "service", "url_env": "RAI_CHAT_URL"}}})
    for url, said in (("", "the environment variable RAI_CHAT_URL is not set"), ("json://127.0.0.1/", "no service")):
        monkeypatch.setenv("RAI_CHAT_URL", url)
        with pytest.raises(UsageError, match=said):
            send(channel.channels["chat"], event().body(), "channel chat of lending")


def test_what_is_declared_no_more_holds_up_nothing(outbox: Outbox, sink: Sink) -> None:
    """A channel that left the declaration of its use case while an alert waited for it."""
    keep(outbox, settings(TO_TEAM), [event(subject="left")], NOON - 1)
    keep(outbox, hooked(sink), [event()], NOON)
    assert deliver(outbox, {"lending": hooked(sink)}) == (1, ["lending, team: the channel is not declared any more"])


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


@pytest.mark.parametrize(
    ("secret", "where", "what"),
    [
        (None, "channel ops of lending", "the environment variable RAI_OPS_SECRET is not set"),
        ("", "channel ops of lending", "the environment variable RAI_OPS_SECRET is not set"),
        ("hunter2", "RAI_OPS_SECRET", "this is no secret of a webhook"),
    ],
)
def test_a_channel_without_its_variable_says_which(
    secret: str | None, where: str, what: str, outbox: Outbox, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAI_OPS_SECRET")
    if secret is not None:
        monkeypatch.setenv("RAI_OPS_SECRET", secret)
    keep(outbox, hooked(sink), [event()], NOON)
    _, faults = deliver(outbox, {"lending": hooked(sink)})
    assert faults == [f"lending, ops: {what}"]
    assert sink.bodies == []
    (kept,) = outbox.listing()  # with the place and what to do, for `rai alerts list`
    assert where in kept.fault and what in kept.fault and "Fix: " in kept.fault
    assert "hunter2" not in kept.fault


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
