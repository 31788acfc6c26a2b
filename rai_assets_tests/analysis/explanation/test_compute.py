"""The whole room on trained models: numbers, tables and charts that say the same, and honest notes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.analysis.explanation.compute import compute
from rai_assets.analysis.explanation.mixing import mixable
from rai_assets.analysis.explanation.settings import ExplanationSettings
from rai_assets.errors import Undefined
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.number import Number
from rai_assets.model.inputs import AuditInputs
from rai_assets.model.rows import scored_rows
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.settings import ModelSettings
from rai_assets.model.training import train
from rai_assets.model.version import ModelVersion
from rai_assets_tests.model.people import FEATURES, contract, population

ROWS = 300
SENSITIVE = {"region": {"dtype": "category", "role": ["feature", "sensitive"]}}
NAMES = [item.name for item in FEATURES]


def trained(task: str, **model: object) -> ModelVersion:
    return train(population(600), contract(task, **SENSITIVE), ModelSettings(**model))  # type: ignore[arg-type]


def inputs_of(version: ModelVersion, *, weighted: bool = False) -> AuditInputs:
    declared = contract(version.task, weighted=weighted, **SENSITIVE)
    session, table = ScoringSession(version), population(ROWS, seed=1)
    scored = scored_rows(declared, table, "test", session.scores(table), version.threshold)
    return AuditInputs(scored.table, scored.rows, declared, session=session, background=population(600))


@pytest.fixture(scope="module")
def boosted() -> Iterator[AuditInputs]:
    yield inputs_of(trained("multiclass", estimator="hist_gradient_boosting", parameters={"max_iter": 10}))


@pytest.fixture(scope="module")
def network() -> ModelVersion:
    return trained("binary", estimator="mlp", parameters={"max_iter": 30, "hidden_layer_sizes": [8]})


def numbers(found: Findings, definition: str) -> dict[tuple[str, ...], Number]:
    return {tuple(n.coordinates.values()): n for n in found.numbers if n.definition == definition}


def effects(found: Findings, k: int = 0) -> np.ndarray:
    table = found.tables[f"attributions_{k}"]
    return np.stack([table[f"effect of {name}"].to_numpy() for name in NAMES], axis=1)


def test_importance_is_the_mean_of_the_table_for_every_class_and_column(boosted: AuditInputs) -> None:
    found = compute(boosted, ExplanationSettings())
    importance = numbers(found, "mean_absolute_shap_value@1")
    for k, label in enumerate(("low", "middle", "top")):
        sizes = np.abs(effects(found, k).astype(np.float64))
        for j, name in enumerate(NAMES):
            number = importance[label, name]
            assert number.value == pytest.approx(sizes[:, j].mean(), abs=1e-6)
            half = 1.96 * sizes[:, j].std(ddof=1) / ROWS**0.5
            assert number.low is not None and number.high is not None
            assert number.low <= number.value - 0.8 * half < number.value + half <= number.high
            assert number.high < number.value + 2 * half
            assert (number.n, number.unit, number.split) == (ROWS, "log-odds", "test")
    assert len(importance) == 15


def test_every_row_is_in_the_tables_and_adds_up(boosted: AuditInputs) -> None:
    found = compute(boosted, ExplanationSettings())
    for k in range(3):
        table = found.tables[f"attributions_{k}"]
        assert table.num_rows == ROWS
        assert table.schema.field("effect of age").type == pa.float32()
        total = effects(found, k).sum(axis=1) + table["base"].to_numpy()
        assert np.allclose(total, table["output"].to_numpy(), atol=1e-4)
    residuals = numbers(found, "additivity_residual@1")
    assert len(residuals) == 3
    assert all(number.value is not None and number.value < 1e-5 for number in residuals.values())


def test_each_column_stands_beside_its_association_with_the_sensitive_one(boosted: AuditInputs) -> None:
    found = compute(boosted, ExplanationSettings())
    assert set(numbers(found, "sensitive_association@1")) == {(name, "region") for name in NAMES if name != "region"}
    ranked = found.charts["importance_0"]
    assert "Association with a sensitive column" in json.dumps(ranked)


def test_the_charts_hold_no_user_text_as_a_field_name(boosted: AuditInputs) -> None:
    found = compute(boosted, ExplanationSettings())
    assert set(found.charts) >= {"importance_0", "importance_1", "importance_2", "example_low", "example_high"}
    for chart in found.charts.values():
        for row in chart["data"]["values"]:
            assert not set(row) & set(NAMES)


def test_the_notes_say_how_and_against_what(boosted: AuditInputs) -> None:
    notes = " ".join(compute(boosted, ExplanationSettings(background=50)).notes)
    assert "exact Shapley values of the tree ensemble, against background rows" in notes
    assert "50 of 600 training rows, drawn with seed 0" in notes
    assert "does not say what causes" in notes
    along = " ".join(compute(boosted, ExplanationSettings(perturbation="path_dependent")).notes)
    assert "along the trees' branches" in along
    assert "Only trees have paths" not in along


def test_the_same_settings_give_the_same_findings(boosted: AuditInputs) -> None:
    assert compute(boosted, ExplanationSettings()) == compute(boosted, ExplanationSettings())


def test_a_network_is_sampled_and_says_how_far_off_it_may_be(network: ModelVersion) -> None:
    found = compute(inputs_of(network), ExplanationSettings(perturbation="path_dependent"))
    notes = " ".join(found.notes)
    assert "Sampled: 2 random orders" in notes
    assert "Background: 100 of 600 training rows" in notes
    assert notes.count("training rows") == 1, "only the rows that were used are named"
    assert "because the model's core holds 0 tree ensembles, not one" in notes
    assert "Only trees have paths" in notes
    errors = found.tables["standard_errors_0"]
    assert errors.num_rows == ROWS
    assert 0 < np.mean(errors["standard error of income"].to_numpy()) < 0.02
    assert numbers(found, "mean_absolute_shap_value@1")[("age",)].unit == "rate"
    assert (numbers(found, "additivity_residual@1")[()].value or 0) < 1e-10


def test_a_supplied_file_is_asked_in_its_worker_and_gets_the_same_values(network: ModelVersion) -> None:
    """Mixed as distinct values of the source columns or as the core's matrix: the same rows, the same orders."""
    ours = inputs_of(network)
    with ScoringSession(replace(network, encoding=None)) as session:
        supplied = replace(ours, session=session)
        settings = ExplanationSettings(background=20)
        found, expected = compute(supplied, settings), compute(ours, settings)
        mixed = mixable(session, ours.table, ours.table)
        assert np.allclose(mixed.score(mixed.matrix), session.scores(ours.table)[:, 1], atol=1e-7)
    assert "a supplied model is not read, only asked" in " ".join(found.notes)
    spread = found.tables["standard_errors_0"]["standard error of income"].to_numpy()
    assert np.abs(effects(found) - effects(expected)).max() < max(0.05, 6 * spread.max())
    assert np.allclose(found.tables["attributions_0"]["output"], expected.tables["attributions_0"]["output"], atol=1e-6)


