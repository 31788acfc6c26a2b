"""Trees read from ONNX: every branch mode as ONNX Runtime takes it, links, aggregates, and clear refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from rai_assets.errors import Undefined
from rai_assets.model.ensemble import read_ensemble, tree_node
from rai_assets_tests.model.forests import (
    CLASSIC_MODES,
    Forest,
    Node,
    classifier,
    forest,
    model_of,
    regressor,
    rows,
    run,
)


def sums(model: onnx.ModelProto, matrix: np.ndarray) -> np.ndarray:
    """What the parsed trees add up to, (n, K), row by row from the root to a leaf."""
    trees = read_ensemble(tree_node(model))
    found = np.tile(trees.base, (len(matrix), 1))
    for row, total in zip(matrix, found, strict=True):
        for node in trees.roots:
            while trees.column[node] >= 0:
                value, threshold = row[trees.column[node]], trees.threshold[node]
                down = value == threshold if trees.equal[node] else value <= threshold
                down = trees.missing_below[node] if np.isnan(value) else down
                node = trees.below[node] if down else trees.above[node]
            paid = slice(trees.weight_start[node], trees.weight_start[node + 1])
            np.add.at(total, trees.weight_output[paid], trees.weight[paid])
    return found


@pytest.mark.parametrize("mode", [*CLASSIC_MODES, "SET"])
def test_each_branch_mode_goes_where_onnx_runtime_goes(mode: str) -> None:
    draw = np.random.default_rng(1)
    model, matrix = forest(draw, modes=(mode,), trees=5), rows(draw, 60, 5)
    said = run(regressor(model), matrix)
    assert np.allclose(model.sums(matrix), said, atol=1e-5), "the reference of these tests is right"
    assert np.allclose(sums(regressor(model), matrix), said, atol=1e-5)


@pytest.mark.parametrize("second", [{"column": 1}, {"mode": "BRANCH_LEQ"}, {"missing_true": True}])
def test_a_node_behind_two_tests_that_are_no_set_is_refused(second: dict) -> None:
    """ONNX Runtime takes a missing value for the first of a set's, so all have to take it alike."""
    shared, other = Node(weights=(1.0,)), Node(weights=(2.0,))
    test = Node(0, "BRANCH_EQ", 1.0, False, shared, other)
    tree = replace(test, no=replace(test, threshold=2.0, **second))
    with pytest.raises(Undefined, match="do not form one tree"):
        read_ensemble(tree_node(regressor(Forest((tree,), 2, 1))))


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE"])
def test_aggregates_and_several_targets(aggregate: str) -> None:
    draw = np.random.default_rng(2)
    model, matrix = forest(draw, outputs=3, aggregate=aggregate), rows(draw, 40, 5)
    assert np.allclose(sums(regressor(model), matrix), run(regressor(model), matrix), atol=1e-5)


def test_one_weight_per_leaf_of_two_classes_is_the_second_class() -> None:
    draw = np.random.default_rng(3)
    model, matrix = forest(draw), rows(draw, 40, 5)
    core = classifier(model, classes=2, link="LOGISTIC")
    ensemble = read_ensemble(tree_node(core))
    assert (ensemble.n_outputs, ensemble.link, ensemble.classes) == (1, "LOGISTIC", 2)
    assert np.allclose(1 / (1 + np.exp(-sums(core, matrix)[:, 0])), run(core, matrix)[:, 1], atol=1e-6)


def test_two_weights_per_leaf_of_two_classes_explain_the_second() -> None:
    draw = np.random.default_rng(4)
    model, matrix = forest(draw, outputs=2), rows(draw, 40, 5)
    core = classifier(model, classes=2, link="NONE", base_values=None)
    assert np.allclose(sums(core, matrix)[:, 0], run(core, matrix)[:, 1], atol=1e-5)
    with pytest.raises(Undefined, match="base values for both of two classes"):
        read_ensemble(tree_node(classifier(model, classes=2, link="NONE")))


def test_several_classes_have_one_output_each_before_the_softmax() -> None:
    draw = np.random.default_rng(5)
    model, matrix = forest(draw, outputs=3), rows(draw, 40, 5)
    core = classifier(model, classes=3, link="SOFTMAX")
    raised = np.exp(sums(core, matrix))
    assert np.allclose(raised / raised.sum(axis=1, keepdims=True), run(core, matrix), atol=1e-6)


