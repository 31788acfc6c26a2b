"""Performance on the labels that have arrived, whether they stand for all, and what they say of the estimates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2_contingency, fisher_exact, mannwhitneyu

from rai_assets.data.contract import Column, Contract
from rai_assets.data.groups import grouping
from rai_assets.data.settings import ColumnSettings
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.intervals import proportion_interval
from rai_assets.metrics.number import Number
from rai_assets.metrics.requirements import Requirement
from rai_assets.metrics.rows import Grouping, Rows
from rai_assets.metrics.table import measure
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.estimate_errors import EstimateErrors, estimate_errors
from rai_assets.monitoring.performance.estimated import estimated_performance
from rai_assets.monitoring.performance.labels import Arrived, join_labels
from rai_assets.monitoring.performance.realized import (
    Realized,
    biased_arrival,
    labelled_rows,
    realized_performance,
)
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets_tests.monitoring.performance.conftest import FEATURES, Scored, scored, taken

SETTINGS = PerformanceSettings()


def with_target(contract: Contract) -> Contract:
    income = ColumnSettings(role="target", dtype="category", positive=">50K", allowed=["<=50K", ">50K"])
    return Contract((*contract.columns, Column("income", income)))


def realized(adult: Scored, batch: ScoredRows, target: np.ndarray, chosen: np.ndarray) -> Realized:
    """The batch with the labels of some rows, joined on a number in another order."""
    order = np.random.default_rng(0).permutation(chosen)
    income = np.array(["<=50K", ">50K"])[target[order]]
    labels = pa.table({"id": order, "income": income})
    predictions = batch.table.append_column("id", pa.array(np.arange(batch.rows.n)))
    arrived = join_labels(predictions, labels, ["id"], "income")
    side = ScoredRows(replace(batch.rows, target=None), predictions, batch.keep)
    return realized_performance(side, labels, arrived, with_target(adult.contract), SETTINGS, seed=0)


def test_with_every_label_it_is_the_products_own_measurement(adult: Scored) -> None:
    batch = taken(adult.batch, np.arange(2_000))
    found = realized(adult, batch, batch.rows.target, np.arange(2_000))
    ours = {
        (number.definition, tuple(number.group.items()), number.coordinates.get("sensitive")): number
        for number in found.findings.numbers
        if number.reference is None
    }
    for by in (None, grouping(batch.table, adult.contract, ["sex"])):
        for number in measure(batch.rows, by):
            mine = ours[number.definition, tuple(number.group.items()), number.coordinates.get("sensitive")]
            assert (mine.value, mine.low, mine.high, mine.n) == (number.value, number.low, number.high, number.n)
    assert ours["labelled_rate@1", (), None].value == 1.0
    assert found.biased == ()


def test_labels_that_come_for_the_approved_only_are_warned_of(adult: Scored) -> None:
    batch = taken(adult.batch, np.arange(3_000))
    rng = np.random.default_rng(1)
    chosen = np.flatnonzero(rng.random(3_000) < np.where(batch.rows.decision == 1, 0.9, 0.3))
    found = realized(adult, batch, batch.rows.target, chosen)
    assert any("labels are there for 9" in said and "decision >50K" in said for said in found.biased)
    assert set(found.biased) <= set(found.findings.notes)
    rate = next(n for n in found.findings.numbers if n.definition == "labelled_rate@1" and not n.group)
    assert rate.value == pytest.approx(len(chosen) / 3_000)
    assert rate.low < rate.value < rate.high


def test_labels_that_come_by_chance_are_not(adult: Scored) -> None:
    batch = taken(adult.batch, np.arange(600))
    warned = [
        bool(realized(adult, batch, batch.rows.target, np.random.default_rng(seed).permutation(600)[:300]).biased)
        for seed in range(12)
    ]
    assert sum(warned) <= 2


def test_the_arrival_test_is_the_textbooks() -> None:
    rng = np.random.default_rng(2)
    decision = (rng.random(500) < 0.4).astype(np.int8)
    known = rng.random(500) < 0.5 + 0.08 * decision
    rows = Rows("binary", ("no", "yes"), decision=decision)
    table = np.array([[(known & (decision == d)).sum(), (~known & (decision == d)).sum()] for d in (0, 1)])
    p_value = float(chi2_contingency(table, correction=False).pvalue)
    for share, warns in ((p_value * 1.001, True), (p_value * 0.999, False)):
        settings = PerformanceSettings(false_alarms=share)
        assert bool(biased_arrival(known, rows, [], settings, seed=0)) == warns


def test_before_any_label_there_is_nothing_to_measure(adult: Scored) -> None:
    batch = taken(adult.batch, np.arange(50))
    found = realized(adult, batch, batch.rows.target, np.arange(0))
    assert found.labelled is None
    assert found.findings.notes[-1].startswith("No label has arrived")
    assert found.findings.numbers[0].value == 0.0


def errors(adult: Scored, target: np.ndarray, batch: ScoredRows) -> tuple[EstimateErrors, Findings]:
    chosen = np.arange(batch.rows.n)
    shown = realized(adult, batch, target, chosen)
    found = estimate_errors(
        adult.calibration, shown.labelled, shown.findings.numbers, adult.contract, FEATURES, SETTINGS, seed=0,
    )  # fmt: skip
    return found, shown.findings


def test_estimates_that_held_and_estimates_that_did_not(adult: Scored) -> None:
    batch = taken(adult.batch, np.arange(3_000))
    held, shown = errors(adult, batch.rows.target, batch)
    assert held.failed == ()
    accuracy = next(n for n in held.findings.numbers if n.coordinates["of"] == "accuracy@1" and not n.group)
    truth = next(n for n in shown.numbers if n.definition == "accuracy@1" and not n.group)
    assert accuracy.low < 0 < accuracy.high and accuracy.n == truth.n == 3_000
    turned = np.where(np.random.default_rng(3).random(3_000) < 0.2, 1 - batch.rows.target, batch.rows.target)
    failed, _ = errors(adult, turned.astype(np.int8), batch)
    assert any(said.startswith("accuracy") for said in failed.failed)
    assert "no longer means what it meant" in failed.findings.notes[0]
    assert {n.group.get("sex") for n in failed.findings.numbers} >= {None, "Female", "Male"}


def test_an_error_has_the_interval_of_the_estimate_turned_around(adult: Scored) -> None:
    """Truth - estimate, from truth - high to truth - low, of the very rows that have labels."""
    batch = taken(adult.batch, np.arange(1_500))
    found, shown = errors(adult, batch.rows.target, batch)
    labelled = realized(adult, batch, batch.rows.target, np.arange(1_500)).labelled
    assert labelled is not None
    made = estimated_performance(adult.calibration, labelled, adult.contract, FEATURES, SETTINGS, seed=0).numbers
    for error in found.findings.numbers:
        truth, estimate = (
            next(
                number
                for number in numbers
                if number.definition == name and number.group == error.group and "class" not in number.coordinates
            )
            for numbers, name in (
                (shown.numbers, error.coordinates["of"]),
                (made, f"estimated_{error.coordinates['of']}"),
            )
        )
        assert error.value == pytest.approx(truth.value - estimate.value)
        assert (error.low, error.high) == pytest.approx((truth.value - estimate.high, truth.value - estimate.low))
        assert (error.level, error.n) == (0.95, truth.n)
    assert len(found.findings.numbers) >= 20


def test_groups_that_are_rare_are_tested_by_permutation() -> None:
    """Three of three against 6 of 27 with labels: p is that of Fisher's test, since the margins say all."""
    codes = np.array([0] * 3 + [1] * 27)
    known = np.array([True] * 3 + [True] * 6 + [False] * 21)
    rows = Rows("binary", ("no", "yes"), decision=codes.astype(np.int8))
    exact = fisher_exact([[3, 0], [6, 21]]).pvalue
    for share, warns in ((exact * 1.6, True), (exact / 1.6, False)):
        said = biased_arrival(known, rows, [], PerformanceSettings(false_alarms=share), seed=0)
        assert bool(said) == warns
    (said,) = biased_arrival(known, rows, [], PerformanceSettings(false_alarms=0.2), seed=0)
    assert "100% of the rows with decision no and for 22% of those with yes" in said


