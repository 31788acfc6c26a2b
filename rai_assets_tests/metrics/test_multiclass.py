"""Several classes: scikit-learn's averages, each class against the rest, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import gammaln

from rai_assets.metrics.class_averages import table_estimates
from rai_assets.metrics.class_statistics import table_statistic
from rai_assets.metrics.class_table import ClassTable, against_rest
from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.means import Groups
from rai_assets.metrics.multiclass import multiclass_estimates
from rai_assets.metrics.rates import rate_estimates

CLASSES = ("a", "b", "c", "d")


def draw(weighted: bool, n: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray, Groups]:
    rng = np.random.default_rng(5)
    score = rng.dirichlet(np.full(4, 0.7), n)
    target = (rng.random(n)[:, None] > score.cumsum(axis=1)[:, :-1]).sum(axis=1)
    weight = rng.exponential(size=n) if weighted else None
    return target, score.argmax(axis=1), score, Groups(3, rng.integers(0, 3, n), weight)


@pytest.mark.parametrize("weighted", [False, True])
def test_averages_equal_scikit_learns_in_every_group(weighted: bool) -> None:
    target, decision, score, groups = draw(weighted)
    got = {
        item.metric: item
        for item, places in multiclass_estimates(target, decision, score, CLASSES, groups)
        if not places
    }
    for code in range(3):
        rows = groups.codes == code
        y, d, s = target[rows], decision[rows], score[rows]
        options = {"sample_weight": None if groups.weight is None else groups.weight[rows]}
        wanted = {
            "accuracy": sk.accuracy_score(y, d, **options),
            "balanced_accuracy": sk.balanced_accuracy_score(y, d, **options),
            "matthews_correlation": sk.matthews_corrcoef(y, d, **options),
            "log_loss": sk.log_loss(y, s, **options),
        }
        for average in ("macro", "micro", "weighted"):
            wanted[f"{average}_precision"] = sk.precision_score(y, d, average=average, **options)
            wanted[f"{average}_true_positive_rate"] = sk.recall_score(y, d, average=average, **options)
            wanted[f"{average}_f1"] = sk.f1_score(y, d, average=average, **options)
        for average in ("macro", "weighted"):
            wanted[f"{average}_roc_auc"] = sk.roc_auc_score(y, s, multi_class="ovr", average=average, **options)
        assert set(wanted) == set(got)
        for name, value in wanted.items():
            assert got[name].value[code] == pytest.approx(value, abs=1e-12), name


def test_each_class_is_measured_against_the_rest() -> None:
    target, decision, score, groups = draw(weighted=False)
    found = multiclass_estimates(target, decision, score, CLASSES, groups)
    of_b = {item.metric: item for item, places in found if places == {"class": "b"}}
    rows = groups.codes == 0
    assert of_b["precision"].value[0] == pytest.approx(sk.precision_score(target[rows] == 1, decision[rows] == 1))
    assert of_b["roc_auc"].value[0] == pytest.approx(sk.roc_auc_score(target[rows] == 1, score[rows, 1]))
    assert "log_loss" not in of_b


def test_a_class_that_is_never_decided_leaves_its_averages_undefined() -> None:
    """Where scikit-learn counts a silent 0."""
    target, decision = np.array([0, 1, 2, 2, 0]), np.array([0, 1, 1, 1, 0])
    got = {item.metric: item for item in table_estimates(ClassTable.of(target, decision, 4, Groups()))}
    undefined = {name: item.undefined for name, item in got.items() if np.isnan(item.value[0])}
    assert set(undefined) == {"macro_precision", "weighted_precision"}
    assert "never decided" in undefined["macro_precision"]
    assert got["macro_f1"].value[0] == pytest.approx(sk.f1_score(target, decision, average="macro"))


def test_two_classes_give_the_binary_correlation_whichever_way_it_is_counted() -> None:
    rng = np.random.default_rng(0)
    target, decision = rng.integers(0, 2, (2, 80))
    table = ClassTable.of(target, decision, 2, Groups())
    several = next(item for item in table_estimates(table) if item.metric == "matthews_correlation")
    binary = rate_estimates(table.cells(1), "matthews_correlation")
    assert several.value[0] == binary.value[0] == pytest.approx(sk.matthews_corrcoef(target, decision))
    assert_allclose(several.bounds(0.95), binary.bounds(0.95))


def test_with_decisions_alone_each_class_has_its_selection_rate() -> None:
    decision = np.array([0, 1, 1, 3])
    cells = against_rest(None, decision, 4, Groups())
    assert_array_equal([table.counts[0].tolist() for table in cells][1], [2, 2, 0, 0])
    found = multiclass_estimates(None, decision, None, CLASSES, Groups())
    assert [(item.metric, places["class"], item.value[0]) for item, places in found] == [
        ("selection_rate", "a", 0.25),
        ("selection_rate", "b", 0.5),
        ("selection_rate", "c", 0.0),
        ("selection_rate", "d", 0.25),
    ]
    targets = against_rest(decision, None, 4, Groups())
    assert_array_equal(targets[1].counts, [[2, 0, 2, 0]])
    assert against_rest(None, None, 4, Groups()) == []


def tables_of(n: int) -> np.ndarray:
    """Every 2 x 2 table of n rows, (tables, 4)."""
    return np.array(
        [(a, b, c, n - a - b - c) for a in range(n + 1) for b in range(n + 1 - a) for c in range(n + 1 - a - b)]
    )


@pytest.mark.parametrize("n", [5, 10, 20, 40])
def test_matthews_correlation_is_covered_by_exact_enumeration(n: int) -> None:
    """Over every table of n rows, at base rates from 5 to 50 % and error rates from 0.5 to 70 %."""
    tables = tables_of(n)
    counts = tables.reshape(-1, 2, 2)
    estimates = table_statistic("matthews_correlation", counts, counts.astype(float), counts.astype(float))
    low, high = estimates.bounds(0.95)
    known = ~np.isnan(estimates.value)
    ways = gammaln(n + 1) - gammaln(tables + 1).sum(axis=1)
    for base_rate in (0.05, 0.2, 0.5):
        for hit_rate, false_rate in ((0.995, 0.005), (0.98, 0.02), (0.9, 0.1), (0.6, 0.1), (0.6, 0.5), (0.3, 0.5)):
            cells = np.r_[
                (1 - base_rate) * np.r_[1 - false_rate, false_rate], base_rate * np.r_[1 - hit_rate, hit_rate]
            ]
            probability = np.exp(ways + tables @ np.log(cells))
            if probability[known].sum() < 0.5:
                continue
            margins = base_rate * (1 - base_rate), cells[1] + cells[3]
            truth = (cells[3] - base_rate * margins[1]) / np.sqrt(margins[0] * margins[1] * (1 - margins[1]))
            holds = known & (low <= truth) & (truth <= high)
            assert probability[holds].sum() / probability[known].sum() >= 0.94, (base_rate, hit_rate, false_rate)


def truth_of(shares: np.ndarray) -> dict[str, float]:
    many = (shares * 1e12)[None]
    return {
        item.metric: float(item.value[0]) for item in table_estimates(ClassTable(many.astype(np.int64), many, many))
    }


@pytest.mark.parametrize("accuracy", [0.5, 0.95])
@pytest.mark.parametrize("n", [30, 200])
@pytest.mark.parametrize("shares", [(1 / 3, 1 / 3, 1 / 3), (0.6, 0.25, 0.15)], ids=["even", "uneven"])
def test_averages_over_classes_are_covered(shares: tuple[float, ...], n: int, accuracy: float) -> None:
    """Every class has some 5 rows at least: with fewer, whether a class occurs at all is left to chance."""
    confusion = np.full((3, 3), (1 - accuracy) / 2) + np.eye(3) * (accuracy - (1 - accuracy) / 2)
    cells = np.array(shares)[:, None] * confusion
    truth = truth_of(cells)
    counts = np.random.default_rng(n).multinomial(n, cells.ravel(), size=2000).reshape(-1, 3, 3)
    found: list[Estimates] = table_estimates(ClassTable(counts, counts.astype(float), counts.astype(float)))
    for item in found:
        low, high = item.bounds(0.95)
        known = ~np.isnan(item.value)
        holds = (low <= truth[item.metric]) & (truth[item.metric] <= high)
        assert holds[known].mean() >= 0.92, item.metric
