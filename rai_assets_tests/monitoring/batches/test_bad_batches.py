"""Every kind of bad batch at once, from the inbox to the answers: what it is told, where it stands, that it is kept."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rai_assets.keys import batch_folder
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.entries import Entry
from rai_assets.progress import Progress
from rai_assets.store import results
from rai_assets.use_case.backfill import backfill
from rai_assets.use_case.batches import production_of
from rai_assets.use_case.declaration import load
from rai_assets.use_case.reading import repository_of
from rai_assets.use_case.run import run

DECLARATION = """\
type: rai_assets.use_case.component.ResponsibleAIUseCase
attributes:
  name: desk
  title: Credit desk
  description: Decisions that were logged.
  owners: ["team:risk"]
  dataset:
    files: [{path: audited.csv}]
    columns:
      at: {role: timestamp, dtype: timestamp}
      age: {role: context, dtype: integer, missing: allowed}
      city: {role: sensitive, dtype: category, missing: allowed}
      risk: {role: score, dtype: number, threshold: 0.5}
      paid: {role: target, dtype: category, allowed: ["no", "yes"], positive: "yes"}
  production: {inbox: {path: inbox, settle: 0}}
"""
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HEADER = "at,age,city,risk,paid"


def table(rows: int, seed: int = 0, zone: str = "+00:00") -> str:
    draw = random.Random(seed)
    lines = [HEADER]
    for _ in range(rows):
        at = (NOON - timedelta(seconds=draw.randrange(3600))).isoformat()[:19] + zone
        age, risk = draw.randrange(20, 70), draw.random()
        paid = "yes" if draw.random() < risk else "no"
        lines.append(f"{at},{age},{draw.choice(['Bern', 'Zürich'])},{risk:.4f},{paid}")
    return "\n".join(lines) + "\n"


def without(text: str, column: str) -> str:
    at = HEADER.split(",").index(column)
    kept = [[value for place, value in enumerate(line.split(",")) if place != at] for line in text.splitlines()]
    return "\n".join(map(",".join, kept)) + "\n"


def with_column(text: str, name: str, value: str) -> str:
    head, *lines = text.splitlines()
    return "\n".join([f"{head},{name}", *(f"{line},{value}" for line in lines)]) + "\n"


TWENTY = table(20, seed=9)
STAMP = TWENTY.splitlines()[1].split(",")[0]
ACCEPTED: dict[str, tuple[str, str]] = {
    # {batch: (its file, what is remarked on)}
    **{f"usual-{day}": (table(20, seed=day), "") for day in range(5)},
    "one-row": (table(1, seed=7), "1 row; the middle of"),
    "ten-times": (table(230, seed=8), "230 rows; the middle of"),
    "never-seen-city": (TWENTY.replace("Bern", "Genf"), ""),
    "one-column-missing": (
        "\n".join([HEADER, *[f"{STAMP},,Bern,0.5,no"] * 20]) + "\n",
        "No row of this batch has a value of 'age'.",
    ),
    "no-labels-yet": (without(TWENTY, "paid"), ""),
    # A file is one batch whatever its zone; hourly and daily batches are refused without one (test_time_rules).
    "no-zone": (table(20, seed=9, zone=""), ""),
}
REFUSED: dict[str, tuple[str | bytes, str]] = {
    # {batch: (its file, why it is refused)}
    "lost-column": (without(TWENTY, "city"), "column 'city': is not in the file"),
    "new-column": (with_column(TWENTY, "shoe", "43"), "column 'shoe': is not declared"),
    "other-dtype": (TWENTY.replace(",Bern,", ",Bern,high "), "column 'risk': 'high "),
    "latin": (TWENTY.encode("latin-1"), "UTF-8"),
    "utf16": (TWENTY.encode("utf-16"), "UTF-16"),
    "zero-rows": (HEADER + "\n", "no rows"),
    "zero-bytes": ("", "zero-bytes.csv"),
    "all-missing": (HEADER + "\n" + ",,,,\n" * 3, "Every value of the 3 rows is missing."),
    "never-seen-class": (TWENTY.replace(",no\n", ",later\n"), "'later' is not among the allowed values"),
    "future": (TWENTY.replace("2026-", "2027-"), "is later than its file"),
}  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a use case of logged decisions that was audited once."""
    folder = tmp_path / "defs" / "desk"
    (folder / "inbox").mkdir(parents=True)
    (folder / "defs.yaml").write_text(DECLARATION)
    (folder / "audited.csv").write_text(table(400, seed=1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAI_HOME", str(tmp_path / ".rai"))
    monkeypatch.setenv("RAI_DEFS", str(tmp_path / "defs"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return folder


def test_each_is_told_apart_and_none_is_lost(desk: Path) -> None:
    # About 10 s: an audit, and every question to eleven batches.
    declared = load(desk / "defs.yaml")
    assert declared is not None
    run(declared)
    usual = [name for name in ACCEPTED if name.startswith("usual-")]
    for minutes, (name, (content, _)) in enumerate({**ACCEPTED, **REFUSED}.items()):
        path = desk / "inbox" / f"{name}.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        arrived = (NOON + timedelta(minutes=minutes)).timestamp()
        os.utime(path, (arrived, arrived))
    # What is usual is known from the batches before.
    done = backfill(declared, None, NOON + timedelta(minutes=len(usual)), Progress(lambda _: None))
    assert (done.accepted, done.quarantined, done.problems) == (len(usual), 0, [])
    done = backfill(declared, None, None, Progress(lambda _: None))

    store = repository_of("desk")
    with production_of(declared).arrivals(store) as ledger:
        entries: dict[str, Entry] = {entry.key: entry for entry in ledger.entries()}
    assert {key: entry.state for key, entry in entries.items()} == {
        **dict.fromkeys(ACCEPTED, "accepted"),
        **dict.fromkeys(REFUSED, "quarantined"),
    }
    assert (done.accepted, done.present, done.quarantined) == (len(ACCEPTED) - len(usual), len(usual), len(REFUSED))
    assert done.problems == []
    head, answers = store.resolve("production"), store.resolve("results-production")
    for key, (content, remark) in ACCEPTED.items():
        batch = Batch(store, head, key)
        assert batch.table().num_rows == content.count("\n") - 1, key
        remarks = " ".join(item["sentence"] for item in batch.record.findings if not item["passed"])
        assert remark in remarks if remark else not remarks, (key, remarks)
        for question in ("data_profile", "drift", "fairness_drift", "estimated_performance", "realized_performance"):
            assert results.load(store, answers, question, folder=batch_folder(key)).facts, (key, question)
    for key, (content, why) in REFUSED.items():
        assert why in str(entries[key].reason), (key, entries[key].reason)
        assert not list(store.list_objects(head, batch_folder(key)))
        kept = Batch(store, store.resolve(str(entries[key].branch)), key)
        assert [source.path for source in kept.record.sources] == [f"{key}.csv"]
        if isinstance(content, str) and why not in ("no rows", "zero-bytes.csv"):
            assert kept.table().num_rows == content.count("\n") - 1, key
    one, city = (
        results.load(store, answers, "drift", folder=batch_folder(key)) for key in ("one-row", "never-seen-city")
    )
    assert all(not row["drifted"] for row in one.facts["rows"])
    assert "(unseen): 0 %" in next(
        row["drivers"] for row in city.facts["rows"] if row["column"] == "city" and row["drifted"]
    )