def test_three_groups_and_a_score_are_tested_together() -> None:
    rng = np.random.default_rng(4)
    codes, score = rng.integers(0, 3, 900), rng.random(900)
    known = rng.random(900) < 0.4 + 0.06 * codes + 0.1 * score
    rows = Rows("binary", ("no", "yes"), score=score)
    groups = Grouping(("town",), codes, tuple({"town": name} for name in "abc"))
    table = [
        [(known & (codes == code)).sum() for code in range(3)],
        [(~known & (codes == code)).sum() for code in range(3)],
    ]
    apart = sorted([chi2_contingency(table).pvalue, mannwhitneyu(score[known], score[~known]).pvalue])
    adjusted = [min(1.0, 2 * apart[0]), max(2 * apart[0], apart[1])]
    for count, share in ((0, adjusted[0] * 0.999), (1, adjusted[0] * 1.001), (2, adjusted[1] * 1.001)):
        settings = PerformanceSettings(false_alarms=share)
        assert len(biased_arrival(known, rows, [groups], settings, seed=0)) == count
    assert biased_arrival(np.ones(900, bool), rows, [groups], SETTINGS, seed=0) == []
    assert biased_arrival(np.zeros(900, bool), rows, [groups], SETTINGS, seed=0) == []


def loans(n: int, arrived: int) -> tuple[ScoredRows, pa.Table, Arrived, Contract]:
    """Decisions on people of two teams and two towns, and the labels of some, in another order."""
    rng = np.random.default_rng(n)
    columns = {name: rng.choice(words, n) for name, words in (("team", ["a", "b"]), ("town", ["x", "y"]))}
    target = rng.integers(0, 2, n).astype(np.int8)
    decision = np.where(rng.random(n) < 0.8, target, 1 - target).astype(np.int8)
    side = scored(pa.table(columns), Rows("binary", ("<=50K", ">50K"), decision=decision))
    order = rng.permutation(n)[:arrived]
    label = np.full(n, -1)
    label[order] = np.arange(arrived)
    labels = pa.table({"income": np.array(["<=50K", ">50K"])[target[order]]})
    sensitive = [Column(name, ColumnSettings(role="sensitive", dtype="category")) for name in columns]
    return side, labels, Arrived(label), with_target(Contract(tuple(sensitive)))


