"""A model whose answer is not the row's own is refused when it is taken in; one that computes row by row passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from rai_assets.errors import InputRefused
from rai_assets.model.settings import ModelSettings
from rai_assets.model.training import train
from rai_assets.model.version import ModelVersion
from rai_assets_tests.model import supplied_models as supplied
from rai_assets_tests.model.people import contract, population

TABLE = population(700).drop_columns(["job", "insured", "region"])
AGE_AND_INCOME = {name: {"role": "ignored", "dtype": "category"} for name in ("job", "insured", "region")}


def taken_in(folder: Path, model: onnx.ModelProto, task: str = "binary") -> ModelVersion:
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    declared = {"path": "model.onnx", **({"classes": ["no", "yes"]} if task == "binary" else {"output": "value"})}
    settings = ModelSettings.model_validate({"onnx": declared})
    return train(TABLE, contract(task, **AGE_AND_INCOME), settings, folder=folder)


def softmax_of(*steps: onnx.NodeProto) -> onnx.ModelProto:
    """Steps from `known`, the two numbers scaled and without missing values (rows, 2), to `z`; then a softmax."""
    nodes = [
        helper.make_node("Concat", ["age", "income"], ["both"], axis=1),
        helper.make_node("IsNaN", ["both"], ["absent"]),
        helper.make_node("Where", ["absent", "zero", "both"], ["filled"]),
        helper.make_node("Mul", ["filled", "scale"], ["known"]),
        *steps,
        helper.make_node("Softmax", ["z"], ["probabilities"], axis=1),
    ]
    constants = [
        supplied.constant("zero", 0.0),
        supplied.constant("scale", [[0.02, 1e-5]]),
        supplied.constant("rows", 0, np.int64),
        supplied.constant("axis", [0], np.int64),
    ]
    return supplied.with_output(nodes, constants)


def batch_mean(weight: float = 1.0) -> list[onnx.NodeProto]:
    return [
        helper.make_node("ReduceMean", ["known", "axis"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "weight"], ["part"]),
        helper.make_node("Sub", ["known", "part"], ["z"]),
        helper.make_node("Constant", [], ["weight"], value_float=weight),
    ]


def test_random_draws(tmp_path: Path) -> None:
    for attributes in ({}, {"seed": 1.0}):
        noise = helper.make_node("RandomUniformLike", ["known"], ["z"], **attributes)
        with pytest.raises(InputRefused, match=r"another answer when it is asked again: row \d+ .* got 0\.") as caught:
            taken_in(tmp_path, softmax_of(noise))
        assert caught.value.exit_code == 3
        assert caught.value.where == "model.onnx"
        assert "without random draws" in caught.value.fix


def test_the_mean_of_the_batch(tmp_path: Path) -> None:
    mean, scaled, subtract, constant = batch_mean()
    with pytest.raises(InputRefused, match="another answer when other rows are beside it"):
        taken_in(tmp_path, softmax_of(constant, mean, scaled, subtract))


def test_the_rows_before(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="another answer in another order of the rows"):
        taken_in(tmp_path, softmax_of(helper.make_node("CumSum", ["known", "rows"], ["z"])))


def test_a_batch_of_one(tmp_path: Path) -> None:
    """Counts its rows: the same answers in every batch but that of a single row."""
    steps = [
        helper.make_node("Shape", ["known"], ["shape"], end=1),
        helper.make_node("Cast", ["shape"], ["count"], to=1),
        helper.make_node("Constant", [], ["one"], value_float=1.5),
        helper.make_node("Greater", ["count", "one"], ["many"]),
        helper.make_node("Cast", ["many"], ["factor"], to=1),
        helper.make_node("Mul", ["known", "factor"], ["z"]),
    ]
    with pytest.raises(InputRefused, match="another answer when it is asked alone"):
        taken_in(tmp_path, softmax_of(*steps))


def test_a_regression_is_held_to_its_own_scale(tmp_path: Path) -> None:
    mean, scaled, subtract, constant = batch_mean(0.01)
    model = softmax_of(constant, mean, scaled, subtract)
    del model.graph.node[-1], model.graph.output[:]
    model.graph.node.append(helper.make_node("ReduceSum", ["z", "across"], ["value"], keepdims=1))
    model.graph.initializer.append(supplied.constant("across", [1], np.int64))
    model.graph.output.append(supplied.value("value"))
    with pytest.raises(InputRefused, match="another answer when other rows are beside it"):
        taken_in(tmp_path, model, "regression")
    model.graph.node[4].attribute[0].f = 0.0
    assert taken_in(tmp_path, model, "regression").supplied


def test_rows_by_themselves(tmp_path: Path) -> None:
    normal = helper.make_node("LpNormalization", ["known"], ["z"], axis=1)
    assert taken_in(tmp_path, softmax_of(normal)).training["rows"] == 700
