"""The outbox: nothing is told twice, nothing is lost, and what cannot be sent is tried again."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from rai_assets.errors import RaiError
from rai_assets.monitoring.alerts.outbox import FIRST_WAIT, GIVE_UP_AFTER, Outbox
from rai_assets_tests.monitoring.alerts.conftest import NOON, event


def test_an_event_waits_once_for_each_channel(outbox: Outbox) -> None:
    assert outbox.put(event(), {"ops": NOON, "team": NOON + 60})
    assert not outbox.put(event(), {"ops": NOON})
    assert [(item.channel, item.state) for item in outbox.listing()] == [("ops", "waiting"), ("team", "waiting")]
    assert [item.channel for item in outbox.claim(NOON)] == ["ops"]


def test_what_stands_already_is_no_news_until_it_was_over(outbox: Outbox) -> None:
    tomorrow = event(run="run-2", at=NOON + 86_400)
    assert outbox.put(event(), {"ops": NOON})
    assert not outbox.put(tomorrow, {"ops": NOON})
    outbox.over(event().thing, NOON + 2 * 86_400)
    assert outbox.put(event(run="run-3", at=NOON + 3 * 86_400), {"ops": NOON})
    # The run in between is read a second time: what came after it still stands.
    outbox.over(event().thing, NOON + 2 * 86_400)
    assert not outbox.put(event(run="run-4", at=NOON + 4 * 86_400), {"ops": NOON})


def test_the_same_thing_with_another_content_is_news(outbox: Outbox) -> None:
    for hours, (content, news) in enumerate([("a", True), ("a", False), ("b", True), ("a", True)]):
        found = event(content=content, run=f"run-{hours}", at=NOON + 3600 * hours)
        assert outbox.put(found, {"ops": NOON}) is news
        assert "content" not in found.body()
    # A run that is read a second time is none, whatever was found since.
    assert not outbox.put(event(content="b", run="run-2", at=NOON + 7200), {"ops": NOON})
    assert outbox.standing("lending") == {"main"}
    assert outbox.standing("loans") == set()


def test_what_was_tried_and_is_not_taken(outbox: Outbox) -> None:
    assert outbox.put(event(), {"ops": NOON, "team": NOON + 36_000})  # the second waits for the end of quiet hours
    assert outbox.untaken(NOON + 7200) == []
    (tried,) = outbox.claim(NOON)
    outbox.failed(tried, NOON, "no answer")
    assert [item.channel for item in outbox.untaken(NOON + 1)] == ["ops"]
    assert outbox.untaken(NOON) == []
    outbox.sent(tried)
    assert outbox.untaken(NOON + 1) == []


def test_the_end_of_a_run_is_news_each_time(outbox: Outbox) -> None:
    for run in ("run-1", "run-2"):
        assert outbox.put(event(kind="run_failed", run=run), {"ops": NOON})


def test_what_one_sender_has_taken_no_other_is_given_for_two_minutes(outbox: Outbox) -> None:
    outbox.put(event(), {"ops": NOON})
    assert len(outbox.claim(NOON)) == 1
    assert outbox.claim(NOON + 119) == []
    assert len(outbox.claim(NOON + 121)) == 1


def test_two_senders_never_hold_the_same_sending(outbox: Outbox) -> None:
    for number in range(20):
        outbox.put(event(subject=str(number)), {"ops": NOON})
    with ThreadPoolExecutor(4) as pool:  # few enough to have their turns on a slow disk
        taken = list(pool.map(lambda _: outbox.claim(NOON, 1), range(30)))
    held = [item.event for items in taken for item in items]
    assert len(held) == len(set(held)) == 20


def test_a_failed_try_comes_again_after_growing_waits_for_a_week(outbox: Outbox) -> None:
    outbox.put(event(), {"ops": NOON})
    now, waits = NOON, []
    for _ in range(10):
        outbox.failed(outbox.claim(now, 1)[0], now, "away")
        (item,) = outbox.listing()
        assert (item.state, item.fault) == ("waiting", "away")
        waits.append(item.due - now)
        now = item.due
    assert 0.8 * FIRST_WAIT <= waits[0] <= 1.2 * FIRST_WAIT
    assert 1.6 * FIRST_WAIT <= waits[1] <= 2.4 * FIRST_WAIT
    assert 0.8 * 3600 <= waits[-1] <= 1.2 * 3600
    now = NOON + GIVE_UP_AFTER + 1
    outbox.failed(outbox.claim(now, 1)[0], now, "away")
    (item,) = outbox.listing()
    assert item.state == "given up"
    assert outbox.claim(now + 86_400) == []
    # It is kept, and a person may ask for it again.
    assert outbox.again(now) == 1
    assert [item.channel for item in outbox.claim(now)] == ["ops"]


def test_what_was_sent_is_forgotten_after_three_months_and_what_waits_is_not(outbox: Outbox) -> None:
    outbox.put(event(), {"ops": NOON})
    outbox.put(event(subject="other"), {"ops": NOON})
    outbox.sent(outbox.claim(NOON, 1)[0])
    outbox.forget(NOON + 89 * 86_400)
    assert len(outbox.listing()) == 2
    outbox.forget(NOON + 91 * 86_400)
    assert [item.state for item in outbox.listing()] == ["waiting"]


def test_a_process_that_dies_while_it_puts_leaves_an_outbox_that_works(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    program = (
        "import os, sys, threading; from pathlib import Path\n"
        "from rai_assets.monitoring.alerts.outbox import Outbox\n"
        "from rai_assets_tests.monitoring.alerts.conftest import NOON, event\n"
        "outbox = Outbox(Path(sys.argv[1]))\n"
        "for number in range(10_000):\n"
        "    outbox.put(event(subject=str(number)), {'ops': NOON}); print(number, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(25)]
        child.kill()
        told += [int(line) for line in child.stdout.read().split()]
    outbox = Outbox(path)
    kept = {int(item.body["subject"]) for item in outbox.listing(limit=20_000)}
    assert set(told) <= kept  # acknowledged is kept
    assert kept <= set(range(len(told) + 1))
    assert outbox.put(event(subject="after"), {"ops": NOON})


def test_an_outbox_that_is_no_database_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(RaiError) as fault:
        Outbox(path)
    assert str(path) in str(fault.value)
    assert "moved away" in fault.value.fix


def test_what_a_fast_clock_put_off_for_long_is_due_when_it_is_set_right(outbox: Outbox) -> None:
    outbox.put(event(), {"ops": NOON + 400 * 86_400})
    assert [item.channel for item in outbox.claim(NOON)] == ["ops"]


def test_an_outbox_of_an_older_version_is_used_on(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    Outbox(path).put(event(), {"ops": NOON})
    with closing(sqlite3.connect(path)) as database:
        database.execute("alter table sending drop column rest")
        database.execute("alter table standing drop column content")
    assert not Outbox(path).put(event(run="run-2", at=NOON + 60), {"ops": NOON})
    (sending,) = Outbox(path).claim(NOON)
    assert (sending.event, sending.rest) == (event().id, ())


def test_a_fault_puts_off_what_waits_for_that_channel_of_that_use_case(outbox: Outbox) -> None:
    outbox.put(event(subject="first"), {"ops": NOON, "team": NOON})
    outbox.put(event(subject="second"), {"ops": NOON})
    outbox.put(event(subject="later"), {"ops": NOON + 5000})
    outbox.put(event(subject="other", use_case="pricing"), {"ops": NOON})
    tried = next(item for item in outbox.claim(NOON) if item.channel == "ops" and item.body["subject"] == "first")
    outbox.again(NOON)  # all are due at once again, but for the one that follows
    outbox.failed(tried, NOON, "away")
    due = {(item.use_case, item.body["subject"], item.channel): item.due for item in outbox.listing()}
    put_off = due["lending", "first", "ops"]
    assert NOON + 0.8 * FIRST_WAIT <= put_off <= NOON + 1.2 * FIRST_WAIT
    assert due["lending", "second", "ops"] == put_off
    assert due["lending", "first", "team"] == due["pricing", "other", "ops"] == NOON
    tries = {item.body["subject"]: item.tries for item in outbox.listing() if item.channel == "ops"}
    assert tries == {"first": 1, "second": 0, "later": 0, "other": 0}


def test_what_is_due_much_later_is_not_brought_forward_by_a_fault(outbox: Outbox) -> None:
    outbox.put(event(subject="first"), {"ops": NOON})
    outbox.put(event(subject="quiet"), {"ops": NOON + 5000})
    outbox.failed(outbox.claim(NOON)[0], NOON, "away")
    assert {item.body["subject"]: item.due for item in outbox.listing()}["quiet"] == NOON + 5000


def test_it_is_given_up_a_week_after_the_event_and_not_before(outbox: Outbox) -> None:
    outbox.put(event(), {"ops": NOON})
    (item,) = outbox.claim(NOON)
    outbox.failed(item, NOON + GIVE_UP_AFTER, "away")
    assert outbox.listing()[0].state == "waiting"
    outbox.failed(item, NOON + GIVE_UP_AFTER + 0.1, "x" * 600)
    assert (outbox.listing()[0].state, outbox.listing()[0].fault) == ("given up", "x" * 500)
    assert outbox.untaken(NOON + 9e6) == []


def test_the_least_tried_come_first_then_the_oldest_and_at_most_so_many(outbox: Outbox) -> None:
    for number in range(25):
        outbox.put(event(subject=str(number)), {"ops": NOON - number})
    first = outbox.claim(NOON, 1)[0]
    assert first.body["subject"] == "24"
    outbox.failed(first, NOON - 4000, "away")  # its next try is due long ago
    outbox.again(NOON)
    every = outbox.claim(NOON)
    assert len(every) == 20
    assert first.event not in {item.event for item in every}


def test_what_was_tried_comes_after_what_was_not_though_it_is_due_for_longer(outbox: Outbox) -> None:
    for subject in ("tried", "new", "newer"):
        outbox.put(event(subject=subject), {"ops": NOON - (20 if subject == "new" else 10)})
    tried = next(item for item in outbox.claim(NOON) if item.body["subject"] == "tried")
    outbox.failed(tried, NOON - 9000, "away")
    assert [item.body["subject"] for item in outbox.claim(NOON + 200)] == ["new", "newer", "tried"]


def test_what_is_not_taken_is_listed_by_age(outbox: Outbox) -> None:
    for age in (5, 50, 20):
        outbox.put(event(subject=str(age), at=NOON - age), {"ops": NOON})
    for item in outbox.claim(NOON):
        outbox.failed(item, NOON, "away")
    assert [item.body["subject"] for item in outbox.untaken(NOON + 1)] == ["50", "20", "5"]


def test_a_receiver_that_is_refused_puts_off_nothing_else_and_stays_known(outbox: Outbox) -> None:
    for subject in ("first", "second"):
        outbox.put(event(subject=subject), {"team": NOON})
    first = outbox.claim(NOON, 1)[0]
    outbox.failed(first, NOON, "refused", ["gone@example.org"])
    assert [item.body["subject"] for item in outbox.claim(NOON)] == ["second"]
    (again,) = (item for item in outbox.listing() if item.event == first.event)
    outbox.failed(again, NOON, "away")  # now nobody answered: the rest is what it was
    assert {item.rest for item in outbox.listing() if item.event == first.event} == {("gone@example.org",)}


def test_what_was_taken_says_so_and_is_not_sent_again(outbox: Outbox) -> None:
    outbox.put(event(), {"ops": NOON})
    (item,) = outbox.claim(NOON)
    outbox.failed(item, NOON, "away")
    outbox.sent(item)
    (kept,) = outbox.listing()
    assert (kept.state, kept.tries, kept.fault) == ("sent", 2, "")
    assert outbox.again(NOON) == 0
    assert outbox.claim(NOON + 9e5) == []


def test_the_listing_has_the_newest_first_of_one_use_case_or_all(outbox: Outbox) -> None:
    for number in range(3):
        outbox.put(event(subject=str(number), at=NOON + number), {"ops": NOON})
    outbox.put(event(use_case="pricing", subject="x", at=NOON + 9), {"ops": NOON})
    assert [item.body["subject"] for item in outbox.listing()] == ["x", "2", "1", "0"]
    assert [item.body["subject"] for item in outbox.listing("lending", 2)] == ["2", "1"]


def test_what_is_found_over_at_the_instant_it_was_told_still_stands(outbox: Outbox) -> None:
    outbox.put(event(), {"ops": NOON})
    outbox.over(event().thing, NOON)
    assert not outbox.put(event(run="run-2", at=NOON + 1), {"ops": NOON})
    outbox.over(event().thing, NOON + 0.1)
    assert outbox.put(event(run="run-3", at=NOON + 2), {"ops": NOON})


def test_marks_are_kept_by_name(outbox: Outbox) -> None:
    assert outbox.mark("runs") == ""
    assert outbox.mark("runs", "1") == "1"
    outbox.mark("other", "2")
    outbox.mark("runs", "3")
    assert (outbox.mark("runs"), Outbox(outbox.path).mark("other")) == ("3", "2")


def test_an_event_is_kept_while_one_of_its_channels_waits(outbox: Outbox) -> None:
    outbox.put(event(), {"ops": NOON, "team": NOON + 10})
    outbox.put(event(subject="nobody"), {})
    outbox.sent(outbox.claim(NOON)[0])
    outbox.forget(NOON + 91 * 86_400)
    assert [(item.channel, item.state) for item in outbox.listing()] == [("ops", "sent"), ("team", "waiting")]
    # What nobody is told of was forgotten, and would be kept anew.
    outbox.over(event(subject="nobody").thing, NOON + 1)
    assert outbox.put(event(subject="nobody"), {"ops": NOON})
