"""Errors of a regression before its targets: followed where the rows change, and covered by their intervals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from scipy.stats import t
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.isotonic import IsotonicRegression

from rai_assets.data.contract import Contract
from rai_assets.errors import UsageError
from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Rows
from rai_assets.metrics.table import measure
from rai_assets.model.encoding import Feature
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.estimated import estimated_performance
from rai_assets.monitoring.performance.loss import PredictedLoss, about, predicted_losses
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets_tests.monitoring.performance.conftest import scored

FEATURES = [Feature("x", "number"), Feature("z", "number")]
SETTINGS = PerformanceSettings()
METRICS = ("mean_absolute_error", "root_mean_squared_error")


def rows(rng: np.random.Generator, n: int, shift: float = 0.0) -> ScoredRows:
    """A prediction whose errors grow with x, and do not depend on z."""
    x, z = rng.uniform(0, 1, n) ** (1 / (1 + shift)), rng.normal(size=n)
    score = 3 * x + z
    target = score + (0.2 + x) * rng.normal(size=n)
    return scored(pa.table({"x": x, "z": z}), Rows("regression", target=target, score=score))


def estimated(known: ScoredRows, asked: ScoredRows, features: list[Feature] = FEATURES) -> dict[str, Number]:
    unlabelled = ScoredRows(replace(asked.rows, target=None), asked.table, asked.keep)
    found = estimated_performance(known, unlabelled, Contract(()), features, SETTINGS, seed=0)
    return {number.definition.partition("@")[0].removeprefix("estimated_"): number for number in found.numbers}


def shown(side: ScoredRows) -> dict[str, float]:
    return {number.definition.partition("@")[0]: number.value for number in measure(side.rows)}


def coverage(n_known: int, n: int, shift: float, draws: int) -> dict[str, float]:
    """How often what targets show lies in the interval, the calibration rows counted by their likeness to the batch."""
    rng = np.random.default_rng([n_known, n])
    held: dict[str, list[bool]] = {name: [] for name in METRICS}
    for _ in range(draws):
        known, asked = rows(rng, n_known), rows(rng, n, shift)
        found, truth = estimated(known, asked), shown(asked)
        for name in METRICS:
            low, high = found[name].low, found[name].high
            assert low is not None
            assert high is not None
            held[name].append(low <= truth[name] <= high)
    return {name: float(np.mean(each)) for name, each in held.items()}


def test_larger_errors_are_foreseen_where_rows_move_to_them() -> None:
    rng = np.random.default_rng(0)
    known, asked = rows(rng, 4_000), rows(rng, 2_000, shift=3.0)
    before, truth, found = shown(known), shown(asked), estimated(known, asked)
    for name in METRICS:
        assert truth[name] > 1.15 * before[name]
        assert found[name].low <= truth[name] <= found[name].high
        assert found[name].high - found[name].low < 0.3 * truth[name]
        assert "without labels" in found[name].reason
    # The mean size of the error at x is (0.2 + x) sqrt(2 / pi); x to the fourth root of a uniform has mean 4 / 5.
    assert found["mean_absolute_error"].value == pytest.approx(np.sqrt(2 / np.pi), rel=0.08)


def test_a_loss_that_nothing_predicts_is_the_mean_of_the_calibration_rows() -> None:
    true = np.abs(np.random.default_rng(1).normal(size=1_000))
    loss = PredictedLoss(true, np.ones(1_000), np.ones(200))
    item = loss.estimate("mean_absolute_error", np.ones(1_000, bool), np.ones(200, bool), np.ones(1_000), 0.95)
    assert item.value == pytest.approx(true.mean())
    half = 1.972 * true.std() * np.sqrt(1 / 200 + 1 / 1_000)
    assert item.low == pytest.approx(true.mean() - half, rel=0.01)


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("name", METRICS)
def test_the_interval_is_put_together_bin_by_bin(name: str, level: float) -> None:
    """Some calibration rows, which count unlike, speak for some rows of the batch."""
    rng = np.random.default_rng(3)
    known, asked, weight = rng.random(150), rng.uniform(0.2, 1.2, 60), rng.exponential(size=150)
    true = known + rng.exponential(size=150)
    calibration, members = np.arange(150) % 3 > 0, np.arange(60) % 4 > 0
    found = PredictedLoss(true, known, asked).estimate(name, calibration, members, weight, level)
    known, true, weight, asked = known[calibration], true[calibration], weight[calibration], asked[members]
    fitted = IsotonicRegression(out_of_bounds="clip").fit(known, true, sample_weight=weight)
    rest = (true - fitted.predict(known)) ** 2
    usual, edges = np.average(rest, weights=weight), np.quantile(known, [0.2, 0.4, 0.6, 0.8])  # 100 rows, 20 a bin
    variance = 0.0
    for at in range(5):
        here, count = (edges <= known[:, None]).sum(1) == at, ((edges <= asked[:, None]).sum(1) == at).sum()
        rows = weight[here].sum() ** 2 / (weight[here] ** 2).sum()
        noise = (rows * np.average(rest[here], weights=weight[here]) + usual) / (rows + 1)
        variance += (count * noise + count**2 * noise / (rows + 1)) / len(asked) ** 2
    value, half = fitted.predict(asked).mean(), t.ppf((1 + level) / 2, len(asked) - 1) * np.sqrt(variance)
    wanted = np.array([value, max(value - half, 0), value * np.exp(half / value)])
    wanted = np.sqrt(wanted) if name == "root_mean_squared_error" else wanted
    assert (found.value, found.low, found.high) == pytest.approx(wanted)
    assert found.rows == 45


def test_errors_of_next_to_nothing_have_bounds() -> None:
    zero = PredictedLoss(np.zeros(100), np.ones(100), np.ones(30))
    everyone = np.ones(100, bool), np.ones(30, bool), np.ones(100)
    none = zero.estimate("root_mean_squared_error", *everyone, 0.95)
    assert (none.value, none.low, none.high) == (0, 0, 0)
    # Half of the rows have no error at all, and what the others' vary by is not forgotten of them.
    two_kinds = PredictedLoss(np.append(np.zeros(50), [1.0, 3.0] * 25), np.repeat([0.0, 1.0], 50), np.zeros(30))
    some = two_kinds.estimate("mean_absolute_error", *everyone, 0.95)
    assert some.value == some.low == 0 < some.high < 0.2
    wide = PredictedLoss(np.append(np.full(99, 1e-9), 1e6), np.ones(100), np.ones(2))
    two = wide.estimate("mean_absolute_error", everyone[0], np.ones(2, bool), everyone[2], 0.95)
    assert two.low == 0 < two.value < two.high < np.inf


@pytest.mark.parametrize("seed", [0, 5])
def test_losses_are_predicted_by_models_that_have_not_seen_the_row(seed: int) -> None:
    rng = np.random.default_rng(4)
    known, asked = rows(rng, 200), rows(rng, 50)
    found = predicted_losses(known, asked, FEATURES, seed=seed)
    matrices = [np.column_stack([side.table["x"], side.table["z"], side.rows.score]) for side in (known, asked)]
    fold = np.random.default_rng(seed).permutation(200) % 5
    for name, loss in (("mean_absolute_error", np.abs), ("root_mean_squared_error", np.square)):
        true = loss(known.rows.target - known.rows.score)
        outside, batch = np.empty(200), []
        for held in range(5):
            model = HistGradientBoostingRegressor(
                max_iter=50, max_leaf_nodes=15, early_stopping=False, random_state=seed
            )
            model.fit(matrices[0][fold != held].astype(np.float32), true[fold != held])
            outside[fold == held] = model.predict(matrices[0][fold == held].astype(np.float32))
            batch.append(model.predict(matrices[1].astype(np.float32)))
        assert found[name].true == pytest.approx(true)
        assert found[name].known == pytest.approx(outside, abs=0.02)
        assert found[name].asked == pytest.approx(np.mean(batch, axis=0), abs=0.02)


def test_how_well_errors_are_told_apart_is_said_of_the_rows_that_speak() -> None:
    true, half = np.array([0.0, 2.0, 0.0, 2.0, 9.0]), np.array([0.5, 1.5, 0.5, 1.5, 0.0])
    losses = {"mean_absolute_error": PredictedLoss(true, half, np.zeros(1))}
    # Of four errors 1 away from their mean, 0.5 each is left: a quarter of the variance.
    assert "75% of the variance of the absolute error" in about(losses, np.array([True] * 4 + [False]))
    assert "0% of the variance" in about(losses, np.ones(5, bool))


def test_what_targets_show_lies_in_the_intervals() -> None:
    found = coverage(800, 300, 1.0, 6)
    assert min(found.values()) >= 0.6, found


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("n_known", "n"), [(500, 30), (500, 1_000), (3_000, 1_000)])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_intervals_hold_their_level(n_known: int, n: int, shift: float) -> None:
    found = coverage(n_known, n, shift, 400)
    assert min(found.values()) >= 0.90, found


def test_without_targets_there_is_nothing_to_learn_from() -> None:
    known = rows(np.random.default_rng(2), 600)
    with pytest.raises(UsageError, match="(?s)calibration rows with targets.*Fix: give calibration rows"):
        predicted_losses(ScoredRows(replace(known.rows, target=None), known.table, known.keep), known, FEATURES, seed=0)


def test_bicycles_hired_in_worse_weather(shared_data: Path) -> None:
    file = next((shared_data / "bike_sharing").glob("*hour*"))
    table = csv.read_csv(file)
    names = ["hr", "weekday", "workingday", "temp", "hum", "windspeed", "weathersit"]
    features = [Feature(name, "number") for name in names]
    count = table["cnt"].to_numpy().astype(float)
    first = table["yr"].to_numpy() == 0
    rng = np.random.default_rng(0)
    order = rng.permutation(np.flatnonzero(first))
    fitted, known = order[:4_000], order[4_000:6_500]
    rest = order[6_500:]
    wet = rest[table["weathersit"].to_numpy()[rest] >= 2]
    matrix = np.column_stack([table[name].to_numpy() for name in names])
    model = HistGradientBoostingRegressor(random_state=0, early_stopping=False).fit(matrix[fitted], count[fitted])

    def side(chosen: np.ndarray) -> ScoredRows:
        prediction = model.predict(matrix[chosen])
        some = table.select(names).take(pa.array(chosen))
        return scored(some, Rows("regression", target=count[chosen], score=prediction))

    found, truth = estimated(side(known), side(wet), features), shown(side(wet))
    for name in METRICS:
        assert found[name].low <= truth[name] <= found[name].high
