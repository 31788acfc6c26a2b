"""Performance without labels on real people: right where the people change, blind where outcomes do, and it says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from rai_assets.data.contract import Contract
from rai_assets.data.groups import grouping
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Rows
from rai_assets.metrics.table import measure
from rai_assets.model.encoding import Feature
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.estimated import estimated_performance
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets_tests.monitoring.performance.conftest import FEATURES, Scored, scored, taken

SETTINGS = PerformanceSettings()


def estimated(data: Scored, calibration: ScoredRows, batch: ScoredRows) -> Findings:
    return estimated_performance(calibration, batch, data.contract, FEATURES, SETTINGS, seed=0)


def of_all(numbers: list[Number]) -> dict[str, Number]:
    return {number.definition.partition("@")[0]: number for number in numbers if not number.group}


def shifted(data: Scored, seed: int = 1) -> ScoredRows:
    """3,000 rows of the batch, educated and older people drawn far more often."""
    table = data.batch.table
    pull = 0.25 * (table["education-num"].to_numpy() - 10) + 0.04 * (table["age"].to_numpy() - 40)
    weight = np.exp(pull)
    chosen = np.random.default_rng(seed).choice(table.num_rows, 3_000, replace=False, p=weight / weight.sum())
    return taken(data.batch, chosen)


def unlabelled(side: ScoredRows) -> ScoredRows:
    return scored(side.table, replace(side.rows, target=None))


def test_other_people_are_followed(adult: Scored) -> None:
    batch = shifted(adult)
    found = of_all(estimated(adult, adult.calibration, unlabelled(batch)).numbers)
    true, before = of_all(measure(batch.rows)), of_all(measure(adult.calibration.rows))
    assert before["accuracy"].value - true["accuracy"].value > 0.03
    for name in ("accuracy", "true_positive_rate", "false_positive_rate", "precision", "f1", "roc_auc", "base_rate"):
        number = found[f"estimated_{name}"]
        assert number.low <= true[name].value <= number.high, name
        assert number.high - number.low < 0.08
        assert "without labels" in number.reason
        assert number.coordinates == {}


def test_every_group_has_a_calibration_of_its_own(adult: Scored) -> None:
    batch = shifted(adult)
    found = estimated(adult, adult.calibration, unlabelled(batch))
    true = {
        (tuple(number.group.items()), number.definition.partition("@")[0]): number.value
        for column in ("sex", "race")
        for number in measure(batch.rows, grouping(batch.table, adult.contract, [column]))
    }
    seen = held = 0
    for number in found.numbers:
        if number.group and number.value is not None and number.definition.startswith("estimated_"):
            name = number.definition.partition("@")[0].removeprefix("estimated_")
            seen += 1
            held += number.low <= true[tuple(number.group.items()), name] <= number.high
    assert seen >= 21
    assert held / seen >= 0.9
    rare = [n for n in found.numbers if n.group == {"race": "Other"} and n.definition == "estimated_accuracy@1"]
    assert rare[0].value is None and "cannot tell" in rare[0].reason and "calibration rows" in rare[0].reason
    assert any(note.startswith("sex=Female: 2,") and "like the batch; the score was" in note for note in found.notes)


def test_a_changed_outcome_is_not_seen_and_that_is_said(adult: Scored) -> None:
    batch = shifted(adult)
    rng = np.random.default_rng(2)
    turned = np.where(rng.random(batch.rows.n) < 0.25, 1 - batch.rows.target, batch.rows.target).astype(np.int8)
    changed = scored(batch.table, replace(batch.rows, target=turned))
    quiet = estimated(adult, adult.calibration, changed)
    assert quiet.numbers == estimated(adult, adult.calibration, unlabelled(batch)).numbers
    accuracy = of_all(quiet.numbers)["estimated_accuracy"]
    assert not accuracy.low <= of_all(measure(changed.rows))["accuracy"].value <= accuracy.high
    assert "cannot see a change in what becomes of them" in quiet.notes[0]


def test_rows_unlike_any_calibration_row_are_not_guessed(adult: Scored) -> None:
    young = adult.calibration.table["age"].to_numpy() < 30
    calibration = taken(adult.calibration, np.flatnonzero(young))
    old = taken(adult.batch, np.flatnonzero(adult.batch.table["age"].to_numpy() > 60))
    found = of_all(estimated(adult, calibration, unlabelled(old)).numbers)
    assert found["unsupported_rate"].low > 0.3
    assert found["estimated_accuracy"].value is None
    assert "unlike any calibration row" in found["estimated_accuracy"].reason


def test_a_category_that_calibration_rows_lack_is_unlike_them(adult: Scored) -> None:
    words = pa.array(["Astronaut"] * adult.batch.rows.n)
    place = adult.batch.table.column_names.index("occupation")
    batch = scored(adult.batch.table.set_column(place, "occupation", words), adult.batch.rows)
    assert of_all(estimated(adult, adult.calibration, batch).numbers)["unsupported_rate"].value == 1.0


def test_where_nothing_changed_nearly_all_rows_are_like_the_calibration(adult: Scored) -> None:
    rate = of_all(estimated(adult, adult.calibration, unlabelled(adult.batch)).numbers)["unsupported_rate"]
    assert rate.low <= 0.012 <= rate.high + 0.005


@pytest.mark.parametrize(("rows", "says"), [(499, "499 calibration rows"), (600, "have the rarest label")])
def test_too_little_to_calibrate_on_is_said(adult: Scored, rows: int, says: str) -> None:
    chosen = np.arange(rows)
    if rows == 600:
        negative = np.flatnonzero(adult.calibration.rows.target == 0)[:590]
        chosen = np.append(negative, np.flatnonzero(adult.calibration.rows.target == 1)[:10])
    found = of_all(estimated(adult, taken(adult.calibration, chosen), adult.batch).numbers)
    assert all(number.value is None for name, number in found.items() if name != "unsupported_rate")
    assert says in found["estimated_roc_auc"].reason


def test_one_row_is_too_few(adult: Scored) -> None:
    found = of_all(estimated(adult, adult.calibration, taken(adult.batch, np.arange(1))).numbers)
    assert found["estimated_accuracy"].reason == "1 row, under the minimum size 5"


def test_several_classes_have_estimates_by_class() -> None:
    rng = np.random.default_rng(3)
    table = pa.table({"x": rng.normal(size=3_000)})
    score = rng.dirichlet([1, 1, 1], 3_000)
    target = (rng.random(3_000)[:, None] > score.cumsum(axis=1)).sum(axis=1).astype(np.int32)
    rows = Rows("multiclass", ("a", "b", "c"), target, score.argmax(axis=1).astype(np.int32), score, True)
    known, asked = (scored(table[part], rows.take(part)) for part in (slice(0, 2_000), slice(2_000, 3_000)))
    found = estimated_performance(known, asked, Contract(()), [], SETTINGS, seed=0).numbers
    by_class = [n.coordinates["class"] for n in found if n.definition == "estimated_precision@1"]
    assert by_class == ["a", "b", "c"]
    true = of_all([number for number in measure(asked.rows) if "class" not in number.coordinates])
    accuracy = next(n for n in found if n.definition == "estimated_accuracy@1")
    assert accuracy.low <= true["accuracy"].value <= accuracy.high


def sides_of_the_census(shared_data: Path, batch: slice) -> tuple[ScoredRows, ScoredRows, list[Feature]]:
    """Every third row of Massachusetts in 2015, and some of the years that followed, with a model's scores."""
    folder = shared_data / "acs_employment_ma"
    known = csv.read_csv(folder / "employment_MA_reference.csv.gz")
    asked = csv.read_csv(folder / "employment_MA_analysis.csv.gz")[batch]
    later = csv.read_csv(folder / "employment_MA_analysis_target.csv.gz")["employed"].to_numpy()[batch]
    names = ["AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "SEX"]

    def side(table: pa.Table, y: np.ndarray) -> ScoredRows:
        p = table["predicted_probability"].to_numpy()
        rows = Rows("binary", ("no", "yes"), y.astype(np.int8), (p >= 0.5).astype(np.int8), p, True)
        return scored(table.select(names), rows)

    known = known.take(pa.array(range(0, known.num_rows, 3)))
    return side(known, known["employed"].to_numpy()), side(asked, later), [Feature(name, "number") for name in names]


def test_a_year_later_in_massachusetts(shared_data: Path) -> None:
    before, now, features = sides_of_the_census(shared_data, slice(0, 10_000))
    found = estimated_performance(before, unlabelled(now), Contract(()), features, SETTINGS, seed=0).numbers
    true = of_all(measure(now.rows))
    for name in ("accuracy", "true_positive_rate", "false_positive_rate", "precision", "f1", "roc_auc"):
        number = of_all(found)[f"estimated_{name}"]
        # More people were employed in 2016 than people alike in 2015: that much the estimates cannot see.
        assert abs(number.value - true[name].value) < 0.025, name
        assert number.high - number.low < 0.035


def test_people_whose_scores_mean_something_else_are_read_by_people_like_them(shared_data: Path) -> None:
    # These rows are nothing but people in dormitories and institutions, of whom the model knows little.
    before, now, features = sides_of_the_census(shared_data, slice(135_000, 140_000))
    number = of_all(estimated_performance(before, unlabelled(now), Contract(()), features, SETTINGS, seed=0).numbers)
    true, usual = of_all(measure(now.rows)), of_all(measure(before.rows))
    assert usual["precision"].value - true["precision"].value > 0.25
    for name in ("accuracy", "precision", "f1", "roc_auc", "base_rate"):
        assert number[f"estimated_{name}"].low <= true[name].value <= number[f"estimated_{name}"].high, name
