"""Losses and mean scores of a probability: scikit-learn's values, and coverage where surprises are rare."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk

from rai_assets.metrics.means import Groups
from rai_assets.metrics.scores import PROBABILITY_METRICS, log_loss, score_estimates


@pytest.mark.parametrize("weighted", [False, True])
def test_losses_equal_scikit_learns(weighted: bool) -> None:
    rng = np.random.default_rng(1)
    codes, score = rng.integers(0, 3, 600), rng.random(600)
    score[:3] = [0, 1, 1]
    target = (rng.random(600) < score).astype(np.int8)
    target[2] = 0  # given probability 0 and yet so
    weight = rng.exponential(size=600) if weighted else None
    got = {item.metric: item for item in score_estimates(target, score, Groups(3, codes, weight))}
    for code in range(3):
        rows = codes == code
        options = {"sample_weight": None if weight is None else weight[rows]}
        wanted = sk.log_loss(target[rows], score[rows], labels=[0, 1], **options)
        assert got["log_loss"].value[code] == pytest.approx(wanted, abs=1e-12)
        wanted = sk.brier_score_loss(target[rows], score[rows], **options)
        assert got["brier_score"].value[code] == pytest.approx(wanted, abs=1e-12)
        wanted = np.average(score[rows], weights=options["sample_weight"])
        assert got["mean_score"].value[code] == pytest.approx(wanted, abs=1e-12)


def test_a_score_that_is_no_probability_says_so() -> None:
    found = score_estimates(np.array([0, 1, 1]), np.array([1.0, 7, 9]), Groups(), probability=False)
    undefined = {item.metric: item.undefined for item in found if np.isnan(item.value[0])}
    assert undefined == dict.fromkeys(PROBABILITY_METRICS, "the score is not a probability")
    assert next(item for item in found if item.metric == "roc_auc").value[0] == 1


def test_without_a_target_there_is_only_the_mean_score() -> None:
    assert [item.metric for item in score_estimates(None, np.array([0.2, 0.4]), Groups())] == ["mean_score"]


@pytest.mark.parametrize("n", [5, 10, 30, 100])
@pytest.mark.parametrize(("spread", "centre"), [(1, 0), (2, -3), (0.3, -3)])
def test_the_log_loss_is_covered_also_where_no_positive_was_seen(spread: float, centre: float, n: int) -> None:
    """With a base rate of 5 %, most samples of 10 rows hold no positive: an interval of the losses seen covers 39 %."""
    rng = np.random.default_rng(n)

    def probabilities(size: int) -> np.ndarray:
        return 1 / (1 + np.exp(-rng.normal(centre, spread, size)))

    many = probabilities(1_000_000)
    truth = float(-(many * np.log(many) + (1 - many) * np.log(1 - many)).mean())
    score = probabilities(1500 * n)
    target = (rng.random(len(score)) < score).astype(np.int8)
    low, high = log_loss([1 - score, score], target, Groups(1500, np.repeat(np.arange(1500), n))).bounds(0.95)
    assert ((low <= truth) & (truth <= high)).mean() >= 0.93
