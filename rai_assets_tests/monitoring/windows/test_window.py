"""A window is read batch by batch: what was found of a batch is let go before the next is read."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rai_assets.keys import PRODUCTION, batch_folder, results_branch
from rai_assets.metrics.number import Number
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.batch import BatchRecord
from rai_assets.monitoring.batches.entries import Taken
from rai_assets.monitoring.batches.settings import BatchSettings
from rai_assets.monitoring.windows.window import Window, read_window
from rai_assets.provenance import Provenance
from rai_assets.store import results
from rai_assets.store.changes import ChangeSet
from rai_assets.store.embedded import EmbeddedRepository
from rai_assets.store.open import open_repository
from rai_assets.store.results import Result

BATCHES = 12


def drift(number: int, statistic: float = 0.5) -> Result:
    """What is found of a batch: most of it is not shown in a window."""
    row = {"column": "age", "method": "ks", "statistic": statistic, "effect": number / 100, "drifted": False, "rank": 1}
    facts = {
        "rows": [row | {"null": "26 blocks of the reference", "n_current": 100, "drivers": "", "reason": None}],
        "checks": {"columns_unchanged": {"passed": True, "sentence": "none of 2 columns has changed"}},
        "reference": {"commit": "c" * 40, "split": "test", "digest": "d" * 64},
        "single_rows": list(range(50)),
    }
    numbers = [
        Number("domain_classifier_auc@1", 0.5, n=100),
        *(Number("missing_rate@1", 0.0, n=100, coordinates={"column": f"c{at}"}) for at in range(40)),
    ]
    return Result(
        "drift",
        Provenance("loans", PRODUCTION, "c" * 40),
        numbers=numbers,
        charts={"chart": {"title": "a chart"}},
        tables={"table": pa.table({"x": [1.0]})},
        notes=["a note"],
        files={"file": b"bytes"},
        facts=facts,
    )


class Watched(EmbeddedRepository):
    """The embedded store, which counts the whole results that are held while the next is read."""

    most = 0

    def open(self, ref: str, path: str) -> Any:
        if path.endswith("drift/result.json"):
            # Not `isinstance`: that asks objects of libraries for their class, and some refuse to tell.
            known = (item for item in gc.get_objects() if type(item) is Result)
            whole = [item for item in known if "a note" in item.notes]
            self.most = max(self.most, len(whole))
        return super().open(ref, path)


@pytest.fixture
def store(tmp_path: Path) -> Watched:
    open_repository(tmp_path, "rai-loans")
    made = Watched(tmp_path / "store" / "rai-loans")
    rows, found = ChangeSet(), ChangeSet()
    for number in range(BATCHES):
        key = f"b{number:02d}"
        source = Taken(f"{key}.csv", 1, 0.0, "0" * 64)
        record = BatchRecord(
            key, 1, 1, 100, (source,), (100,), f"2026-01-{number + 1:02d}T00:00:00+00:00", None,
            {"columns": {"age": {}}}, ({"rule": "readable"},),
        )  # fmt: skip
        rows.put(f"{batch_folder(key)}batch.json", record.as_json())
        results.write(found, drift(number), key, batch_folder(key))
    for branch, changes in ((PRODUCTION, rows), (results_branch(PRODUCTION), found)):
        made.create_branch(branch, made.default_branch)
        made.commit(branch, changes, "batches")
    return made


def read(store: Watched, tmp_path: Path) -> Window:
    with Arrivals(tmp_path / "arrivals.sqlite") as arrivals:
        return read_window(store, arrivals, BatchSettings())


def test_no_more_than_one_result_is_whole_at_a_time(store: Watched, tmp_path: Path) -> None:
    window = read(store, tmp_path)
    assert len(window.batches) == BATCHES
    assert store.most <= 1


def test_of_a_batch_is_kept_what_a_window_shows_and_what_batches_share_once(store: Watched, tmp_path: Path) -> None:
    first, *_, last = read(store, tmp_path).batches
    assert first.rows_of("drift") == [{"column": "age", "effect": 0.0, "null": "26 blocks of the reference", "rank": 1}]
    assert last.rows_of("drift")[0]["effect"] == (BATCHES - 1) / 100
    for batch in (first, last):
        found = batch.results["drift"]
        assert [item.definition for item in found.numbers] == ["domain_classifier_auc@1"]
        assert not (found.charts or found.tables or found.files or found.notes)
        assert found.facts.keys() == {"rows", "checks", "reference"}
        assert (batch.record.sources, batch.record.columns, batch.record.findings) == ((), None, ())
    assert first.results["drift"].facts["checks"] is last.results["drift"].facts["checks"]
    assert first.results["drift"].provenance is last.results["drift"].provenance
    assert first.rows_of("drift")[0]["null"] is last.rows_of("drift")[0]["null"]
    assert first.failed("drift") == {}
    assert first.reference == f"test rows of commit {'c' * 12}, reference {'d' * 8}"


def test_the_digest_of_a_window_is_that_of_what_it_shows(store: Watched, tmp_path: Path) -> None:
    before = read(store, tmp_path).digest
    branch = results_branch(PRODUCTION)
    changes = ChangeSet()
    results.write(changes, drift(3, statistic=0.7), "another", batch_folder("b03"))
    store.commit(branch, changes, "the same but for what is not shown")
    assert read(store, tmp_path).digest == before
    changes = ChangeSet()
    results.write(changes, drift(4), "another", batch_folder("b03"))
    store.commit(branch, changes, "another effect")
    assert read(store, tmp_path).digest != before
