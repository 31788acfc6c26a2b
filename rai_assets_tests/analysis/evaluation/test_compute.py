"""The evaluation as a reader gets it: numbers, curves, tables and the notes beside them."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from rai_assets.analysis.evaluation.compute import compute
from rai_assets.analysis.evaluation.settings import EvaluationSettings
from rai_assets.analysis.evaluation.sweep import POINTS
from rai_assets.charts import to_svg
from rai_assets.data.contract import Column, Contract
from rai_assets.data.settings import ColumnSettings
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.rows import Rows
from rai_assets.model.inputs import AuditInputs

SETTINGS = EvaluationSettings()
LOGGED = Contract((Column("score", ColumnSettings(role="score", dtype="number", threshold=0.5)),))


def binary(n: int = 2_000, seed: int = 0, split: str = "test", **others) -> Rows:
    rng = np.random.default_rng(seed)
    score = rng.beta(1.5, 2.0, n)
    target = (rng.random(n) < score).astype(np.int8)
    known = {"target": target, "decision": (score >= 0.5).astype(np.int8), "score": score, "probability": True}
    return Rows("binary", ("no", "yes"), **{**known, **others}, split=split)


def evaluated(rows: Rows, settings: EvaluationSettings = SETTINGS, contract: Contract = LOGGED, **others) -> Findings:
    return compute(AuditInputs(pa.table({}), rows, contract, **others), settings)


def value(found: Findings, name: str, split: str = "test", **coordinates: str) -> float | None:
    return next(
        number.value
        for number in found.numbers
        if (number.definition, number.split, dict(number.coordinates)) == (f"{name}@1", split, coordinates)
    )


def test_numbers_of_all_rows_are_scikit_learns_and_have_intervals():
    rows = binary()
    found = evaluated(rows)
    expected = {
        "accuracy": sk.accuracy_score(rows.target, rows.decision),
        "f1": sk.f1_score(rows.target, rows.decision),
        "matthews_correlation": sk.matthews_corrcoef(rows.target, rows.decision),
        "roc_auc": sk.roc_auc_score(rows.target, rows.score),
        "average_precision": sk.average_precision_score(rows.target, rows.score),
        "log_loss": sk.log_loss(rows.target, rows.score),
        "brier_score": sk.brier_score_loss(rows.target, rows.score),
    }
    assert {name: value(found, name) for name in expected} == pytest.approx(expected, abs=1e-12)
    for number in found.numbers:
        assert number.group == {}
        assert number.unit == "count" or number.low < number.value < number.high


def test_other_splits_stand_beside_the_audited_one():
    found = evaluated(binary(), other_rows={"train": binary(900, 1, "train")})
    assert (value(found, "count"), value(found, "count", "train")) == (2_000, 900)
    assert value(found, "accuracy") != value(found, "accuracy", "train")


def test_curves_are_thinned_and_begin_and_end_where_the_exact_ones_do():
    found = evaluated(binary(20_000))
    table = found.tables["thresholds"]
    assert table.num_rows <= POINTS
    assert table["threshold"][0].as_py() is None
    false, true = (table[name].to_pylist() for name in ("false_positive_rate", "true_positive_rate"))
    assert (false[0], true[0], false[-1], true[-1]) == (0.0, 0.0, 1.0, 1.0)
    drawn = float(np.sum(np.diff(false) * (np.array(true[1:]) + true[:-1]) / 2))
    assert drawn == pytest.approx(value(found, "roc_auc"), abs=1e-3)


def test_the_confusion_matrix_is_scikit_learns():
    rows = binary()
    cells = evaluated(rows).charts["confusion_matrix"]["data"]["values"]
    counts = {(cell["y"], cell["x"]): cell["value"] for cell in cells}
    expected = sk.confusion_matrix(rows.target, rows.decision)
    assert [[counts[y, x] for x in rows.classes] for y in rows.classes] == expected.tolist()


def test_calibration_bins_hold_their_rows_and_add_up_to_the_error():
    rows = binary()
    found = evaluated(rows)
    bins = found.tables["calibration"].to_pylist()
    assert sum(row["rows"] for row in bins) == rows.n
    error = sum(row["rows"] * abs(row["mean_score"] - row["base_rate"]) for row in bins if row["rows"]) / rows.n
    assert error == pytest.approx(value(found, "expected_calibration_error"), abs=1e-12)
    assert all(row["low"] <= row["base_rate"] <= row["high"] for row in bins if row["rows"])


def test_the_threshold_is_chosen_on_calibration_rows_and_shown_on_the_audited_ones():
    """The calibration rows are shifted by 0.2, so the threshold that suits them is not the audited rows' own."""
    base = binary(600, 2, "calibration")
    shifted = Rows(
        "binary", base.classes, base.target, base.decision, np.minimum(base.score + 0.2, 1), True, split="calibration"
    )
    rows = binary()
    found = evaluated(rows, other_rows={"train": binary(500, 3, "train"), "calibration": shifted})
    declared, suggested = found.tables["threshold_choice"].to_pylist()
    assert (declared["which"], declared["threshold"]) == ("declared", 0.5)
    assert (suggested["which"], suggested["chosen_on"]) == ("suggested", "calibration")
    best = max(
        np.unique(shifted.score), key=lambda cut: sk.balanced_accuracy_score(shifted.target, shifted.score >= cut)
    )
    assert suggested["threshold"] == best
    assert suggested["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(rows.target, rows.score >= best))
    assert declared["f1"] == pytest.approx(sk.f1_score(rows.target, rows.score >= 0.5))
    assert f"On the calibration rows the threshold {best:.4g} maximises the balanced accuracy." in found.notes


@pytest.mark.parametrize(
    ("other", "sentence"),
    [("train", "The model was fitted on them"), ("", "These are the audited rows themselves")],
)
def test_a_threshold_chosen_on_rows_seen_before_is_doubted(other, sentence):
    found = evaluated(binary(), other_rows={other: binary(500, 3, other)} if other else {})
    assert any(sentence in note for note in found.notes)


def test_a_cost_ratio_is_named_and_may_select_nobody():
    found = evaluated(binary(), EvaluationSettings(cost_ratio=2.0))
    assert any("costs least where a false positive costs as much as 2 false negatives" in note for note in found.notes)
    rows = Rows(
        "binary", ("0", "1"), np.array([1, 1, 0]), np.array([0, 1, 1]), np.array([0.1, 0.5, 0.9]), True, split="all"
    )
    found = evaluated(rows, EvaluationSettings(cost_ratio=100.0))
    assert any("a positive decision for nobody costs least" in note for note in found.notes)
    assert [row["which"] for row in found.tables["threshold_choice"].to_pylist()] == ["declared"]


def test_a_log_without_threshold_has_only_a_suggested_one():
    contract = Contract((Column("score", ColumnSettings(role="score", dtype="number")),))
    found = evaluated(binary(decision=None), contract=contract)
    assert "confusion_matrix" not in found.charts
    assert [row["which"] for row in found.tables["threshold_choice"].to_pylist()] == ["suggested"]


def test_decisions_without_target_show_who_is_selected_and_no_more():
    found = evaluated(binary(target=None))
    assert {number.definition for number in found.numbers} == {"count@1", "selection_rate@1", "mean_score@1"}
    assert set(found.charts) == {"scores"}
    assert "not whether they were right" in found.notes[0]


def test_decisions_without_score_have_a_confusion_matrix_and_no_curve():
    found = evaluated(binary(score=None, probability=False))
    assert set(found.charts) == {"confusion_matrix"}
    assert found.tables == {}


def test_a_score_that_is_no_probability_has_no_calibration():
    rows = binary()
    found = evaluated(Rows("binary", rows.classes, rows.target, rows.decision, np.ceil(rows.score * 10), split="test"))
    assert "calibration" not in found.charts
    assert value(found, "brier_score") is None
    assert value(found, "roc_auc") > 0.7


@pytest.mark.parametrize("target", [0, 1])
def test_a_single_class_has_rates_where_they_exist_and_no_curve(target):
    rows = binary(target=np.full(2_000, target, np.int8))
    found = evaluated(rows)
    assert value(found, "roc_auc") is None
    assert value(found, "accuracy") == pytest.approx((rows.decision == target).mean())
    assert set(found.charts) == {"confusion_matrix", "scores"}
    assert "no curves" in found.notes[0]


def test_a_class_without_weight_is_as_good_as_absent():
    rows = binary()
    found = evaluated(binary(weight=(rows.target == 0).astype(float)))
    assert set(found.charts) == {"confusion_matrix", "scores"}
    assert value(found, "true_positive_rate") is None


def test_a_constant_score_is_evaluated():
    found = evaluated(binary(score=np.full(2_000, 0.4), decision=np.zeros(2_000, np.int8)))
    assert value(found, "roc_auc") == 0.5
    assert value(found, "precision") is None
    assert found.tables["thresholds"].num_rows == 2


def test_five_rows_are_evaluated_and_marked_small():
    found = evaluated(binary(5, 8))
    assert all(number.small for number in found.numbers if number.value is not None)


@pytest.fixture(scope="module")
def three_classes() -> Rows:
    rng = np.random.default_rng(5)
    target = rng.integers(0, 3, 1_500)
    score = rng.dirichlet(np.ones(3), 1_500) + 0.8 * np.eye(3)[target]
    score /= score.sum(axis=1, keepdims=True)
    return Rows("multiclass", ("a", "b", "c"), target, score.argmax(axis=1), score, True, split="test")


def test_several_classes_are_measured_one_against_the_rest(three_classes):
    rows = three_classes
    found = evaluated(rows)
    assert value(found, "accuracy") == pytest.approx(sk.accuracy_score(rows.target, rows.decision), abs=1e-12)
    assert value(found, "macro_f1") == pytest.approx(
        sk.f1_score(rows.target, rows.decision, average="macro"), abs=1e-12
    )
    recall = sk.recall_score(rows.target, rows.decision, average=None)
    assert [value(found, "true_positive_rate", **{"class": name}) for name in "abc"] == pytest.approx(recall, abs=1e-12)
    cells = found.charts["confusion_matrix"]["data"]["values"]
    expected = sk.confusion_matrix(rows.target, rows.decision)
    assert [cell["value"] for cell in cells] == expected.ravel().tolist()
    assert [cell["share"] for cell in cells][:3] == pytest.approx(expected[0] / expected[0].sum())
    assert {point["group"] for point in found.charts["roc"]["data"]["values"]} == {"a", "b", "c"}


def test_of_many_classes_the_most_frequent_have_curves():
    rng = np.random.default_rng(6)
    target = rng.choice(8, 400, p=[0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05, 0.0])
    rows = Rows("multiclass", tuple("abcdefgh"), target, target, np.eye(8)[target], True, split="test")
    found = evaluated(rows)
    assert {point["group"] for point in found.charts["roc"]["data"]["values"]} == set("abcde")
    assert "Curves are drawn for the 5 most frequent of 7 classes." in found.notes


def test_a_predicted_number_is_compared_with_its_target():
    rng = np.random.default_rng(7)
    target = rng.normal(50, 10, 3_000)
    score = 0.5 * target + 25 + rng.normal(0, 3, 3_000)
    found = evaluated(Rows("regression", (), target, None, score, split="test"))
    assert value(found, "mean_absolute_error") == pytest.approx(sk.mean_absolute_error(target, score), abs=1e-9)
    assert value(found, "r2") == pytest.approx(sk.r2_score(target, score), abs=1e-12)
    bins = found.tables["prediction_bins"].to_pylist()
    assert [row["rows"] for row in bins] == [300] * 10
    assert sum(row["mean_error"] for row in bins) / 10 == pytest.approx(value(found, "mean_error"), abs=1e-9)
    # The prediction pulls to the middle: low predictions are too high for their targets, high ones too low.
    assert bins[0]["mean_error_low"] > 0 > bins[-1]["mean_error_high"]
    assert found.tables.keys() | found.charts.keys() == {
        "prediction_bins", "prediction_against_target", "errors_by_prediction", "errors",
    }  # fmt: skip


def test_a_constant_prediction_is_one_bin():
    found = evaluated(Rows("regression", (), np.arange(40.0), None, np.full(40, 3.0), split="test"))
    (row,) = found.tables["prediction_bins"].to_pylist()
    assert (row["rows"], row["mean_prediction"], row["mean_target"]) == (40, 3.0, 19.5)
    assert row["mean_prediction_low"] is None


def test_predictions_without_target_are_shown():
    found = evaluated(Rows("regression", (), None, None, np.arange(40.0), split="all"))
    assert set(found.charts) == {"predictions"}
    assert "not how far off" in found.notes[0]


def test_every_chart_can_be_drawn_and_stored(three_classes):
    regression = Rows("regression", (), np.arange(40.0), None, np.arange(40.0) ** 1.1, split="test")
    for rows in (binary(300), three_classes, regression):
        for spec in evaluated(rows).charts.values():
            json.dumps(spec, allow_nan=False)
            assert to_svg(spec).startswith("<svg")


def test_hostile_class_names_are_text_in_a_chart():
    name = '<img src=x onerror=alert(1)>"'
    rows = binary(300)
    spec = evaluated(Rows("binary", ("no", name), rows.target, rows.decision, rows.score, True)).charts[
        "confusion_matrix"
    ]
    assert "<img" not in to_svg(spec)
