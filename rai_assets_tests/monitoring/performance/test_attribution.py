"""Agreement of importances against scikit-learn and scipy, alarms at their level, and a model's own Shapley values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import kendalltau
from sklearn.metrics import ndcg_score

from rai_assets.analysis.explanation.compute import compute
from rai_assets.analysis.explanation.settings import ExplanationSettings
from rai_assets.errors import UsageError
from rai_assets.metrics.definitions import DEFINITIONS
from rai_assets.metrics.findings import Findings
from rai_assets.model.inputs import AuditInputs
from rai_assets.model.rows import scored_rows
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.settings import ModelSettings
from rai_assets.model.training import train
from rai_assets.monitoring.performance.attribution import attribution_drift, ndcg, rank_agreement
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets_tests.model.people import contract, population

SETTINGS = PerformanceSettings()
IMPORTANCE = np.array([1.0, 0.7, 0.5, 0.2, 0.1])


def attributions(rng: np.random.Generator, n: int, importance: np.ndarray = IMPORTANCE) -> pa.Table:
    """Normal Shapley values of given deviations, in the columns in which explanations are kept."""
    values = rng.normal(size=(n, len(importance))) * importance
    columns = {f"effect of {name}": values[:, j].astype(np.float32) for j, name in enumerate("abcde")}
    return pa.table({**columns, "base": np.zeros(n), "output": values.sum(axis=1)})


def test_ndcg_is_scikit_learns_and_tau_scipys() -> None:
    rng = np.random.default_rng(0)
    for features in (2, 5, 14):
        before, now = rng.exponential(size=features), rng.exponential(size=features)
        assert ndcg(before, now) == pytest.approx(ndcg_score([before], [now]), rel=1e-12)
        assert rank_agreement(before, now) == pytest.approx(kendalltau(before, now).statistic, rel=1e-12)
    tied = np.array([1.0, 1.0, 2.0, 3.0])
    assert rank_agreement(tied, tied[::-1]) == pytest.approx(kendalltau(tied, tied[::-1]).statistic)


def test_a_reversed_order_of_three_worked_by_hand() -> None:
    gained, ideal = 1 + 2 / np.log2(3) + 3 / 2, 3 + 2 / np.log2(3) + 1 / 2
    assert ndcg(np.array([3.0, 2.0, 1.0]), np.array([0.1, 0.2, 0.3])) == pytest.approx(gained / ideal)
    assert rank_agreement(np.array([3.0, 2.0, 1.0]), np.array([0.1, 0.2, 0.3])) == -1


def test_a_model_that_goes_by_other_columns_is_found() -> None:
    rng = np.random.default_rng(1)
    found = attribution_drift(
        attributions(rng, 2_000),
        attributions(rng, 800, IMPORTANCE[::-1]),
        SETTINGS,
        seed=0,
        unit="log-odds",
    )
    agreement, ranks, *features = found.rows
    assert agreement.drifted and agreement.p_value == 0.001 and agreement.statistic < 0.9
    assert ranks.drifted and ranks.statistic == -1
    assert [row.column for row in features if row.drifted] and features[0].column in "ae"
    assert {row.column for row in features if not row.drifted} == {"c"}
    assert all(row.definition in DEFINITIONS for row in found.rows)
    importance = [number for number in found.findings.numbers if "feature" in number.coordinates]
    # The mean size of a centred normal is its deviation times the root of 2 / pi.
    assert all(
        number.low <= wanted * np.sqrt(2 / np.pi) <= number.high
        for number, wanted in zip(importance, IMPORTANCE[::-1], strict=True)
    )
    assert "attributions_score" in found.findings.charts


def sizes(table: pa.Table) -> np.ndarray:
    return np.column_stack([np.abs(table[f"effect of {name}"].to_numpy().astype(float)) for name in "abcde"])


def test_the_p_values_of_the_agreements_are_those_of_redrawn_sides() -> None:
    """Of sides of unequal size, so that it counts which of the two is drawn."""
    rng = np.random.default_rng(11)
    near = np.array([1.0, 0.9, 0.85, 0.8, 0.3])
    before, now = attributions(rng, 150, near), attributions(rng, 50, near[[1, 2, 0, 3, 4]])
    pooled = np.concatenate([sizes(before), sizes(now)])
    drawn = []
    for _ in range(3_000):
        order = rng.permutation(200)
        drawn.append((pooled[order[50:]].mean(0), pooled[order[:50]].mean(0)))
    shown = sizes(before).mean(0), sizes(now).mean(0)
    found = attribution_drift(before, now, SETTINGS, seed=3).rows[:2]
    for row, agreement in zip(found, (ndcg, rank_agreement), strict=True):
        assert row.statistic == pytest.approx(float(agreement(*shown)))
        assert row.effect == pytest.approx(1 - row.statistic)
        as_low = np.mean([agreement(*pair) <= row.statistic + 1e-12 for pair in drawn])
        assert 0.01 < as_low < 0.9
        assert row.p_value == pytest.approx(as_low, abs=4 * np.sqrt(as_low * (1 - as_low) / 999))
        assert (row.n_reference, row.n_current) == (150, 50)
    again, other = (attribution_drift(before, now, SETTINGS, seed=seed).rows for seed in (3, 4))
    assert tuple(found) == again[:2]
    assert [row.p_value for row in again] != [row.p_value for row in other]


def test_each_feature_has_its_change_judged_among_all() -> None:
    rng = np.random.default_rng(12)
    before, now = attributions(rng, 300), attributions(rng, 200, np.array([1.0, 0.7, 0.8, 0.2, 0.12]))
    rows = {row.column: row for row in attribution_drift(before, now, SETTINGS, seed=0).rows[2:]}
    old, new = sizes(before).mean(0), sizes(now).mean(0)
    for j, name in enumerate("abcde"):
        assert rows[name].statistic == pytest.approx(new[j])
        assert rows[name].effect == pytest.approx(new[j] - old[j])
    assert [rows[name].rank for name in rows] == [1, 2, 3, 4, 5]
    assert list(rows) == [name for _, name in sorted(zip(-np.abs(new - old), "abcde", strict=True))]
    plain = np.array([row.p_value for row in rows.values()])
    order = np.argsort(plain)
    holm = np.minimum(np.maximum.accumulate(plain[order] * (5 - np.arange(5))), 1)
    assert np.array([row.family_p_value for row in rows.values()])[order] == pytest.approx(holm)
    strict = SETTINGS.model_copy(update={"false_alarms": float(holm[1] + plain[order][1]) / 2})
    judged = attribution_drift(before, now, strict, seed=0).rows[2:]
    assert [row.drifted for row in judged] == [row.family_p_value <= strict.false_alarms for row in judged]
    assert sum(row.drifted for row in judged) < sum(row.p_value <= strict.false_alarms for row in judged)


def test_an_ndcg_that_is_high_enough_is_no_alarm_whatever_its_p_value() -> None:
    rng = np.random.default_rng(13)
    moved = attributions(rng, 2_000), attributions(rng, 2_000, IMPORTANCE[[1, 2, 0, 3, 4]])
    for least, drifted in ((0.8, False), (0.95, True)):
        settings = SETTINGS.model_copy(update={"least_ndcg": least})
        first, ranks = attribution_drift(*moved, settings, seed=0).rows[:2]
        assert first.p_value == ranks.p_value == 0.001
        assert 0.8 < first.statistic < 0.95
        assert (first.drifted, ranks.drifted) == (drifted, True)
    strict = SETTINGS.model_copy(update={"least_ndcg": 0.95, "false_alarms": 0.0005})
    assert [row.drifted for row in attribution_drift(*moved, strict, seed=0).rows[:2]] == [False, False]


@pytest.mark.parametrize(("before", "now", "told"), [(20, 20, True), (20, 19, False), (19, 20, False)])
def test_twenty_rows_of_either_side_are_enough(before: int, now: int, told: bool) -> None:
    rng = np.random.default_rng(14)
    found = attribution_drift(attributions(rng, before), attributions(rng, now), SETTINGS, seed=0)
    assert (found.rows[0].statistic is not None) == told
    if not told:
        assert found.rows[0].reason == "the smaller side has 19 rows, and at least 20 are needed"


def test_importances_without_an_order_are_not_compared() -> None:
    rng = np.random.default_rng(15)
    one, other = attributions(rng, 50), attributions(rng, 50)
    flat = pa.table({name: np.ones(50) for name in one.column_names})
    for sides in ((flat, other), (other, flat)):
        assert "they have no order" in attribution_drift(*sides, SETTINGS, seed=0).rows[0].reason
    single = [side.select(["effect of a"]) for side in (one, other)]
    assert "fewer than two features" in attribution_drift(*single, SETTINGS, seed=0).rows[0].reason


def test_of_equal_importances_the_first_feature_comes_first() -> None:
    gains = np.array([3.0, 2.0, 1.0])
    assert ndcg(gains, np.array([0.5, 0.5, 0.5])) == 1.0
    assert ndcg(gains[::-1], np.array([0.5, 0.5, 0.5])) < 1.0


def test_two_close_features_that_change_places_are_no_alarm() -> None:
    rng = np.random.default_rng(2)
    close = np.array([1.0, 0.98, 0.5, 0.2, 0.1])
    found = attribution_drift(
        attributions(rng, 400, close), attributions(rng, 400, close[[1, 0, 2, 3, 4]]), SETTINGS, seed=0
    )
    assert not found.rows[0].drifted and found.rows[0].statistic > 0.98


def test_without_drift_few_alarms() -> None:
    rng = np.random.default_rng(3)
    p_values = [
        [row.p_value for row in attribution_drift(attributions(rng, 60), attributions(rng, 40), SETTINGS, seed=s).rows]
        for s in range(25)
    ]
    # 25 draws: 5 % plus four standard errors.
    assert ((np.array(p_values) <= 0.05).mean(axis=0) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 25)).all()


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_false_alarms_stay_within_two_points() -> None:
    rng = np.random.default_rng(4)
    close = np.array([1.0, 0.95, 0.9, 0.85, 0.8])
    found = [
        attribution_drift(attributions(rng, 100, close), attributions(rng, 60, close), SETTINGS, seed=seed).rows
        for seed in range(2_000)
    ]
    p_values = np.array([[row.p_value for row in sorted(rows, key=lambda row: row.column)] for rows in found])
    assert (p_values <= 0.05).mean(axis=0).max() <= 0.07
    assert np.mean([any(row.drifted for row in rows if row.column) for rows in found]) <= 0.07


def test_what_cannot_be_compared_is_said() -> None:
    rng = np.random.default_rng(5)
    few = attribution_drift(attributions(rng, 400), attributions(rng, 7), SETTINGS, seed=0)
    assert few.rows[0].drifted is None and "has 7 rows" in few.rows[0].reason
    with pytest.raises(UsageError, match="do not explain the same features\n  Fix: explain both by the same model"):
        attribution_drift(attributions(rng, 50), attributions(rng, 50).drop_columns(["effect of a"]), SETTINGS, seed=0)


@pytest.fixture(scope="module")
def explained() -> dict[str, Findings]:
    """What explanations keep of a gradient boosting on three sets of people; the last are of one age and income."""
    declared = contract("binary")
    version = train(population(800), declared, ModelSettings(estimator="hist_gradient_boosting"))
    same, found = population(300, seed=3), {}
    for name, value in (("age", 53), ("income", 22_000.0)):
        column = pa.array([value] * 300, same[name].type)
        same = same.set_column(same.column_names.index(name), name, column)
    people = {"reference": population(400, seed=1), "like": population(300, seed=2), "same": same}
    with ScoringSession(version) as session:
        for name, table in people.items():
            scored = scored_rows(declared, table, "test", session.scores(table), version.threshold)
            inputs = AuditInputs(scored.table, scored.rows, declared, session=session, background=population(800))
            found[name] = compute(inputs, ExplanationSettings())
    return found


def test_the_products_own_explanations_are_compared(explained: dict[str, Findings]) -> None:
    tables = {name: found.tables["attributions_0"] for name, found in explained.items()}
    like = attribution_drift(tables["reference"], tables["like"], SETTINGS, seed=0, unit="log-odds")
    same = attribution_drift(tables["reference"], tables["same"], SETTINGS, seed=0, unit="log-odds")
    assert not like.rows[0].drifted and like.rows[0].statistic > 0.97
    assert same.rows[0].drifted and same.rows[0].statistic < 0.9
    assert {row.column for row in same.rows if row.drifted} >= {"age", "income"}
    kept = [n for n in explained["like"].numbers if n.definition == "mean_absolute_shap_value@1"]
    theirs = {n.coordinates["feature"]: n for n in kept}
    ours = {n.coordinates["feature"]: n for n in like.findings.numbers if "feature" in n.coordinates}
    assert ours.keys() == theirs.keys()
    for feature, number in ours.items():
        wanted = theirs[feature]
        bounds = pytest.approx((wanted.value, wanted.low, wanted.high), abs=1e-6)
        assert (number.value, number.low, number.high) == bounds
