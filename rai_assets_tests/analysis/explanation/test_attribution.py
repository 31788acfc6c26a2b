"""Attributions of a core: what is explained, in which unit, and that every row is checked against the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rai_assets.analysis.explanation.attribution import Attributions, explain_linear, explain_trees
from rai_assets.errors import RaiError, Undefined
from rai_assets_tests.analysis.explanation import by_definition
from rai_assets_tests.model.forests import Forest, Node, classifier, forest, regressor, rows, run

PLAYERS = np.array([0, 1, 1, 2, 3])


def explained(core: onnx.ModelProto, matrix: np.ndarray, background: np.ndarray, **options: object) -> Attributions:
    """Against the scores that ONNX Runtime gives, probabilities (n, k) or values (n,)."""
    scores = run(core, matrix).astype(np.float64)
    return explain_trees(
        core, matrix, background, PLAYERS, 4, scores[:, 0] if scores.shape[1] == 1 else scores, **options
    )  # type: ignore[arg-type]


@pytest.fixture
def drawn() -> tuple[Forest, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    return forest(draw), rows(draw, 60, 5), rows(draw, 20, 5)


def test_two_classes_are_explained_in_log_odds(drawn: tuple[Forest, np.ndarray, np.ndarray]) -> None:
    model, matrix, background = drawn
    found = explained(classifier(model, classes=2, link="LOGISTIC"), matrix, background)
    assert found.unit == "log-odds"
    assert found.values.shape == (1, 60, 4)
    assert np.allclose(found.output[0], model.sums(matrix)[:, 0], atol=1e-5)
    assert (found.residual < 1e-6 * found.span).all()
    assert found.standard_error is None


def test_several_classes_have_one_array_each() -> None:
    draw = np.random.default_rng(1)
    model, matrix, background = forest(draw, outputs=3), rows(draw, 40, 5), rows(draw, 20, 5)
    found = explained(classifier(model, classes=3, link="SOFTMAX"), matrix, background)
    assert found.values.shape == (3, 40, 4)
    assert np.allclose(found.output.T, model.sums(matrix), atol=1e-5)


def test_a_forest_of_probabilities_is_explained_as_a_probability() -> None:
    """A leaf holds the share of the second class, as random forests have it."""

    def leaf(share: float) -> Node:
        return Node(weights=(share / 2,))

    trees = tuple(Node(j, "BRANCH_LEQ", 1.0, False, leaf(0.25), leaf(0.75)) for j in range(2))
    core = classifier(Forest(trees, 5, 1), classes=2, link="NONE")
    matrix = np.array([[0, 0, 0, 0, 0], [2, 2, 0, 0, 0]], np.float32)
    found = explained(core, matrix, matrix)
    assert found.unit == "rate"
    assert found.output[0].tolist() == [0.25, 0.75]
    assert np.allclose(found.values[0, 1], [0.125, 0.125, 0, 0])


def test_a_regression_is_explained_in_the_unit_of_its_target(drawn: tuple[Forest, np.ndarray, np.ndarray]) -> None:
    model, matrix, background = drawn
    found = explained(regressor(model), matrix, background, perturbation="path_dependent")
    assert found.unit == "target"
    assert "along the trees' branches" in found.method
    expected = by_definition.path_dependent(model, matrix[0], background, PLAYERS, 4)
    assert np.allclose(found.values[:, 0], expected, atol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_one_row_and_a_target_far_from_zero_pass_the_check(offset: float) -> None:
    """float32 sums lose more there than 1e-5 of the output's range; nothing is wrong with the values."""
    draw = np.random.default_rng(2)
    model = replace(forest(draw, trees=30), base=(offset,))
    matrix, background = rows(draw, 30, 5), rows(draw, 20, 5)
    whole = explained(regressor(model), matrix, background)
    single = explained(regressor(model), matrix[:1], background)
    assert single.span[0] == 0
    assert np.allclose(single.values[:, 0], whole.values[:, 0])


def test_a_model_that_says_something_else_is_not_explained(drawn: tuple[Forest, np.ndarray, np.ndarray]) -> None:
    model, matrix, background = drawn
    core = classifier(model, classes=2, link="LOGISTIC")
    scores = run(core, matrix).astype(np.float64)
    scores[3] = scores[3, ::-1]
    with pytest.raises(Undefined, match="not a known function of its tree ensemble"):
        explain_trees(core, matrix, background, PLAYERS, 4, scores)


def test_what_is_computed_after_the_trees_is_found_out_by_the_scores(
    drawn: tuple[Forest, np.ndarray, np.ndarray],
) -> None:
    """A Poisson regression ends in exp: its exact values are of another function, so there are none."""
    model, matrix, background = drawn
    core = regressor(model)
    said = run(core, matrix)[:, 0].astype(np.float64)
    explain_trees(core, matrix, background, PLAYERS, 4, said)
    with pytest.raises(Undefined, match="not a known function"):
        explain_trees(core, matrix, background, PLAYERS, 4, np.exp(said))


