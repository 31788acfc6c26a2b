"""ROC AUC and average precision against scikit-learn, pairs counted one by one, and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from scipy.stats import norm
from scipy.stats import t as student

from rai_assets.metrics.intervals import wilson_at
from rai_assets.metrics.means import Groups
from rai_assets.metrics.ranking import Ranking, ranking_estimates


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("decimals", [1, 12])
def test_every_group_equals_scikit_learns(weighted: bool, decimals: int) -> None:
    rng = np.random.default_rng(2)
    codes, score = rng.integers(0, 4, 800), np.round(rng.random(800), decimals)
    target = (rng.random(800) < score).astype(np.int8)
    weight = rng.exponential(size=800) if weighted else None
    auc, precision = ranking_estimates(target, score, Groups(4, codes, weight))
    for code in range(4):
        rows = codes == code
        options = {"sample_weight": None if weight is None else weight[rows]}
        assert auc.value[code] == pytest.approx(sk.roc_auc_score(target[rows], score[rows], **options), abs=1e-12)
        wanted = sk.average_precision_score(target[rows], score[rows], **options)
        assert precision.value[code] == pytest.approx(wanted, abs=1e-12)


def test_the_variance_is_delongs() -> None:
    rng = np.random.default_rng(4)
    target, score = np.repeat([0, 1], [30, 20]), np.round(rng.normal(size=50) + np.repeat([0, 1], [30, 20]), 1)
    higher = score[target == 1][:, None] - score[target == 0][None]
    placed = (higher > 0) + 0.5 * (higher == 0)
    wanted = placed.mean(axis=1).var(ddof=1) / 20 + placed.mean(axis=0).var(ddof=1) / 30
    auc = ranking_estimates(target, score, Groups())[0]
    interval = auc.limits.__self__  # type: ignore[union-attr]
    assert interval.from_p[0] + interval.from_q[0] == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("negatives", "positives", "shift"), [(30, 20, 1.0), (7, 5, 0.3), (40, 60, -0.2), (25, 9, 2.0)]
)
def test_the_bounds_of_an_auc_solve_their_equation(negatives: int, positives: int, shift: float) -> None:
    """(value - t)^2 = z^2 f V(t), every part by hand."""
    rng = np.random.default_rng(negatives)
    target = np.repeat([0, 1], [negatives, positives])
    score = np.round(rng.normal(size=len(target)) + shift * target, 1)
    auc = ranking_estimates(target, score, Groups())[0]
    higher = score[target == 1][:, None] - score[target == 0][None]
    placed = (higher > 0) + 0.5 * (higher == 0)
    value, rarer = placed.mean(), min(negatives, positives)
    parts = placed.mean(axis=1).var(ddof=1) / positives, placed.mean(axis=0).var(ddof=1) / negatives

    def variance(a: np.ndarray) -> np.ndarray:
        more = (1 - a) / (2 - a) + a / (1 + a)
        return a * (1 - a) * (1 + ((negatives + positives) / 2 - 1) * more) / (negatives * positives)

    factor = sum(parts) / variance(value)
    misranked = rarer * min(value, 1 - value)
    factor = factor ** (misranked / (misranked + 20)) if factor < 1 else factor
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / (positives - 1) + parts[1] ** 2 / (negatives - 1))
    ends = np.ravel(auc.bounds(0.95))
    assert ends[0] < value < ends[1]
    assert (value - ends) ** 2 == pytest.approx(student.ppf(0.975, degrees) ** 2 * factor * variance(ends), rel=1e-6)


@pytest.mark.parametrize(("rows", "base_rate"), [(30, 0.3), (200, 0.1), (80, 0.7)])
def test_average_precision_has_wilsons_interval_on_the_trials_of_its_influences(rows: int, base_rate: float) -> None:
    rng = np.random.default_rng(rows)
    target = (rng.random(rows) < base_rate).astype(np.int8)
    score = np.round(rng.normal(size=rows) + target, 1)
    precision = ranking_estimates(target, score, Groups())[1]

    def measured(row: int, step: float) -> float:
        weight = np.ones(rows)
        weight[row] += step
        return float(sk.average_precision_score(target, score, sample_weight=weight))

    influence = np.array([(measured(row, 1e-5) - measured(row, -1e-5)) / 2e-5 for row in range(rows)])
    value, positives = precision.value[0], float(target.sum())
    trials = value * (1 - value) / (influence**2).sum()
    misranked = positives * min(value, 1 - value)
    if trials > positives:
        trials = positives * (trials / positives) ** (misranked / (misranked + 20))
    wanted = wilson_at(value * trials, trials, student.ppf(0.975, positives - 1))
    assert np.ravel(precision.bounds(0.95)) == pytest.approx(np.ravel(wanted), rel=1e-6)


def test_blocks_of_equal_scores_are_kept_apart_by_group() -> None:
    ranking = Ranking.of(np.array([1, 0, 1, 0]), np.array([0.5, 0.5, 0.5, 0.1]), Groups(2, np.array([0, 0, 1, 1])))
    assert ranking.group.tolist() == [0, 1, 1]
    assert ranking.positive.tolist() == [1, 0, 1]
    assert ranking.negative.tolist() == [1, 1, 0]


def test_a_perfect_ranking_of_few_rows_is_not_certain() -> None:
    target = np.repeat([0, 1], [10, 10])
    auc, precision = ranking_estimates(target, target.astype(float), Groups())
    assert auc.value[0] == precision.value[0] == 1
    assert auc.bounds(0.95)[0][0] == pytest.approx(0.77, abs=0.05)
    assert auc.bounds(0.95)[1][0] == 1
    assert precision.bounds(0.95)[0][0] < 0.8


def test_one_class_alone_has_no_ranking() -> None:
    auc, precision = ranking_estimates(np.zeros(6, int), np.arange(6.0), Groups())
    assert np.isnan(auc.value[0]) and np.isnan(precision.value[0])
    assert np.isnan(auc.bounds(0.95)).all()
    assert auc.undefined == "all rows have the same target"


def simulated(
    rng: np.random.Generator, truth: float, positives: int, negatives: int, deviation: float, draws: int
) -> tuple[np.ndarray, np.ndarray, Groups]:
    """Normal scores of many samples, positives with another deviation, at a true AUC."""
    shift = np.sqrt(1 + deviation**2) * norm.ppf(truth)
    score = np.concatenate(
        [rng.normal(size=(draws, negatives)), deviation * rng.normal(size=(draws, positives)) + shift], axis=1
    )
    target = np.broadcast_to(np.repeat([0, 1], [negatives, positives]), score.shape)
    codes = np.repeat(np.arange(draws), positives + negatives)
    return target.ravel(), score.ravel(), Groups(draws, codes)


@pytest.mark.parametrize("deviation", [1.0, 3.0])
@pytest.mark.parametrize("truth", [0.5, 0.8, 0.97])
@pytest.mark.parametrize(("positives", "negatives"), [(5, 5), (5, 60), (20, 200), (100, 100)])
def test_the_auc_is_covered(truth: float, positives: int, negatives: int, deviation: float) -> None:
    rng = np.random.default_rng(positives + negatives)
    auc = ranking_estimates(*simulated(rng, truth, positives, negatives, deviation, draws=1000))[0]
    low, high = auc.bounds(0.95)
    assert ((low <= truth) & (truth <= high)).mean() >= 0.92


@pytest.mark.parametrize("truth", [0.6, 0.8, 0.95])
@pytest.mark.parametrize(("rows", "base_rate"), [(50, 0.2), (200, 0.05), (200, 0.5), (1000, 0.2)])
def test_average_precision_is_covered(truth: float, rows: int, base_rate: float) -> None:
    """The true value is that of 200,000 rows."""
    rng = np.random.default_rng(rows)

    def draw(draws: int, size: int) -> tuple[np.ndarray, np.ndarray, Groups]:
        target = (rng.random(draws * size) < base_rate).astype(np.int8)
        score = rng.normal(size=draws * size) + np.sqrt(2) * norm.ppf(truth) * target
        return target, score, Groups(draws, np.repeat(np.arange(draws), size))

    true_value = ranking_estimates(*draw(1, 200_000))[1].value[0]
    precision = ranking_estimates(*draw(800, rows))[1]
    low, high = precision.bounds(0.95)
    known = ~np.isnan(precision.value)
    assert ((low <= true_value) & (true_value <= high))[known].mean() >= 0.92


def test_a_group_without_positives_leaves_the_next_group_alone() -> None:
    rng = np.random.default_rng(0)
    target, score = np.r_[np.zeros(20, int), rng.integers(0, 2, 40)], rng.random(60)
    grouped = ranking_estimates(target, score, Groups(2, np.repeat([0, 1], [20, 40])))
    alone = ranking_estimates(target[20:], score[20:], Groups())
    for one, other in zip(grouped, alone, strict=True):
        assert one.value[1] == other.value[0]
        assert [bound[1] for bound in one.bounds(0.95)] == [bound[0] for bound in other.bounds(0.95)]
