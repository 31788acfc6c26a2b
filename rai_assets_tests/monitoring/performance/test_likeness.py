"""Weights of calibration rows: the ratio of two densities; estimates that hold where a score errs for some people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit, logit

from rai_assets.data.contract import Contract
from rai_assets.metrics.rows import Rows
from rai_assets.metrics.table import measure
from rai_assets.model.encoding import Feature
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.estimated import estimated_performance
from rai_assets.monitoring.performance.likeness import FEWEST_ROWS, likeness
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets_tests.monitoring.performance.conftest import scored

FEATURES = [Feature("x", "number"), Feature("town", "category")]


def rows(rng: np.random.Generator, n: int, moved: float = 0.0, north: float = 0.3) -> ScoredRows:
    """Scores that are too high in the north and too low in the south; right for all together where 30 % are north."""
    x, town = rng.normal(moved, 1, n), np.where(rng.random(n) < north, "north", "south")
    score = expit(x)
    target = (rng.random(n) < expit(logit(score) + np.where(town == "north", -1.0, 0.45))).astype(np.int8)
    table = pa.table({"x": x, "town": town})
    return scored(table, Rows("binary", ("no", "yes"), target, (score >= 0.5).astype(np.int8), score, True))


def estimated(known: ScoredRows, asked: ScoredRows) -> dict[str, tuple[float, float, float]]:
    hidden = scored(asked.table, replace(asked.rows, target=None))
    found = estimated_performance(known, hidden, Contract(()), FEATURES, PerformanceSettings(), seed=0).numbers
    return {
        n.definition.partition("@")[0].removeprefix("estimated_"): (n.low, n.value, n.high)
        for n in found
        if n.value is not None
    }


def test_weights_are_the_ratio_of_the_densities() -> None:
    rng = np.random.default_rng(0)
    known, asked = rows(rng, 4_000), rows(rng, 4_000, moved=0.6)
    weight = likeness(known, asked, FEATURES, seed=0)
    x = known.table["x"].to_numpy()
    assert np.corrcoef(np.log(weight), 0.6 * x - 0.18)[0, 1] > 0.9
    assert weight.mean() == pytest.approx(1)


def test_without_a_change_rows_count_nearly_alike() -> None:
    rng = np.random.default_rng(1)
    weight = likeness(rows(rng, 4_000), rows(rng, 2_000), FEATURES, seed=0)
    assert weight.sum() ** 2 / (weight**2).sum() > 0.85 * 4_000


def test_of_few_rows_nothing_is_said() -> None:
    rng = np.random.default_rng(2)
    assert set(likeness(rows(rng, 500), rows(rng, FEWEST_ROWS - 1, moved=3), FEATURES, seed=0)) == {1.0}
    assert FEWEST_ROWS == 100
    weight = likeness(rows(rng, 500), rows(rng, FEWEST_ROWS, moved=3), FEATURES, seed=0)
    assert weight.max() > 5


def test_rows_are_told_apart_by_their_scores_too_and_the_same_by_the_same_seed() -> None:
    rng = np.random.default_rng(4)
    known, asked = rows(rng, 4_000), rows(rng, 2_000, moved=0.6)
    for features in (FEATURES[1:], []):
        weight = likeness(known, asked, features, seed=0)
        assert np.corrcoef(np.log(weight), known.table["x"].to_numpy())[0, 1] > 0.9
        np.testing.assert_array_equal(weight, likeness(known, asked, features, seed=0))
    assert (weight != likeness(known, asked, [], seed=1)).any()


@pytest.mark.parametrize("moved", [0.0, 3.0])
def test_weights_of_many_rows_for_a_small_batch_are_finite_and_of_all_of_them(moved: float) -> None:
    """The rows stand in an order: those that a classifier is fitted on are drawn from all."""
    rng = np.random.default_rng(5)
    known, asked = rows(rng, 30_000), rows(rng, 100, moved)
    x = known.table["x"].to_numpy()
    order = np.argsort(x)
    score = np.asarray(known.rows.score)[order]
    known = scored(known.table.take(pa.array(order)), replace(known.rows, target=None, decision=None, score=score))
    weight = likeness(known, asked, FEATURES, seed=0)
    assert np.isfinite(weight).all()
    assert weight.mean() == pytest.approx(1)
    assert np.average(x[order], weights=weight) == pytest.approx(moved, abs=0.5)


def test_a_batch_from_the_north_is_read_as_the_north() -> None:
    rng = np.random.default_rng(3)
    known, asked = rows(rng, 6_000), rows(rng, 3_000, north=0.95)
    truth = {n.definition.partition("@")[0]: n.value for n in measure(asked.rows)}
    found = estimated(known, asked)
    for name in ("accuracy", "precision", "base_rate", "f1"):
        low, _, high = found[name]
        assert low <= truth[name] <= high, name
    assert truth["precision"] < 0.62 < 0.65 < {n.definition: n.value for n in measure(known.rows)}["precision@1"]


def coverage(n_known: int, n: int, moved: float, north: float, draws: int) -> dict[str, float]:
    rng = np.random.default_rng([n_known, n])
    held: dict[str, list[bool]] = {}
    for _ in range(draws):
        known, asked = rows(rng, n_known), rows(rng, n, moved, north)
        truth = {number.definition.partition("@")[0]: number.value for number in measure(asked.rows)}
        for name, (low, _, high) in estimated(known, asked).items():
            if name in truth:
                held.setdefault(name, []).append(low - 1e-12 <= truth[name] <= high + 1e-12)
    return {name: float(np.mean(each)) for name, each in held.items()}


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("n_known", "n"), [(1_000, 200), (3_000, 2_000)])
@pytest.mark.parametrize(("moved", "north"), [(0.0, 0.3), (0.5, 0.3), (0.0, 0.7)])
def test_the_intervals_hold_their_level(n_known: int, n: int, moved: float, north: float) -> None:
    found = coverage(n_known, n, moved, north, 200)
    # Nominal 95 % less three points, and less two standard errors of 200 draws.
    assert min(found.values()) >= 0.88, found
