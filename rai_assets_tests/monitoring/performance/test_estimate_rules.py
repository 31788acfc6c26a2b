"""From when on something is estimated, for whom by which rows, and when estimates are said to have failed.

Batches have fewer rows than it takes to weigh calibration rows by likeness, so that every number can be put together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.data.contract import Column, Contract
from rai_assets.data.groups import grouping
from rai_assets.data.settings import ColumnSettings
from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Rows
from rai_assets.metrics.table import measure
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.confidence import estimates_of
from rai_assets.monitoring.performance.estimate_errors import estimate_errors
from rai_assets.monitoring.performance.estimated import estimated_performance
from rai_assets.monitoring.performance.likeness import FEWEST_ROWS
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets.monitoring.performance.support import Support
from rai_assets_tests.monitoring.performance.conftest import scored

CONTRACT = Contract((Column("team", ColumnSettings(role="sensitive", dtype="category")),))
SETTINGS = PerformanceSettings()


def people(n: int, seed: int, teams: str = "ab", wrong: float = 0.0, weight: np.ndarray | None = None) -> ScoredRows:
    """Scores that are probabilities, but for a share of the labels that are turned."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    target = ((rng.random(n) < score) != (rng.random(n) < wrong)).astype(np.int8)
    rows = Rows("binary", ("no", "yes"), target, (score >= 0.5).astype(np.int8), score, True, weight=weight)
    return scored(pa.table({"team": rng.choice(list(teams), n)}), rows)


def estimated(known: ScoredRows, asked: ScoredRows, settings: PerformanceSettings = SETTINGS) -> dict[str, Number]:
    """Estimates of all rows by name."""
    found = estimated_performance(known, asked, CONTRACT, [], settings, seed=0).numbers
    return {item.definition.partition("@")[0]: item for item in found if not item.group}


def test_a_group_is_estimated_by_its_own_calibration_rows() -> None:
    known = people(2_000, 0, weight=np.random.default_rng(5).uniform(0.5, 2, 2_000))
    asked = people(FEWEST_ROWS - 1, 1, "aaaabc")
    asked = scored(asked.table, replace(asked.rows, score=np.minimum(1.05 * asked.rows.score, 1)))
    settings = PerformanceSettings(level=0.9, most_unsupported=1.0)
    found = estimated_performance(known, asked, CONTRACT, [], settings, seed=4).numbers
    support = Support.of((known.table, known.rows.score), (asked.table, asked.rows.score), [], seed=4)
    for team in (None, "a", "b"):
        of_known, of_asked = (
            np.ones(side.rows.n, bool) if team is None else side.table["team"].to_numpy() == team
            for side in (known, asked)
        )
        wanted, _ = estimates_of(known.rows.take(of_known), asked.rows.take(of_asked), 0.9, 4)
        group = {} if team is None else {"team": team}
        ours = {item.definition.partition("@")[0]: item for item in found if item.group == group}
        for item, _ in wanted:
            number = ours[f"estimated_{item.name}"]
            assert (number.value, number.low, number.high) == pytest.approx((item.value, item.low, item.high))
            assert (number.n, number.small, number.level) == (round(item.rows), item.rows < 30, 0.9)
        looked_at, share = support.share(of_asked)
        beyond = ours["unsupported_rate"]
        assert (beyond.n, beyond.value, beyond.small) == (looked_at, share, looked_at < 30)
        assert (beyond.low, beyond.high) == pytest.approx(support.bounds(0.9, of_asked))
    new = [item for item in found if item.group == {"team": "c"} and item.definition == "estimated_accuracy@1"]
    assert new[0].reason == "cannot tell: 0 calibration rows, and at least 500 are needed"


