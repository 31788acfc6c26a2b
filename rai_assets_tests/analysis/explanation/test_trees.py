"""Exact Shapley values of trees: against the definition, against shap, and what must hold for any of them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_assets.analysis.explanation.trees import TreeGame, tree_values
from rai_assets.errors import Undefined
from rai_assets.model.ensemble import TreeEnsemble, read_ensemble, tree_node
from rai_assets_tests.analysis.explanation import by_definition
from rai_assets_tests.model.forests import CLASSIC_MODES, Forest, Node, forest, grow, one_of, regressor, rows

# Columns 1 and 2 are one player, as the parts of a one-hot encoded column are.
PLAYERS = np.array([0, 1, 1, 2, 3])
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25)


def parsed(model: Forest) -> TreeEnsemble:
    return read_ensemble(tree_node(regressor(model)))


@few
@given(seeds, st.sampled_from([1, 3]))
def test_interventional_values_are_those_of_the_definition(seed: int, outputs: int) -> None:
    draw = np.random.default_rng(seed)
    model = forest(draw, outputs=outputs)
    matrix, background = rows(draw, 3, 5), rows(draw, 6, 5)
    values, base = tree_values(parsed(model), matrix, background, PLAYERS, 4)
    for row, found in zip(matrix, values.transpose(1, 0, 2), strict=True):
        assert np.allclose(found, by_definition.interventional(model, row, background, PLAYERS, 4), atol=1e-9)
    assert np.allclose(base, model.sums(background).mean(axis=0), atol=1e-9)


@few
@given(seeds)
def test_tests_of_sets_have_the_values_of_the_definition(seed: int) -> None:
    """Categorical splits of LightGBM: the nodes behind a set are there once, and reached from each of its values."""
    draw = np.random.default_rng(seed)
    model = forest(draw, modes=("SET", "SET", "BRANCH_LEQ", "BRANCH_NEQ"))
    matrix, background = rows(draw, 3, 5), rows(draw, 6, 5)
    values, base = tree_values(parsed(model), matrix, background, PLAYERS, 4)
    for row, found in zip(matrix, values.transpose(1, 0, 2), strict=True):
        assert np.allclose(found, by_definition.interventional(model, row, background, PLAYERS, 4), atol=1e-9)
    assert np.allclose(base, model.sums(background).mean(axis=0), atol=1e-9)


def test_a_set_has_one_leaf_behind_it_however_many_values() -> None:
    """10 of 20 values in each of 6 columns: 7 leaves, not one for every combination of values."""
    node = Node(weights=(1.0,))
    for column in range(6):
        node = one_of(column, range(0, 20, 2), node, Node(weights=(0.5,)))
    model = Forest((node,), 6, 1)
    matrix = np.random.default_rng(0).integers(0, 20, size=(300, 6)).astype(np.float32)
    game = TreeGame.prepare(parsed(model), matrix[:50], np.arange(6), 6)
    assert len(game.shallow) + len(game.deep) == 7
    values = game.values(matrix)
    assert np.allclose(game.base[:, None] + values.sum(axis=2), model.sums(matrix).T, atol=1e-12)
    assert np.allclose(
        values[:, 7], by_definition.interventional(model, matrix[7], matrix[:50], np.arange(6), 6), atol=1e-12
    )


@few
@given(seeds, st.sampled_from([CLASSIC_MODES, ("SET", "BRANCH_LEQ")]))
def test_path_dependent_values_are_those_of_the_definition(seed: int, modes: tuple[str, ...]) -> None:
    draw = np.random.default_rng(seed)
    model = forest(draw, aggregate="AVERAGE", modes=modes)
    matrix, seen = rows(draw, 3, 5), rows(draw, 12, 5)
    values, base = tree_values(parsed(model), matrix, seen, PLAYERS, 4, perturbation="path_dependent")
    for row, found in zip(matrix, values.transpose(1, 0, 2), strict=True):
        assert np.allclose(found, by_definition.path_dependent(model, row, seen, PLAYERS, 4), atol=1e-9)
    assert np.allclose(base, model.sums(seen).mean(axis=0), atol=1e-9)


@few
@given(seeds, st.sampled_from(["interventional", "path_dependent"]))
def test_deep_leaves_get_the_same_values_as_tables(seed: int, perturbation: str) -> None:
    draw = np.random.default_rng(seed)
    model = parsed(forest(draw, columns=9, depth=7, outputs=2))
    matrix, background, players = rows(draw, 40, 9), rows(draw, 30, 9), np.arange(9)
    by_tables = TreeGame.prepare(model, background, players, 9, perturbation=perturbation)  # type: ignore[arg-type]
    computed = TreeGame.prepare(model, background, players, 9, perturbation=perturbation, table_players=0)  # type: ignore[arg-type]
    assert len(by_tables.deep) + len(by_tables.shallow) == len(computed.deep)
    assert len(computed.shallow) == 0
    assert np.allclose(by_tables.values(matrix), computed.values(matrix), atol=1e-12)


def chain(columns: int) -> Node:
    """One leaf behind a test of every column: 1 where all columns are at most 0."""
    node = Node(weights=(1.0,))
    for column in range(columns):
        node = Node(column, "BRANCH_LEQ", 0.0, False, node, Node(weights=(0.0,)))
    return node


@pytest.mark.parametrize("columns", [12, 40])
def test_a_leaf_of_many_players_shares_equally(columns: int) -> None:
    """All columns are needed and none of the background's is there: each gets 1 / columns."""
    model = parsed(Forest((chain(columns),), columns, 1))
    matrix, background = np.zeros((2, columns), np.float32), np.ones((1, columns), np.float32)
    matrix[1, 0] = 1
    values, base = tree_values(model, matrix, background, np.arange(columns), columns)
    assert base[0] == 0
    assert np.allclose(values[0, 0], 1 / columns, atol=1e-12)
    assert np.allclose(values[0, 1], 0, atol=1e-12)


