"""Errors of predicted numbers: scikit-learn's values, exact medians, and coverage."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from numpy.testing import assert_allclose
from scipy.stats import binom

from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.means import Groups
from rai_assets.metrics.regression import regression_estimates

ORACLES = {
    "mean_absolute_error": sk.mean_absolute_error,
    "root_mean_squared_error": sk.root_mean_squared_error,
    "median_absolute_error": sk.median_absolute_error,
    "r2": sk.r2_score,
    "mean_error": lambda y, p, sample_weight: np.average(p - y, weights=sample_weight),
    "mean_prediction": lambda y, p, sample_weight: np.average(p, weights=sample_weight),
    "mean_target": lambda y, p, sample_weight: np.average(y, weights=sample_weight),
}


def measured(target: np.ndarray | None, prediction: np.ndarray | None, groups: Groups) -> dict[str, Estimates]:
    return {item.metric: item for item in regression_estimates(target, prediction, groups)}


@pytest.mark.parametrize("weighting", ["none", "real", "whole"])
def test_every_group_equals_scikit_learns(weighting: str) -> None:
    rng = np.random.default_rng(0)
    codes, target = rng.integers(0, 4, 700), rng.normal(100, 20, 700).round()
    prediction = target + rng.normal(0, 10, 700).round()
    weight = {"none": None, "real": rng.exponential(size=700), "whole": rng.integers(0, 4, 700).astype(float)}[
        weighting
    ]
    got = measured(target, prediction, Groups(4, codes, weight))
    assert set(got) == set(ORACLES)
    for code in range(4):
        rows = codes == code
        for name, oracle in ORACLES.items():
            wanted = oracle(target[rows], prediction[rows], sample_weight=None if weight is None else weight[rows])
            assert got[name].value[code] == pytest.approx(wanted, rel=1e-12), name


def test_only_what_is_known_is_measured() -> None:
    values = np.arange(10.0)
    assert set(measured(None, values, Groups())) == {"mean_prediction"}
    assert set(measured(values, None, Groups())) == {"mean_target"}


def test_a_constant_target_has_no_r2_and_a_perfect_prediction_no_interval() -> None:
    got = measured(np.full(10, 3.0), np.arange(10.0), Groups())
    assert np.isnan(got["r2"].value[0]) and got["r2"].undefined == "all rows have the same target"
    perfect = measured(np.arange(10.0), np.arange(10.0), Groups())
    assert perfect["r2"].value[0] == 1
    assert np.isnan(perfect["r2"].bounds(0.95)[0][0])
    assert perfect["root_mean_squared_error"].value[0] == 0
    assert perfect["root_mean_squared_error"].causes(0.95) == ["all rows have the same value"]
    assert perfect["r2"].causes(0.95) == ["every prediction is exact"]


def test_the_median_is_bounded_by_order_statistics() -> None:
    """For n = 20 the sign test's 95 % interval runs from the 6th to the 15th value, and covers 95.86 %."""
    size = np.arange(1.0, 21.0)
    low, high = measured(np.zeros(20), size, Groups())["median_absolute_error"].bounds(0.95)
    assert (low[0], high[0]) == (6, 15)
    assert 1 - 2 * binom.cdf(5, 20, 0.5) == pytest.approx(0.9586, abs=1e-4)


def test_a_median_of_five_rows_has_no_upper_bound_at_95_percent() -> None:
    low, high = measured(np.zeros(5), np.arange(5.0), Groups())["median_absolute_error"].bounds(0.95)
    assert (low[0], high[0]) == (0, np.inf)


def test_equal_weights_leave_the_medians_interval() -> None:
    size = np.random.default_rng(0).exponential(size=37)
    plain, weighted = (
        measured(np.zeros(37), size, Groups(1, None, weight))["median_absolute_error"]
        for weight in (None, np.full(37, 0.1))
    )
    assert_allclose(plain.bounds(0.95), weighted.bounds(0.95))
    assert plain.value == weighted.value


@pytest.mark.parametrize("n", [5, 10, 30, 100])
@pytest.mark.parametrize("errors", ["normal", "skewed"])
def test_intervals_cover(errors: str, n: int) -> None:
    """Half of the target's variance is predicted; errors are standard normal, or exponential less 1."""
    rng = np.random.default_rng(n)
    draws = 2000
    predicted = rng.normal(size=draws * n)
    error = rng.normal(size=draws * n) if errors == "normal" else rng.exponential(size=draws * n) - 1
    got = measured(predicted - error, predicted, Groups(draws, np.repeat(np.arange(draws), n)))
    if errors == "normal":
        truths = {"mean_absolute_error": np.sqrt(2 / np.pi), "median_absolute_error": 0.6744898}
    else:
        # |E - 1| of an exponential E: mean 2 / e, median m with sinh(m) = e / 4
        truths = {"mean_absolute_error": 2 / np.e, "median_absolute_error": np.arcsinh(np.e / 4)}
    truths.update(root_mean_squared_error=1.0, r2=0.5, mean_error=0.0, mean_prediction=0.0, mean_target=0.0)
    for name, truth in truths.items():
        low, high = got[name].bounds(0.95)
        assert ((low <= truth) & (truth <= high)).mean() >= 0.92, name
