"""Gaps of a batch beside those of the baseline: the product's own gaps, a change found, and quiet without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.data.contract import Column, Contract
from rai_assets.data.groups import grouping
from rai_assets.data.settings import ColumnSettings
from rai_assets.metrics.rows import Rows
from rai_assets.metrics.table import measure
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.fairness import fairness_drift
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets_tests.monitoring.performance.conftest import Scored, scored, taken

SETTINGS = PerformanceSettings()
CONTRACT = Contract((Column("team", ColumnSettings(role="sensitive", dtype="category")),))


def decided(rng: np.random.Generator, n: int, false_rates: dict[str, float]) -> ScoredRows:
    """Teams of equal size whose negative rows are selected at given rates, positive ones at 80 %."""
    names = np.array(list(false_rates))
    team = rng.integers(0, len(names), n)
    target = (rng.random(n) < 0.4).astype(np.int8)
    rate = np.where(target == 1, 0.8, np.array(list(false_rates.values()))[team])
    decision = (rng.random(n) < rate).astype(np.int8)
    return scored(pa.table({"team": names[team]}), Rows("binary", ("no", "yes"), target, decision))


def test_the_gaps_are_those_of_every_other_table(adult: Scored) -> None:
    found = fairness_drift(adult.calibration, adult.batch, adult.contract, SETTINGS)
    for baseline, side in (({"chunk": "baseline"}, adult.calibration), ({}, adult.batch)):
        wanted = {
            number.definition: (number.value, number.low, number.high, number.n)
            for number in measure(side.rows, grouping(side.table, adult.contract, ["sex"]))
            if number.definition.endswith("_difference@1") and not number.group
        }
        places = {"sensitive": "sex", **baseline}
        ours = [number for number in found.findings.numbers if number.coordinates == places]
        assert len(ours) == 5
        for number in ours:
            assert (number.value, number.low, number.high, number.n) == pytest.approx(wanted[number.definition])


def test_the_change_is_now_less_before_with_both_intervals() -> None:
    rng = np.random.default_rng(0)
    before, now = decided(rng, 4_000, {"a": 0.1, "b": 0.15}), decided(rng, 2_000, {"a": 0.1, "b": 0.2})
    numbers = fairness_drift(before, now, CONTRACT, SETTINGS).findings.numbers
    gap_before, gap_now, change = (
        number
        for number in numbers
        if "false_positive_rate_difference@1" in (number.definition, number.coordinates.get("of"))
    )
    assert change.value == pytest.approx(gap_now.value - gap_before.value)
    below = np.hypot(gap_now.value - gap_now.low, gap_before.high - gap_before.value)
    assert change.low == pytest.approx(change.value - below)
    assert change.coordinates == {"sensitive": "team", "of": "false_positive_rate_difference@1"}


def test_a_group_that_is_treated_worse_is_found(adult: Scored) -> None:
    women = adult.batch.table["sex"].to_numpy() == "Female"
    rng = np.random.default_rng(1)
    turned_down = women & (rng.random(adult.batch.rows.n) < 0.7)
    worse = scored(
        adult.batch.table,
        replace(adult.batch.rows, decision=np.where(turned_down, 0, adult.batch.rows.decision).astype(np.int8)),
    )
    quiet = fairness_drift(adult.calibration, adult.batch, adult.contract, SETTINGS)
    found = fairness_drift(adult.calibration, worse, adult.contract, SETTINGS)
    assert {change.verdict for change in quiet.changes} == {"no change seen"}
    verdicts = {change.definition: change.verdict for change in found.changes if change.sensitive == "sex"}
    assert verdicts["true_positive_rate_difference@1"] == "grew"
    assert found.findings.tables["gap_changes"].num_rows == len(found.changes) == 10
    assert "gaps_before_and_now" in found.findings.charts


def test_without_labels_only_decisions_are_compared() -> None:
    rng = np.random.default_rng(2)
    before, now = decided(rng, 900, {"a": 0.1, "b": 0.2}), decided(rng, 900, {"a": 0.1, "b": 0.2})
    found = fairness_drift(before, scored(now.table, replace(now.rows, target=None)), CONTRACT, SETTINGS)
    assert [change.definition for change in found.changes] == ["selection_rate_difference@1"]
    assert "No label has arrived" in found.findings.notes[1]


def test_groups_of_one_side_only_do_not_enter() -> None:
    rng = np.random.default_rng(3)
    before = decided(rng, 3_000, {"a": 0.1, "b": 0.1, "gone": 0.9})
    now = decided(rng, 3_000, {"b": 0.1, "a": 0.1, "new": 0.9})
    found = fairness_drift(before, now, CONTRACT, SETTINGS)
    assert all(change.baseline < 0.1 and change.current < 0.1 for change in found.changes)
    assert "left out: team=gone, team=new" in found.findings.notes[-1]


def test_a_group_too_small_in_the_batch_leaves_both_sides() -> None:
    rng = np.random.default_rng(4)
    before = decided(rng, 3_000, {"a": 0.1, "b": 0.1, "c": 0.9})
    now = decided(rng, 3_000, {"a": 0.1, "b": 0.1, "c": 0.9})
    few = np.flatnonzero(now.table["team"].to_numpy() == "c")[3:]
    now = taken(now, np.setdiff1d(np.arange(3_000), few))
    change = next(c for c in fairness_drift(before, now, CONTRACT, SETTINGS).changes if "false_pos" in c.definition)
    assert change.baseline < 0.1 and "team=c" in change.reason and "in the batch" in change.reason


def test_a_single_group_cannot_be_told() -> None:
    rng = np.random.default_rng(5)
    found = fairness_drift(decided(rng, 100, {"a": 0.1}), decided(rng, 100, {"a": 0.1}), CONTRACT, SETTINGS)
    assert found.changes == ()
    nobody = fairness_drift(decided(rng, 100, {"a": 0.1}), decided(rng, 100, {"a": 0.1}), Contract(()), SETTINGS)
    assert "no groups to compare" in nobody.findings.notes[0]


def alarms(n_before: int, n_now: int, draws: int, moved: float = 0.0) -> float:
    """Share of draws in which any gap of five is called changed."""
    rng = np.random.default_rng([n_before, n_now])
    rates, later = {"a": 0.1, "b": 0.2, "c": 0.15}, {"a": 0.1, "b": 0.2 + moved, "c": 0.15}
    found = [
        fairness_drift(decided(rng, n_before, rates), decided(rng, n_now, later), CONTRACT, SETTINGS).changes
        for _ in range(draws)
    ]
    return float(np.mean([any(change.verdict != "no change seen" for change in changes) for changes in found]))


def test_few_false_alarms_and_a_large_change_is_seen() -> None:
    assert alarms(600, 300, 30) <= 0.1
    assert alarms(4_000, 2_000, 8, moved=0.25) == 1.0


@pytest.mark.nightly
@pytest.mark.parametrize(("n_before", "n_now"), [(300, 100), (2_000, 1_000), (10_000, 1_000)])
def test_false_alarms_stay_within_two_points(n_before: int, n_now: int) -> None:
    assert alarms(n_before, n_now, 1_000) <= 0.07