def test_each_row_gets_its_own_label() -> None:
    side, labels, arrived, contract = loans(400, 150)
    rows = labelled_rows(side, labels, arrived, contract)
    known = np.flatnonzero(arrived.label >= 0)
    assert rows.table.equals(side.table.take(pa.array(known)))
    assert rows.rows.decision.tolist() == side.rows.decision[known].tolist()
    said = np.array(labels["income"].to_pylist())[arrived.label[known]]
    assert rows.rows.target.tolist() == (said == ">50K").tolist()


def test_what_is_required_and_needs_no_label_is_measured_on_all_rows() -> None:
    side, labels, arrived, contract = loans(400, 150)
    every = [
        Requirement("R1", "selection_rate", sensitive=("team",), at_most=0.9),
        Requirement("R2", "accuracy", sensitive=("town", "team"), at_least=0.5),
        Requirement("R3", "accuracy", group={"town": "x"}, at_least=0.5),
    ]
    settings = PerformanceSettings(level=0.8, minimum_size=30)
    found = realized_performance(side, labels, arrived, contract, settings, seed=0, requirements=every).findings.numbers
    assert {n.n for n in found if n.definition == "selection_rate@1" and not n.group} == {400}
    assert {n.n for n in found if n.definition == "accuracy@1" and not n.group} == {150}
    assert {n.level for n in found if n.low is not None} == {0.8}
    places = [(n.definition, *sorted(n.group.items()), *sorted(n.coordinates.items()), n.reference) for n in found]
    assert len(set(map(str, places))) == len(places), "each number once"
    of_both = {tuple(sorted(n.group.values())): n for n in found if n.definition == "accuracy@1" and len(n.group) == 2}
    rows = labelled_rows(side, labels, arrived, contract)
    right = rows.rows.decision == rows.rows.target
    team, town = (rows.table[name].to_numpy() for name in ("team", "town"))
    for pair in (("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")):
        here = (team == pair[0]) & (town == pair[1])
        if here.sum() >= 30:
            assert of_both[pair].value == pytest.approx(right[here].mean())
        else:
            assert of_both[pair].value is None
    assert sum(number.value is None for number in of_both.values()) in (1, 2, 3), "some are below the minimum size"
    plain = realized_performance(side, labels, arrived, contract, settings, seed=0).findings.numbers
    assert {n.n for n in plain if n.definition == "selection_rate@1" and not n.group} == {150}
    assert not any(len(n.group) == 2 for n in plain)


