"""Production of every kind of use case, by the commands that its people have; numbers beside those made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rai_assets.metrics.number import Number
from rai_assets.store import results
from rai_assets.store.results import Result
from rai_assets.use_case.reading import repository_of
from rai_assets_tests.monitoring.batches.conftest import Rai

HEAD = "type: rai_assets.use_case.component.ResponsibleAIUseCase\nattributes:\n  name: {name}\n"
METERS = """\
  dataset:
    files: [{path: meters.csv}]
    columns:
      id: {role: identifier, dtype: integer}
      load: {role: score, dtype: number, threshold: 0.5}
      age: {dtype: number}
      site: {role: sensitive, dtype: category, allowed: [north, south]}
      broke: {role: target, dtype: category, allowed: ["no", "yes"], positive: "yes"}
  requirements:
    - {id: R1, text: Mostly right, definition: accuracy, at_least: 0.6}
    - {id: R2, text: Alike, definition: demographic_parity_difference, sensitive: [site], at_most: 0.5}
  production: {inbox: {path: inbox, settle: 0}, labels: {path: outcomes, settle: 0}}
"""
RENTS = """\
  dataset:
    files: [{path: rents.csv}]
    split: {by: fraction, test: 0.6}
    columns: {area: {dtype: number}, kind: {dtype: category}, rent: {role: target, dtype: number}}
  model: {estimator: linear_regression}
  requirements: [{id: R1, text: Near, definition: mean_absolute_error, at_most: 12}]
  production: {inbox: {path: inbox, settle: 0}}
"""


def declare(folder: Path, name: str, text: str) -> Path:
    place = folder / "defs" / name
    for part in ("inbox", "outcomes"):
        (place / part).mkdir(parents=True)
    (place / "defs.yaml").write_text(HEAD.format(name=name) + text)
    return place


def write(path: Path, columns: dict[str, Any]) -> None:
    lines = zip(*(np.asarray(values).astype(str) for values in columns.values()), strict=True)
    path.write_text("\n".join(map(",".join, [columns.keys(), *lines])) + "\n")


def found(name: str, batch: str, asset: str) -> Result:
    return results.load(repository_of(name), "results-production", asset, folder=f"batches/{batch}/")


def number(result: Result, name: str) -> Number:
    return next(item for item in result.numbers if item.definition == name and not item.group and not item.coordinates)


def checks(name: str, batch: str) -> dict[str, bool]:
    return {
        check: item["passed"]
        for asset in ("drift", "fairness_drift", "estimated_performance", "realized_performance")
        for check, item in found(name, batch, asset).facts["checks"].items()
    }


def meters(rng: np.random.Generator, first: int, n: int) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """Logged scores that are the probability of breaking, and what broke."""
    load = rng.uniform(size=n).round(4)
    site = np.where(rng.random(n) < 0.5, "north", "south")
    rows = {"id": np.arange(first, first + n), "load": load, "age": rng.normal(size=n).round(3), "site": site}
    return rows, rng.random(n) < load


def words(broke: NDArray[np.bool_]) -> NDArray[np.str_]:
    return np.where(broke, "yes", "no")


def test_logged_scores_with_labels_that_come_before_their_rows(rai: Rai, tmp_path: Path) -> None:
    place, rng = declare(tmp_path, "meters", METERS), np.random.default_rng(1)
    rows, broke = meters(rng, 0, 1_200)
    write(place / "meters.csv", {**rows, "broke": words(broke)})
    rai("run", "meters")

    calm, calm_broke = meters(rng, 10_000, 500)
    turned, turned_broke = meters(rng, 20_000, 500)
    early = {"id": np.concatenate([calm["id"], turned["id"]]), "broke": words(np.append(calm_broke, ~turned_broke))}
    write(place / "outcomes" / "early.csv", early)
    rai("backfill", "meters")
    assert "early.csv: 1,000 labels wait for rows that have not arrived" in rai("batches", "meters")
    write(place / "inbox" / "calm.csv", calm)
    write(place / "inbox" / "turned.csv", turned)
    assert rai("backfill", "meters").startswith("2 batches accepted")
    assert "wait" not in rai("batches", "meters")

    decided = calm["load"] >= 0.5
    measured = found("meters", "calm", "realized_performance")
    assert number(measured, "accuracy@1").value == pytest.approx((decided == calm_broke).mean())
    of_pairs = (calm["load"][calm_broke][:, None] > calm["load"][~calm_broke]).mean()
    assert number(measured, "roc_auc@1").value == pytest.approx(of_pairs, abs=1e-4)  # scores of four digits may tie
    assert all(checks("meters", "calm").values())
    estimated = number(found("meters", "calm", "estimated_performance"), "estimated_accuracy@1")
    assert estimated.low is not None and estimated.high is not None
    assert estimated.low <= (decided == calm_broke).mean() <= estimated.high

    # The scores are as ever, what becomes of the rows is the opposite: only labels can tell.
    broken = {check for check, holds in checks("meters", "turned").items() if not holds}
    assert broken >= {"not_below_audit", "estimates_held"} and "columns_unchanged" not in broken
    verdicts = [item["verdict"] for item in found("meters", "turned", "realized_performance").facts["verdicts"]]
    assert verdicts == ["fail", "pass"]
    drift = found("meters", "turned", "drift")
    assert any(row["method"] == "domain_classifier_auc" and row["drifted"] is False for row in drift.facts["rows"])
    rai("report", "meters", "--production")
    page = (tmp_path / "meters-production.html").read_text()
    assert "Requirement R1 does not hold" in page and "Performance is below that in the audit" in page
    assert "when the model was audited" not in page


def rents(rng: np.random.Generator, n: int, dearer: float = 0.0) -> dict[str, Any]:
    area, kind = rng.normal(size=n), rng.choice(["flat", "house"], n)
    rent = 100 + 20 * area + 15 * (kind == "house") + rng.normal(0, 10, n) + dearer
    return {"area": area.round(4), "kind": kind, "rent": rent.round(3)}


def test_a_regression_is_estimated_measured_and_judged(rai: Rai, tmp_path: Path) -> None:
    place, rng = declare(tmp_path, "rents", RENTS), np.random.default_rng(5)
    write(place / "rents.csv", rents(rng, 1_000))
    rai("run", "rents")
    calm, dear = rents(rng, 400), rents(rng, 400, dearer=30)
    write(place / "inbox" / "calm.csv", calm)
    write(place / "inbox" / "dear.csv", dear)
    write(place / "inbox" / "open.csv", {name: calm[name] for name in ("area", "kind")})
    rai("backfill", "rents")

    for batch, rows in (("calm", calm), ("dear", dear)):
        predicted = found("rents", batch, "batch_predictions").tables["predictions"].column("score").to_numpy()
        measured = number(found("rents", batch, "realized_performance"), "mean_absolute_error@1")
        assert measured.value == pytest.approx(np.abs(predicted - rows["rent"]).mean(), rel=1e-6)
        estimated = number(found("rents", batch, "estimated_performance"), "estimated_mean_absolute_error@1")
        assert estimated.value == pytest.approx(10 * np.sqrt(2 / np.pi), rel=0.1), "the noise is normal with sd 10"
    assert all(checks("rents", "calm").values())
    broken = {check for check, holds in checks("rents", "dear").items() if not holds}
    assert broken == {"columns_unchanged", "not_below_audit", "estimates_held"}
    assert all(checks("rents", "open").values())
    said = [
        found("rents", batch, "realized_performance").facts["verdicts"][0]["verdict"]
        for batch in ("calm", "dear", "open")
    ]
    assert said == ["pass", "fail", "cannot tell"]


HOSPITAL = """\
  dataset:
    files: [{path: stays.csv}]
    columns:
      race: {role: sensitive, dtype: category, missing: allowed}
      time_in_hospital: {dtype: integer}
      num_medications: {dtype: integer}
      number_inpatient: {dtype: integer}
      number_diagnoses: {dtype: integer}
      readmitted: {role: target, dtype: category}
  model: {estimator: decision_tree}
  requirements: [{id: R1, text: Mostly right, definition: accuracy, at_least: 0.4}]
  production: {inbox: {path: inbox, settle: 0}}
