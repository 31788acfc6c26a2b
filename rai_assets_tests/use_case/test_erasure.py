"""`rai erase`: a person's rows leave the head of every branch, and what still holds them is named."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rai_assets.data.dataset import Dataset
from rai_assets.home import home
from rai_assets.monitoring.alerts.events import Event
from rai_assets.monitoring.alerts.outbox import open_outbox
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.erasure import erase_from_batches
from rai_assets.monitoring.batches.settings import BatchSettings
from rai_assets.progress import Progress
from rai_assets.report.making import make_report, store_report
from rai_assets.store.ledger import data_digest
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.backfill import backfill
from rai_assets.use_case.batches import let_pass, production_of
from rai_assets.use_case.declaration import find, load
from rai_assets.use_case.reading import repository_of
from rai_assets.use_case.run import run
from rai_assets_tests.use_case.conftest import DECLARATION, Rai, loan_rows

WITH_PERSONS = DECLARATION.replace("      weekday:", "      person: {role: identifier, dtype: text}\n      weekday:")
PRODUCTION = "  production: {inbox: {path: inbox, complete: rename}}\n"
PERSON = "ada-7"


def rows(n: int, seed: int = 0) -> str:
    """Rows of `n` persons; the eighth is ours."""
    head, *lines = loan_rows(n, seed).splitlines()
    return "\n".join([f"person,{head}", *(f"ada-{index},{line}" for index, line in enumerate(lines))]) + "\n"


@pytest.fixture
def store(workplace: Path) -> VersionedRepository:
    """Data on `main` and `trial`, their champion, a tag, and two batches; our person is in all but one of these."""
    place = workplace / "defs" / "loans"
    (place / "defs.yaml").write_text(WITH_PERSONS + PRODUCTION)
    (place / "loans.csv").write_text(rows(400))
    (place / "inbox").mkdir()
    (place / "inbox" / "with.csv").write_text(rows(20, seed=1))
    (place / "inbox" / "without.csv").write_text(rows(5, seed=2))
    declared = load(place / "defs.yaml")
    assert declared is not None
    assert run(declared).champion is not None
    repository = repository_of("loans")
    repository.create_branch("trial", "main")
    repository.create_tag("v1", "main")
    changed = (datetime.now(UTC) - timedelta(days=40)).timestamp()
    os.utime(place / "inbox" / "without.csv", (changed, changed))
    assert backfill(declared, None, None, Progress(lambda _: None)).accepted == 2
    for end in (None, datetime.now(UTC) - timedelta(days=30)):
        made = make_report(production_of(declared), repository, "Loans", "", end=end)
        store_report(made, repository, "run-of-the-report")
    told = Event("drift", "loans", "drift", "columns_unchanged", "with", "run-1", time.time(), "warning", "T", "sex: W")
    open_outbox(home()).put(told, {"ops": time.time()})
    open_outbox(home()).put(replace(told, partition="without"), {"ops": time.time()})
    return repository


def windows(store: VersionedRepository) -> set[str]:
    return {item.path for item in store.list_objects("results-production", "windows/", delimiter="/")}


def persons(store: VersionedRepository, branch: str) -> list[str]:
    return Dataset(store, branch).table(["person"]).column("person").to_pylist()


def stored_texts(store: VersionedRepository) -> Iterator[str]:
    """Everything that was written about the erasure: words of commits, the ledger, records of batches."""
    for branch in store.branches():
        for commit in store.log(branch, 3):
            yield f"{commit.message} {dict(commit.metadata)}" if "rasure" in commit.message else ""
    for branch in ("results-main", "results-trial", "results-production"):
        for item in store.list_objects(branch, "ledger/"):
            with store.open(branch, item.path) as stream:
                yield stream.read().decode()


# One audit with a model and a backfill; everything else is asked of what they leave.
def test_a_persons_rows_leave_every_head_and_what_holds_them_is_named(rai: Rai, store: VersionedRepository) -> None:
    heads, reports = store.branches(), windows(store)
    assert len(reports) == 2
    words = ("erase", "loans", "--identifier", PERSON, "--reason", "Asked to be forgotten.")
    told = rai(*words, "--dry-run")
    assert told.splitlines()[:3] == [
        "main: 1 row would be erased",
        "trial: 1 row would be erased",
        "production, batch with: 1 row would be erased",
    ]
    assert store.branches() == heads
    assert ", with the profile of that time, would be dropped" in told

    said = rai(*words)
    assert said.splitlines()[:3] == [line.replace("would be ", "") for line in told.splitlines()[:3]]
    for branch in ("main", "trial"):
        assert persons(store, branch) == [f"ada-{index}" for index in range(400) if index != 7]
    batch = Batch(store, store.resolve("production"), "with")
    assert (batch.record.rows, batch.record.revision, batch.record.source_rows) == (19, 2, (19,))
    assert PERSON not in batch.table(["person"]).column("person").to_pylist()
    assert not list(store.list_objects("results-production", "batches/with/"))
    assert list(store.list_objects("results-production", "batches/without/"))
    # Of the reports, the one with that batch is gone, with the bounds, quantiles and frequent values in its profile.
    (gone,) = reports - windows(store)
    assert f"the report on {gone.split('/')[1]}, with the profile of that time, is dropped" in said
    assert [item.body["text"] for item in open_outbox(home()).listing() if item.body["partition"] == "without"] == [
        "sex: W"
    ]
    assert "sex: W" not in [
        item.body["text"] for item in open_outbox(home()).listing() if item.body["partition"] == "with"
    ]

    path = f"ledger/{data_digest(store, 'main')}.json"
    with store.open("results-main", path) as stream:
        entry = json.load(stream)
    assert entry["contract"]["holds"]
    assert (entry["erasure"]["rows"], entry["erasure"]["reason"]) == (1, "Asked to be forgotten.")
    assert entry["erasure"]["identifier_sha256"] == hashlib.sha256(f"loans:{PERSON}".encode()).hexdigest()
    assert PERSON not in said + "".join(stored_texts(store)), "the identifier itself is nowhere"

    for line in (
        "history of main: ",
        "what was found of 1 batch is dropped, predictions and profiles too; `rai backfill loans` makes it again",
        "1 alert about these batches: the text is removed here; its receivers have it",
        "the names of the files that 1 batch came from stay, and of those that rows named",
        "history of production: brought by ",
        "history of results-production: ",
        "tag v1 holds them (`rai tag delete loans v1`)",
        "results-main: dataset, explanations, model, predictions, splits were made from them; `rai run loans",
        "the champion learned from data that hold them",
    ):
        assert line in said, said
    again = rai(*words)
    assert "no row of that person is at the head of a branch of loans" in again
    assert "history of main: " in again
    assert "history of results-production: " in again
    assert "dropped" not in again

    # What is made again, is made without them, and stays.
    declared = find("loans")
    assert backfill(declared, None, None, Progress(lambda _: None)).problems == []
    made = make_report(production_of(declared), store, "Loans", "")
    store_report(made, store, "run-of-the-report")
    assert gone in windows(store)
    assert "dropped" not in rai(*words)
    assert gone in windows(store)

    rai("run", "loans", "--only", "dataset")
    assert PERSON not in persons(store, "main"), "the declared files are not read again"


def test_without_an_identifier_nobody_can_be_found(rai: Rai) -> None:
    said = rai("erase", "loans", "--identifier", "x", "--reason", "why", code=2)
    assert "no column of loans says whose a row is" in said
    assert "role: identifier" in said


def test_a_reason_is_needed(rai: Rai, workplace: Path) -> None:
    (workplace / "defs" / "loans" / "defs.yaml").write_text(WITH_PERSONS)
    assert "for a reason" in rai("erase", "loans", "--identifier", "x", "--reason", " ", code=2)


def test_the_record_of_a_batch_says_no_value_of_an_erased_row(rai: Rai, workplace: Path) -> None:
    place = workplace / "defs" / "loans"
    stamped = WITH_PERSONS.replace("      weekday:", "      at: {role: timestamp, dtype: timestamp}\n      weekday:")
    (place / "defs.yaml").write_text(stamped + PRODUCTION)
    (place / "inbox").mkdir()
    days = [f"2026-01-0{1 + (index != 7)}T00:00:00Z" for index in range(20)]  # our person came first
    head, *lines = rows(20, seed=1).splitlines()
    lines = [line.replace(",F,", ",Q,").replace(",M,", ",Q,") if "ada-7," in line else line for line in lines]
    (place / "inbox" / "with.csv").write_text(
        "\n".join([f"at,{head}", *(f"{day},{line}" for day, line in zip(days, lines, strict=True))]) + "\n"
    )
    declared = find("loans")
    assert backfill(declared, None, None, Progress(lambda _: None)).quarantined == 1
    let_pass(declared, "with", "The form has it.")
    assert backfill(declared, None, None, Progress(lambda _: None)).accepted == 1
    store = repository_of("loans")
    before = Batch(store, store.resolve("production"), "with").record
    assert before.span == ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00")
    assert "'Q' is not among the allowed values" in str(before.findings)
    assert erase_from_batches(store, ["person"], PERSON, BatchSettings(), {}) == {"with": 1}
    after = Batch(store, store.resolve("production"), "with").record
    assert after.span == ("2026-01-02T00:00:00+00:00", "2026-01-02T00:00:00+00:00")
    assert "'Q'" not in str(after.findings)
    assert "1 violation; which they were was removed" in str(after.findings)
