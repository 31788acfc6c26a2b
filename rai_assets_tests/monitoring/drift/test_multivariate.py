"""Drift of columns together: what was planted is found, and what was not is quiet as often as promised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from rai_assets.compute.kept import Kept
from rai_assets.metrics.definitions import DEFINITIONS
from rai_assets.model.encoding import Feature
from rai_assets.monitoring.drift.domain_classifier import tell_apart
from rai_assets.monitoring.drift.multivariate import multivariate_drift
from rai_assets.monitoring.drift.order import blocks_of
from rai_assets.monitoring.drift.reconstruction import Reconstruction

FEATURES = [Feature("a", "number"), Feature("b", "number"), Feature("c", "category"), Feature("d", "number")]


def rows(rng: np.random.Generator, n: int, correlation: float = 0.9) -> pa.Table:
    """Two correlated normals, a skewed number with missing values, and a category that goes with the first."""
    a = rng.normal(size=n)
    b = correlation * a + np.sqrt(1 - correlation**2) * rng.normal(size=n)
    c = np.where(rng.random(n) < 1 / (1 + np.exp(-a)), "high", "low")
    d = pa.array(rng.exponential(size=n), mask=rng.random(n) < 0.05)
    return pa.table({"a": a, "b": b, "c": c, "d": d})


def p_values(reference: pa.Table, current: pa.Table, seed: int) -> list[float]:
    """Of the domain classifier and of the reconstruction error."""
    return [row.p_value for row in multivariate_drift(reference, current, FEATURES, seed=seed).rows]


def alarms(n_reference: int, n_current: int, draws: int, correlation: float = 0.9) -> list[float]:
    """Shares of the draws in which either method alarms at 5 %."""
    rng = np.random.default_rng([n_reference, n_current])
    found = [p_values(rows(rng, n_reference), rows(rng, n_current, correlation), seed) for seed in range(draws)]
    return (np.array(found) <= 0.05).mean(axis=0).tolist()


def test_a_lost_correlation_is_found_though_no_column_changed() -> None:
    rng = np.random.default_rng(5)
    found = multivariate_drift(rows(rng, 2_000), rows(rng, 1_000, -0.9), FEATURES, seed=1)
    for row in found.rows:
        assert row.drifted and row.p_value < 0.001
        assert row.definition in DEFINITIONS
        assert (row.chunk, row.n_reference, row.n_current) == ("all", 2_000, 1_000)
    auc, error = found.findings.numbers[0], found.findings.numbers[-1]
    assert auc.definition == "domain_classifier_auc@1" and auc.low > 0.6
    assert error.definition == "reconstruction_error@1" and error.low > 1
    driving = [n.coordinates["feature"] for n in found.findings.numbers if "feature" in n.coordinates]
    assert set(driving[:2]) == {"a", "b"}
    assert "domain_classifier" in found.findings.charts


def test_the_same_seed_finds_the_same() -> None:
    rng = np.random.default_rng(6)
    one, other = rows(rng, 300), rows(rng, 300)
    assert multivariate_drift(one, other, FEATURES, seed=4) == multivariate_drift(one, other, FEATURES, seed=4)


def test_an_effect_below_its_minimum_is_no_drift() -> None:
    rng = np.random.default_rng(7)
    found = multivariate_drift(rows(rng, 3_000), rows(rng, 3_000, 0.7), FEATURES, seed=0, minimum_effect=0.45)
    classifier = found.rows[0]
    assert classifier.p_value < 0.05 and not classifier.drifted


def test_too_few_rows_are_said() -> None:
    rng = np.random.default_rng(8)
    found = multivariate_drift(rows(rng, 500), rows(rng, 12), FEATURES, seed=0)
    assert [row.drifted for row in found.rows] == [None, None]
    assert found.rows[0].reason == "the batch has 12 rows, and at least 20 are needed"
    assert all(number.value is None for number in found.findings.numbers)


def test_a_classifier_that_could_not_split_its_rows_is_no_all_clear() -> None:
    """The halves of 39 and 41 rows are 19 and 20, too few for two leaves of 20; with one more it finds far rows."""
    rng = np.random.default_rng(8)
    before, now = rows(rng, 39), rows(rng, 41)
    few = multivariate_drift(before, now, FEATURES, seed=0).rows[0]
    assert few.drifted is None
    assert few.reason == "the classifier is fitted on half of the rows, 39, and at least 40 are needed"
    far = now.set_column(0, "a", pc.add(now.column("a"), 50.0))
    enough = multivariate_drift(rows(rng, 40), far, FEATURES, seed=0).rows[0]
    assert enough.drifted and enough.statistic == 1.0


def test_one_column_has_a_classifier_and_no_reconstruction() -> None:
    rng = np.random.default_rng(9)
    found = multivariate_drift(rows(rng, 300), rows(rng, 300), FEATURES[:1], seed=0)
    assert found.rows[0].p_value is not None
    assert found.rows[1].drifted is None and "hold all there is" in found.rows[1].reason


@pytest.mark.parametrize(("n_reference", "n_current"), [(60, 60), (200, 40)])
def test_without_drift_few_alarms(n_reference: int, n_current: int) -> None:
    # 50 draws: 4 standard errors above 5 %; the nightly test is the sharp one.
    assert max(alarms(n_reference, n_current, 50)) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 50)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("n_reference", "n_current"), [(100, 100), (1_000, 100), (1_000, 1_000)])
def test_false_alarms_stay_within_two_points(n_reference: int, n_current: int) -> None:
    found = alarms(n_reference, n_current, 2_000)
    assert max(found) <= 0.07, found


@pytest.mark.nightly
def test_power_against_a_weaker_correlation() -> None:
    found = alarms(1_000, 1_000, 200, correlation=0.6)
    assert min(found) >= 0.9, found


def elec2(shared_data: Path) -> tuple[pa.Table, list[Feature]]:
    """Prices and demand in New South Wales every two hours, in order of time; columns of numbers."""
    table = csv.read_csv(shared_data / "elec2" / "elec.csv.gz")
    names = ["period", "nswprice", "nswdemand"]
    return table.select(names).take(pa.array(range(0, table.num_rows, 4))), [Feature(name, "number") for name in names]


def test_neighbours_in_time_do_not_alarm_where_blocks_are_compared(shared_data: Path) -> None:
    table, features = elec2(shared_data)
    # Eleven whole months, and the two weeks that follow them.
    reference, current = table[: 12 * 330], table[12 * 330 : 12 * 344]
    ordered = multivariate_drift(reference, current, features, seed=0, ordered=True)
    mixed = multivariate_drift(reference, current, features, seed=0)
    assert not any(row.drifted for row in ordered.rows)
    assert all(row.drifted for row in mixed.rows)
    assert "contiguous blocks" in ordered.findings.notes[-1]


def test_twenty_blocks_are_enough_to_find_a_drift_by_either_method() -> None:
    rng = np.random.default_rng(12)
    found = multivariate_drift(rows(rng, 2_000), rows(rng, 100, -0.9), FEATURES, seed=0, ordered=True)
    for row in found.rows:
        assert blocks_of(row.null) == 20
        assert row.p_value == row.family_p_value == 1 / 21
        assert row.drifted


def test_a_level_below_what_blocks_can_give_is_not_told_as_unchanged() -> None:
    rng = np.random.default_rng(0)
    before, now = rows(rng, 750), rows(rng, 30)
    told = multivariate_drift(before, now, FEATURES, seed=0, ordered=True)
    assert all(row.p_value is not None for row in told.rows), "25 blocks can give 1 / 26"
    (first, _) = multivariate_drift(before, now, FEATURES, seed=0, ordered=True, level=0.025).rows
    assert first.drifted is None
    assert "holds 25 blocks of the batch's size; at least 39 are needed" in first.reason


def test_in_an_order_a_batch_is_one_more_block_of_its_size() -> None:
    """Each block told apart from the rest as the batch is from all; errors by how far their mean is from the median."""
    rng = np.random.default_rng(20)
    reference, current = rows(rng, 530), rows(rng, 25, 0.5)
    found = multivariate_drift(reference, current, FEATURES, seed=3, ordered=True)
    starts = np.linspace(0, 505, 21).astype(int)
    draws, apart = np.random.default_rng(3), []
    for start in starts:
        rest = pa.concat_tables([reference[:start], reference[start + 25 :]])
        apart.append(tell_apart(rest, reference[start : start + 25], FEATURES, draws, importance=False).auc.value[0])
    auc = tell_apart(reference, current, FEATURES, np.random.default_rng(3)).auc.value[0]
    # Blocks by turns: the components of either half are for the rows of the other.
    turn = np.arange(530) // 25 % 2
    fits = [Reconstruction.fit(reference.filter(pa.array(turn == half)), FEATURES) for half in (0, 1)]
    before = np.where(turn == 0, fits[1].errors(reference), fits[0].errors(reference))
    now = (fits[0].errors(current) + fits[1].errors(current)) / 2
    means = np.array([before[start : start + 25].mean() for start in starts])
    away = np.abs(np.append(means, now.mean()) - np.median(np.append(means, now.mean())))
    classifier, error = found.rows
    assert (classifier.statistic, error.statistic) == pytest.approx((auc, now.mean()))
    assert classifier.p_value == (1 + sum(one >= auc for one in apart)) / 22
    assert error.p_value == (1 + (away[:-1] >= away[-1]).sum()) / 22
    assert classifier.effect == pytest.approx(auc - 0.5)
    assert error.effect == pytest.approx((now.mean() - before.mean()) / before.std())
    assert classifier.null == "larger of 21 blocks of the reference and rank sum of rows outside the fit"
    assert error.null == "larger of 21 blocks of the reference and permutation of rows outside the fit"
    assert "the larger p-value counts. None can be below 0.045" in found.findings.notes[-1]


def test_what_was_made_of_the_reference_is_used_for_like_batches_only() -> None:
    rng = np.random.default_rng(21)
    reference, kept = rows(rng, 500), Kept()
    for n, seed, features in ((25, 0, 4), (24, 0, 4), (25, 1, 4), (25, 0, 3)):
        current = rows(rng, n)
        asked = {"seed": seed, "ordered": True, "importance": False}
        alone = multivariate_drift(reference, current, FEATURES[:features], **asked)
        assert multivariate_drift(reference, current, FEATURES[:features], **asked, kept=kept).rows == alone.rows


def test_at_most_forty_blocks_are_compared() -> None:
    rng = np.random.default_rng(22)
    found = multivariate_drift(rows(rng, 850), rows(rng, 20), FEATURES[:2], seed=0, ordered=True, importance=False)
    assert blocks_of(found.rows[0].null) == 40


@pytest.mark.parametrize(("before", "now", "told"), [(20, 20, True), (19, 20, False), (20, 19, False)])
def test_twenty_rows_of_either_side_are_enough(before: int, now: int, told: bool) -> None:
    rng = np.random.default_rng(23)
    row = multivariate_drift(rows(rng, before), rows(rng, now), FEATURES, seed=0).rows[1]
    assert (row.p_value is not None) == told
    assert (row.n_reference, row.n_current) == (before, now)
    assert multivariate_drift(rows(rng, 50), rows(rng, 50), [], seed=0).rows[0].reason == (
        "there is no column to compare"
    )


def test_a_batch_that_keeps_the_relations_better_has_a_negative_effect() -> None:
    rng = np.random.default_rng(24)
    reference, current = rows(rng, 1_500, 0.5), rows(rng, 800, 0.95)
    for minimum, drifted in ((0.0, True), (0.2, True), (5.0, False)):
        row = multivariate_drift(reference, current, FEATURES[:2], seed=0, minimum_effect=minimum).rows[1]
        assert row.effect < -0.2
        assert row.drifted == drifted


def test_the_level_is_that_of_both_methods_together() -> None:
    """Holm's factor without an order."""
    rng = np.random.default_rng(28)
    sides = rows(rng, 300), rows(rng, 200, 0.7)
    one, other = sorted(row.p_value for row in multivariate_drift(*sides, FEATURES, seed=1).rows)
    family = min(2 * one, 1.0), min(max(2 * one, other), 1.0)
    assert 0.002 < family[0] < family[1] < 1
    for level, drifted in ((family[0] * 0.999, 0), (family[0], 1), (family[1] * 0.999, 1), (family[1], 2)):
        found = multivariate_drift(*sides, FEATURES, seed=1, level=level).rows
        assert sorted(row.family_p_value for row in found) == pytest.approx(family)
        assert sum(row.drifted for row in found) == drifted
        assert {row.threshold for row in found} == {level}