@pytest.mark.parametrize("columns", [12, 40])
def test_a_leaf_of_many_players_along_the_paths(columns: int) -> None:
    """Every column is met by the same share c of the rows: each adds the integral of (1-c) (t + c (1-t))^(D-1)."""
    model = parsed(Forest((chain(columns),), columns, 1))
    seen = np.zeros((2**6, columns), np.float32)
    seen[1:] = 1  # 1 of 64 rows passes the first test, and then every one
    values, base = tree_values(model, np.zeros((1, columns), np.float32), seen, np.arange(columns), columns,
                               perturbation="path_dependent")  # fmt: skip
    assert base[0] == pytest.approx(1 / 64)
    assert values[0, 0, columns - 1] == pytest.approx(63 / 64), "the column that is tested first decides"
    assert np.allclose(values[0, 0, : columns - 1], 0, atol=1e-12)


def test_more_players_than_a_mask_can_hold_are_refused() -> None:
    model = parsed(Forest((chain(65),), 65, 1))
    with pytest.raises(Undefined, match="depends on 65 columns"):
        tree_values(model, np.zeros((1, 65), np.float32), np.ones((1, 65), np.float32), np.arange(65), 65)
    one_player = np.zeros(65, dtype=np.int64)
    values, _ = tree_values(model, np.zeros((1, 65), np.float32), np.ones((1, 65), np.float32), one_player, 1)
    assert values[0, 0, 0] == 1


def test_no_background_and_missing_columns_are_refused() -> None:
    model = parsed(forest(np.random.default_rng(0)))
    with pytest.raises(Undefined, match="no background rows"):
        tree_values(model, np.zeros((1, 5), np.float32), np.zeros((0, 5), np.float32), PLAYERS, 4)
    with pytest.raises(Undefined, match="the matrix has 2 columns"):
        tree_values(model, np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32), PLAYERS[:2], 2)


@few
@given(seeds, st.sampled_from(["interventional", "path_dependent"]))
def test_values_add_up_and_a_column_no_tree_tests_gets_nothing(seed: int, perturbation: str) -> None:
    draw = np.random.default_rng(seed)
    model = forest(draw, columns=4)
    matrix, background = rows(draw, 50, 5), rows(draw, 20, 5)
    values, base = tree_values(parsed(model), matrix, background, np.arange(5), 5, perturbation=perturbation)  # type: ignore[arg-type]
    assert np.allclose(base[:, None] + values.sum(axis=2), model.sums(matrix).T, atol=1e-9)
    assert not values[:, :, 4].any()


@few
@given(seeds)
def test_players_that_are_swapped_swap_their_values(seed: int) -> None:
    draw = np.random.default_rng(seed)
    model = parsed(forest(draw))
    matrix, background = rows(draw, 10, 5), rows(draw, 10, 5)
    order = draw.permutation(5)
    values, _ = tree_values(model, matrix, background, np.arange(5), 5)
    renamed, _ = tree_values(model, matrix, background, order, 5)
    assert np.allclose(renamed[:, :, order], values, atol=1e-12)


@few
@given(seeds)
def test_two_columns_used_alike_get_alike(seed: int) -> None:
    """Every tree is there twice, once with columns 0 and 1 exchanged; rows hold the same in both."""
    draw = np.random.default_rng(seed)
    model = forest(draw)

    def exchanged(node: Node) -> Node:
        if node.yes is None or node.no is None:
            return node
        column = {0: 1, 1: 0}.get(node.column, node.column)
        return Node(column, node.mode, node.threshold, node.missing_true, exchanged(node.yes), exchanged(node.no))

    both = Forest((*model.trees, *(exchanged(tree) for tree in model.trees)), 5, 1)
    matrix, background = rows(draw, 20, 5), rows(draw, 20, 5)
    matrix[:, 1], background[:, 1] = matrix[:, 0], background[:, 0]
    values, _ = tree_values(parsed(both), matrix, background, np.arange(5), 5)
    assert np.allclose(values[:, :, 0], values[:, :, 1], atol=1e-12)


def test_rows_of_the_background_and_a_copy_of_it_say_the_same() -> None:
    draw = np.random.default_rng(8)
    model, matrix, background = parsed(forest(draw)), rows(draw, 30, 5), rows(draw, 20, 5)
    once, _ = tree_values(model, matrix, background, PLAYERS, 4)
    twice, _ = tree_values(model, matrix, np.concatenate([background, background]), PLAYERS, 4)
    assert np.allclose(once, twice, atol=1e-12)


