"""The compiled tree kernels say what ONNX Runtime says of the same operator, on any trees and any values."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from rai_assets.model.runtime import open_session
from rai_assets.model.tree_scorer import FEW_ROWS, SMALL_LEAVES, TreeScorer
from rai_assets_tests.model import supplied_models as supplied

COLUMNS = 5


def random_trees(random: np.random.Generator, trees: int, splits: int, outputs: int, one_each: bool) -> dict[str, Any]:
    """Attributes of an ensemble whose trees are grown by splitting random leaves; some values repeat."""
    names = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids", "missing")
    nodes: dict[str, list] = {name: [] for name in names}
    weights: dict[str, list] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(trees):
        children: dict[int, tuple[int, int]] = {}
        leaves = [0]
        for _ in range(int(random.integers(0, splits + 1))):
            node = leaves.pop(int(random.integers(len(leaves))))
            children[node] = (2 * len(children) + 1, 2 * len(children) + 2)
            leaves += children[node]
        for node in range(2 * len(children) + 1):
            below, above = children.get(node, (0, 0))
            row = (
                tree,
                node,
                int(random.integers(COLUMNS)) if node in children else 0,
                "BRANCH_LEQ" if node in children else "LEAF",
                float(random.choice([-1.5, -0.0, 0.0, 0.25, 1e-40, 3.0, np.inf, random.normal()])),
                below,
                above,
                int(random.integers(2)),
            )
            for name, item in zip(names, row, strict=True):
                nodes[name].append(item)
            if node not in children:
                for output in [tree % outputs] if one_each else range(outputs):
                    for name, item in zip(weights, (tree, node, output, float(random.random())), strict=True):
                        weights[name].append(item)
    missing = nodes.pop("missing")
    given_nodes = {f"nodes_{name}": item for name, item in nodes.items()}
    return given_nodes | {"nodes_missing_value_tracks_true": missing, "weights": weights}


def core(grown: dict[str, Any], classes: int, link: str) -> onnx.ModelProto:
    attributes = dict(grown)
    side = "class" if classes else "target"
    attributes |= {f"{side}_{name}": item for name, item in attributes.pop("weights").items()}
    outputs = [supplied.value("probabilities", shape=(None, classes or 1))]
    if classes:
        attributes["classlabels_int64s"] = list(range(classes))
        operator, names = "TreeEnsembleClassifier", ["label", "probabilities"]
    else:
        attributes["n_targets"] = 1
        operator, names = "TreeEnsembleRegressor", ["probabilities"]
    node = helper.make_node(operator, ["x"], names, domain="ai.onnx.ml", post_transform=link, **attributes)
    return supplied.model(
        [node], [supplied.value("x", shape=(None, COLUMNS))], outputs, opsets={"": 18, "ai.onnx.ml": 3}
    )


TASKS = [(0, 1, "NONE"), (2, 1, "LOGISTIC"), (2, 1, "NONE"), (3, 3, "SOFTMAX"), (4, 4, "NONE")]


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(TASKS),
    st.sampled_from([(8, 3), (9, 63), (8, 200), (20, 80)]),
    st.booleans(),
)
def test_equal_to_the_runtime(seed: int, task: tuple[int, int, str], size: tuple[int, int], one_each: bool) -> None:
    random = np.random.default_rng(seed)
    classes, outputs, link = task
    grown = random_trees(random, *size, outputs, one_each)
    model = core(grown, classes, link)
    matrix = random.normal(size=(1300, COLUMNS)).astype(np.float32)
    odd = [np.nan, np.inf, -np.inf, -0.0, 0.0, 0.25, 1e-40, 3.0, -1.5]
    matrix[:600] = random.choice(odd, size=(600, COLUMNS))
    scorer = TreeScorer.of(model, COLUMNS)
    assert scorer is not None
    expected = open_session(model.SerializeToString()).run(["probabilities"], {"x": matrix})[0]
    whole = scorer.scores(matrix)
    np.testing.assert_allclose(whole, expected, rtol=2e-6, atol=2e-6)
    for few in (1, 3, FEW_ROWS, FEW_ROWS + 1):
        parts = [scorer.scores(matrix[start : start + few]) for start in range(500, 500 + 2 * few, few)]
        np.testing.assert_array_equal(np.concatenate(parts), whole[500 : 500 + 2 * few])


def test_both_layouts_are_used_in_one_ensemble() -> None:
    random = np.random.default_rng(1)
    scorer = TreeScorer.of(core(random_trees(random, 30, 2 * SMALL_LEAVES, 1, False), 0, "NONE"), COLUMNS)
    assert scorer is not None
    assert scorer.small is not None
    assert scorer.large is not None


@pytest.mark.parametrize("mode", ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE"])
def test_nodes_in_any_order_and_other_comparisons(mode: str) -> None:
    """The order in the file says nothing; ties and missing values go where the comparison sends them."""
    random = np.random.default_rng(3)
    grown = random_trees(random, 12, 40, 1, False)
    grown["nodes_modes"] = [name.replace("BRANCH_LEQ", mode) for name in grown["nodes_modes"]]
    order = random.permutation(len(grown["nodes_modes"]))
    mixed = {name: [items[k] for k in order] for name, items in grown.items() if name != "weights"}
    scorer = TreeScorer.of(core(mixed | {"weights": grown["weights"]}, 0, "NONE"), COLUMNS)
    assert scorer is not None
    matrix = random.choice([np.nan, -np.inf, -0.0, 0.25, 3.0, -1.5, 0.7], size=(500, COLUMNS)).astype(np.float32)
    runtime = open_session(core(grown, 0, "NONE").SerializeToString())
    expected = runtime.run(["probabilities"], {"x": matrix})[0]
    np.testing.assert_allclose(scorer.scores(matrix), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(
    ("classes", "link", "changed"),
    [
        (0, "NONE", {"aggregate_function": "MAX"}),
        (0, "NONE", {"nodes_modes": "BRANCH_EQ"}),
        (0, "LOGISTIC", {}),
        (3, "LOGISTIC", {}),
        (2, "SOFTMAX", {}),
    ],
)
def test_what_our_own_exports_do_not_use_is_left_to_the_runtime(classes: int, link: str, changed: dict) -> None:
    grown = random_trees(np.random.default_rng(2), 8, 4, max(classes - 1, 1), False)
    if mode := changed.get("nodes_modes"):
        changed = {"nodes_modes": [name.replace("BRANCH_LEQ", mode) for name in grown["nodes_modes"]]}
    assert TreeScorer.of(core(grown | changed, classes, link), COLUMNS) is None


def test_weights_for_the_second_class_only() -> None:
    """The operator then treats the first class apart; our exports write the first class's id."""
    grown = random_trees(np.random.default_rng(2), 8, 4, 1, False)
    grown["weights"]["ids"] = [1] * len(grown["weights"]["ids"])
    assert TreeScorer.of(core(grown, 2, "LOGISTIC"), COLUMNS) is None


def test_a_single_tree_and_other_models_are_left_to_the_runtime() -> None:
    assert TreeScorer.of(core(random_trees(np.random.default_rng(2), 1, 4, 1, False), 0, "NONE"), COLUMNS) is None
    assert TreeScorer.of(supplied.logistic(), COLUMNS) is None
