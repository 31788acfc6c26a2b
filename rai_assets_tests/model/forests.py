"""Random tree ensembles as ONNX models, and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

CLASSIC_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")


@dataclass(frozen=True)
class Node:
    """A test with two children, or a leaf with one weight per output."""

    column: int = -1
    mode: str = "LEAF"
    threshold: float = 0.0
    missing_true: bool = False
    yes: Node | None = None
    no: Node | None = None
    weights: tuple[float, ...] = ()

    def goes_yes(self, value: np.float32) -> bool:
        if np.isnan(value):
            return self.missing_true or self.mode == "BRANCH_NEQ"
        threshold = np.float32(self.threshold)
        return bool(
            {
                "BRANCH_LEQ": value <= threshold,
                "BRANCH_LT": value < threshold,
                "BRANCH_GTE": value >= threshold,
                "BRANCH_GT": value > threshold,
                "BRANCH_EQ": value == threshold,
                "BRANCH_NEQ": value != threshold,
            }[self.mode]
        )

    def child(self, value: np.float32) -> Node:
        chosen = self.yes if self.goes_yes(value) else self.no
        assert chosen is not None
        return chosen


@dataclass(frozen=True)
class Forest:
    trees: tuple[Node, ...]
    n_columns: int
    n_outputs: int
    base: tuple[float, ...] = ()
    aggregate: str = "SUM"
    modes: tuple[str, ...] = field(default=CLASSIC_MODES)

    def sums(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The explained outputs (n, K) in double precision."""
        return np.array([self._sum(tuple(row)) for row in rows])

    def _sum(self, row: tuple[np.float32, ...]) -> NDArray[np.float64]:
        total = np.zeros(self.n_outputs)
        for tree in self.trees:
            node = tree
            while node.yes is not None:
                node = node.child(row[node.column])
            total += node.weights
        share = len(self.trees) if self.aggregate == "AVERAGE" else 1
        return total / share + (self.base or 0.0)


def grow(
    draw: np.random.Generator,
    *,
    columns: int,
    depth: int,
    outputs: int = 1,
    modes: tuple[str, ...] = CLASSIC_MODES,
    sure: bool = False,
) -> Node:
    """A random tree whose weights and thresholds are float32 numbers; `sure`: every branch is `depth` long.

    The mode `SET` is a test of 2 to 4 values.
    """
    if depth == 0 or (not sure and draw.random() < 0.15):
        return Node(weights=tuple(float(np.float32(w)) for w in draw.normal(size=outputs)))
    children = [grow(draw, columns=columns, depth=depth - 1, outputs=outputs, modes=modes, sure=sure) for _ in range(2)]
    column, mode = int(draw.integers(columns)), str(draw.choice(modes))
    if mode == "SET":
        values = draw.choice(5, size=int(draw.integers(2, 5)), replace=False)
        return one_of(column, values.tolist(), *children, missing=bool(draw.random() < 0.5))
    return Node(column, mode, float(draw.integers(0, 4)), bool(draw.random() < 0.5), *children)


def one_of(column: int, values: Sequence[float], yes: Node, no: Node, *, missing: bool = False) -> Node:
    """A test of a set as LightGBM's converter writes it: an equality per value, all with the same node behind them."""
    for value in reversed(values):
        no = Node(column, "BRANCH_EQ", float(value), missing, yes, no)
    return no


def forest(
    draw: np.random.Generator,
    *,
    trees: int = 3,
    columns: int = 5,
    depth: int = 4,
    outputs: int = 1,
    modes: tuple[str, ...] = CLASSIC_MODES,
    aggregate: str = "SUM",
) -> Forest:
    grown = tuple(grow(draw, columns=columns, depth=depth, outputs=outputs, modes=modes) for _ in range(trees))
    base = tuple(float(np.float32(b)) for b in draw.normal(size=outputs))
    return Forest(grown, columns, outputs, base, aggregate)


def rows(draw: np.random.Generator, n: int, columns: int, missing: float = 0.15) -> NDArray[np.float32]:
    """Rows that hit thresholds exactly, fall between them, and miss values."""
    values = draw.integers(-1, 9, size=(n, columns)).astype(np.float32) / 2
    values[draw.random(values.shape) < missing] = np.nan
    return values


def regressor(model: Forest, **changed: object) -> onnx.ModelProto:
    """The forest as a TreeEnsembleRegressor with `n_outputs` targets."""
    attributes = _listed(model, "target")
    attributes |= {
        "n_targets": model.n_outputs,
        "aggregate_function": model.aggregate,
        "base_values": model.base or None,
    }
    node = helper.make_node(
        "TreeEnsembleRegressor", ["matrix"], ["scores"], domain="ai.onnx.ml", **(attributes | changed)
    )
    return model_of(node, model.n_columns, ["scores"])


def classifier(model: Forest, *, classes: int, link: str, **changed: object) -> onnx.ModelProto:
    """The forest as a TreeEnsembleClassifier; with one output, the weights of the second of two classes."""
    attributes = _listed(model, "class")
    attributes |= {
        "classlabels_int64s": list(range(classes)),
        "post_transform": link,
        "base_values": model.base or None,
    }
    node = helper.make_node(
        "TreeEnsembleClassifier", ["matrix"], ["label", "scores"], domain="ai.onnx.ml", **(attributes | changed)
    )
    return model_of(node, model.n_columns, ["label", "scores"])


def model_of(node: onnx.NodeProto, columns: int, outputs: list[str], opset: int = 3) -> onnx.ModelProto:
    kinds = {"label": TensorProto.INT64, "scores": TensorProto.FLOAT}
    graph = helper.make_graph(
        [node],
        "forest",
        [helper.make_tensor_value_info("matrix", TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info(name, kinds[name], None) for name in outputs],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(model: onnx.ModelProto, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """What ONNX Runtime says."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["scores"], {"matrix": matrix})[0]


def _listed(model: Forest, role: str) -> dict:
    nodes: dict[str, list] = {
        f"nodes_{name}": []
        for name in (
            "treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids",
            "missing_value_tracks_true",
        )
    }  # fmt: skip
    leaves: dict[str, list] = {f"{role}_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
    for number, tree in enumerate(model.trees):
        listed = list({id(node): node for node in _in_order(tree)}.values())
        places = {id(node): place for place, node in enumerate(listed)}
        for place, node in enumerate(listed):
            inner = node.yes is not None
            values = (
                number, place, max(node.column, 0), node.threshold, node.mode,
                places[id(node.yes)] if inner else 0, places[id(node.no)] if inner else 0, int(node.missing_true),
            )  # fmt: skip
            for name, value in zip(nodes, values, strict=True):
                nodes[name].append(value)
            for output, weight in enumerate(node.weights):
                for name, value in zip(leaves, (number, place, output, weight), strict=True):
                    leaves[name].append(value)
    return {**nodes, **leaves}


def _in_order(node: Node) -> list[Node]:
    if node.yes is None or node.no is None:
        return [node]
    return [node, *_in_order(node.yes), *_in_order(node.no)]
