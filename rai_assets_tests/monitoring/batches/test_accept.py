"""One batch on its way to `production`: published once whoever else is at work, or left where it was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rai_assets.errors import RaiError
from rai_assets.monitoring.batches.accept import accept, reference_labels
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.entries import Taken
from rai_assets.monitoring.batches.prepare import Asked
from rai_assets_tests.monitoring.batches.plant import Plant


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(tmp_path)


def asked(plant: Plant, key: str, text: str) -> Asked:
    """A batch that was taken, and was not audited."""
    plant.put(f"inbox/{key}.csv", text)
    with plant.production.arrivals(plant.repository) as ledger:
        plant.production.look(ledger, limit=9)
        return plant.production.asked(key, ledger.sources(key), ())


def while_read(batch: Asked, work: Callable[[], object]) -> Asked:
    """The batch, and what others do once while its files are read."""
    others = [work]

    def bring(source: Taken) -> tuple[Path, bool]:
        while others:
            others.pop()()
        return batch.bring(source)

    return replace(batch, bring=bring)


def published(plant: Plant) -> int:
    """How many commits brought data."""
    return sum(commit.message.startswith("Data published") for commit in plant.repository.log("production"))


def test_what_is_there_from_the_same_files_is_left_as_it_is(plant: Plant) -> None:
    batch = asked(plant, "a", "id,load\n1,0.5\n")
    first = accept(batch, plant.repository, run_id="1", words={"use_case": "meters"})
    assert (first.published, first.changed, first.branch, first.record.revision) == (True, True, "production", 1)
    head = plant.repository.resolve("production")
    again = accept(batch, plant.repository, run_id="2")
    assert (again.published, again.changed, again.commit, again.branch) == (True, False, head, "production")
    assert again.record.as_json() == first.record.as_json()
    assert plant.repository.resolve("production") == head
    said = [commit.metadata for commit in plant.repository.log("production") if commit.metadata.get("batch") == "a"]
    assert said
    assert all((item["use_case"], item["revision"]) == ("meters", "1") for item in said)
    assert plant.repository.branches("run-") == {}


def test_a_batch_that_another_run_publishes_meanwhile_comes_once(plant: Plant) -> None:
    batch = asked(plant, "a", "id,load\n1,0.5\n")
    ours = accept(while_read(batch, lambda: accept(batch, plant.repository, run_id="2")), plant.repository, run_id="1")
    assert (ours.published, ours.branch, ours.record.revision) == (True, "production", 1)
    assert published(plant) == 1
    assert Batch(plant.repository, ours.commit, "a").record.rows == 1
    assert plant.repository.branches("run-") == {}


def test_a_correction_that_another_run_publishes_meanwhile_is_the_revision_before(plant: Plant) -> None:
    old = asked(plant, "a", "id,load\n1,0.5\n")
    new = asked(plant, "a", "id,load\n1,0.5\n2,0.25\n")
    ours = accept(while_read(new, lambda: accept(old, plant.repository, run_id="2")), plant.repository, run_id="1")
    assert (ours.published, ours.changed, ours.record.revision) == (True, True, 2)
    assert Batch(plant.repository, plant.repository.resolve("production"), "a").record.rows == 2


def test_other_batches_that_are_published_meanwhile_are_not_met(plant: Plant) -> None:
    other = asked(plant, "b", "id,load\n4,0.5\n")
    batch = asked(plant, "a", "id,load\n1,0.5\n")
    accept(asked(plant, "first", "id,load\n7,0.5\n"), plant.repository, run_id="0")
    reads: list[str] = []

    def bring(source: Taken) -> tuple[Path, bool]:
        reads.append(source.path)
        accept(other, plant.repository, run_id="2")
        return batch.bring(source)

    ours = accept(replace(batch, bring=bring), plant.repository, run_id="1")
    assert (ours.published, ours.changed, reads) == (True, True, ["a.csv"])
    head = plant.repository.resolve("production")
    assert {Batch(plant.repository, head, key).record.contract for key in "ab"} == {1}


def test_a_batch_that_others_correct_without_end_is_given_up_in_words(plant: Plant) -> None:
    ours, texts = asked(plant, "a", "id,load\n1,0.5\n"), ["id,load\n1,0.5\n"]

    def bring(source: Taken) -> tuple[Path, bool]:
        texts.append(texts[-1] + f"{len(texts) + 1},0.5\n")
        accept(asked(plant, "a", texts[-1]), plant.repository, run_id=f"other-{len(texts)}")
        return kept, False

    kept = ours.bring(ours.sources[0])[0]
    with pytest.raises(RaiError, match="."):
        accept(replace(ours, bring=bring), plant.repository, run_id="1")
    assert Batch(plant.repository, plant.repository.resolve("production"), "a").record.revision == 5


def test_a_fault_that_no_other_run_made_is_told_at_once(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, tries = asked(plant, "a", "id,load\n1,0.5\n"), []

    def full(*_: Any, **__: Any) -> Any:
        tries.append(1)
        raise RaiError("the disk is full")

    monkeypatch.setattr(plant.repository, "commit", full)
    with pytest.raises(RaiError, match="the disk is full"):
        accept(batch, plant.repository, run_id="1")
    assert tries == [1]


def test_a_batch_that_breaks_a_rule_stays_on_its_run_branch_with_the_reason(plant: Plant) -> None:
    usual = asked(plant, "usual", "id,load\n1,0.5\n")
    accept(usual, plant.repository, run_id="0")
    head = plant.repository.resolve("production")
    rows = "".join(f"{number},0.5,north\n" for number in range(400))
    batch = replace(asked(plant, "a", f"id,load,place\n{rows}"), former_rows=[1] * 20)
    found = accept(batch, plant.repository, run_id="7")
    assert (found.published, found.changed, found.branch) == (False, True, "run-7")
    failed = {item.rule: item.blocking for item in found.findings if not item.passed}
    assert set(failed.values()) == {True, False}, "one remark is on its size"
    assert str(found.reason).startswith("a.csv")
    assert "'place': is not declared" in str(found.reason)
    assert "400 rows" not in str(found.reason), "which alone would not keep it"
    assert plant.repository.resolve("production") == head
    assert Batch(plant.repository, plant.repository.resolve("run-7"), "a").record.key == "a"


def test_without_data_on_main_no_class_is_known(plant: Plant) -> None:
    assert reference_labels(plant.repository) == ()