def test_a_requirement_on_one_group_of_two_columns_has_their_intersections_measured() -> None:
    side, labels, arrived, contract = loans(600, 600)
    one = Requirement("R1", "accuracy", group={"team": "a", "town": "x"}, at_least=0.5)
    unknown = Requirement("R2", "accuracy", group={"team": "a", "shop": "x"}, at_least=0.5)
    found = realized_performance(side, labels, arrived, contract, SETTINGS, seed=0, requirements=[one, unknown])
    measured = [n for n in found.findings.numbers if n.definition == "accuracy@1" and n.group == one.group]
    assert len(measured) == 1
    assert not any("shop" in n.group for n in found.findings.numbers)


def conditional(
    table: pa.Table, decision: np.ndarray, column: ColumnSettings, audited: pa.Table | None
) -> list[Number]:
    """What is measured of a requirement on the gap between teams at equal grade, without labels."""
    team = Column("team", ColumnSettings(role="sensitive", dtype="category"))
    contract = with_target(Contract((team, Column("grade", column))))
    side = scored(table, Rows("binary", ("<=50K", ">50K"), decision=decision.astype(np.int8)))
    none = pa.table({"income": pa.array([], pa.string())})
    required = Requirement(
        "R1",
        "selection_rate_conditional_difference",
        sensitive=("team",),
        coordinates={"stratifier": "grade"},
        at_most=0.1,
    )
    found = realized_performance(
        side, none, Arrived(np.full(table.num_rows, -1)), contract, SETTINGS, seed=0, requirements=[required],
        audited=audited,
    ).findings.numbers  # fmt: skip
    return [number for number in found if required.concerns(number)]


def test_a_requirement_at_equal_values_of_a_column_is_measured() -> None:
    # Within each grade the teams are decided alike; team b has more of the lower one.
    grade = np.repeat(["low", "low", "high", "high"], [100, 300, 300, 100])
    team = np.repeat(["a", "b", "a", "b"], [100, 300, 300, 100])
    decision = np.concatenate(
        [np.arange(size) % 10 < share for size, share in ((100, 2), (300, 2), (300, 8), (100, 8))]
    )
    table = pa.table({"team": team, "grade": grade})
    category = ColumnSettings(role="context", dtype="category")
    (equal,) = conditional(table, decision, category, None)
    assert equal.definition == "selection_rate_conditional_difference@1"
    assert equal.value == pytest.approx(0.0, abs=1e-12)
    assert equal.n == 800
    # Decided worse within the lower grade, which half of all rows are in.
    worse = decision & ~((team == "b") & (grade == "low"))
    (apart,) = conditional(table, worse, category, None)
    assert apart.value == pytest.approx(0.5 * 0.2)


def test_what_numbers_are_held_equal_in_is_cut_as_in_the_audit() -> None:
    rng = np.random.default_rng(3)
    team, grade = rng.choice(["a", "b"], 4_000), rng.normal(5.0, 1.0, 4_000)
    decision = rng.random(4_000) < np.where(grade > 6, 0.8, 0.2)
    audited = pa.table({"team": rng.choice(["a", "b"], 900), "grade": rng.normal(6.0, 2.0, 900)})
    number = ColumnSettings(role="context", dtype="number")
    table = pa.table({"team": team, "grade": grade})
    (found,) = conditional(table, decision, number, audited)
    edges = np.quantile(audited["grade"].to_numpy(), [0.2, 0.4, 0.6, 0.8], method="higher")
    stratum = np.searchsorted(edges, grade, side="right")
    shares = np.bincount(stratum, minlength=5) / len(stratum)
    rates = [
        sum(shares[code] * decision[(team == name) & (stratum == code)].mean() for code in range(5)) for name in "ab"
    ]
    assert found.value == pytest.approx(abs(rates[0] - rates[1]), abs=1e-12)