def test_values_that_miss_the_output_of_a_row_are_not_published(drawn: tuple[Forest, np.ndarray, np.ndarray]) -> None:
    model, matrix, background = drawn
    found = explained(regressor(model), matrix, background)
    spoilt = found.values.copy()
    spoilt[0, 41, 2] += 1e-3
    with pytest.raises(RaiError, match=r"attributions of row 42 miss its output by 0\.001"):
        replace(found, values=spoilt).checked()
    spoilt[0, 41, 2] = np.nan
    with pytest.raises(RaiError, match="row 42"):
        replace(found, values=spoilt).checked()
    with pytest.raises(RaiError, match="equal rows got different answers"):
        replace(found, values=spoilt, standard_error=np.zeros_like(spoilt)).checked()


def test_an_answer_is_compared_in_the_unit_of_its_target(drawn: tuple[Forest, np.ndarray, np.ndarray]) -> None:
    """Values around a millionth are not taken for equal to one and a half times themselves."""
    model, matrix, background = drawn
    attributes = {item.name: item for item in regressor(model).graph.node[0].attribute}
    small = [weight * 1e-6 for weight in attributes["target_weights"].floats]
    core = regressor(model, target_weights=small, base_values=[0.0])
    said = run(core, matrix)[:, 0].astype(np.float64)
    assert explain_trees(core, matrix, background, PLAYERS, 4, said).span[0] < 1e-5
    with pytest.raises(Undefined, match="not a known function"):
        explain_trees(core, matrix, background, PLAYERS, 4, 1.5 * said)


def test_a_core_without_trees_has_no_exact_tree_values() -> None:
    core = linear_core(np.ones((5, 1)), np.zeros(1))
    with pytest.raises(Undefined, match="holds 0 tree ensembles, not one"):
        explain_trees(core, np.zeros((1, 5), np.float32), np.zeros((1, 5), np.float32), PLAYERS, 4, np.zeros(1))


def linear_core(coefficients: np.ndarray, intercepts: np.ndarray) -> onnx.ModelProto:
    """matrix @ coefficients + intercepts, without a link."""
    nodes = [
        helper.make_node("MatMul", ["matrix", "c"], ["product"]),
        helper.make_node("Add", ["product", "i"], ["scores"]),
    ]
    constants = [
        numpy_helper.from_array(np.asarray(values, np.float32), name)
        for name, values in (("c", coefficients), ("i", intercepts))
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])
        for name, width in (("matrix", len(coefficients)), ("scores", len(intercepts)))
    ]
    return helper.make_model(helper.make_graph(nodes, "linear", ends[:1], ends[1:], constants))


@pytest.mark.parametrize(("classes", "unit"), [(0, "target"), (2, "log-odds"), (3, "log-odds")])
def test_a_linear_model_has_its_closed_form_by_players(classes: int, unit: str) -> None:
    draw = np.random.default_rng(3)
    width = classes or 1
    coefficients = draw.integers(-4, 5, size=(5, width)).astype(np.float32) / 4
    if classes == 2:
        coefficients[:, 0] = -coefficients[:, 1]
    matrix, background = (draw.integers(-4, 5, size=(n, 5)).astype(np.float32) for n in (70, 9))
    intercepts = np.array([0.5, -0.5]) if classes == 2 else draw.integers(-4, 5, size=width) / 4
    sums = matrix.astype(np.float64) @ coefficients - intercepts
    raised = np.exp(sums) if classes == 3 else 1 / (1 + np.exp(-sums))
    scores = raised / raised.sum(axis=1, keepdims=True) if classes else sums[:, 0]
    core = linear_core(coefficients, -intercepts)
    found = explain_linear(core, matrix, background, PLAYERS, 4, scores)
    explained_outputs = coefficients[:, 1:] if classes == 2 else coefficients

    def worth(coalition: frozenset[int]) -> np.ndarray:
        known = np.isin(PLAYERS, list(coalition))
        return (np.where(known, matrix[0], background).astype(np.float64) @ explained_outputs).mean(axis=0)

    assert found.unit == unit
    assert np.allclose(found.output.T, sums[:, 1:] if classes == 2 else sums, atol=1e-12)
    assert np.allclose(found.base, (found.output - found.values.sum(axis=2)).mean(axis=1), atol=1e-12)
    assert np.allclose(found.values[:, 0], by_definition.enumerated(worth, 4), atol=1e-12)
    assert (found.residual <= 1e-12).all()