@pytest.mark.parametrize(("n", "told"), [(500, True), (499, False)])
def test_so_many_calibration_rows_are_enough(n: int, told: bool) -> None:
    assert (estimated(people(n, 2), people(60, 3))["estimated_accuracy"].value is not None) == told


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(("rare", "told"), [(20, True), (19, False)])
def test_so_many_calibration_rows_of_each_label_are_enough(label: int, rare: int, told: bool) -> None:
    known = people(600, 2)
    target = np.full(600, 1 - label, np.int8)
    target[np.random.default_rng(0).permutation(600)[:rare]] = label
    found = estimated(scored(known.table, replace(known.rows, target=target)), people(60, 3))
    assert (found["estimated_accuracy"].value is not None) == told
    if not told:
        assert found["estimated_accuracy"].reason.startswith("cannot tell: 19 calibration rows have the rarest label")


@pytest.mark.parametrize(("counted", "told"), [(201, True), (199, False)])
def test_calibration_rows_are_enough_by_what_they_are_worth(counted: int, told: bool) -> None:
    weight = np.full(600, 1e-6)
    weight[:counted] = 2.0
    found = estimated(people(600, 2, weight=weight), people(60, 3))["estimated_accuracy"]
    assert (found.value is not None) == told
    if not told:
        assert f"the 600 calibration rows are worth {counted} that are like the batch" in found.reason


@pytest.mark.parametrize(("n", "told"), [(5, True), (4, False)])
def test_a_batch_of_the_minimum_size_is_estimated(n: int, told: bool) -> None:
    asked = people(60, 3)
    asked = scored(asked.table[:n], asked.rows.take(np.arange(n)))
    found = estimated(people(800, 2), asked)
    assert (found["estimated_accuracy"].value is not None) == told
    assert found["unsupported_rate"].n == n


def test_a_rate_of_fewer_rows_than_the_minimum_is_withheld() -> None:
    asked = people(60, 3)
    decision = np.zeros(60, np.int8)
    for rows, told in ((5, True), (4, False)):
        decision[:rows] = 1
        found = estimated(people(800, 2), scored(asked.table, replace(asked.rows, decision=decision)))
        assert (found["estimated_precision"].value is not None) == told
        decision[:] = 0
    none = estimated(people(800, 2), scored(asked.table, replace(asked.rows, decision=decision)))
    assert none["estimated_precision"].reason == "no row with a positive decision"


def test_it_takes_a_share_surely_above_the_limit_to_say_nothing() -> None:
    known, asked = people(800, 2), people(90, 3)
    score = np.clip(asked.rows.score, 0.1, 0.9)
    score[:9] = 1.5  # above all of the calibration rows
    asked = scored(asked.table, replace(asked.rows, score=score, probability=False))
    beyond = estimated(known, asked)["unsupported_rate"]
    assert beyond.value == 0.1
    for limit, told in ((beyond.low * 1.01, True), (beyond.low, True), (beyond.low * 0.99, False)):
        settings = PerformanceSettings(most_unsupported=limit)
        assert (estimated(known, asked, settings)["estimated_accuracy"].value is not None) == told
    assert estimated(known, asked, PerformanceSettings(most_unsupported=0.0))["estimated_accuracy"].reason == (
        "cannot tell: 10% of the rows are unlike any calibration row, and at most 0% may be"
    )


def test_of_several_classes_the_most_probable_one_says_whether_a_row_is_like_the_others() -> None:
    def sure(confidence: np.ndarray) -> ScoredRows:
        score = np.column_stack([confidence, (1 - confidence) / 2, (1 - confidence) / 2])
        target = (np.arange(len(score)) % 3).astype(np.int32)
        rows = Rows("multiclass", ("a", "b", "c"), target, np.zeros(len(score), np.int32), score, True)
        return scored(pa.table({"x": confidence}), rows)

    asked = sure(np.array([0.4, 0.5, 0.61, 0.9] * 10))
    found = estimated_performance(sure(np.linspace(0.35, 0.6, 600)), asked, Contract(()), [], SETTINGS, seed=0).numbers
    assert found[0].value == 0.5


