"""Labels that come later: joined on the identifier, beside the rows of the batch that they belong to."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from rai_assets.monitoring.batches.label_store import erase_labels, keep_labels, waiting_labels
from rai_assets.monitoring.batches.labels import labels_digest
from rai_assets.store.changes import ChangeSet
from rai_assets.store.open import open_repository
from rai_assets_tests.monitoring.batches.plant import KEYS, Plant


def brought(identifier: int, label: str) -> pa.Table:
    """One label, as it is read from a file."""
    return pa.table({"id": [identifier], "broke": pa.array([label]).dictionary_encode()})


def stored(labels: pa.Table) -> bytes:
    target = BytesIO()
    parquet.write_table(labels, target)
    return target.getvalue()


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    made = Plant(tmp_path)
    made.put("inbox/a.csv", "id,load\n1,0.5\n2,0.25\n3,1\n")
    made.put("inbox/b.csv", "id,load\n4,0.5\n")
    assert made.work() == {"a", "b"}
    return made


def test_labels_are_joined_with_the_batch_of_their_rows(plant: Plant) -> None:
    assert plant.labels("a") == [None, None, None]
    assert labels_digest(plant.repository, "a") is None
    plant.put("outcomes/monday.csv", "id,broke\n3,yes\n1,no\n99,no\n")
    assert plant.work() == {"a"}
    assert plant.labels("a") == ["no", None, "yes"]
    assert plant.labels("b") == [None]
    first = labels_digest(plant.repository, "a")
    plant.put("outcomes/tuesday.csv", "id,broke\n2,yes\n4,no\n")
    assert plant.work() == {"a", "b"}
    assert (plant.labels("a"), plant.labels("b")) == (["no", "yes", "yes"], ["no"])
    assert labels_digest(plant.repository, "a") != first
    assert plant.work() == set()


def test_corrected_labels_take_the_place_of_their_own(plant: Plant) -> None:
    plant.put("outcomes/monday.csv", "id,broke\n3,yes\n1,no\n")
    plant.work()
    plant.put("outcomes/monday.csv", "id,broke\n3,no\n")
    assert plant.work() == {"a"}
    assert plant.labels("a") == [None, None, "no"]


def test_labels_stay_when_the_batch_is_corrected(plant: Plant) -> None:
    plant.put("outcomes/monday.csv", "id,broke\n3,yes\n1,no\n")
    plant.work()
    plant.put("inbox/a.csv", "id,load\n3,0.5\n1,0.25\n")
    assert plant.work() == {"a"}
    assert plant.labels("a") == ["yes", "no"]


def test_a_file_that_holds_no_labels_is_named_and_waits(plant: Plant) -> None:
    plant.put("outcomes/monday.csv", "id,broke\n1,perhaps\n")
    assert plant.work() == set()
    (problem,) = plant.problems
    assert "'perhaps' is not among the allowed values" in problem
    plant.put("outcomes/monday.csv", "id,broke\n1,yes\n")
    assert plant.work() == {"a"}


def test_without_files_the_labels_are_those_of_the_column(plant: Plant) -> None:
    plant.put("inbox/c.csv", "id,load,broke\n7,0.5,yes\n8,0.5,\n")
    plant.work()
    assert plant.labels("c") == ["yes", None]


def test_labels_that_come_before_their_rows_wait_for_them(plant: Plant) -> None:
    plant.put("outcomes/early.csv", "id,broke\n1,no\n7,yes\n8,no\n99,yes\n")
    assert plant.work() == {"a"}
    assert waiting_labels(plant.repository) == {"early.csv": 3}
    (plant.folder / "outcomes/early.csv").unlink()  # once it was taken it may leave
    plant.put("inbox/c.csv", "id,load\n7,0.5\n8,0.25\n9,1\n")
    assert plant.work() == {"c"}
    assert (plant.labels("a"), plant.labels("c")) == (["no", None, None], ["yes", "no", None])
    assert waiting_labels(plant.repository) == {"early.csv": 1}, "99 is of no row that is known"
    assert plant.work() == set()


def test_of_rows_with_one_identifier_the_newest_batch_has_the_label(plant: Plant) -> None:
    plant.put("inbox/c.csv", "id,load\n1,0.5\n4,0.5\n")
    plant.work()
    plant.put("outcomes/monday.csv", "id,broke\n1,yes\n2,no\n4,no\n")
    assert plant.work() == {"a", "c"}
    assert (plant.labels("a"), plant.labels("b")) == ([None, "no", None], [None])
    assert plant.labels("c") == ["yes", "no"]


def test_a_row_without_a_label_brings_none(plant: Plant) -> None:
    plant.put("outcomes/monday.csv", "id,broke\n1,\n2,yes\n88,\n")
    assert plant.work() == {"a"}
    assert plant.labels("a") == [None, "yes", None]
    assert waiting_labels(plant.repository) == {}


def test_a_corrected_file_replaces_its_labels_where_they_wait_and_where_they_went(plant: Plant) -> None:
    plant.put("outcomes/early.csv", "id,broke\n7,yes\n8,no\n99,yes\n")
    plant.work()
    plant.put("inbox/c.csv", "id,load\n7,0.5\n9,1\n")
    plant.work()
    assert plant.labels("c") == ["yes", None]
    plant.put("outcomes/early.csv", "id,broke\n9,no\n4,yes\n")
    assert plant.work() == {"b", "c"}
    assert (plant.labels("b"), plant.labels("c")) == (["yes"], [None, "no"])
    assert waiting_labels(plant.repository) == {}


def test_a_corrected_file_takes_its_labels_from_batches_that_it_speaks_of_no_more(plant: Plant) -> None:
    plant.put("outcomes/monday.csv", "id,broke\n3,yes\n4,no\n")
    plant.put("outcomes/tuesday.csv", "id,broke\n2,no\n")
    assert plant.work() == {"a", "b"}
    plant.put("outcomes/monday.csv", "id,broke\n3,yes\n")
    plant.work()
    assert (plant.labels("a"), plant.labels("b")) == ([None, "no", "yes"], [None])


def test_labels_that_waited_come_to_those_that_are_there(plant: Plant) -> None:
    plant.put("outcomes/early.csv", "id,broke\n7,yes\n9,no\n")
    plant.work()
    plant.put("inbox/c.csv", "id,load\n7,0.5\n")
    plant.work()
    plant.put("inbox/c.csv", "id,load\n7,0.5\n9,1\n")
    plant.work()
    assert plant.labels("c") == ["yes", "no"]
    assert waiting_labels(plant.repository) == {}


def test_labels_wait_by_the_file_that_brought_them(plant: Plant) -> None:
    plant.put("outcomes/north/may.csv", "id,broke\n70,yes\n71,no\n")
    plant.put("outcomes/south/May.csv", "id,broke\n80,yes\n")
    plant.work()
    assert waiting_labels(plant.repository) == {"north/may.csv": 2, "south/May.csv": 1}


def test_before_the_first_batch_no_labels_wait(tmp_path: Path) -> None:
    assert waiting_labels(open_repository(tmp_path, KEYS.repository)) == {}


def test_labels_that_two_write_at_once_are_both_kept(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, others = plant.repository.commit, [brought(2, "no")]

    def meanwhile(*args: Any, **more: Any) -> Any:
        """Before the first commit of one, the other commits."""
        while others:
            keep_labels(plant.repository, "tuesday.csv", others.pop(), ["id"], (), {})
        return commit(*args, **more)

    monkeypatch.setattr(plant.repository, "commit", meanwhile)
    assert keep_labels(plant.repository, "monday.csv", brought(3, "yes"), ["id"], (), {}) == ["a"]
    assert plant.labels("a") == [None, "no", "yes"]


def test_labels_that_a_dead_process_wrote_already_are_written_again_without_a_word(plant: Plant) -> None:
    for _ in range(2):
        assert keep_labels(plant.repository, "monday.csv", brought(3, "yes"), ["id"], (), {}) == ["a"]
    assert plant.labels("a") == [None, None, "yes"]


def test_labels_of_an_older_version_stay_beside_new_ones(plant: Plant) -> None:
    """They do not say which file brought them."""
    plant.repository.commit("production", ChangeSet().put("batches/a/labels.parquet", stored(brought(1, "no"))), "old")
    keep_labels(plant.repository, "monday.csv", brought(3, "yes"), ["id"], (), {})
    assert plant.labels("a") == ["no", None, "yes"]


def test_the_same_bytes_under_another_name_bring_no_labels_again(plant: Plant) -> None:
    text = "id,broke\n3,yes\n55,no\n"
    plant.put("outcomes/monday.csv", text)
    plant.work()
    plant.put("outcomes/copy.csv", text)
    assert plant.work() == set()
    assert waiting_labels(plant.repository) == {"monday.csv": 1}


def test_labels_of_files_and_of_the_own_column_stand_together(plant: Plant) -> None:
    plant.put("inbox/c.csv", "id,load,broke\n7,0.5,yes\n8,0.5,\n9,0.5,no\n")
    plant.work()
    plant.put("outcomes/late.csv", "id,broke\n8,yes\n9,yes\n")
    plant.work()
    assert plant.labels("c") == ["yes", "yes", "yes"]


def test_rows_that_are_kept_no_longer_hold_up_no_labels(plant: Plant) -> None:
    plant.repository.commit("production", ChangeSet().delete("batches/b/table.parquet"), "too old")
    plant.put("outcomes/monday.csv", "id,broke\n1,no\n4,yes\n")
    assert plant.work() == {"a"}
    assert waiting_labels(plant.repository) == {"monday.csv": 1}


def test_a_persons_labels_are_erased_where_they_wait_and_where_they_went(plant: Plant) -> None:
    plant.put("outcomes/monday.csv", "id,broke\n1,no\n2,yes\n77,yes\n")
    plant.work()
    assert [erase_labels(plant.repository, ["id"], value, {}) for value in ("2", "77", "5")] == [1, 1, 0]
    assert plant.labels("a") == ["no", None, None]
    assert waiting_labels(plant.repository) == {}
