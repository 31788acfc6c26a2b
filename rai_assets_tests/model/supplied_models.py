"""ONNX files as somebody else might supply them, good ones and hostile ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, STRING, INT64 = TensorProto.FLOAT, TensorProto.STRING, TensorProto.INT64


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Sequence[onnx.TensorProto] = (),
    opsets: dict[str, int] | None = None,
    ir_version: int = 8,
) -> onnx.ModelProto:
    """A model of these nodes."""
    graph = helper.make_graph(list(nodes), "supplied", list(inputs), list(outputs), list(constants))
    imports = [helper.make_opsetid(domain, version) for domain, version in (opsets or {"": 18}).items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir_version)


def value(name: str, kind: int = FLOAT, shape: Sequence[int | str | None] = (None, 1)) -> onnx.ValueInfoProto:
    """An input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, values: object, kind: type = np.float32) -> onnx.TensorProto:
    """An initializer."""
    return numpy_helper.from_array(np.asarray(values, kind), name)


def logistic(weight: float = 0.1, names: Sequence[str] = ("age", "income")) -> onnx.ModelProto:
    """P(yes) = 1 / (1 + exp(-weight * sum of the inputs)), as `probabilities` (rows, 2)."""
    nodes = [
        helper.make_node("Sum", list(names), ["total"]),
        helper.make_node("Mul", ["total", "weight"], ["z"]),
        helper.make_node("Sigmoid", ["z"], ["yes"]),
        helper.make_node("Sub", ["one", "yes"], ["no"]),
        helper.make_node("Concat", ["no", "yes"], ["probabilities"], axis=1),
    ]
    constants = [constant("weight", weight), constant("one", 1.0)]
    return model(nodes, [value(name) for name in names], [value("probabilities", shape=(None, 2))], constants)


def with_output(nodes: Sequence[onnx.NodeProto], constants: Sequence[onnx.TensorProto] = ()) -> onnx.ModelProto:
    """A model of `age` and `income` whose nodes end in `probabilities`."""
    return model(nodes, [value("age"), value("income")], [value("probabilities", shape=(None, None))], constants)


def endless_loop() -> onnx.ModelProto:
    """Adds nothing to `age`, for ever; the checker calls it valid."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["cond"], ["cond_out"]),
            helper.make_node("Add", ["state", "state"], ["state_out"]),
        ],
        "body",
        [value("i", INT64, ()), value("cond", TensorProto.BOOL, ()), value("state", shape=(None, 1))],
        [value("cond_out", TensorProto.BOOL, ()), value("state_out", shape=(None, 1))],
    )
    nodes = [
        helper.make_node("Loop", ["forever", "true", "age"], ["end"], body=body),
        helper.make_node("Concat", ["end", "income"], ["probabilities"], axis=1),
    ]
    return with_output(nodes, [constant("forever", 2**62, np.int64), constant("true", True, bool)])


def doubling(times: int = 40) -> onnx.ModelProto:
    """Concatenates `age` with itself, `times` times: 2^times values from one."""
    nodes = [
        helper.make_node("Concat", [last, last], [f"d{step}"], axis=1)
        for step, last in enumerate(["age", *(f"d{step}" for step in range(times - 1))])
    ]
    total = helper.make_node("ReduceSum", [f"d{times - 1}", "axis"], ["total"], keepdims=1)
    out = helper.make_node("Concat", ["total", "income"], ["probabilities"], axis=1)
    return with_output([*nodes, total, out], [constant("axis", [1], np.int64)])


def huge_constant() -> onnx.ModelProto:
    """Asks for 2^40 zeros."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["total"], keepdims=0),
        helper.make_node("Add", ["age", "total"], ["sum"]),
        helper.make_node("Concat", ["sum", "income"], ["probabilities"], axis=1),
    ]
    return with_output(nodes, [constant("shape", [1 << 40], np.int64)])


def external(location: str, **entries: str) -> onnx.ModelProto:
    """Keeps its weight in another file."""
    loaded = logistic()
    tensor = loaded.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=text)
    return loaded
