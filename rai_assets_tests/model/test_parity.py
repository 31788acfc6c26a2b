"""Every estimator, every task: the export says what the estimator says. And an export that does not is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest

from rai_assets.metrics.rows import Task
from rai_assets.model.encoding import Encoding, Feature
from rai_assets.model.estimators import ESTIMATORS
from rai_assets.model.fitting import Core, Recipe, fit_core
from rai_assets.model.graph import Names, assemble, core_of
from rai_assets.model.linear import linear_of
from rai_assets.model.parity import UNSEEN_CATEGORY, ParityFailed, Probe, check, generated_rows
from rai_assets.model.runtime import open_session
from rai_assets.model.training import ask
from rai_assets_tests.model.people import CLASSES, FEATURES, population

QUICK: dict[str, dict[str, Any]] = {
    "random_forest": {"n_estimators": 12},
    "hist_gradient_boosting": {"max_iter": 15},
    "mlp": {"max_iter": 15, "hidden_layer_sizes": [16]},
}
TARGETS = {"binary": "yes", "multiclass": "level", "regression": "price"}
COMBINATIONS = [
    (name, task)
    for name, item in ESTIMATORS.items()
    for task in TARGETS
    if (item.regressor if task == "regression" else item.classifier)
]


class Fitted:
    """One estimator fitted and exported in this process, with the rows the gate looks at."""

    def __init__(
        self, name: str, task: Task, table: pa.Table, target: np.ndarray, features: tuple[Feature, ...]
    ) -> None:
        self.task: Task = task
        self.classes = CLASSES[task]
        self.threshold = 0.5 if task == "binary" else None
        self.target = target
        self.encoding = Encoding.fit(table, features, ESTIMATORS[name].style)
        self.tables = (table, generated_rows(table, features, seed=1))
        self.matrices = tuple(self.encoding.matrix(item) for item in self.tables)
        recipe = Recipe(task, name, None, "", QUICK.get(name, {}), seed=0)
        self.core = fit_core(recipe, self.matrices[0], target, None, self.matrices[1:])

    def gate(self, core: Core | None = None, encoding: Encoding | None = None, **changed: Any) -> dict[str, Any]:
        core, encoding = core or self.core, encoding or self.encoding
        joined = {"classes": self.classes, "threshold": self.threshold, "target_scale": core.target_scale} | changed
        file = assemble(core.onnx, encoding, **joined)
        probes = ask(file, self.encoding, self.classes, self.tables, core.native)
        return check(probes, task=self.task, threshold=self.threshold, spread=float(self.target.std()))


def fitted(name: str, task: Task) -> Fitted:
    table = population(1200)
    column = table.column(TARGETS[task])
    target = (
        column.to_numpy() if task == "regression" else np.array([CLASSES[task].index(v) for v in column.to_pylist()])
    )
    return Fitted(name, task, table, target, FEATURES)


@pytest.mark.parametrize(("name", "task"), COMBINATIONS)
def test_every_estimator_passes_the_gate(name: str, task: Task) -> None:
    model = fitted(name, task)
    report = model.gate()
    assert report["max_difference"] < 2e-6
    assert report["label_flips"] == 0
    assert report["rows"] == {"training": 1200, "generated": len(model.tables[1])}
    if name in ("linear_regression", "logistic_regression"):
        core = core_of(
            onnx.load_model_from_string(
                assemble(model.core.onnx, model.encoding, classes=model.classes, threshold=model.threshold)
            )
        )
        linear = linear_of(core, len(model.classes))
        assert linear is not None
        raw = model.matrices[0].astype(float) @ linear.coefficients + linear.intercept
        native = model.core.native[0]
        expected = {
            "identity": lambda: raw[:, 0],
            "logistic": lambda: np.column_stack([1 / (1 + np.exp(raw)), 1 / (1 + np.exp(-raw))]),
            "softmax": lambda: np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True),
        }[linear.link]()
        np.testing.assert_allclose(expected, native, rtol=1e-9)


@pytest.mark.parametrize("name", ["decision_tree", "hist_gradient_boosting"])
def test_split_points_between_neighbouring_float32_values(name: str) -> None:
    """Even numbers above 2^24 are neighbours in float32, so every split point falls between two of them."""
    step = np.random.default_rng(3).integers(0, 100, 3000)
    x, target = 2.0**24 + 2 * step, (step // 3) % 2
    table = pa.table({"x": x})
    model = Fitted(name, "binary", table, target, (Feature("x", "number"),))
    assert model.gate()["max_difference"] < 1e-6


def test_generated_rows_reach_every_column() -> None:
    table = population(300)
    rows = generated_rows(table, FEATURES, seed=5)
    assert rows.column_names == [item.name for item in FEATURES]
    for item in FEATURES:
        column = rows.column(item.name).to_pylist()
        assert column.count(None) > 50
        if item.kind == "category":
            assert column.count(UNSEEN_CATEGORY) > 50
        if item.kind == "number":
            seen = table.column(item.name).drop_null().to_numpy()
            known = np.array([value for value in column if value is not None])
            assert known.min() < seen.min()
            assert known.max() > seen.max()
    assert any(all(value is None for value in row.values()) for row in rows.to_pylist())
    assert rows.equals(generated_rows(table, FEATURES, seed=5))


def edited(core: Core, change: Callable[[onnx.ModelProto], None]) -> Core:
    model = onnx.load_model_from_string(core.onnx)
    change(model)
    return replace(core, onnx=model.SerializeToString())


def attribute(model: onnx.ModelProto, name: str) -> Any:
    return next(item for node in model.graph.node for item in node.attribute if item.name == name)


def move_a_threshold(model: onnx.ModelProto) -> None:
    values = attribute(model, "nodes_values").floats
    values[0] = values[0] + 1


def forget_where_missing_goes(model: onnx.ModelProto) -> None:
    tracks = attribute(model, "nodes_missing_value_tracks_true").ints
    tracks[:] = [1 - value for value in tracks]


def change_a_leaf(model: onnx.ModelProto) -> None:
    weights = attribute(model, "class_weights").floats
    weights[:] = [weight * 1.001 for weight in weights]


@pytest.mark.parametrize("fault", [move_a_threshold, forget_where_missing_goes, change_a_leaf])
def test_a_wrong_core_is_refused(fault: Callable[[onnx.ModelProto], None]) -> None:
    model = fitted("hist_gradient_boosting", "binary")
    with pytest.raises(ParityFailed, match="the exported model differs from the estimator by up to") as caught:
        model.gate(edited(model.core, fault))
    worst = caught.value.report["worst"]
    assert worst["difference"] > 1e-5
    assert set(worst["values"]) == {item.name for item in FEATURES}
    assert "age=" in str(caught.value)


def test_a_wrong_encoding_in_the_file_is_refused() -> None:
    model = fitted("decision_tree", "binary")
    job = model.encoding.categories[0]
    swapped = replace(job, categories=(job.categories[1], job.categories[0], *job.categories[2:]))
    wrong = replace(model.encoding, categories=(swapped, *model.encoding.categories[1:]))
    with pytest.raises(ParityFailed):
        model.gate(encoding=wrong)


def test_swapped_labels_are_refused_although_the_probabilities_agree() -> None:
    model = fitted("logistic_regression", "binary")
    with pytest.raises(ParityFailed, match="decides .* rows differently"):
        model.gate(threshold=0.7)
    model.gate(threshold=0.5)


def test_a_swapped_class_is_refused() -> None:
    model = fitted("logistic_regression", "multiclass")
    native = tuple(values[:, [1, 0, 2]] for values in model.core.native)
    with pytest.raises(ParityFailed):
        model.gate(replace(model.core, native=native))


def test_a_forgotten_target_scale_is_refused() -> None:
    model = fitted("mlp", "regression")
    with pytest.raises(ParityFailed):
        model.gate(target_scale=None)


def probe(native: list, full: list, core: list, labels: list | None) -> Probe:
    table = pa.table({"x": list(range(len(native)))})
    as_array = [np.array(values, float) for values in (native, full, core)]
    return Probe("training", table, *as_array, None if labels is None else np.array(labels))


def test_a_flip_is_allowed_on_a_tie_only() -> None:
    near = [[0.5 + 4e-6, 0.5 - 4e-6]]
    moved = [[0.5 - 4e-6, 0.5 + 4e-6]]
    report = check([probe(near, moved, near, [1])], task="binary", threshold=0.5, spread=1)
    assert (report["label_flips"], report["max_difference"]) == (1, pytest.approx(8e-6))
    assert "values" not in report["worst"]
    far = [[0.6, 0.4]]
    with pytest.raises(ParityFailed, match="decides 1 row differently"):
        check([probe(far, far, far, [1])], task="binary", threshold=0.5, spread=1)


def test_nan_is_a_difference() -> None:
    fine, broken = [[0.6, 0.4]], [[float("nan"), 0.4]]
    with pytest.raises(ParityFailed, match="by up to inf"):
        check([probe(fine, broken, fine, [0])], task="binary", threshold=0.5, spread=1)
    with pytest.raises(ParityFailed):
        check([probe(broken, broken, broken, [0])], task="binary", threshold=0.5, spread=1)


def test_regression_differences_are_relative() -> None:
    # 1e6 off by 1: 1e-6. 0 off by 0.0005 with a spread of 100: 5e-6.
    report = check(
        [probe([1e6, 0.0], [1e6 + 1, 5e-4], [1e6, 0.0], None)], task="regression", threshold=None, spread=100
    )
    assert report["max_difference"] == pytest.approx(5e-6)
    assert report["worst"]["row"] == 1


def test_names_in_the_graph_give_way_to_columns() -> None:
    features = (Feature("probabilities", "number"), Feature("label", "category"), Feature("rai/core/matrix", "number"))
    table = pa.table(
        {
            "probabilities": [1.0, 2.0, 3.0, 4.0] * 9,
            "label": ["a", "b", "c", None] * 9,
            "rai/core/matrix": [0.0, 1.0, 5.0, None] * 9,
        }
    )
    model = Fitted("logistic_regression", "binary", table, np.array([0, 1, 1, 0] * 9), features)
    assert model.gate()["label_flips"] == 0
    assert Names.free(model.encoding, model.classes) == Names("_rai/", "_probabilities", "_label")


def test_anyone_can_serve_the_file() -> None:
    """Plain ONNX Runtime, one row: strings for categories, floats for numbers, the label by name."""
    model = fitted("decision_tree", "binary")
    session = open_session(assemble(model.core.onnx, model.encoding, classes=("no", "yes"), threshold=0.5))
    row = {"age": 80.0, "income": float("nan"), "job": "pilot", "insured": 1.0, "region": ""}
    feed = {name: np.array([[v]], object if isinstance(v, str) else np.float32) for name, v in row.items()}
    label, probabilities = session.run(["label", "probabilities"], feed)
    assert label.tolist() == ["yes" if probabilities[0, 1] >= 0.5 else "no"]
    empty = {name: values[:0] for name, values in feed.items()}
    assert session.run(["probabilities"], empty)[0].shape == (0, 2)
