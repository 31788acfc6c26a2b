"""Batches that lack a column which their contract no longer has: everything else is told, and what cannot is named."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from rai_assets.home import prepare
from rai_assets.store import results
from rai_assets.store.protocol import VersionedRepository
from rai_assets.store.results import Result
from rai_assets.use_case.backfill import backfill
from rai_assets.use_case.batches import accept
from rai_assets.use_case.declaration import Declared, load
from rai_assets.use_case.reading import repository_of, write_production_report
from rai_assets.use_case.run import run
from rai_assets_tests.monitoring.alerts.sinks import Sink
from rai_assets_tests.monitoring.batches.conftest import PRODUCTION, Daemon, Desk
from rai_assets_tests.monitoring.batches.test_questions import AT, QUIET, dated, without
from rai_assets_tests.report.page import parse
from rai_assets_tests.use_case.alerts import tick
from rai_assets_tests.use_case.conftest import DECLARATION, enter, loan_rows, put_loans

LOST = "the champion reads 'income', which is not there"
ALERTS = """\
  alerts:
    channels: {{ops: {{type: webhook, url: "{url}", secret_env: RAI_OPS_SECRET}}}}
    rules:
      - {{when: check_failed, asset: batch_predictions, to: [ops]}}
      - {{when: drift, asset: drift, to: [ops]}}
      - {{when: quarantine, to: [ops]}}
      - {{when: run_failed, to: [ops]}}
