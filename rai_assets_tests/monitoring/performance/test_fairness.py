"""Gaps of a batch beside those of the baseline: the product's own gaps, a change found, and quiet without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.data.contract import Column, Contract
from rai_assets.data.groups import grouping
from rai_assets.data.settings import ColumnSettings
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.number import Number
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


def gaps(side: ScoredRows, level: float) -> dict[str, Number]:
    """The gaps between teams by the product's own table."""
    every = measure(side.rows, grouping(side.table, CONTRACT, ["team"]), level=level)
    return {number.definition: number for number in every if not number.group}


def test_a_change_is_judged_at_the_level_at_which_all_hold_at_once() -> None:
    rng = np.random.default_rng(28)
    before, now = decided(rng, 900, {"a": 0.1, "b": 0.2}), decided(rng, 700, {"a": 0.1, "b": 0.28})
    found = fairness_drift(before, now, CONTRACT, SETTINGS)
    level = 1 - SETTINGS.false_alarms / 5
    for change in found.changes:
        old, new = (gaps(side, level)[change.definition] for side in (before, now))
        value = new.value - old.value
        low = value - np.hypot(new.value - new.low, old.high - old.value)
        high = value + np.hypot(new.high - new.value, old.value - old.low)
        assert (change.baseline, change.current, change.change) == pytest.approx((old.value, new.value, value))
        assert (change.low, change.high) == pytest.approx((low, high))
        wanted = "grew" if low > 0 else "shrank" if high < 0 else "no change seen"
        assert change.verdict == wanted
    assert len(found.changes) == 5
    alone = [n for n in found.findings.numbers if n.definition == "change_from_baseline@1" and n.low > 0]
    assert len(alone) > sum(change.verdict == "grew" for change in found.changes), "seen to grow only by themselves"
    bars = found.findings.charts["gaps_before_and_now"]["data"]["values"]
    drawn = {(bar["label"], bar["group"]): bar["value"] for bar in bars}
    for change in found.changes:
        label = f"{definition(change.definition).name} · team"
        assert (drawn[label, "baseline"], drawn[label, "this batch"]) == (change.baseline, change.current)


def test_a_gap_that_closes_has_shrunk() -> None:
    rng = np.random.default_rng(7)
    before, now = decided(rng, 4_000, {"a": 0.1, "b": 0.5}), decided(rng, 2_000, {"a": 0.1, "b": 0.1})
    verdicts = {change.definition: change for change in fairness_drift(before, now, CONTRACT, SETTINGS).changes}
    closed = verdicts["false_positive_rate_difference@1"]
    assert closed.verdict == "shrank"
    assert closed.change < -0.3


@pytest.mark.parametrize("heavy", [1.0, 1e6])
def test_a_change_without_an_interval_cannot_be_told(heavy: float) -> None:
    """One row that outweighs all others of its team: nothing is known of how much their mean may vary."""
    rng = np.random.default_rng(11)

    def priced(first: float) -> ScoredRows:
        target = rng.normal(size=200)
        weight = np.append(first, np.ones(199))
        rows = Rows("regression", target=target, score=target + rng.normal(size=200), weight=weight)
        return scored(pa.table({"team": ["a", "b"] * 100}), rows)

    found = fairness_drift(priced(1.0), priced(heavy), CONTRACT, SETTINGS).changes
    assert len(found) == 3
    told = ("no change seen", "") if heavy == 1 else ("cannot tell", "no interval: a group has none")
    assert {(change.verdict, change.reason) for change in found} == {told}
    assert {change.low is None for change in found} == {heavy > 1}


def test_decisions_are_compared_on_all_rows_and_their_rightness_on_those_with_labels() -> None:
    rng = np.random.default_rng(8)
    before, now = decided(rng, 1_000, {"a": 0.1, "b": 0.2}), decided(rng, 600, {"a": 0.1, "b": 0.2})
    labelled = taken(now, np.arange(0, 600, 3))
    every = scored(now.table, replace(now.rows, target=None))
    found = fairness_drift(before, every, CONTRACT, SETTINGS, labelled=labelled)
    of_all, of_labelled = gaps(every, 0.95), gaps(labelled, 0.95)
    numbers = {n.definition: n for n in found.findings.numbers if n.coordinates.get("chunk", "x") == "x"}
    for name in ("selection_rate", "true_positive_rate", "false_positive_rate", "precision", "accuracy"):
        wanted = (of_all if name == "selection_rate" else of_labelled)[f"{name}_difference@1"]
        assert numbers[wanted.definition].value == pytest.approx(wanted.value)
    assert numbers["selection_rate_difference@1"].n == 600
    assert numbers["accuracy_difference@1"].n == 200
    assert "on the 200 of 600 rows with a label" in found.findings.notes[1]
    without = fairness_drift(every, now, CONTRACT, SETTINGS)
    assert [change.definition for change in without.changes] == ["selection_rate_difference@1"]


def test_a_change_rests_on_the_smaller_side_and_on_its_smallest_group() -> None:
    rng = np.random.default_rng(9)
    before, now = decided(rng, 2_000, {"a": 0.1, "b": 0.1}), decided(rng, 2_000, {"a": 0.1, "b": 0.1})
    few = np.flatnonzero(now.table["team"].to_numpy() == "b")[20:]
    now = taken(now, np.setdiff1d(np.arange(2_000), few))
    numbers = fairness_drift(before, now, CONTRACT, SETTINGS).findings.numbers
    old, new, change = (n for n in numbers if "accuracy_difference@1" in (n.definition, n.coordinates.get("of")))
    assert (old.n, new.n, change.n) == (2_000, now.rows.n, now.rows.n)
    assert (old.small, new.small, change.small) == (False, True, True)


def test_a_group_too_small_in_the_baseline_leaves_both_sides() -> None:
    rng = np.random.default_rng(10)
    before = decided(rng, 3_000, {"a": 0.1, "b": 0.1, "c": 0.9})
    now = decided(rng, 3_000, {"a": 0.1, "b": 0.1, "c": 0.9})
    few = np.flatnonzero(before.table["team"].to_numpy() == "c")[3:]
    before = taken(before, np.setdiff1d(np.arange(3_000), few))
    for change in fairness_drift(before, now, CONTRACT, SETTINGS).changes:
        assert "team=c" in change.reason
        assert "in the baseline" in change.reason
        assert change.current < 0.1
    two = [decided(rng, 900, {"a": 0.1, "b": 0.1}) for _ in range(2)]
    few = np.flatnonzero(two[0].table["team"].to_numpy() == "b")[3:]
    two[0] = taken(two[0], np.setdiff1d(np.arange(900), few))
    for change in fairness_drift(*two, CONTRACT, SETTINGS).changes:
        assert (change.verdict, change.baseline) == ("cannot tell", None)
        assert change.reason.startswith("fewer than two groups can be measured on both sides")


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