"""


@pytest.mark.nightly  # two models of 8,000 rows
def test_three_classes_of_real_stays_before_and_after_a_promotion(rai: Rai, tmp_path: Path, shared_data: Path) -> None:
    import pandas as pd
    from sklearn.metrics import accuracy_score, f1_score

    place = declare(tmp_path, "stays", HOSPITAL)
    columns = ["race", "time_in_hospital", "num_medications", "number_inpatient", "number_diagnoses", "readmitted"]
    source = shared_data / "diabetes130" / "diabetic_data.csv.gz"
    stays = pd.read_csv(source, na_values="?", usecols=columns).sample(12_000, random_state=0)
    stays[:8_000].to_csv(place / "stays.csv", index=False)
    rai("run", "stays")
    for first, batch in ((8_000, "first"), (10_000, "second")):
        rows = stays[first : first + 2_000]
        rows.to_csv(place / "inbox" / f"{batch}.csv", index=False)
        rai("backfill", "stays")
        decided = found("stays", batch, "batch_predictions").tables["predictions"].column("decision").to_numpy()
        said, measured = np.array(["<30", ">30", "NO"])[decided], found("stays", batch, "realized_performance")
        assert number(measured, "accuracy@1").value == pytest.approx(accuracy_score(rows.readmitted, said))
        of_classes = f1_score(rows.readmitted, said, average="macro", zero_division=0)
        if number(measured, "macro_f1@1").value is not None:
            assert number(measured, "macro_f1@1").value == pytest.approx(of_classes)
        assert checks("stays", batch)["columns_unchanged"]
        declared = place / "defs.yaml"
        declared.write_text(
            declared.read_text().replace(
                "estimator: decision_tree}", "estimator: decision_tree, parameters: {max_depth: 3}}"
            )
        )
        if batch == "first":
            assert "not shown to be worse" in rai("run", "stays")
    rai("report", "stays", "--production")
    assert (
        "What serves, or its reference, was replaced in this time" in (tmp_path / "stays-production.html").read_text()
    )