"""


def found(store: VersionedRepository, asset: str, batch: str) -> Result:
    return results.load(store, "results-production", asset, folder=f"batches/{batch}/")


def sentences(store: VersionedRepository, asset: str, batch: str) -> set[str]:
    return {check["sentence"] for check in found(store, asset, batch).facts["checks"].values()}


def test_what_needs_the_column_cannot_be_told_and_all_else_is(
    declared: Declared, place: Path, inbox: Desk, store: VersionedRepository, sink: Sink, tmp_path: Path
) -> None:
    # About 10 s: two batches with every question, told of and reported on.
    path = declared.path
    path.write_text(path.read_text() + ALERTS.format(url=sink.url))
    telling = load(path)
    assert telling is not None
    prepare()
    tick(telling)
    inbox.put("lost.csv", without(loan_rows(300, seed=3), "income").replace("tue,", "mon,"))
    with dg.DagsterInstance.get() as instance:
        daemon = Daemon(telling, instance)
        assert daemon.tick() == {"lost": False}, "in quarantine"
        accept(telling, "Nobody is asked for an income any more.", None, None)
        assert daemon.tick() == {"lost": True}
        failed = daemon.failed("lost")
        # Once more, as by "Materialize" on Dagster's page: no news.
        again = daemon.definitions.resolve_job_def("loans_production")
        assert again.execute_in_process(instance=instance, partition_key="lost").success

    assert set(failed) == {"every_row_predicted", "columns_unchanged", "columns_together_unchanged"}
    assert failed["every_row_predicted"] == (
        f"no row has a prediction: {LOST}. Send the batch again with it; or, if this is how the data will be, declare "
        "it so, audit a model that does not read it (rai run loans), and when it is promoted: "
        "rai backfill loans --again."
    )
    changed = "1 of 3 columns have changed: weekday. Cannot tell of income, decision of the model, score of the model. "
    assert failed["columns_unchanged"].startswith(f"{changed}weekday: tue: ")
    rows = {row["column"]: row for row in found(store, "drift", "lost").facts["rows"]}
    untold = {name: row["reason"] for name, row in rows.items() if name and row["drifted"] is None}
    assert untold == {
        "income": "only the reference has it",
        "decision of the model": LOST,
        "score of the model": LOST,
    }
    assert (rows["weekday"]["drifted"], rows["sex"]["drifted"]) == (True, False)
    for asset in ("attribution_drift", "fairness_drift", "estimated_performance", "realized_performance"):
        assert sentences(store, asset, "lost") == {f"cannot tell: {LOST}"}, asset
    assert found(store, "batch_predictions", "lost").tables == {}

    tick(telling)
    told = [(item["type"], item["asset"], item["subject"]) for item in sink.events() if item["partition"] == "lost"]
    assert sorted(told) == [
        ("rai.check_failed", "batch_predictions", "every_row_predicted"),
        ("rai.drift", "drift", "columns_together_unchanged"),
        ("rai.drift", "drift", "columns_unchanged"),
        ("rai.quarantine", "batch", ""),
    ]
    # What leaves the machine names columns: a value may be a person's.
    (text,) = [item["text"] for item in sink.events() if item["subject"] == "columns_unchanged"]
    assert text == f"{changed}The run's page and the report say in which values."
    write_production_report(telling, tmp_path / "report.html")
    titles = [item.text for item in parse((tmp_path / "report.html").read_text()).one("ol", class_="rulings").all("h3")]
    assert "1 batch could not be scored by what serves" in titles


def test_a_column_that_holds_something_else_is_not_compared(
    declared: Declared, daemon: Daemon, inbox: Desk, store: VersionedRepository
) -> None:
    text = loan_rows(120, seed=3)
    head, *lines = text.splitlines()
    bands = [f"{day},{'high' if float(income) > 50 else 'low'},{sex},{paid}" for day, income, sex, paid in
             (line.split(",") for line in lines)]  # fmt: skip
    inbox.put("bands.csv", "\n".join([head, *bands]) + "\n")
    assert daemon.tick() == {"bands": False}
    accept(declared, "Bands instead of sums.", None, None)
    assert daemon.tick() == {"bands": True}
    rows = {row["column"]: row for row in found(store, "drift", "bands").facts["rows"]}
    assert rows["income"]["reason"] == "numbers in the reference, texts in the batch"
    assert rows["repaid"]["drifted"] is not None, "its labels came with it"
    why = "the champion reads numbers in 'income', which is category"
    assert sentences(store, "realized_performance", "bands") == {f"cannot tell: {why}"}


def test_a_column_that_the_reference_never_had_is_named(
    declared: Declared, daemon: Daemon, inbox: Desk, store: VersionedRepository
) -> None:
    lines = loan_rows(60, seed=3).splitlines()
    inbox.put("wide.csv", "\n".join([f"{lines[0]},branch", *(f"{line},north" for line in lines[1:])]) + "\n")
    daemon.tick()
    accept(declared, "With its branch.", None, None)
    assert daemon.tick() == {"wide": True}
    rows = {row["column"]: row for row in found(store, "drift", "wide").facts["rows"]}
    assert (rows["branch"]["drifted"], rows["branch"]["reason"]) == (None, "only the batch has it")
    assert "every_row_predicted" not in daemon.failed("wide")


def test_a_profile_by_the_groups_of_a_column_that_is_gone_is_made_without_them(
    declared: Declared, inbox: Desk, store: VersionedRepository
) -> None:
    path = declared.path
    path.write_text(path.read_text().replace("settle: 0}}", "settle: 0}, profile: {by: [sex, weekday]}}"))
    telling = load(path)
    assert telling is not None
    inbox.put("lost.csv", without(loan_rows(60, seed=3), "sex"))
    prepare()
    with dg.DagsterInstance.get() as instance:
        daemon = Daemon(telling, instance, "batch", "data_profile")
        assert daemon.tick() == {"lost": False}
        accept(telling, "Nobody is asked any more.", None, None)
        assert daemon.tick() == {"lost": True}
    profile = found(store, "data_profile", "lost")
    assert profile.facts["by"] == ["weekday"]
    assert profile.notes == ["Not by the groups of sex: the batch has no such column."]


def test_rows_of_which_one_has_no_time_are_compared_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # About 5 s: an audit of rows with times.
    at = AT.replace("role: timestamp, dtype: timestamp", "role: context, dtype: timestamp, missing: allowed")
    production = PRODUCTION.replace("settle: 0}}", "settle: 0}, drift: {chunks: daily, timestamp: at}}")
    folder = put_loans(tmp_path / "defs", DECLARATION.replace("repaid:", at + "repaid:") + production)
    (folder / "loans.csv").write_text(dated(loan_rows()))
    enter(tmp_path, monkeypatch)
    declared = load(folder / "defs.yaml")
    assert declared is not None
    run(declared)
    whole = dated(loan_rows(60, seed=3))
    inbox = Desk(folder / "inbox")
    inbox.put("timed.csv", whole)
    inbox.put("untimed.csv", whole.replace("2026-03-02T00:00:00+00:00", "", 1))
    assert backfill(declared, None, None, QUIET).problems == []
    store = repository_of("loans")
    chunks = {key: {row["chunk"] for row in found(store, "drift", key).facts["rows"] if row["column"] == "income"}
              for key in ("timed", "untimed")}  # fmt: skip
    assert chunks == {"timed": {"2026-03-02"}, "untimed": {"all"}}
    assert "Not compared daily, but all at once: not every row has a time." in found(store, "drift", "untimed").notes


@pytest.mark.parametrize("logged", ["{score: p}", "{decision: said}", "{score: p, decision: said}"])
def test_logged_predictions_speak_where_the_champion_cannot(
    declared: Declared, inbox: Desk, store: VersionedRepository, logged: str
) -> None:
    # About 5 s each: every question, of half of the rows.
    path = declared.path
    path.write_text(path.read_text().replace("settle: 0}}", f"settle: 0}}, logged: {logged}}}"))
    telling = load(path)
    assert telling is not None
    head, *lines = without(loan_rows(300, seed=3), "income").splitlines()
    score = np.round(np.random.default_rng(0).random(300), 3)
    shown = [f"{p},{'yes' if p >= 0.25 else 'no'}" if at % 2 else "," for at, p in enumerate(score)]
    names = ["p", "said"] if "p," in logged else ["p" if "p" in logged else "said"]
    kept = [at for at, name in enumerate(("p", "said")) if name in names]
    cells = [",".join(item.split(",")[at] for at in kept) for item in shown]
    text = "\n".join(
        [f"{head},{','.join(names)}", *(f"{line},{cell}" for line, cell in zip(lines, cells, strict=True))]
    )
    inbox.put("logged.csv", text + "\n")
    prepare()
    with dg.DagsterInstance.get() as instance:
        daemon = Daemon(telling, instance)
        assert daemon.tick() == {"logged": False}
        accept(telling, "Nobody is asked for an income any more.", None, None)
        assert daemon.tick() == {"logged": True}
        said = daemon.failed("logged")["every_row_predicted"]
    assert said.startswith(f"150 of 300 rows have a logged prediction: {LOST}. Send the batch again")

    table = found(store, "batch_predictions", "logged").tables["predictions"]
    there = np.arange(300) % 2 == 1
    threshold = 0.25 if "said" in names else 0.5
    decided = table.column("decision").combine_chunks()
    assert decided.is_valid().to_numpy(zero_copy_only=False).tolist() == there.tolist()
    assert decided.drop_null().to_pylist() == [int(p >= threshold) for p in score[there]]
    if "p" in names:
        assert table.column("score").drop_null().to_pylist() == score[there].tolist()
    paid = np.array([line.endswith("yes") for line in lines])[there]
    numbers = found(store, "realized_performance", "logged").numbers
    (accuracy,) = [item for item in numbers if item.definition == "accuracy@1" and not (item.group or item.coordinates)]
    assert (accuracy.n, accuracy.value) == (150, pytest.approx(np.mean(paid == (score[there] >= threshold))))
    assert sentences(store, "attribution_drift", "logged") == {f"cannot tell: {LOST}"}
    compared = found(store, "drift", "logged").facts["rows"]
    values = {
        row["column"]: row["n_current"] for row in compared if row["drifted"] is not None and row["method"] != "missing"
    }
    values.pop("", None)
    scored = {"score of the model": 150} if "p" in names else {}
    assert values == {"weekday": 300, "sex": 300, "repaid": 300, "decision of the model": 150, **scored}
    assert not {"p", "said"} & {row["column"] for row in compared}
    estimate = sentences(store, "estimated_performance", "logged")
    assert ("no scores are logged" in str(estimate)) is ("p" not in names)
