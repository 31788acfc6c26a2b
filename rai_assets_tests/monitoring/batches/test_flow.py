"""A batch on its way: from a file in the inbox to rows on `production`, with the champion's predictions beside them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rai_assets.model.scoring import ScoringSession
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.scoring import champion_of
from rai_assets.store import results
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.monitoring.batches.conftest import Daemon, Desk
from rai_assets_tests.use_case.conftest import loan_rows

WITHOUT_TARGET = "weekday,income,sex\nmon,51.5,F\ntue,20,M\nsat,80.25,F\n"


def test_a_file_becomes_a_batch_that_is_scored_by_the_champion(
    daemon: Daemon, inbox: Desk, store: VersionedRepository
) -> None:
    inbox.put("Week 01.csv", WITHOUT_TARGET)
    assert daemon.tick() == {"week-01": True}
    assert daemon.partitions() == {"week-01"}
    assert daemon.states() == {"week-01": "accepted"}
    assert daemon.failed("week-01") == {}
    checks = daemon.runs["week-01"].get_asset_check_evaluations()
    assert all(item.target_materialization_data is not None for item in checks), "else the pages say it has no checks"

    batch = Batch(store, store.resolve("production"), "week-01")
    assert batch.table().to_pylist() == [
        {"weekday": "mon", "income": 51.5, "sex": "F", "repaid": None},
        {"weekday": "tue", "income": 20.0, "sex": "M", "repaid": None},
        {"weekday": "sat", "income": 80.25, "sex": "F", "repaid": None},
    ]
    assert (batch.record.revision, batch.record.contract, batch.record.rows) == (1, 1, 3)

    found = results.load(store, "results-production", "batch_predictions", folder="batches/week-01/")
    champion = champion_of(store, "loans")
    with ScoringSession(champion.version) as session:
        expected = session.scores(batch.table(session.features))[:, 1]
    np.testing.assert_array_equal(found.tables["predictions"].column("score").to_numpy(), expected)
    assert found.provenance.model == champion.version.digest
    assert found.provenance.branch == "production"


def test_the_same_bytes_ask_for_nothing(receiving: Daemon, inbox: Desk) -> None:
    inbox.put("a.csv", WITHOUT_TARGET)
    assert receiving.tick() == {"a": True}
    assert receiving.tick() == {}
    inbox.put("a.csv", WITHOUT_TARGET, age=60)
    inbox.put("copy of a.csv", WITHOUT_TARGET)
    assert receiving.tick() == {}
    assert receiving.partitions() == {"a"}


def test_corrected_bytes_make_the_batch_again_as_a_new_revision(
    receiving: Daemon, inbox: Desk, store: VersionedRepository
) -> None:
    inbox.put("a.csv", WITHOUT_TARGET)
    inbox.put("b.csv", loan_rows(20))
    assert receiving.tick() == {"a": True, "b": True}
    first = store.resolve("production")
    inbox.put("a.csv", WITHOUT_TARGET + "mon,10,M\n", age=60)
    assert receiving.tick() == {"a": True}
    assert Batch(store, first, "a").record.rows == 3
    corrected = Batch(store, store.resolve("production"), "a")
    assert (corrected.record.rows, corrected.record.revision) == (4, 2)
    predicted = results.load(store, "results-production", "batch_predictions", folder="batches/a/")
    assert predicted.tables["predictions"].num_rows == 4
    inbox.put("a.csv", WITHOUT_TARGET, age=30)  # and back again
    assert receiving.tick() == {"a": True}
    assert Batch(store, store.resolve("production"), "a").record.revision == 3


def test_a_bad_batch_is_quarantined_and_holds_up_no_other(
    receiving: Daemon, inbox: Desk, store: VersionedRepository
) -> None:
    inbox.put("bad.csv", WITHOUT_TARGET.replace("tue,20,M", "tue,-1,X"))
    inbox.put("good.csv", WITHOUT_TARGET)
    assert receiving.tick() == {"bad": False, "good": True}
    assert receiving.states() == {"bad": "quarantined", "good": "accepted"}
    said = receiving.failed("bad")
    assert set(said) == {"ranges", "allowed_values"}
    assert "bad.csv, row 2 (line 3), column 'income': '-1' is below 0" in said["ranges"]
    (run_branch,) = store.branches("run-")
    refused = Batch(store, store.resolve(run_branch), "bad")
    assert refused.table().num_rows == 3, "kept to be looked at"
    assert not list(store.list_objects("production", "batches/bad/"))
    assert receiving.tick() == {}, "a refused batch is not asked for again"
    inbox.put("bad.csv", WITHOUT_TARGET + "mon,1,F\n", age=60)
    assert receiving.tick() == {"bad": True}


def test_a_file_that_cannot_be_read_says_why(receiving: Daemon, inbox: Desk) -> None:
    inbox.put("empty.csv", "weekday,income,sex\n")
    inbox.put("latin.csv", "weekday,income,sex\nmontag für alle,1,F\n".encode("latin-1"))
    assert receiving.tick() == {"empty": False, "latin": False}
    assert "no rows" in receiving.failed("empty")["readable"]
    assert "UTF-8" in receiving.failed("latin")["readable"]


def test_labels_that_are_known_are_kept_and_a_class_never_seen_is_refused(
    receiving: Daemon, inbox: Desk, store: VersionedRepository
) -> None:
    rows = loan_rows(4, seed=3)
    inbox.put("known.csv", rows)
    inbox.put("strange.csv", rows.replace("yes", "maybe").replace(",no", ",maybe"))
    assert receiving.tick() == {"known": True, "strange": False}
    assert Batch(store, store.resolve("production"), "known").table(["repaid"]).column(0).null_count == 0
    assert "'maybe' is not among the allowed values" in receiving.failed("strange")["allowed_values"]


def test_two_names_with_one_slug_are_two_batches(receiving: Daemon, inbox: Desk) -> None:
    inbox.put("north/May.csv", WITHOUT_TARGET)
    inbox.put("south/may.csv", WITHOUT_TARGET + "mon,10,M\n")
    (plain, other) = sorted(receiving.tick())
    assert plain == "may"
    assert other.startswith("may-")
    assert len(other) == len("may-") + 8


def test_a_lost_ledger_is_made_again_from_the_store(receiving: Daemon, inbox: Desk, store: VersionedRepository) -> None:
    inbox.put("a.csv", WITHOUT_TARGET)
    assert receiving.tick() == {"a": True}
    head = store.resolve("production")
    for path in inbox.folder.parents[2].glob(".rai/production/loans/*"):
        if path.is_file():
            path.unlink()
    assert receiving.tick() == {}
    assert receiving.states() == {"a": "accepted"}
    assert store.resolve("production") == head


def test_at_most_fifty_batches_are_asked_for_at_once(receiving: Daemon, inbox: Desk) -> None:
    import dagster as dg

    for number in range(60):
        inbox.put(f"{number}.csv", f"weekday,income,sex\nmon,{number},F\n")
    answer = receiving.ask()
    assert isinstance(answer, dg.SensorResult)
    assert len(answer.run_requests or []) == 50
    assert len({item.run_key for item in answer.run_requests or []}) == 50


def test_the_table_has_the_types_of_the_contract(receiving: Daemon, inbox: Desk, store: VersionedRepository) -> None:
    inbox.put("a.csv", WITHOUT_TARGET)
    receiving.tick()
    schema = Batch(store, store.resolve("production"), "a").table().schema
    assert schema.field("income").type == pa.float64()
    assert schema.field("sex").type == pa.dictionary(pa.int32(), pa.string())
