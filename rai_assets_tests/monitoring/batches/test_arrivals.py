"""The ledger by itself: who is asked for when, after which pause, and what stands of a batch."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.entries import Taken, sources_digest
from rai_assets.monitoring.batches.sources import Found

NOW = 1_767_268_800.0


@pytest.fixture
def ledger(tmp_path: Path) -> Arrivals:
    return Arrivals(tmp_path / "state" / "arrivals.sqlite")


def take(ledger: Arrivals, path: str, sha256: str, *keys: str, now: float = NOW) -> str:
    return ledger.take(Found(path, 3, "stamp", now - 60), sha256, keys, now)


def accept(ledger: Arrivals, key: str, rows: int = 10, revision: int = 1) -> None:
    ledger.decided(key, sources_digest(ledger.sources(key)), "accepted", revision=revision, rows=rows)


def test_the_pause_doubles_from_half_a_minute_to_an_hour_and_begins_again_with_new_bytes(ledger: Arrivals) -> None:
    take(ledger, "a.csv", "1", "a")
    now, pauses, numbers = NOW, [], []
    for _ in range(30):
        (request,) = ledger.pending(9, now)
        numbers.append(request.number)
        ledger.ended_without_verdict("a", now)
        low, high = now, now + 10_000
        while high - low > 1e-3:  # when it is asked for again
            middle = (low + high) / 2
            low, high = (low, middle) if ledger.pending(9, middle) else (middle, high)
        pauses.append(round(high - now))
        now = high
    assert pauses == [30, 60, 120, 240, 480, 960, 1920] + [3600] * 23
    assert numbers == sorted(set(numbers)), "another run each time"
    entry = ledger.entry("a")
    assert entry is not None
    assert entry.attempts == 30
    take(ledger, "a.csv", "2", "a", now=now)
    assert len(ledger.pending(9, now)) == 1
    ledger.ended_without_verdict("a", now)
    assert (ledger.pending(9, now + 29), len(ledger.pending(9, now + 30))) == ([], 1)


def test_as_json_it_says_since_when_in_words_of_a_calendar(ledger: Arrivals) -> None:
    take(ledger, "a.csv", "1", "a")
    (entry,) = ledger.entries()
    told = entry.as_json()
    assert told["since"] == "2026-01-01T12:00:00+00:00"
    assert json.loads(json.dumps(told)) == {**vars(entry), "since": told["since"]}


def test_those_asked_for_first_come_first_and_at_most_so_many(ledger: Arrivals) -> None:
    for second, key in enumerate("cab"):
        take(ledger, f"{key}.csv", key, key, now=NOW + second)
    assert [request.key for request in ledger.pending(9, NOW + 9)] == ["c", "a", "b"]
    assert [request.key for request in ledger.pending(2, NOW + 9)] == ["c", "a"]
    ledger.ask_again(["c"], NOW + 5)
    assert [request.key for request in ledger.pending(9, NOW + 9)] == ["a", "b", "c"]


def test_a_verdict_on_other_bytes_leaves_the_batch_waiting(ledger: Arrivals) -> None:
    take(ledger, "a.csv", "1", "a")
    (request,) = ledger.pending(9, NOW)
    take(ledger, "a.csv", "2", "a", now=NOW + 1)
    ledger.decided("a", request.digest, "accepted", revision=1, rows=3)
    assert [item.key for item in ledger.pending(9, NOW + 1)] == ["a"]
    accept(ledger, "a")
    assert ledger.pending(9, NOW + 1) == []
    assert ledger.counts() == {"accepted": 1}


def test_what_follows_an_audit_is_open_until_its_own_run_has_ended(ledger: Arrivals) -> None:
    take(ledger, "a.csv", "1", "a")
    accept(ledger, "a")
    (first,) = ledger.unfinished(9, NOW)
    ledger.ended_without_verdict("a", NOW)
    assert ledger.unfinished(9, NOW + 29) == []
    (second,) = ledger.unfinished(9, NOW + 30)
    assert (second.number > first.number, second.attempts) == (True, 1)
    ledger.finished(first)
    assert ledger.unfinished(9, NOW + 30) == [second], "an older run says nothing of the newer one"
    ledger.finished(second)
    assert ledger.unfinished(9, NOW + 30) == []
    ledger.ended_without_verdict("a", NOW + 60)
    assert ledger.unfinished(9, NOW + 9e6) == [], "what is done is not asked for again"


def test_attempts_before_the_verdict_are_not_counted_to_what_follows_it(ledger: Arrivals) -> None:
    take(ledger, "a.csv", "1", "a")
    ledger.ended_without_verdict("a", NOW)
    accept(ledger, "a")
    assert [item.attempts for item in ledger.unfinished(9, NOW + 60)] == [0]
    ledger.ended_without_verdict("a", NOW)
    accept(ledger, "a")
    assert [item.attempts for item in ledger.unfinished(9, NOW + 60)] == [1], "a second verdict changes nothing"


def test_a_batch_in_quarantine_is_asked_nothing_and_its_bytes_are_kept(ledger: Arrivals) -> None:
    for key in "abc":
        take(ledger, f"{key}.csv", key, key)
    ledger.decided("a", sources_digest(ledger.sources("a")), "quarantined", branch="run-1", reason="torn")
    accept(ledger, "b")
    entry = ledger.entry("a")
    assert entry is not None
    assert (entry.state, entry.branch, entry.reason, entry.revision) == ("quarantined", "run-1", "torn", None)
    assert [request.key for request in ledger.unfinished(9, NOW)] == ["b"]
    assert [request.key for request in ledger.pending(9, NOW)] == ["c"]
    assert ledger.digests_in_use() == {"a", "c"}
    assert ledger.counts() == {"quarantined": 1, "accepted": 1, "pending": 1}
    assert [item.key for item in ledger.entries("quarantined")] == ["a"]
    assert [item.key for item in ledger.entries()] == ["a", "b", "c"]


def test_a_revision_is_kept_while_the_next_one_is_refused(ledger: Arrivals) -> None:
    take(ledger, "a.csv", "1", "a")
    accept(ledger, "a", revision=1)
    take(ledger, "a.csv", "2", "a", now=NOW + 1)
    ledger.decided("a", sources_digest(ledger.sources("a")), "quarantined", reason="torn")
    entry = ledger.entry("a")
    assert entry is not None
    assert entry.revision == 1


def test_the_same_bytes_ask_for_nothing_and_other_bytes_ask_for_what_the_file_had(ledger: Arrivals) -> None:
    assert take(ledger, "a.csv", "1", "may") == "new"
    accept(ledger, "may")
    assert take(ledger, "a.csv", "1", "may", now=NOW + 1) == "same bytes"
    assert take(ledger, "copy.csv", "1", "june", now=NOW + 1) == "same bytes"
    assert (ledger.pending(9, NOW + 9), ledger.entry("june")) == ([], None)
    assert {path: state for path, (_, _, _, state) in ledger.known().items()} == {
        "a.csv": "taken", "copy.csv": "same bytes",
    }  # fmt: skip
    assert take(ledger, "a.csv", "2", "june", now=NOW + 2) == "corrected"
    assert {request.key for request in ledger.pending(9, NOW + 9)} == {"june", "may"}, "its rows left one of them"
    assert ledger.sources("may") == ()
    assert ledger.sources("june") == (Taken("a.csv", 3, NOW + 2 - 60, "2"),)
    assert ledger.keys_of("a.csv") == ["june"]
    assert (ledger.owner("june"), ledger.owner("may")) == ("a.csv", None)


def test_a_copy_that_becomes_a_file_of_its_own_is_new(ledger: Arrivals) -> None:
    take(ledger, "a.csv", "1", "a")
    take(ledger, "b.csv", "1", "b")
    assert take(ledger, "b.csv", "2", "b", now=NOW + 1) == "new"
    # The bytes of another file, in a file that had its own: that batch is made again all the same.
    assert take(ledger, "b.csv", "1", "b", now=NOW + 2) == "corrected"


def test_the_usual_size_is_that_of_the_last_hundred_others(ledger: Arrivals) -> None:
    with ledger.together():  # one transaction takes no time on a slow disk
        for number in range(103):
            take(ledger, f"{number}.csv", str(number), f"b{number}")
            accept(ledger, f"b{number}", rows=number)
            time.sleep(0.001)
    found = ledger.recent_rows("b102")
    assert found == list(range(101, 1, -1))
    assert ledger.recent_rows("none")[0] == 102


def test_a_file_that_changed_is_waited_for_from_then_on(ledger: Arrivals) -> None:
    ledger.saw([Found("a.csv", 3, "one", NOW - 60)], NOW)
    assert ledger.known() == {"a.csv": (3, "one", NOW, "waiting")}
    take(ledger, "a.csv", "1", "a")
    ledger.saw([Found("a.csv", 4, "two", NOW)], NOW + 60)
    assert ledger.known() == {"a.csv": (4, "two", NOW + 60, "waiting")}
    assert [source.sha256 for source in ledger.sources("a")] == ["1"], "until its new bytes are taken"


def test_a_file_that_had_bytes_of_its_own_is_no_copy(ledger: Arrivals) -> None:
    take(ledger, "a.csv", "1", "a")
    take(ledger, "b.csv", "2", "b")
    take(ledger, "b.csv", "1", "b")
    assert take(ledger, "b.csv", "1", "b") == "same bytes"
    assert {path: state for path, (*_, state) in ledger.known().items()} == {"a.csv": "taken", "b.csv": "taken"}


def test_a_file_may_come_to_belong_to_further_batches_that_are_not_asked_for(ledger: Arrivals) -> None:
    take(ledger, "a.csv", "1", "b")
    ledger.add("a.csv", ["c", "a", "b"])
    assert ledger.keys_of("a.csv") == ["a", "b", "c"]
    assert [request.key for request in ledger.pending(9, NOW)] == ["b"]


def test_tables_are_looked_at_anew_while_something_that_they_name_waits(ledger: Arrivals) -> None:
    table, picture = Found("t.csv", 3, "stamp", NOW), Found("p.png", 5, "stamp", NOW)
    ledger.take(table, "1", ["week"], NOW, {"week": ["p.png", "q.png"]})
    accept(ledger, "week")
    assert ledger.named_anew() == {}, "what is not there is not waited for"
    ledger.saw([picture], NOW)
    assert {table: sorted(names) for table, names in ledger.named_anew().items()} == {"t.csv": ["p.png", "q.png"]}
    assert ledger.take_named([(picture, "2")], NOW) == {"p.png": "new"}
    assert ledger.named_anew() == {}
    assert [request.key for request in ledger.pending(9, NOW)] == ["week"]
    accept(ledger, "week")
    assert ledger.take_named([(picture, "2")], NOW) == {"p.png": "same bytes"}
    assert ledger.pending(9, NOW) == []
    assert ledger.take_named([(picture, "3")], NOW) == {"p.png": "corrected"}
    assert [request.key for request in ledger.pending(9, NOW)] == ["week"]
    # A corrected table that names nothing any more asks for nothing when the picture changes.
    ledger.take(table, "9", ["week"], NOW)
    accept(ledger, "week")
    ledger.take_named([(picture, "4")], NOW)
    assert ledger.pending(9, NOW) == []


def test_a_ledger_made_again_from_the_store_tells_pictures_from_tables(ledger: Arrivals) -> None:
    stored = (Taken("t.csv", 3, NOW, "1"), Taken("p.png", 5, NOW, "2", "t.csv"))
    ledger.fill([("week", 1, 10, stored)])
    assert ledger.sources("week") == stored
    assert (ledger.keys_of("p.png"), ledger.owner("week")) == ([], "t.csv")


def test_what_is_known_already_is_not_written_over_from_the_store(ledger: Arrivals) -> None:
    """Another process took a corrected file while the ledger was made again."""
    take(ledger, "a.csv", "2", "a")
    ledger.fill([("a", 1, 10, (Taken("a.csv", 3, NOW, "1"),))])
    assert [request.key for request in ledger.pending(9, NOW)] == ["a"]
    assert [source.sha256 for source in ledger.sources("a")] == ["2"]


def test_a_ledger_made_again_from_the_store_knows_its_files_and_asks_for_nothing(ledger: Arrivals) -> None:
    assert not ledger.filled
    stored = [("a", 2, 10, (Taken("a.csv", 3, NOW, "1"), Taken("b.csv", 4, NOW, "2")))]
    ledger.fill(stored)
    ledger.fill(stored)
    assert ledger.filled
    assert (ledger.pending(9, 9e9), ledger.unfinished(9, 9e9)) == ([], [])
    assert take(ledger, "a.csv", "1", "a") == "same bytes"
    assert [source.path for source in ledger.sources("a")] == ["a.csv", "b.csv"]
    entry = ledger.entry("a")
    assert entry is not None
    assert (entry.state, entry.revision) == ("accepted", 2)