def test_the_newer_operator_is_read_too() -> None:
    """ai.onnx.ml 5: x0 <= 1 ? (x1 > 2 ? 1 : 2) : 4, where a missing x1 goes to 1."""
    node = helper.make_node(
        "TreeEnsemble",
        ["matrix"],
        ["scores"],
        domain="ai.onnx.ml",
        n_targets=1,
        tree_roots=[0],
        nodes_featureids=[0, 1],
        nodes_modes=numpy_helper.from_array(np.array([0, 3], dtype=np.uint8)),
        nodes_splits=numpy_helper.from_array(np.array([1.0, 2.0], dtype=np.float32)),
        nodes_truenodeids=[1, 0],
        nodes_trueleafs=[0, 1],
        nodes_falsenodeids=[2, 1],
        nodes_falseleafs=[1, 1],
        nodes_missing_value_tracks_true=[0, 1],
        leaf_targetids=[0, 0, 0],
        leaf_weights=numpy_helper.from_array(np.array([1.0, 2.0, 4.0], dtype=np.float32)),
    )
    model = model_of(node, 2, ["scores"], opset=5)
    model.ir_version = 10
    matrix = np.array([[0, 3], [0, 2], [1, np.nan], [2, 0], [np.nan, 0]], dtype=np.float32)
    assert run(model, matrix).ravel().tolist() == [1, 2, 1, 4, 4]
    assert np.allclose(sums(model, matrix)[:, 0], [1, 2, 1, 4, 4], atol=1e-12)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"aggregate_function": "MAX"}, "takes the MAX of its trees"),
        ({"post_transform": "PROBIT"}, "ends in PROBIT"),
        ({"nodes_values": [float("nan")] * 99}, "not a number"),
        ({"target_ids": [7] * 99}, "does not declare"),
        ({"nodes_truenodeids": [0] * 99}, "do not form one tree"),
        ({"nodes_nodeids": [0] * 99}, "names a node twice"),
        ({"target_nodeids": [55] * 99}, "not there"),
    ],
)
def test_what_has_no_exact_answer_is_refused_with_the_reason(changed: dict, reason: str) -> None:
    model = forest(np.random.default_rng(6), trees=2)
    whole = regressor(model)
    lengths = {item.name: len(item.ints) or len(item.floats) for item in whole.graph.node[0].attribute}
    fitting = {name: value[: lengths[name]] if isinstance(value, list) else value for name, value in changed.items()}
    with pytest.raises(Undefined, match=reason):
        read_ensemble(tree_node(regressor(model, **fitting)))


def test_a_node_that_is_its_own_child_is_refused() -> None:
    """Node 0 is a leaf and the root; node 1, reached from no root, goes to itself and to node 2."""
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["matrix"],
        ["scores"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_modes=["LEAF", "BRANCH_LEQ", "LEAF"],
        nodes_values=[0.0, 0.0, 0.0],
        nodes_truenodeids=[0, 1, 0],
        nodes_falsenodeids=[0, 2, 0],
        target_treeids=[0, 0],
        target_nodeids=[0, 2],
        target_ids=[0, 0],
        target_weights=[1.0, 2.0],
    )
    with pytest.raises(Undefined, match="do not form one tree"):
        read_ensemble(node)


def test_an_ensemble_that_does_not_get_the_matrix_itself_is_refused() -> None:
    model = regressor(forest(np.random.default_rng(7)))
    model.graph.node.insert(0, helper.make_node("Exp", ["matrix"], ["raised"]))
    model.graph.node[1].input[0] = "raised"
    with pytest.raises(Undefined, match="computes on its columns before"):
        tree_node(model)
    model.graph.node[0].op_type = "Identity"
    assert tree_node(model).op_type == "TreeEnsembleRegressor"


def test_two_ensembles_are_refused() -> None:
    model = regressor(forest(np.random.default_rng(7)))
    model.graph.node.append(model.graph.node[0])
    with pytest.raises(Undefined, match="holds 2 tree ensembles"):
        tree_node(model)