def test_losses_are_weighed_and_taken_by_group() -> None:
    """Without anything that tells the errors apart, the estimate of a group is the mean of its calibration rows."""
    rng = np.random.default_rng(6)
    team = np.repeat(["a", "b"], 600)
    target = rng.normal(size=1_200) * np.where(team == "a", 1.0, 3.0)
    weight = rng.uniform(0.1, 2, 1_200)
    known = scored(pa.table({"team": team}), Rows("regression", target=target, score=np.zeros(1_200), weight=weight))
    asked = scored(pa.table({"team": ["a"] * 40 + ["b"] * 40}), Rows("regression", score=np.zeros(80)))
    found = estimated_performance(known, asked, CONTRACT, [], SETTINGS, seed=0).numbers
    for name in ("a", "b"):
        here = team == name
        (number,) = (
            item
            for item in found
            if item.group == {"team": name} and item.definition == "estimated_mean_absolute_error@1"
        )
        # Isotonic regression on predictions that are all but equal leaves a few steps.
        assert number.value == pytest.approx(np.average(np.abs(target[here]), weights=weight[here]), rel=0.08)


def shown(side: ScoredRows) -> list[Number]:
    every = measure(side.rows)
    return [*every, *measure(side.rows, grouping(side.table, CONTRACT, ["team"]))]


@pytest.mark.parametrize("seed", range(6))
def test_estimates_fail_at_the_level_at_which_all_hold_together(seed: int) -> None:
    known, asked = people(2_000, 7), people(FEWEST_ROWS - 1, seed, wrong=0.12)
    found = estimate_errors(known, asked, shown(asked), CONTRACT, [], SETTINGS, seed=0)
    truth = {item.definition: item.value for item in shown(asked) if not item.group}
    of_all = [item for item in found.findings.numbers if not item.group]
    assert len(of_all) == 7
    small = {(item.definition, *item.group.values()): item.small for item in shown(asked)}
    of_errors = {(item.coordinates["of"], *item.group.values()): item.small for item in found.findings.numbers}
    assert of_errors == {place: small[place] for place in of_errors}
    assert set(of_errors.values()) == {True, False}
    strict = PerformanceSettings(level=1 - SETTINGS.false_alarms / 7)
    failed = {
        name.removeprefix("estimated_")
        for name, item in estimated(known, asked, strict).items()
        if name != "unsupported_rate" and not item.low <= truth[f"{name.removeprefix('estimated_')}@1"] <= item.high
    }
    assert len(found.failed) == len(failed)
    note = found.findings.notes[0]
    assert note.startswith("The estimates did not hold" if failed else "What the labels show lies within")
    assert (f"; and {len(failed) - 3} more" in note) == (len(failed) > 3)


def test_an_estimate_of_a_class_that_failed_names_the_class() -> None:
    rng = np.random.default_rng(10)

    def sorted_out(n: int, *, shifted: bool) -> ScoredRows:
        score = rng.dirichlet([1, 1, 1], n)
        target = (rng.random(n)[:, None] > score.cumsum(axis=1)).sum(axis=1)
        target = np.where(shifted & (target == 0), 1, target).astype(np.int32)
        decision = score.argmax(axis=1).astype(np.int32)
        return scored(pa.table({"x": score[:, 0]}), Rows("multiclass", ("a", "b", "c"), target, decision, score, True))

    known, asked = sorted_out(2_000, shifted=False), sorted_out(90, shifted=True)
    found = estimate_errors(known, asked, measure(asked.rows), Contract(()), [], SETTINGS, seed=0)
    named = [said.split(",")[0] for said in found.failed]
    assert any(said.startswith("precision of a 0") for said in named)
    assert not any(said.startswith("accuracy of") for said in named)


def test_what_the_labels_cannot_show_is_not_compared() -> None:
    known, asked = people(2_000, 7), people(60, 8)
    without = [replace(item, value=None, low=None, high=None, reason="lost") for item in shown(asked)]
    found = estimate_errors(known, asked, without, CONTRACT, [], SETTINGS, seed=0)
    assert (found.findings.numbers, found.failed) == ([], ())
    assert found.findings.notes == ["No estimate of all rows can be set beside the labels."]
    only_groups = [item for item in shown(people(2_000, 9)) if item.group]
    of_groups = estimate_errors(known, people(2_000, 9), only_groups, CONTRACT, [], SETTINGS, seed=0)
    assert of_groups.findings.notes == found.findings.notes