def test_rows_count_with_their_weight() -> None:
    version = trained("regression", estimator="linear_regression")
    inputs = inputs_of(version, weighted=True)
    found = compute(inputs, ExplanationSettings(perturbation="path_dependent"))
    weight = inputs.rows.weight
    assert weight is not None
    number = numbers(found, "mean_absolute_shap_value@1")[("age",)]
    assert number.value == pytest.approx(np.average(np.abs(effects(found)[:, 0]), weights=weight), rel=1e-5)
    assert number.unit == "target"
    assert "Only trees have paths" in " ".join(found.notes)


def test_one_row_has_values_and_says_what_it_cannot_tell(boosted: AuditInputs) -> None:
    rows = boosted.rows
    assert rows.target is not None and rows.decision is not None and rows.score is not None
    one = replace(rows, target=rows.target[:1], decision=rows.decision[:1], score=rows.score[:1])
    found = compute(replace(boosted, table=boosted.table.slice(0, 1), rows=one), ExplanationSettings())
    assert found.tables["attributions_0"].num_rows == 1
    for number in numbers(found, "additivity_residual@1").values():
        assert number.value is None
        assert "no range to compare with" in (number.reason or "")


def test_logged_decisions_have_nothing_to_explain(boosted: AuditInputs) -> None:
    with pytest.raises(Undefined, match="no model"):
        compute(replace(boosted, session=None), ExplanationSettings())
