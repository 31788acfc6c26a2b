"""The ONNX graph of a trained model: the encoding's rules in front, the exported core, the decision behind.

One input per source column (`string` for categories, the empty string for a missing one; `float` for numbers, NaN for
a missing one; shape (rows, 1)), so that anyone can serve the file. Outputs: `label` and `probabilities` (rows,
classes), or `prediction` (rows, 1). The core is the part from the float32 matrix to the probabilities; `core_of` cuts
it out again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rai_assets.model.column_encoding import UNSEEN, CategoryEncoding
from rai_assets.model.encoding import Encoding

if TYPE_CHECKING:
    import onnx

# Opset 18 and IR 8 are read by every runtime of the last years, and hold every operator used here.
OPSETS = {"": 18, "ai.onnx.ml": 3}
IR_VERSION = 8
# The name of an exported core's float32 input; a core that reads another name, or double, gets it by a cast.
CORE_INPUT = "matrix"
_METADATA = "rai_assets"


@dataclass(frozen=True)
class Names:
    """Names in the graph that no source column may take: they get underscores in front until they are free.

    Attributes:
        root: Prefix of everything between inputs and outputs.
        scores: The output with probabilities, or with the predicted value.
        label: The output with the predicted class.
    """

    root: str
    scores: str
    label: str

    @classmethod
    def free(cls, encoding: Encoding, classes: Sequence[str]) -> Names:
        """Names that differ from every feature."""
        taken = {item.name for item in encoding.features}
        root, scores, label = "rai/", "probabilities" if classes else "prediction", "label"
        while any(name.startswith(root) for name in taken):
            root = f"_{root}"
        while scores in taken:
            scores = f"_{scores}"
        while label in taken:
            label = f"_{label}"
        return cls(root, scores, label)

    @property
    def core(self) -> str:
        """Prefix of everything in the core."""
        return f"{self.root}core/"

    @property
    def matrix(self) -> str:
        """Name of the core's input."""
        return self.core + CORE_INPUT


def assemble(
    core: bytes,
    encoding: Encoding,
    *,
    classes: Sequence[str],
    threshold: float | None,
    target_scale: tuple[float, float] | None = None,
) -> bytes:
    """Join an exported core with the encoding before it and the decision behind it.

    Args:
        core: ONNX model from one matrix (n, m) to `probabilities` (n, k), or to one predicted value (n, 1); both float
            or both double.
        encoding: How source columns become the matrix.
        classes: Class labels in the order of the probabilities' columns; empty for regression.
        threshold: Binary: the second class is decided where its probability reaches this; None: the most probable
            class is decided.
        target_scale: Regression: (offset, factor) that turns the core's value into the target's unit.

    Returns:
        The bytes of the ONNX file: the same bytes for the same arguments.
    """
    import onnx
    from onnx import TensorProto, helper

    names = Names.free(encoding, classes)
    graph = onnx.GraphProto(name="rai_assets")
    _add_encoding(graph, encoding, names)
    _add_core(graph, onnx.load_model_from_string(core), names, target_scale)
    width = len(classes) or 1
    graph.output.append(helper.make_tensor_value_info(names.scores, TensorProto.FLOAT, [None, width]))
    if classes:
        _add_decision(graph, classes, threshold, names)
        graph.output.append(helper.make_tensor_value_info(names.label, TensorProto.STRING, [None]))
    model = _model(graph)
    facts = {"encoding": encoding.as_json(), "matrix": names.matrix, "scores": names.scores, "width": encoding.width}
    helper.set_model_props(model, {_METADATA: json.dumps(facts, sort_keys=True)})
    return model.SerializeToString(deterministic=True)


def core_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """The numeric core of a file that `assemble` wrote: matrix (n, m) -> `probabilities` or `prediction`."""
    import onnx
    from onnx import TensorProto, helper

    facts = facts_of(model)
    prefix = facts["matrix"].removesuffix(CORE_INPUT)
    graph = onnx.GraphProto(name="core")
    graph.node.extend(node for node in model.graph.node if node.name.startswith(prefix))
    used = {name for node in graph.node for name in _reads(node)}
    graph.initializer.extend(item for item in model.graph.initializer if item.name in used)
    graph.input.append(helper.make_tensor_value_info(facts["matrix"], TensorProto.FLOAT, [None, facts["width"]]))
    graph.output.extend(item for item in model.graph.output if item.name == facts["scores"])
    return _model(graph)


def facts_of(model: onnx.ModelProto) -> dict[str, Any]:
    """What `assemble` wrote beside the graph: `encoding`, `matrix`, `scores`, `width`.

    Raises:
        ValueError: The file was not written by `assemble`.
    """
    for item in model.metadata_props:
        if item.key == _METADATA:
            return json.loads(item.value)
    raise ValueError("this ONNX file has no numeric core: it was not exported by rai_assets")


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    from onnx import helper

    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="rai_assets")


