"""What people accept of what waits in quarantine: from when on a contract holds, and what of the one before stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rai_assets.errors import UsageError
from rai_assets.monitoring.batches.contracts import dataset_json, versions
from rai_assets.monitoring.batches.quarantine import Acceptance, accept_contract, let_pass
from rai_assets_tests.monitoring.batches.plant import BEGAN, COLUMNS, Plant

KIND = {**COLUMNS, "kind": {"role": "context", "dtype": "category", "allowed": ["x"]}}


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(BEGAN + seconds, UTC)


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """One batch is accepted."""
    made = Plant(tmp_path)
    made.declare(KIND)
    made.put("inbox/first.csv", "id,load,kind\n1,0.5,x\n", 0)
    made.work()
    assert made.states() == {"first": "accepted"}
    return made


def arrives(plant: Plant, key: str, seconds: float, *kinds: str, **more: str) -> str:
    """A batch with rows of some kinds, and one text in every further column; its state."""
    head = ",".join(["id,load,kind", *more])
    rows = [",".join([f"{1000 * seconds + at:g},0.5", kind, *more.values()]) for at, kind in enumerate(kinds)]
    plant.put(f"inbox/{key}.csv", "\n".join([head, *rows]) + "\n", seconds)
    plant.work()
    return plant.states()[key]


def accept(plant: Plant, batch: str | None = None, effective: datetime | None = None) -> Acceptance:
    return accept_contract(
        plant.production, plant.repository, by="ada", reason=" Agreed. ", batch=batch, effective=effective
    )


def kinds(done: Acceptance) -> Any:
    return done.version.dataset["columns"]["kind"]["allowed"]


def test_a_contract_holds_from_its_batch_on_or_from_a_moment_that_is_named(plant: Plant) -> None:
    for key, seconds in (("early", 10), ("middle", 20), ("late", 30)):
        assert arrives(plant, key, seconds, "y") == "quarantined"
    done = accept(plant, effective=moment(20))
    assert (done.version.number, done.version.effective, done.version.reason) == (2, moment(20), "Agreed.")
    assert done.again == ("middle", "late")
    assert plant.states() == {"first": "accepted", "early": "quarantined", "middle": "pending", "late": "pending"}
    assert plant.work() == {"middle", "late"}
    assert plant.states()["middle"] == plant.states()["late"] == "accepted"


def test_the_oldest_batch_that_waits_makes_the_contract(plant: Plant) -> None:
    arrives(plant, "b", 20, "z")
    arrives(plant, "c", 10, "y")
    done = accept(plant)
    assert (kinds(done), done.version.effective, done.again) == (["x", "y"], moment(10), ("c", "b"))


def test_versions_add_up_also_after_the_declaration_was_changed(plant: Plant) -> None:
    """What was accepted of one batch is not forgotten with the next."""
    arrives(plant, "b", 10, "y")
    assert kinds(accept(plant)) == ["x", "y"]
    arrives(plant, "c", 20, "z")
    assert kinds(accept(plant)) == ["x", "y", "z"]

    plant.declare({**KIND, "kind": {**KIND["kind"], "allowed": ["x", "y", "z", "new"]}})
    done = accept(plant, effective=moment(30))
    assert (kinds(done), done.differences) == (["x", "y", "z", "new"], ("as it is declared now",))
    arrives(plant, "d", 40, "newer")
    done = accept(plant)
    assert (kinds(done), done.differences) == (["x", "y", "z", "new", "newer"], ("'kind' has new values: 'newer'",))
    arrives(plant, "e", 50, "newest")
    done = accept(plant)
    assert (kinds(done), done.differences) == (
        ["x", "y", "z", "new", "newer", "newest"],
        ("'kind' has new values: 'newest'",),
    )
    with pytest.raises(UsageError, match="nothing differs"):
        accept(plant)
    found = versions(plant.repository, plant.repository.resolve("production"))
    assert [version.number for version in found] == [1, 2, 3, 4, 5, 6]


def test_a_batch_from_before_the_last_contract_makes_none(plant: Plant) -> None:
    """Contracts are about batches from a time on: the next would be of its schema, and not about it."""
    arrives(plant, "b", 20, "y", place="north")
    assert accept(plant).version.effective == moment(20)
    plant.work()
    assert arrives(plant, "old", 10, "x", shape="round") == "quarantined"
    with pytest.raises(UsageError, match="batch 'old' is older than contract 2"):
        accept(plant, "old")
    with pytest.raises(UsageError, match="nothing differs"):
        accept(plant)
    arrives(plant, "c", 30, "x", place="north", weight="1.5")
    done = accept(plant)
    assert (done.differences, done.version.effective) == (("'weight' is new: number",), moment(30))
    assert list(done.version.dataset["columns"]) == [*KIND, "place", "weight"]


def test_a_contract_holds_from_no_earlier_than_the_one_before(plant: Plant) -> None:
    arrives(plant, "b", 20, "y")
    accept(plant)
    arrives(plant, "c", 30, "z")
    assert accept(plant, effective=moment(10)).version.effective == moment(20)


def test_a_batch_of_the_very_time_of_the_last_contract_may_make_the_next(plant: Plant) -> None:
    arrives(plant, "b", 20, "y")
    accept(plant)
    arrives(plant, "c", 20, "z")
    done = accept(plant, "c")
    assert (done.version.number, done.version.effective, done.again) == (3, moment(20), ("c",))


def test_what_is_refused_for_its_rows_or_is_kept_no_longer_makes_no_contract(plant: Plant) -> None:
    plant.put("inbox/twice.csv", "id,load,kind\n7,0.5,x\n7,0.25,x\n", 10)
    plant.work()
    arrives(plant, "gone", 20, "y")
    arrives(plant, "c", 30, "z")
    assert plant.states() == {"first": "accepted", "twice": "quarantined", "gone": "quarantined", "c": "quarantined"}
    with plant.production.arrivals(plant.repository) as ledger:
        (branch,) = (entry.branch for entry in ledger.entries() if entry.key == "gone")
    plant.repository.delete_branch(str(branch))
    done = accept(plant)
    assert (kinds(done), done.version.effective, done.again) == (["x", "z"], moment(30), ("c",))
    with pytest.raises(UsageError, match="no batch 'twice' is in quarantine for its schema"):
        accept(plant, "twice")


def test_contracts_that_two_accept_at_once_are_two(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    arrives(plant, "b", 10, "y")
    arrives(plant, "c", 5, "z")
    commit, others = plant.repository.commit, ["c"]

    def meanwhile(*args: Any, **more: Any) -> Any:
        """Before the first commit of one, the other commits."""
        while others:
            assert accept(plant, others.pop()).version.number == 2
        return commit(*args, **more)

    monkeypatch.setattr(plant.repository, "commit", meanwhile)
    done = accept(plant, "b")
    assert (done.version.number, kinds(done)) == (3, ["x", "z", "y"])


def test_a_range_that_was_widened_in_the_declaration_holds_from_the_batch_that_left_it(plant: Plant) -> None:
    load = {"role": "score", "dtype": "number", "threshold": 0.5}
    plant.declare({**KIND, "load": {**load, "minimum": 0}})
    accept(plant, effective=moment(5))
    plant.put("inbox/b.csv", "id,load,kind\n7,-1,x\n", 10)
    plant.work()
    with pytest.raises(UsageError, match="nothing differs(?s:.*)widen it in the declaration first"):
        accept(plant, "b")
    plant.declare({**KIND, "load": {**load, "minimum": -5}})
    done = accept(plant, "b")
    assert (done.differences, done.version.effective, done.again) == (("as it is declared now",), moment(10), ("b",))
    plant.work()
    assert plant.states() == {"first": "accepted", "b": "accepted"}


def test_who_accepted_what_is_in_the_log(plant: Plant) -> None:
    arrives(plant, "b", 10, "y")
    done = accept(plant)
    said = next(iter(plant.repository.log("production")))
    assert said.message == "Contract 2: Agreed."
    assert "ada" in said.metadata.values()
    assert dataset_json(plant.production.declared) != done.version.dataset


def test_of_a_batch_that_passes_the_rules_that_only_remark_on_it_are_no_part(plant: Plant) -> None:
    for number in range(10):
        arrives(plant, f"b{number}", 10 + number, "x")
    assert arrives(plant, "large", 30, "y", *["x"] * 400) == "quarantined"
    word = let_pass(plant.production, plant.repository, "large", by="ada", reason=" Agreed. ")
    assert (word.of, word.by, word.reason) == (("allowed_values",), "ada", "Agreed.")
    assert plant.states()["large"] == "pending"
    assert plant.work() == {"large"}
    assert plant.states()["large"] == "accepted"
    assert abs(datetime.now(UTC) - datetime.fromisoformat(word.time)) < timedelta(hours=1)
