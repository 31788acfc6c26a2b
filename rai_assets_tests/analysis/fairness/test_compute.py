"""The fairness audit on real and made rows: references, strata, every kind of data, charts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics as sk

from rai_assets.analysis.fairness.compute import compute
from rai_assets.analysis.fairness.settings import FairnessSettings
from rai_assets.charts import to_svg
from rai_assets.errors import DeclarationError
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.rows import Rows
from rai_assets.model.inputs import AuditInputs
from rai_assets_tests.analysis.fairness.conftest import made, pick


def test_gaps_to_the_declared_reference_are_differences_from_it(found):
    male, female = {"sex": "Male"}, {"sex": "Female"}
    for rate in ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy", "precision", "base_rate"):
        rates = [pick(found, rate, group).value for group in (female, male)]
        gap = pick(found, f"{rate}_difference_to_reference", female, male, sensitive="sex")
        ratio = pick(found, f"{rate}_ratio_to_reference", female, male, sensitive="sex")
        assert (gap.value, ratio.value) == pytest.approx((rates[0] - rates[1], rates[0] / rates[1]), abs=1e-12)
        assert gap.low < gap.value < gap.high
    parity = pick(found, "statistical_parity_difference", reference=male, sensitive="sex")
    assert parity.value == pytest.approx(
        pick(found, "selection_rate_difference_to_reference", female, male, sensitive="sex").value, abs=1e-12
    )


def test_the_reference_is_as_declared_or_the_largest_group_and_is_said(found):
    assert "sex: the reference group is sex=Male, as declared." in found.notes
    assert "sex × race: the reference group is sex=Male, race=White, as declared." in found.notes
    (age,) = [note for note in found.notes if note.startswith("age: ")]
    assert age.startswith("age: the reference group is age=[25, 45), the largest (")


def test_a_declared_reference_without_rows_gives_way_to_the_largest_group(adult):
    found = compute(adult, FairnessSettings(reference={"sex": "X"}, intersections=1))
    (note,) = [note for note in found.notes if note.startswith("sex: ")]
    assert note.startswith("sex: the reference group is sex=Male, the largest (")
    assert note.endswith("The declared group sex=X has no rows.")


def test_scores_and_calibration_stand_beside_the_rates_of_every_group(adult, found):
    women = adult.table["sex"].to_pandas().astype(str).to_numpy() == "Female"
    target, score = adult.rows.target[women], adult.rows.score[women]
    expected = {
        "mean_score": score.mean(),
        "roc_auc": sk.roc_auc_score(target, score),
        "log_loss": sk.log_loss(target, score),
        "brier_score": sk.brier_score_loss(target, score),
    }
    for name, value in expected.items():
        assert pick(found, name, {"sex": "Female"}).value == pytest.approx(value, abs=1e-9)
    assert pick(found, "expected_calibration_error", {"sex": "Female"}).low > 0
    assert pick(found, "mean_score_difference", sensitive="sex").value > 0


def test_intersections_go_as_far_as_declared(adult):
    orders = {
        limit: {len(number.group) for number in compute(adult, FairnessSettings(intersections=limit)).numbers}
        for limit in (1, 2)
    }
    assert orders == {1: {0, 1}, 2: {0, 1, 2}}


def berkeley() -> tuple[AuditInputs, np.ndarray]:
    """Admissions at equal rates in every department; women apply where few are admitted."""
    applied = {("M", "easy"): 800, ("F", "easy"): 200, ("M", "hard"): 200, ("F", "hard"): 800}
    rate = {"easy": 0.75, "hard": 0.25}
    sex, department, admitted = [], [], []
    for (who, where), n in applied.items():
        sex += [who] * n
        department += [where] * n
        admitted += [1] * round(rate[where] * n) + [0] * round((1 - rate[where]) * n)
    decision = np.array(admitted, np.int8)
    inputs = made(
        Rows("binary", ("no", "yes"), None, decision),
        {"sex": sex, "department": department},
        department={"dtype": "category"},
    )
    return inputs, decision


def test_a_gap_that_the_stratifier_explains_is_there_and_vanishes_within_it():
    inputs, _ = berkeley()
    found = compute(inputs, FairnessSettings(stratifiers=["department"]))
    plain = pick(found, "demographic_parity_difference", sensitive="sex")
    within = pick(found, "selection_rate_conditional_difference", sensitive="sex", stratifier="department")
    assert plain.value == pytest.approx(0.65 - 0.35)
    assert plain.low > 0.2
    assert within.value == pytest.approx(0.0, abs=1e-12)
    assert within.low == 0.0
    assert "Gaps within department: 2 strata, one per value." in found.notes
    shown = {(row["group"], row["value"]) for row in found.charts["00_gaps"]["data"]["values"]}
    assert {name for name, _ in shown} == {"all rows", "within department"}


def test_a_gap_that_the_stratifier_hides_appears_within_it():
    """Women apply where most are admitted and are admitted less often in both departments."""
    rng = np.random.default_rng(1)
    n = 20_000
    sex = rng.choice(["F", "M"], n)
    easy = rng.random(n) < np.where(sex == "F", 0.8, 0.3)
    decision = (rng.random(n) < np.where(easy, 0.7, 0.3) - 0.2 * (sex == "F")).astype(np.int8)
    department = np.where(easy, "easy", "hard")
    inputs = made(Rows("binary", ("0", "1"), None, decision), {"sex": sex, "d": department}, d={"dtype": "category"})
    found = compute(inputs, FairnessSettings(stratifiers=["d"]))
    assert pick(found, "demographic_parity_difference", sensitive="sex").value < 0.03
    within = pick(found, "selection_rate_conditional_difference", sensitive="sex", stratifier="d")
    assert within.low < 0.2 < within.high
    assert within.low > 0.15


def test_a_stratifier_that_is_the_sensitive_column_itself_is_passed_over(adult):
    found = compute(adult, FairnessSettings(stratifiers=["race"], intersections=2))
    conditional = {number.coordinates["sensitive"] for number in found.numbers if "stratifier" in number.coordinates}
    assert conditional == {"sex", "age", "sex,age"}


def test_a_stratifier_that_cannot_be_one_is_refused_with_the_fix(adult):
    with pytest.raises(DeclarationError, match="'pay' is not a column of the data set") as refused:
        compute(adult, FairnessSettings(stratifiers=["pay"]))
    assert "sex, race, age, hours, married" in refused.value.fix


def two_groups(n: int = 400, **rows) -> Findings:
    rng = np.random.default_rng(3)
    known = {"target": rng.integers(0, 2, n, np.int8), "decision": rng.integers(0, 2, n, np.int8)} | rows
    return compute(made(Rows("binary", ("0", "1"), **known), {"g": ["x", "y"] * (n // 2)}), FairnessSettings())


def test_a_single_class_has_the_rates_that_exist():
    found = two_groups(target=np.ones(400, np.int8))
    assert pick(found, "false_positive_rate", {"g": "x"}).reason == "no row with a negative target"
    assert pick(found, "false_positive_rate_difference", sensitive="g").value is None
    assert pick(found, "true_positive_rate_difference", sensitive="g").value is not None


@pytest.mark.parametrize(("decision", "rate"), [(0, 0.0), (1, 1.0)])
def test_a_constant_decision_has_no_gap_and_an_interval_around_that(decision, rate):
    found = two_groups(decision=np.full(400, decision, np.int8))
    assert pick(found, "selection_rate", {"g": "x"}).value == rate
    gap = pick(found, "demographic_parity_difference", sensitive="g")
    assert (gap.value, gap.low) == (0.0, 0.0)
    assert 0 < gap.high < 0.05


def test_a_column_that_is_missing_everywhere_is_one_group():
    rows = Rows("binary", ("0", "1"), None, np.array([0, 1] * 20, np.int8))
    found = compute(made(rows, {"g": [None] * 40}), FairnessSettings())
    assert pick(found, "selection_rate", {"g": "(missing)"}).value == 0.5
    assert pick(found, "demographic_parity_difference", sensitive="g").reason.startswith("fewer than two groups")
    json.dumps(found.charts, allow_nan=False)


def test_without_sensitive_columns_there_is_nothing_to_compare():
    rows = Rows("binary", ("0", "1"), None, np.array([0, 1], np.int8))
    found = compute(made(rows, {"pay": [1, 2]}, pay={"dtype": "integer"}), FairnessSettings())
    assert found == Findings(notes=["No column has the role `sensitive`: there are no groups to compare."])


def test_decisions_without_target_are_compared_by_selection_alone():
    found = two_groups(target=None)
    kinds = {number.definition.partition("@")[0] for number in found.numbers if number.group and not number.reference}
    assert kinds == {"count", "selection_rate"}
    assert "not whether it was right" in found.notes[0]


def test_scores_without_decisions_are_compared_by_their_mean():
    score = np.random.default_rng(4).random(400)
    found = two_groups(decision=None, target=None, score=score, probability=True)
    assert pick(found, "mean_score", {"g": "y"}).value == pytest.approx(score[1::2].mean())
    assert "01_mean_score_by_g" in found.charts
    assert any("There are no decisions" in note for note in found.notes)


def test_several_classes_are_compared_one_against_the_rest():
    rng = np.random.default_rng(5)
    target, decision = rng.integers(0, 3, (2, 3_000))
    group = rng.choice(["x", "y"], 3_000)
    found = compute(made(Rows("multiclass", ("a", "b", "c"), target, decision), {"g": group}), FairnessSettings())
    for label, code in (("x", 0), ("y", 2)):
        rows = group == label
        rate = pick(found, "selection_rate", {"g": label}, **{"class": "abc"[code]})
        assert rate.value == pytest.approx((decision[rows] == code).mean(), abs=1e-12)
        accuracy = pick(found, "accuracy", {"g": label})
        assert accuracy.value == pytest.approx((decision[rows] == target[rows]).mean(), abs=1e-12)
    assert pick(found, "selection_rate_difference", sensitive="g", **{"class": "b"}).low >= 0
    assert {"00_gaps", "01_accuracy_by_g", "02_selection_rate_by_class_by_g"} <= set(found.charts)


def test_predicted_numbers_are_compared_by_their_errors():
    rng = np.random.default_rng(6)
    group = rng.choice(["x", "y"], 2_000)
    target = rng.normal(10, 2, 2_000)
    score = target + rng.normal(0, 1, 2_000) + 0.5 * (group == "y")
    found = compute(made(Rows("regression", (), target, None, score), {"g": group}), FairnessSettings())
    assert pick(found, "mean_error", {"g": "y"}).value == pytest.approx((score - target)[group == "y"].mean())
    gap = pick(found, "mean_error_difference", sensitive="g")
    assert gap.low < 0.5 < gap.high
    assert gap.low > 0.3
    assert {"00_gaps", "01_mean_error_by_g", "02_level_by_g"} <= set(found.charts)


def test_charts_come_in_reading_order_and_can_be_drawn(found):
    assert list(found.charts) == sorted(found.charts)
    kinds = ["selection_rate", "errors", "calibration"]
    single = [f"{kind}_by_{column}" for kind in kinds for column in ("sex", "race", "age")]
    crossed = [f"selection_rate_by_{columns}" for columns in ("sex_race", "sex_age", "race_age", "sex_race_age")]
    assert [name[3:] for name in found.charts] == ["gaps", *single, *crossed]
    for name in ("00_gaps", "04_errors_by_sex", "10_selection_rate_by_sex_race"):
        json.dumps(found.charts[name], allow_nan=False)
        assert to_svg(found.charts[name]).startswith("<svg")


def test_many_groups_stay_readable():
    """6 x 5 x 40 values of three columns, 1,200 intersections of the three."""
    rng = np.random.default_rng(7)
    columns = {name: rng.integers(0, k, 20_000).astype(str) for name, k in (("p", 6), ("q", 5), ("r", 40))}
    decision = rng.integers(0, 2, 20_000, np.int8)
    found = compute(made(Rows("binary", ("0", "1"), None, decision), columns), FairnessSettings())
    assert max(len(note) for note in found.notes) < 300
    assert len(found.charts) == 8
    assert max(len(spec["data"]["values"]) for spec in found.charts.values()) <= 25
    assert any("1,200 groups are too many to compare each with a reference group" in note for note in found.notes)
    gap = pick(found, "demographic_parity_difference", sensitive="p,q,r")
    assert gap.low == 0.0


def test_hostile_names_are_text():
    name = "<script>alert(1)</script>/../x"
    found = compute(
        made(Rows("binary", ("0", "1"), None, np.array([0, 1] * 20, np.int8)), {name: ["=cmd()", "b"] * 20}),
        FairnessSettings(),
    )
    assert set(found.charts) == {"00_gaps", "01_selection_rate_by_script_alert_1_script_x"}
    assert all("<script>" not in to_svg(spec) for spec in found.charts.values())


@pytest.mark.parametrize("level", [0.8, 0.99])
def test_the_declared_level_is_that_of_the_intervals(adult, level):
    found = compute(adult, FairnessSettings(level=level, intersections=1, stratifiers=["hours"]))
    assert {number.level for number in found.numbers if number.low is not None} == {level}
