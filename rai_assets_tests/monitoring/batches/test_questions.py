"""The questions asked of a batch in production: quiet on rows like the reference's, and a planted change is found."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rai_assets.data.dataset import read_sources
from rai_assets.errors import UsageError
from rai_assets.keys import check_name
from rai_assets.monitoring.batches.batch import Batch, records
from rai_assets.progress import Progress
from rai_assets.store import results
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.backfill import backfill
from rai_assets.use_case.batches import accept
from rai_assets.use_case.declaration import Declared, load
from rai_assets.use_case.explaining import explain
from rai_assets.use_case.numbers import select_numbers
from rai_assets.use_case.reading import repository_of
from rai_assets.use_case.run import run
from rai_assets_tests.monitoring.batches.conftest import PRODUCTION, Daemon, Desk
from rai_assets_tests.use_case.conftest import DECLARATION, enter, loan_rows, put_loans

QUESTIONS = ("drift", "attribution_drift", "fairness_drift", "estimated_performance", "realized_performance")
QUIET = Progress(lambda _: None)
AT = "at: {role: timestamp, dtype: timestamp}\n      "


def without_target(text: str) -> str:
    return "".join(line.rpartition(",")[0] + "\n" for line in text.splitlines())


def shifted(n: int) -> str:
    """Incomes lower by two deviations; the weekdays and sexes as ever."""
    draw = random.Random(5)
    lines = ["weekday,income,sex"]
    lines += [
        f"{draw.choice(['mon', 'tue', 'sat'])},{max(draw.gauss(20, 15), 0):.2f},{draw.choice('FM')}" for _ in range(n)
    ]
    return "\n".join(lines) + "\n"


def test_a_batch_like_the_reference_raises_no_alarm_and_a_shifted_one_does(
    daemon: Daemon,
    inbox: Desk,
    store: VersionedRepository,
) -> None:
    inbox.put("calm.csv", without_target(loan_rows(300, seed=3)))
    inbox.put("poor.csv", shifted(300))
    assert daemon.tick() == {"calm": True, "poor": True}
    assert daemon.failed("calm") == {}

    alarms = daemon.failed("poor")
    assert alarms["columns_unchanged"].startswith("3 of 5 columns have changed: income")
    assert re.match(r"domain_classifier_auc \S+ \(p < 0\.0001\)", alarms["columns_together_unchanged"])

    drift = results.load(store, "results-production", "drift", folder="batches/poor/")
    rows = {row["column"]: row for row in drift.facts["rows"] if row["method"] == "ks"}
    assert rows["income"]["drifted"]
    assert rows["income"]["rank"] == 1
    champion = results.load(store, "champion", "champion")
    assert drift.facts["reference"]["commit"] == champion.provenance.commit
    assert drift.provenance.model == champion.provenance.model
    # Prediction drift: fewer are taken to repay, so the decisions changed too.
    by_column = {row["column"]: row["drifted"] for row in drift.facts["rows"] if row["drifted"] is not None}
    assert by_column["decision of the model"]
    assert not by_column["weekday"]
    assert not by_column["sex"]
    assert "repaid" not in by_column, "no label has arrived"


def test_every_question_leaves_a_result_with_pinned_numbers_and_the_same_inputs_reuse_it(
    daemon: Daemon,
    declared: Declared,
    inbox: Desk,
    store: VersionedRepository,
) -> None:
    inbox.put("a.csv", loan_rows(120, seed=9))
    assert daemon.tick() == {"a": True}
    assert set(QUESTIONS) <= set(results.assets(store, "results-production", "batches/a/"))
    for name in QUESTIONS:
        for number in results.load(store, "results-production", name, folder="batches/a/").numbers:
            assert (number.commit, number.branch) == (store.resolve("production"), "production")
            assert number.value is not None or number.reason
    (number, *_) = results.addressed_numbers(store, "results-production", "batches/a/drift")
    (record,) = records(store, store.resolve("production"))
    assert number in select_numbers(declared, batch="a")
    assert explain(str(number.address)).endswith(f"file        a.csv  sha256 {record.sources[0].sha256}  120 rows")
    gaps = results.addressed_numbers(store, "results-production", "batches/a/fairness_drift")
    told = explain(str(next(item.address for item in gaps if item.coordinates.get("chunk") == "baseline")))
    audited = results.load(store, "champion", "champion").provenance.commit
    assert f"data        the baseline, test rows of commit {audited} of branch main" in told
    (source,) = read_sources(store, audited).files
    assert told.endswith(f"file        {source.path}  sha256 {source.sha256}  {source.rows:,} rows")
    before = store.resolve("results-production")
    job = daemon.definitions.resolve_job_def("loans_production")
    assert job.execute_in_process(instance=daemon.instance, partition_key="a").success
    assert store.resolve("results-production") == before


def without(text: str, *names: str) -> str:
    """The table without some columns."""
    rows = [line.split(",") for line in text.splitlines()]
    kept = [place for place, name in enumerate(rows[0]) if name not in names]
    return "".join(",".join(row[place] for place in kept) + "\n" for row in rows)


def test_a_batch_without_a_column_is_asked_what_can_be_asked(
    declared: Declared, inbox: Desk, store: VersionedRepository
) -> None:
    for name, gone in (("no-group", "sex"), ("no-feature", "income")):
        inbox.put(f"{name}.csv", without(loan_rows(120, seed=9), gone, "repaid"))
        backfill(declared, None, None, QUIET)
        accept(declared, "It is not sent any more.", name, None)
    inbox.put("one-row.csv", "weekday,income,sex\nmon,51.5,F\n", age=7000)
    done = backfill(declared, None, None, QUIET)
    assert done.problems == []

    fairness = results.load(store, "results-production", "fairness_drift", folder="batches/no-group/")
    said = {"passed": True, "sentence": "cannot tell: the batch has no column sex"}
    assert fairness.facts["checks"] == {"gaps_not_wider": said}
    for batch in ("no-group", "no-feature", "one-row"):
        assert set(QUESTIONS) <= set(results.assets(store, "results-production", f"batches/{batch}/"))


def dated(text: str) -> str:
    """The table with a column `at`: the rows arrived minute by minute."""
    first, *rows = text.splitlines()
    start = datetime(2026, 3, 2, tzinfo=UTC)
    lines = [f"{row},{(start + timedelta(minutes=at)).isoformat()}" for at, row in enumerate(rows)]
    return "\n".join([f"{first},at", *lines]) + "\n"


def test_an_order_with_few_blocks_is_no_reason_for_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = put_loans(tmp_path / "defs", DECLARATION.replace("repaid:", AT + "repaid:") + PRODUCTION)
    (place / "loans.csv").write_text(dated(loan_rows()))
    enter(tmp_path, monkeypatch)
    declared = load(place / "defs.yaml")
    assert declared is not None
    run(declared)
    Desk(place / "inbox").put("calm.csv", dated(loan_rows(300, seed=3)))
    assert backfill(declared, None, None, QUIET).problems == []
    drift = results.load(repository_of("loans"), "results-production", "drift", folder="batches/calm/")
    said = drift.facts["checks"]["columns_together_unchanged"]["sentence"]
    assert said == "the columns together have not changed beyond chance"
    assert any("rows that do not depend on each other" in note for note in drift.notes)


@pytest.mark.parametrize(
    ("asked", "said", "fix"),
    [
        ({"batch": "calm"}, "nothing was found of a batch 'calm'", "`rai batches loans` says"),
        ({"branch": "production"}, "the numbers of production stand batch by batch", "--batch KEY"),
    ],
)
def test_numbers_of_no_batch(daemon: Daemon, declared: Declared, asked: dict[str, str], said: str, fix: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        select_numbers(declared, **asked)  # type: ignore[arg-type]
    assert fix in refused.value.fix


def test_labels_that_have_arrived_are_measured(daemon: Daemon, inbox: Desk, store: VersionedRepository) -> None:
    calm = loan_rows(300, seed=3)
    inbox.put("calm.csv", calm)
    inbox.put("turned.csv", calm.replace("yes\n", "?\n").replace("no\n", "yes\n").replace("?\n", "no\n"))
    inbox.put("open.csv", without_target(calm))
    assert set(daemon.tick().values()) == {True}
    cannot_be_met = check_name("R3")
    assert set(daemon.failed("calm")) == {cannot_be_met}
    found = results.load(store, "results-production", "realized_performance", folder="batches/calm/")
    values = {item.definition: item for item in found.numbers if not item.group and not item.coordinates}
    table = Batch(store, store.resolve("production"), "calm").table()
    predictions = results.load(store, "results-production", "batch_predictions", folder="batches/calm/")
    decided = predictions.tables["predictions"].column("decision").to_numpy()
    right = [(label == "yes") == bool(yes) for label, yes in zip(table["repaid"].to_pylist(), decided, strict=True)]
    assert values["accuracy@1"].value == pytest.approx(sum(right) / 300)
    assert values["labelled_rate@1"].value == 1

    # The same rows and scores, so that nothing but the labels can tell.
    turned = results.load(store, "results-production", "realized_performance", folder="batches/turned/")
    after = {item.definition: item.value for item in turned.numbers if not item.group and not item.coordinates}
    assert after["accuracy@1"] == pytest.approx(1 - sum(right) / 300)
    audited = results.load(store, "results-main", "evaluation")
    before = next(item for item in audited.numbers if item.definition == "accuracy@1" and item.split == "test")
    assert before.value is not None
    change = next(item for item in turned.numbers if item.definition == "change_from_baseline@1")
    assert change.value == pytest.approx(1 - sum(right) / 300 - before.value)
    failed = daemon.failed("turned")
    assert f"in the audit {before.value:.3f}" in failed["not_below_audit"]

    # What was required of the audit is judged on the labels of every batch; nothing is alarming before they arrive.
    assert failed[check_name("R1")].endswith("below the limit 0.60: fails.")
    assert failed.keys() >= {check_name("R1"), cannot_be_met} and check_name("R2") not in failed
    assert [item["verdict"] for item in turned.facts["verdicts"]] == ["fail", "pass", "fail"]
    assert daemon.failed("open").keys() <= {"columns_unchanged"}
    waiting = daemon.checks("open")
    assert waiting["estimates_held"] == waiting["not_below_audit"] == (True, "cannot tell: no label has arrived yet")
    assert waiting[check_name("R1")] == (True, "No accuracy was measured here: cannot tell.")