class _Writer:
    """Adds nodes and constants under a prefix to a graph."""

    def __init__(self, graph: onnx.GraphProto, prefix: str) -> None:
        self.graph = graph
        self.prefix = prefix

    def constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        self.graph.initializer.append(numpy_helper.from_array(np.asarray(value), self.prefix + name))
        return self.prefix + name

    def node(self, operator: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = f"{self.prefix}{len(self.graph.node)}"
        self.graph.node.append(helper.make_node(operator, inputs, [output], name=name, domain=domain, **attributes))
        return output


def _add_encoding(graph: onnx.GraphProto, encoding: Encoding, names: Names) -> None:
    from onnx import TensorProto, helper

    for item in encoding.features:
        kind = TensorProto.STRING if item.kind == "category" else TensorProto.FLOAT
        graph.input.append(helper.make_tensor_value_info(item.name, kind, [None, 1]))
    to = _Writer(graph, f"{names.root}encode/")
    parts = [_numbers(to, encoding)] if encoding.numbers else []
    parts += [_category(to, item, index) for index, item in enumerate(encoding.categories)]
    to.node("Concat", parts, names.matrix, axis=1)


def _numbers(to: _Writer, encoding: Encoding) -> str:
    numbers = encoding.numbers
    value = to.node("Concat", [item.feature for item in numbers], to.prefix + "numbers", axis=1)
    if any(item.fill is not None for item in numbers):
        fills = [np.nan if item.fill is None else item.fill for item in numbers]
        fill = to.constant("fills", np.array([fills], np.float32))
        absent = to.node("IsNaN", [value], to.prefix + "absent")
        value = to.node("Where", [absent, fill, value], to.prefix + "filled")
    if any((item.offset, item.factor) != (0.0, 1.0) for item in numbers):
        offset = to.constant("offsets", np.array([[item.offset for item in numbers]], np.float32))
        factor = to.constant("factors", np.array([[item.factor for item in numbers]], np.float32))
        value = to.node("Sub", [value, offset], to.prefix + "centred")
        value = to.node("Mul", [value, factor], to.prefix + "scaled")
    return value


def _category(to: _Writer, category: CategoryEncoding, index: int) -> str:
    keys = [*category.categories, ""] if category.missing else list(category.categories)
    out = f"{to.prefix}category{index}"
    if not category.one_hot:
        codes = [float(code) for code in range(len(keys))]
        return to.node(
            "LabelEncoder",
            [category.feature],
            out,
            "ai.onnx.ml",
            keys_strings=keys,
            values_floats=codes,
            default_float=float(UNSEEN),
        )
    hot = to.node("OneHotEncoder", [category.feature], f"{out}/hot", "ai.onnx.ml", cats_strings=keys, zeros=1)
    return to.node("Flatten", [hot], out, axis=1)


def _add_core(
    graph: onnx.GraphProto, core: onnx.ModelProto, names: Names, target_scale: tuple[float, float] | None
) -> None:
    """Copy the nodes that lead to the scores, under the core's prefix; the core's own label is left out."""
    from onnx import TensorProto, compose

    core = compose.add_prefix(core, names.core)
    to = _Writer(graph, names.core)
    source = core.graph.input[0]
    kind = source.type.tensor_type.elem_type
    if source.name != names.matrix:
        to.node("Cast", [names.matrix], source.name, to=kind)
    results = [item.name for item in core.graph.output]
    result = next((name for name in results if name.endswith("probabilities")), results[-1])
    wanted, nodes = {result}, []
    for node in reversed(core.graph.node):
        if wanted & set(node.output):
            nodes.append(node)
            wanted |= _reads(node)
    graph.node.extend(reversed(nodes))
    graph.initializer.extend(item for item in core.graph.initializer if item.name in wanted)
    if target_scale is not None:
        number = np.float64 if kind == TensorProto.DOUBLE else np.float32
        offset, factor = (to.constant(f"target{k}", number(value)) for k, value in enumerate(target_scale))
        grown = to.node("Mul", [result, factor], f"{names.core}grown")
        result = to.node("Add", [grown, offset], f"{names.core}in_unit")
    to.node("Cast", [result], names.scores, to=TensorProto.FLOAT)


def _reads(node: onnx.NodeProto) -> set[str]:
    """Every name that a node may read, those inside its subgraphs included."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                names |= _reads(inner)
    return names


def _add_decision(graph: onnx.GraphProto, classes: Sequence[str], threshold: float | None, names: Names) -> None:
    from onnx import TensorProto

    to = _Writer(graph, f"{names.root}decide/")
    labels = to.constant("classes", np.array(classes, object))
    if threshold is not None:
        positive = to.node("Gather", [names.scores, to.constant("positive", np.int64(1))], to.prefix + "score", axis=1)
        # In double, so that a tie is decided here as it is everywhere else: score >= threshold.
        exact = to.node("Cast", [positive], to.prefix + "exact", to=TensorProto.DOUBLE)
        limit = to.constant("threshold", np.float64(threshold))
        reached = to.node("GreaterOrEqual", [exact, limit], to.prefix + "reached")
        code = to.node("Cast", [reached], to.prefix + "code", to=TensorProto.INT64)
    else:
        code = to.node("ArgMax", [names.scores], to.prefix + "code", axis=1, keepdims=0)
    to.node("Gather", [labels, code], names.label, axis=0)
