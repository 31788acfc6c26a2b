"""A changed schema: refused with the difference, and from a person's word on the next version of the contract."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from rai_assets.data.settings import DatasetSettings, FileSettings
from rai_assets.errors import InputRefused, UsageError
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.contracts import ContractVersion, for_batches, path_of, version_for, versions
from rai_assets.progress import Progress
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
    backfill(declared, None, None, Progress(lambda _: None))
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


def test_batches_whose_columns_do_not_differ_are_passed_over(declared: Declared, inbox: Desk) -> None:
    inbox.put("a.csv", FIRST.replace("51.5", ""), age=7200)
    inbox.put("b.csv", OTHER, age=3600)
    assert work(declared) == {"a": "quarantined", "b": "quarantined"}
    with pytest.raises(UsageError, match="nothing differs from the contract"):
        accept(declared, "The north joined.", "a", None)
    done = accept(declared, "The north joined.", None, None)
    assert "'branch' is new: category" in done.differences
    assert done.again == ("b",)
    assert work(declared) == {"a": "quarantined", "b": "accepted"}


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
    assert receiving.tick() == {"a": True}
    assert receiving.states() == {"a": "accepted"}
    said = receiving.failed("a")["every_row_predicted"]
    assert said.startswith("no row has a prediction: the champion reads 'income', which is not there. Send the batch")
    assert results.load(store, "results-production", "batch_predictions", folder="batches/a/").tables == {}
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


def test_the_newest_contract_in_effect_holds_from_its_very_instant() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    known = [
        ContractVersion(number, effective, "ada", "why", {})
        for number, effective in ((1, None), (2, start), (3, start + timedelta(days=2)))
    ]
    at = {timedelta(seconds=-1): 1, timedelta(0): 2, timedelta(days=1): 2, timedelta(days=2): 3, timedelta(days=9): 3}
    for later, number in at.items():
        assert version_for(known, start + later).number == number
    for version in known:
        assert ContractVersion.from_json(json.loads(version.as_bytes())) == version
    assert [path_of(version) for version in known[:2]] == ["contracts/0001.json", "contracts/0002.json"]


DECLARED = {
    "files": [{"path": "a.csv"}],
    "split": {"by": "fraction", "test": 0.2},
    "columns": {
        "sex": {"dtype": "category", "role": "sensitive"},
        "paid": {"dtype": "category", "role": "target", "description": "By the due day."},
    },
}


def test_a_contract_of_production_has_neither_files_nor_how_they_are_split() -> None:
    first = ContractVersion.declared(DatasetSettings.model_validate(DECLARED))
    assert (first.number, first.effective, first.by) == (1, None, "")
    assert first.dataset.keys() == {"columns"}
    read = first.settings([FileSettings(path="inbox/b.csv")])
    assert [file.path for file in read.files] == ["inbox/b.csv"]
    assert read.columns == DatasetSettings.model_validate(DECLARED).columns


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ({"dtype": "category"}, ["no", "yes"]),
        ({"dtype": "category", "allowed": ["no", "yes", "maybe"]}, ["no", "yes", "maybe"]),
        ({"dtype": "integer", "positive": 1, "minimum": 0, "maximum": 3}, ["0", "1"]),
        ({"dtype": "integer", "minimum": 0}, None),
        ({"dtype": "number", "maximum": 2.5}, None),
    ],
)
def test_in_a_batch_the_target_may_be_missing_and_a_class_is_a_known_one(target: dict, allowed: list | None) -> None:
    columns = {"sex": {"dtype": "category"}, "paid": {"role": "target", "description": "x", **target}}
    settings = DatasetSettings.model_validate({"files": [{"path": "a.csv"}], "columns": columns})
    found = for_batches(settings, ["0", "1"] if target["dtype"] == "integer" else ["no", "yes"])
    paid, declared = found.columns["paid"], settings.columns["paid"]
    assert (paid.roles, paid.missing, paid.allowed, paid.positive) == (("context",), "allowed", allowed, None)
    for name in ("dtype", "minimum", "maximum", "description"):
        assert getattr(paid, name) == getattr(declared, name)
    assert found.columns["sex"] == settings.columns["sex"]
    assert for_batches(settings, []).columns["paid"].allowed == declared.allowed