def test_rows_in_several_blocks_get_what_they_get_alone() -> None:
    draw = np.random.default_rng(9)
    model, matrix, background = parsed(forest(draw, trees=2)), rows(draw, 9000, 5), rows(draw, 20, 5)
    told = []
    game = TreeGame.prepare(model, background, PLAYERS, 4)
    values = game.values(matrix, lambda what, done, total: told.append((what, done, total)))
    assert np.array_equal(values[:, 8990:], game.values(matrix[8990:]))
    assert [done for _, done, _ in told] == [4096, 8192, 9000]


def exported(native: Any, matrix: np.ndarray) -> onnx.ModelProto:
    from skl2onnx import to_onnx

    with warnings.catch_warnings():
        # The converter of histogram gradient boosting hands booleans to protobuf.
        warnings.simplefilter("ignore", DeprecationWarning)
        return to_onnx(native, matrix[:1], options={"zipmap": False} if hasattr(native, "classes_") else None)


@pytest.mark.parametrize("kind", ["gradient_boosting", "random_forest", "decision_tree"])
def test_scikit_learns_trees_agree_with_shap(kind: str) -> None:
    """On float32 data below 100 background rows, where shap's interventional explainer is right."""
    import shap
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.tree import DecisionTreeRegressor

    draw = np.random.default_rng(10)
    matrix = draw.integers(-20, 20, size=(400, 6)).astype(np.float32)
    target = (matrix[:, 0] * matrix[:, 1] + 30 * matrix[:, 2] > 0).astype(int)
    native = {
        "gradient_boosting": HistGradientBoostingClassifier(max_iter=20),
        "random_forest": RandomForestClassifier(10, random_state=0),
        "decision_tree": DecisionTreeRegressor(max_depth=6, random_state=0),
    }[kind].fit(matrix, target)
    core = exported(native, matrix)
    values, _ = tree_values(read_ensemble(tree_node(core)), matrix, matrix[:80], np.arange(6), 6)
    oracle = shap.TreeExplainer(native, matrix[:80], feature_perturbation="interventional").shap_values(matrix)
    oracle = oracle[:, :, 1] if oracle.ndim == 3 else oracle
    assert np.allclose(values[0], oracle, atol=2e-6 * np.abs(oracle).max())


def test_lightgbm_with_categorical_splits_agrees_with_its_own_contributions() -> None:
    """Its converter writes an equality for every value of a split's set, and all lead to the same node."""
    import lightgbm
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    draw = np.random.default_rng(12)
    matrix = draw.integers(0, 30, size=(2000, 5)).astype(np.float32)
    chance = np.isin(matrix[:, 0], [1, 4, 9, 16, 25]) * 3 + np.isin(matrix[:, 1], [2, 3, 5, 7]) + matrix[:, 2] / 9
    target = (chance > 3).astype(int)
    native = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1).fit(
        matrix, target, categorical_feature=[0, 1]
    )
    core = onnxmltools.convert_lightgbm(native, initial_types=[("matrix", FloatTensorType([None, 5]))], zipmap=False)
    ensemble = read_ensemble(tree_node(core))
    assert ensemble.joined.any()
    values, base = tree_values(ensemble, matrix, matrix, np.arange(5), 5, perturbation="path_dependent")
    own = native.predict(matrix, pred_contrib=True)
    assert np.allclose(values[0], own[:, :-1], atol=1e-6)
    assert base[0] == pytest.approx(own[0, -1], abs=1e-6)


def test_a_three_class_boosting_model_agrees_with_the_definition() -> None:
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

    draw = np.random.default_rng(11)
    matrix = draw.integers(0, 9, size=(300, 4)).astype(np.float32)
    target = (matrix[:, 0] > 4).astype(int) + (matrix[:, 1] > 5)
    for native in (HistGradientBoostingClassifier(max_iter=5), GradientBoostingClassifier(n_estimators=5)):
        native.fit(matrix, target)
        core = exported(native, matrix)
        background = matrix[:9]
        values, _ = tree_values(read_ensemble(tree_node(core)), matrix, background, np.arange(4), 4)

        def worth(coalition: frozenset[int], row: np.ndarray, native=native, background=background) -> np.ndarray:
            known = np.isin(np.arange(4), list(coalition))
            return native.decision_function(np.where(known, row, background)).mean(axis=0)

        for row in range(3):
            expected = by_definition.enumerated(lambda coalition, row=row: worth(coalition, matrix[row]), 4)
            assert np.allclose(values[:, row], expected, atol=1e-5)


def test_a_tree_that_is_one_leaf_is_all_base() -> None:
    single = grow(np.random.default_rng(0), columns=1, depth=0)
    values, base = tree_values(parsed(Forest((single,), 1, 1)), np.zeros((2, 1), np.float32),
                               np.zeros((1, 1), np.float32), np.zeros(1, int), 1)  # fmt: skip
    assert base[0] == single.weights[0]
    assert not values.any()