def test_without_the_column_that_is_held_equal_it_cannot_be_told_and_why() -> None:
    rng = np.random.default_rng(4)
    table = pa.table({"team": rng.choice(["a", "b"], 300)})
    decision = rng.random(300) < 0.5
    (gone,) = conditional(table, decision, ColumnSettings(role="context", dtype="category"), None)
    assert (gone.value, gone.reason) == (None, "the batch, or the audit, has no column grade")
    words = table.append_column("grade", pa.array(rng.choice(["low", "high"], 300)))
    (other,) = conditional(words, decision, ColumnSettings(role="context", dtype="number"), None)
    assert (other.value, other.reason) == (None, "grade is no number in the batch")


def test_groups_are_compared_with_the_one_that_is_named() -> None:
    side, labels, arrived, contract = loans(600, 600)
    named = {("team",): {"team": "b"}, ("town",): {"town": "of nobody"}}
    found = realized_performance(side, labels, arrived, contract, SETTINGS, seed=0, references=named).findings.numbers
    assert {str(n.reference) for n in found if n.reference is not None} == {str({"team": "b"})}


def test_the_share_of_labels_of_every_group() -> None:
    side, labels, arrived, contract = loans(400, 150)
    settings = PerformanceSettings(level=0.8)
    found = realized_performance(side, labels, arrived, contract, settings, seed=0).findings.numbers
    shares = {tuple(n.group.values()): n for n in found if n.definition == "labelled_rate@1"}
    team = side.table["team"].to_numpy()
    for name in ("a", "b"):
        here = arrived.known[team == name]
        assert (shares[name,].value, shares[name,].n) == (pytest.approx(here.mean()), len(here))
        low, high = proportion_interval(here.sum(), len(here), 0.8)
        assert (shares[name,].low, shares[name,].high) == pytest.approx((float(low), float(high)))
    few, _, _, _ = loans(25, 5)
    (whole, *_) = realized_performance(
        few, labels, Arrived(np.full(25, -1)), contract, settings, seed=0
    ).findings.numbers
    assert (whole.n, whole.small, whole.value) == (25, True, 0.0)


def test_a_score_of_several_classes_is_not_ranked_and_the_mean_of_the_known_comes_first() -> None:
    rng = np.random.default_rng(5)
    score = rng.random(600)
    known = rng.random(600) < score
    (said,) = biased_arrival(known, Rows("binary", ("no", "yes"), score=score), [], SETTINGS, seed=0)
    assert f"their mean score is {score[known].mean():.3g}, that of the others {score[~known].mean():.3g}" in said
    several = Rows("multiclass", ("a", "b"), score=np.column_stack([score, 1 - score]))
    one_group = Grouping(("town",), np.zeros(600, int), ({"town": "x"},))
    assert biased_arrival(known, several, [one_group], SETTINGS, seed=0) == []


@pytest.mark.parametrize(("rare", "exact"), [(10, False), (9, True)])
def test_five_expected_rows_are_enough_for_the_closed_form(rare: int, exact: bool) -> None:
    """Half of the rows have labels: of ten rows of a group, five are expected; of nine they are 4.5."""
    codes = np.repeat([0, 1], [rare, 200 - rare])
    known = np.zeros(200, bool)
    known[: rare - 2], known[rare : rare + 100 - (rare - 2)] = True, True
    table = [
        [(known & (codes == code)).sum() for code in (0, 1)],
        [(~known & (codes == code)).sum() for code in (0, 1)],
    ]
    closed = chi2_contingency(table, correction=False).pvalue
    rows = Rows("binary", ("no", "yes"), decision=codes.astype(np.int8))
    warned = [
        bool(biased_arrival(known, rows, [], PerformanceSettings(false_alarms=closed * by), seed=0))
        for by in (0.999, 1.001)
    ]
    assert (warned == [False, True]) == (not exact)
