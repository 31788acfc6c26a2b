"""Batches that are done are noted: a backfill does not look at them again, and does where anything changed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rai_assets.keys import PRODUCTION, results_branch
from rai_assets.monitoring.batches.answered import Answered
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.entries import sources_digest
from rai_assets.monitoring.batches.sources import Found
from rai_assets.progress import Progress
from rai_assets.store import results
from rai_assets.store.changes import ChangeSet
from rai_assets.store.embedded import EmbeddedRepository
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.backfill import Backfilled, backfill
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.run import run
from rai_assets_tests.monitoring.batches.conftest import Daemon, Desk
from rai_assets_tests.use_case.conftest import loan_rows

RESULTS = results_branch(PRODUCTION)
OURS = {"run_id": "backfill"}


def filled(declared: Declared, **more: Any) -> tuple[int, int, int]:
    """A backfill of everything: how many batches were accepted, were there, are in quarantine."""
    done: Backfilled = backfill(declared, None, None, Progress(lambda _: None), **more)
    assert done.problems == []
    return done.accepted, done.present, done.quarantined


class Counting(EmbeddedRepository):
    """The embedded store, which counts what it is asked."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: Counter[str] = Counter()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("_") and callable(found):
            self.asked[name] += 1
        return found


@pytest.fixture
def counted(declared: Declared, monkeypatch: pytest.MonkeyPatch) -> list[Counter[str]]:
    """What the store was asked in each backfill."""
    asked: list[Counter[str]] = []

    def opened(folder: Path, name: str) -> Counting:
        open_repository(folder, name)
        made = Counting(folder / "store" / name)
        asked.append(made.asked)
        return made

    monkeypatch.setattr("rai_assets.use_case.backfill.open_repository", opened)
    return asked


def test_the_store_is_asked_as_often_for_many_done_batches_as_for_few(
    declared: Declared, inbox: Desk, counted: list[Counter[str]]
) -> None:
    inbox.put("b0.csv", loan_rows(10, seed=0))
    assert filled(declared) == (1, 0, 0)
    assert filled(declared) == (0, 1, 0)
    for number in range(1, 6):
        inbox.put(f"b{number}.csv", loan_rows(10, seed=number))
    assert filled(declared) == (5, 1, 0)
    assert filled(declared) == (0, 6, 0)
    assert counted[3] == counted[1]
    assert sum(counted[3].values()) < 20
    assert filled(declared, again=True) == (0, 6, 0)
    assert sum(counted[4].values()) > 100


def test_what_others_do_to_a_batch_is_met(
    declared: Declared, inbox: Desk, daemon: Daemon, store: VersionedRepository
) -> None:
    inbox.put("kept.csv", loan_rows(10, seed=1))
    inbox.put("mended.csv", loan_rows(10, seed=2))
    inbox.put("bad.csv", loan_rows(3).replace(",F,", ",?,").replace(",M,", ",?,"))
    assert filled(declared) == (2, 0, 1)
    assert filled(declared) == (0, 2, 1), "a batch in quarantine is judged each time"

    # A file is corrected: its batch is revision 2, by a run or by a backfill.
    inbox.put("mended.csv", loan_rows(12, seed=3), age=60)
    assert daemon.tick() == {"mended": True}
    assert filled(declared) == (0, 2, 1)
    inbox.put("mended.csv", loan_rows(14, seed=4), age=30)
    inbox.put("bad.csv", loan_rows(11, seed=5), age=30)
    assert filled(declared) == (2, 1, 0)
    assert filled(declared) == (0, 3, 0)

    # An answer is lost: the question is asked again of this batch alone.
    before = store.tree_digest(RESULTS, "batches/kept/drift/")
    store.commit(RESULTS, ChangeSet().delete_prefix("batches/mended/drift/"), "lost", {"run_id": "another"})
    assert filled(declared) == (0, 3, 0)
    assert "drift" in results.assets(store, RESULTS, "batches/mended/")
    assert store.tree_digest(RESULTS, "batches/kept/drift/") == before


def test_a_new_champion_leaves_what_was_answered_as_it_is(
    declared: Declared, inbox: Desk, store: VersionedRepository, place: Path
) -> None:
    inbox.put("old.csv", loan_rows(40, seed=1))
    assert filled(declared) == (1, 0, 0)

    def reference(key: str) -> str:
        return str(results.load(store, RESULTS, "drift", parts=(), folder=f"batches/{key}/").facts["reference"])

    first = reference("old")
    (place / "defs" / "loans" / "loans.csv").write_text(loan_rows(500, seed=77))
    run(declared)
    inbox.put("new.csv", loan_rows(40, seed=2))
    assert filled(declared) == (1, 1, 0)
    assert reference("old") == first
    assert reference("new") != first
    assert filled(declared, again=True) == (0, 2, 0)
    assert reference("old") == reference("new")


@pytest.fixture
def ledger(tmp_path: Path, store: VersionedRepository) -> Arrivals:
    """A ledger with three accepted batches, and a store with what was answered of them."""
    made = Arrivals(tmp_path / "arrivals.sqlite")
    changes = ChangeSet()
    for key in "abc":
        made.take(Found(f"{key}.csv", 1, "", 0.0), key, [key], 0.0)
        made.decided(key, sources_digest(made.sources(key)), "accepted")
        changes.put(f"batches/{key}/drift/result.json", key.encode())
    for branch in (PRODUCTION, RESULTS):
        store.create_branch(branch, store.default_branch, exist_ok=True)
        store.commit(branch, changes, "batches", OURS)
    return made


def change(store: VersionedRepository, key: str, words: dict[str, str]) -> str:
    changes = ChangeSet().put(f"batches/{key}/drift/result.json", store.resolve(RESULTS).encode())
    return store.commit(RESULTS, changes, "changed", words).id


def test_of_noted_batches_those_are_in_doubt_that_changed_since(ledger: Arrivals, store: VersionedRepository) -> None:
    def keys(*questions: str) -> set[str]:
        return Answered(ledger, store, questions).keys()

    assert keys("drift") == set(), "nothing was noted"
    assert [request.key for request in ledger.unfinished(50, 1.0)] == ["a", "b", "c"]
    Answered(ledger, store, ["drift"]).note({"a", "b", "c"}, set())
    assert keys("drift") == {"a", "b", "c"}
    assert ledger.unfinished(50, 1.0) == [], "the sensor waits for no run of theirs"
    assert keys("drift", "another") == set(), "another question"
    change(store, "b", {})
    assert keys("drift") == {"a", "c"}
    ledger.ask_again(["c"], 1.0)
    assert keys("drift") == {"a"}, "a batch that waits for its verdict"
    store.delete_branch(RESULTS)
    assert keys("drift") == set(), "no results"


def test_what_others_changed_while_a_backfill_ran_is_not_noted(ledger: Arrivals, store: VersionedRepository) -> None:
    began = Answered(ledger, store, ["drift"])
    change(store, "a", OURS)
    published = change(store, "b", {"run_id": "1"})
    change(store, "c", {"run_id": "2"})
    change(store, "a", OURS)
    began.note({"a", "b", "c"}, {published})
    assert Answered(ledger, store, ["drift"]).keys() == {"a", "b"}


def test_a_ledger_that_knows_commits_of_another_store_is_not_believed(
    ledger: Arrivals, store: VersionedRepository
) -> None:
    Answered(ledger, store, ["drift"]).note({"a", "b", "c"}, set())
    (questions, _, head), keys = ledger.answered()
    ledger.note_answered([questions, "0" * 40, head], keys)
    assert Answered(ledger, store, ["drift"]).keys() == set()
