"""A changed schema: refused with the difference, and from a person's word on the next version of the contract."""

from __future__ import annotations

import json

import pytest

from rai_assets.errors import InputRefused, UsageError
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.contracts import versions
from rai_assets.store import results
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.backfill import backfill
from rai_assets.use_case.batches import accept, listed
from rai_assets.use_case.declaration import Declared
from rai_assets_tests.monitoring.batches.conftest import Daemon, Desk

FIRST = "weekday,income,sex\nmon,51.5,F\ntue,20,M\n"
OTHER = "weekday,income,sex,branch,score\nmon,51.5,F,north,0.5\ntue,20,X,south,1\n"


def work(declared: Declared) -> dict[str, str]:
    """Work on all that is in the inbox; {batch: state}."""
    backfill(declared, None, None, lambda *_: None)  # type: ignore[arg-type]
    return {entry.key: entry.state for entry in listed(declared)}


def test_a_changed_schema_waits_for_a_word_and_older_batches_keep_their_contract(
    declared: Declared, inbox: Desk, store: VersionedRepository
) -> None:
    inbox.put("a.csv", FIRST, age=7200)
    inbox.put("b.csv", OTHER, age=3600)
    inbox.put("c.csv", OTHER.replace("mon", "sat"), age=1800)
    assert work(declared) == {"a": "accepted", "b": "quarantined", "c": "quarantined"}
    (reason,) = (entry.reason for entry in listed(declared) if entry.key == "b")
    assert reason is not None
    assert "column 'branch': is not declared" in reason

    done = accept(declared, "The north joined.", None, None)
    assert done.version.number == 2
    assert set(done.differences) == {
        "'sex' has new values: 'X'",
        "'branch' is new: category",
        "'score' is new: number",
    }
    assert done.again == ("b", "c")
    assert done.lacking == ()
    assert work(declared) == {"a": "accepted", "b": "accepted", "c": "accepted"}
    head = store.resolve("production")
    assert [Batch(store, head, key).record.contract for key in "abc"] == [1, 2, 2]
    first, second = versions(store, head)
    assert (first.effective, first.by) == (None, "")
    assert second.reason == "The north joined."
    assert second.by
    assert Batch(store, head, "b").table(["branch", "score"]).to_pylist()[1] == {"branch": "south", "score": 1.0}

    inbox.put("late.csv", FIRST + "sat,1,F\n", age=7000)
    assert work(declared)["late"] == "accepted", "what is older than the new contract keeps the old one"


def test_a_column_that_is_gone_and_one_of_another_type(
    declared: Declared, inbox: Desk, store: VersionedRepository
) -> None:
    inbox.put("a.csv", "weekday,income\nmon,high\ntue,low\n")
    assert work(declared) == {"a": "quarantined"}
    done = accept(declared, "Bands instead of sums.", "a", None)
    assert set(done.differences) == {"'sex' is gone", "'income' is category, not number"}
    assert work(declared) == {"a": "accepted"}
    assert Batch(store, store.resolve("production"), "a").table(["income"]).column(0).to_pylist() == ["high", "low"]


def test_a_contract_without_what_the_champion_reads_says_so(
    declared: Declared, inbox: Desk, receiving: Daemon, store: VersionedRepository
) -> None:
    inbox.put("a.csv", "weekday,sex\nmon,F\ntue,M\n")
    assert receiving.tick() == {"a": False}
    done = accept(declared, "Nobody is asked for an income any more.", None, None)
    assert done.lacking == ("'income', which is not there",)
    assert receiving.tick() == {"a": False}
    assert receiving.states() == {"a": "accepted"}
    (fault,) = [item.step_failure_data for item in receiving.runs["a"].all_events if item.is_step_failure]
    said = str(fault.user_failure_data and fault.user_failure_data.description)
    assert said.startswith(
        "the champion reads 'income', which is not there: it cannot be scored\n  Fix: send the batch"
    )
    assert results.assets(store, "results-production", "batches/a/") == ["batch"]
    # The same of a column that holds no numbers any more; what the champion does not read is not spoken of.
    inbox.put("b.csv", "weekday,income,sex,branch\nmon,high,F,1\ntue,low,M,2\n")
    receiving.tick()
    assert accept(declared, "Bands.", "b", None).lacking == ("numbers in 'income', which is category",)


def test_what_is_not_accepted(declared: Declared, inbox: Desk) -> None:
    with pytest.raises(UsageError, match="for a reason"):
        accept(declared, " ", None, None)
    with pytest.raises(UsageError, match="nothing differs(?s:.*)widen it in the declaration first"):
        accept(declared, "So be it.", None, None)
    with pytest.raises(UsageError, match="no batch 'b' is in quarantine"):
        accept(declared, "So be it.", "b", None)
    inbox.put("b.csv", b"weekday,income,sex\n\xff,1,F\n")
    work(declared)
    with pytest.raises(InputRefused, match="UTF-8"):
        accept(declared, "So be it.", "b", None)


def test_the_versions_lie_on_production_for_everybody_to_read(
    declared: Declared, inbox: Desk, store: VersionedRepository
) -> None:
    inbox.put("a.csv", FIRST)
    work(declared)
    with store.open("production", "contracts/0001.json") as stream:
        stored = json.load(stream)
    assert stored["reason"] == "as declared"
    assert list(stored["dataset"]["columns"]) == ["weekday", "income", "sex", "repaid"]
