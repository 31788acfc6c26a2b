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
from rai_assets.metrics.rows import Grouping, Rows
from rai_assets.metrics.table import measure
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.estimate_errors import EstimateErrors, estimate_errors
from rai_assets.monitoring.performance.estimated import estimated_performance
from rai_assets.monitoring.performance.labels import join_labels
from rai_assets.monitoring.performance.realized import Realized, biased_arrival, realized_performance
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets_tests.monitoring.performance.conftest import FEATURES, Scored, taken

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