def test_what_the_classifier_goes_by_is_named_where_it_tells_anything() -> None:
    rng = np.random.default_rng(26)
    moved = rows(rng, 400)
    moved = moved.set_column(0, "a", pa.array(moved["a"].to_numpy() + 2))
    found = multivariate_drift(rows(rng, 400), moved, FEATURES, seed=0)
    assert found.rows[0].drivers.split(", ")[0] == "a"
    lost = [n for n in found.findings.numbers if "feature" in n.coordinates]
    assert [n.value for n in lost] == sorted((n.value for n in lost), reverse=True)
    assert found.rows[0].drivers == ", ".join(n.coordinates["feature"] for n in lost[:3] if n.value > 0)
    quiet = [multivariate_drift(rows(rng, 60), rows(rng, 60), FEATURES, seed=seed).rows[0] for seed in range(6)]
    assert any(row.statistic <= 0.5 for row in quiet)
    assert all(row.drivers == "" for row in quiet if row.statistic <= 0.5)


def test_an_ordered_reference_needs_twenty_blocks() -> None:
    rng = np.random.default_rng(10)
    found = multivariate_drift(rows(rng, 500), rows(rng, 50), FEATURES, seed=0, ordered=True)
    assert "holds 10 blocks of the batch's size" in found.rows[0].reason


def test_a_walk_over_california_is_found_by_its_coordinates(shared_data: Path) -> None:
    folder = shared_data / "california_housing"
    reference = csv.read_csv(folder / "california_housing_reference.csv.gz")
    current = csv.read_csv(folder / "california_housing_analysis.csv.gz")[:2_000]
    names = ["MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude"]
    found = multivariate_drift(reference, current, [Feature(name, "number") for name in names], seed=0)
    assert all(row.drifted for row in found.rows)
    assert found.rows[0].statistic > 0.95
    driving = [n.coordinates["feature"] for n in found.findings.numbers if "feature" in n.coordinates]
    assert set(driving[:2]) == {"Latitude", "Longitude"}
