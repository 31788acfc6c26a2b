"""A tree ensemble read from the bytes of an ONNX model: nodes, thresholds, leaf weights, link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rai_assets.errors import Undefined

if TYPE_CHECKING:
    import onnx

TREE_OPERATORS = ("TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble")

_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF")
_LEAF = _MODES.index("LEAF")
_LINKS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")


@dataclass(frozen=True)
class TreeEnsemble:
    """T binary trees over float32 columns, N nodes in all, whose leaves add up to K outputs.

    A row x goes to `below` where x[column] <= threshold (where `equal`: x[column] == threshold), else to `above`;
    a missing value goes to `below` where `missing_below`. A test of a set of values is a chain of equalities, each the
    `above` of the one before, that share column, `below` and `missing_below`; any other node has one parent at most.

    Attributes:
        roots: int32 (T,), the first node of every tree.
        column: int32 (N,), the column that a node tests, -1 for a leaf.
        threshold: float32 (N,).
        equal: bool (N,), the node tests equality.
        below: int32 (N,), child node, -1 for a leaf.
        above: int32 (N,), child node, -1 for a leaf.
        missing_below: bool (N,).
        joined: bool (N,), an equality of a chain that is not its last one: `below` is also that of `above`.
        weight_start: int64 (N + 1,), where the weights of a node begin; empty for inner nodes.
        weight_output: int32, the output that a weight is added to.
        weight: float64, the weights, already divided by T where the ensemble averages.
        base: float64 (K,), added to the sum of the trees.
        link: What is applied to the sum: NONE, LOGISTIC or SOFTMAX.
        classes: Number of classes, 0 for a regression.
    """

    roots: NDArray[np.int32]
    column: NDArray[np.int32]
    threshold: NDArray[np.float32]
    equal: NDArray[np.bool_]
    below: NDArray[np.int32]
    above: NDArray[np.int32]
    missing_below: NDArray[np.bool_]
    joined: NDArray[np.bool_]
    weight_start: NDArray[np.int64]
    weight_output: NDArray[np.int32]
    weight: NDArray[np.float64]
    base: NDArray[np.float64]
    link: str
    classes: int

    @property
    def n_outputs(self) -> int:
        """K, the number of outputs: 1 for a regression and for two classes."""
        return len(self.base)

    @property
    def rounding(self) -> float:
        """How far a float32 sum over the trees may lie from the exact one: its errors add up like a random walk."""
        largest = float(np.abs(self.weight).max(initial=0.0)) * len(self.roots)
        largest += float(np.abs(self.base).max(initial=0.0))
        return 2.0 * len(self.roots) ** 0.5 * float(np.finfo(np.float32).eps) * largest


def tree_node(core: onnx.ModelProto) -> onnx.NodeProto:
    """The one ensemble of a core that gets the core's matrix as it is; what follows it is for the caller to check.

    Raises:
        Undefined: There is none, there are several, or its input is computed.
    """
    found = [node for node in core.graph.node if node.op_type in TREE_OPERATORS]
    if len(found) != 1:
        raise Undefined(f"the model's core holds {len(found)} tree ensembles, not one")
    same = {core.graph.input[0].name}
    for node in core.graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in same:
            same.add(node.output[0])
    if found[0].input[0] not in same:
        raise Undefined("the model computes on its columns before they reach its tree ensemble")
    return found[0]


def read_ensemble(node: onnx.NodeProto) -> TreeEnsemble:
    """The trees of one node of an ONNX graph.

    Args:
        node: A TreeEnsembleClassifier, TreeEnsembleRegressor or TreeEnsemble of the domain ai.onnx.ml.

    Raises:
        Undefined: The ensemble does something that has no exact Shapley value here, or is not well formed.
    """
    attributes = _attributes(node)
    raw = _raw_trees_v5(attributes) if node.op_type == "TreeEnsemble" else _raw_trees(node.op_type, attributes)
    _refuse(raw)
    node_of, output_of, weight, base = _leaf_weights(raw)
    order = np.argsort(node_of, kind="stable")
    mode = raw["mode"]
    swapped = np.isin(mode, [_MODES.index(name) for name in ("BRANCH_GT", "BRANCH_GTE", "BRANCH_NEQ")])
    strict = np.isin(mode, [_MODES.index(name) for name in ("BRANCH_LT", "BRANCH_GTE")])
    unequal = mode == _MODES.index("BRANCH_NEQ")
    threshold = raw["threshold"].copy()
    threshold[strict] = np.nextafter(threshold[strict], np.float32(-np.inf))  # x < t is x <= the number before t
    column = np.where(mode == _LEAF, -1, raw["column"]).astype(np.int32)
    equal = (mode == _MODES.index("BRANCH_EQ")) | unequal
    below = np.where(swapped, raw["no"], raw["yes"]).astype(np.int32)
    above = np.where(swapped, raw["yes"], raw["no"]).astype(np.int32)
    missing_below = (raw["missing_yes"] | unequal) ^ swapped
    same = [values == values[above] for values in (column, below, missing_below)]
    joined = equal & equal[above] & np.logical_and.reduce(same)
    return TreeEnsemble(
        roots=_roots(np.where(joined, -1, below), above, raw["trees"]),
        column=column,
        threshold=threshold,
        equal=equal,
        below=below,
        above=above,
        missing_below=missing_below,
        joined=joined,
        weight_start=np.concatenate([[0], np.cumsum(np.bincount(node_of, minlength=len(mode)))]).astype(np.int64),
        weight_output=output_of[order].astype(np.int32),
        weight=weight[order],
        base=base,
        link=raw["link"],
        classes=raw["classes"],
    )


def _leaf_weights(
    raw: Mapping[str, Any],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Node, output and value of every weight, and the base (K,); of two classes only the second is kept."""
    node_of, output_of = raw["weight_node"], raw["weight_output"]
    weight = np.asarray(raw["weight"], dtype=np.float64)
    base = np.asarray(raw["base"], dtype=np.float64) if len(raw["base"]) else np.zeros(raw["outputs"])
    if raw["classes"] == 2:
        if len(np.unique(output_of)) == 2:
            if base.any():
                raise Undefined("the tree ensemble has weights and base values for both of two classes")
            kept = output_of == 1
            node_of, output_of, weight = node_of[kept], output_of[kept], weight[kept]
        output_of, base = np.zeros_like(output_of), base[-1:]
    if raw["aggregate"] == "AVERAGE":
        weight = weight / raw["trees"]
    return node_of, output_of, weight, base


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node; lists as arrays, and `…_as_tensor` under the name without it."""
    from onnx import AttributeProto, numpy_helper

    values: dict[str, Any] = {}
    for attribute in node.attribute:
        name = attribute.name.removesuffix("_as_tensor")
        if attribute.type == AttributeProto.TENSOR:
            values[name] = numpy_helper.to_array(attribute.t)
        elif attribute.type == AttributeProto.INTS:
            values[name] = np.fromiter(attribute.ints, dtype=np.int64, count=len(attribute.ints))
        elif attribute.type == AttributeProto.FLOATS:
            values[name] = np.fromiter(attribute.floats, dtype=np.float32, count=len(attribute.floats))
        elif attribute.type == AttributeProto.STRINGS:
            values[name] = list(attribute.strings)
        elif attribute.type == AttributeProto.STRING:
            values[name] = attribute.s.decode()
        else:
            values[name] = attribute.i
    return values


def _raw_trees(operator: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Nodes by position, from the operators that carry node ids (ai.onnx.ml 1 to 4)."""
    role = "class" if operator == "TreeEnsembleClassifier" else "target"
    number = {name.encode(): code for code, name in enumerate(_MODES)}
    mode = np.array([number.get(name, -1) for name in given["nodes_modes"]], dtype=np.int64)
    node_key = _keys(given["nodes_treeids"], given["nodes_nodeids"])
    order = np.argsort(node_key, kind="stable")
    if len(np.unique(node_key)) < len(node_key):
        raise Undefined("the tree ensemble names a node twice")

    def position(trees: NDArray[np.int64], nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        wanted = _keys(trees, nodes)
        found = order[np.minimum(np.searchsorted(node_key, wanted, sorter=order), len(order) - 1)]
        if (node_key[found] != wanted).any():
            raise Undefined("the tree ensemble refers to a node that is not there")
        return found

    inner = mode != _LEAF
    tree = given["nodes_treeids"]
    yes, no = np.full(len(mode), -1), np.full(len(mode), -1)
    yes[inner] = position(tree[inner], given["nodes_truenodeids"][inner])
    no[inner] = position(tree[inner], given["nodes_falsenodeids"][inner])
    missing = given.get("nodes_missing_value_tracks_true", ())
    labels = given.get("classlabels_int64s", given.get("classlabels_strings", ()))
    return {
        "mode": mode,
        "column": given["nodes_featureids"],
        "threshold": np.asarray(given["nodes_values"], dtype=np.float32),
        "yes": yes,
        "no": no,
        "missing_yes": np.asarray(missing, dtype=bool) if len(missing) else np.zeros(len(mode), dtype=bool),
        "trees": len(np.unique(tree)),
        "weight_node": position(given[f"{role}_treeids"], given[f"{role}_nodeids"]),
        "weight_output": given[f"{role}_ids"],
        "weight": given[f"{role}_weights"],
        "base": given.get("base_values", ()),
        "link": given.get("post_transform", "NONE"),
        "aggregate": given.get("aggregate_function", "SUM"),
        "classes": len(labels),
        "outputs": len(labels) or int(given.get("n_targets", 1)),
    }


def _raw_trees_v5(given: Mapping[str, Any]) -> dict[str, Any]:
    """Nodes by position, from the operator that keeps leaves apart (ai.onnx.ml 5): every reference becomes a leaf."""
    inner = len(given["nodes_modes"])
    child = np.concatenate([given["nodes_truenodeids"], given["nodes_falsenodeids"]])
    to_leaf = np.concatenate([given["nodes_trueleafs"], given["nodes_falseleafs"]]).astype(bool)
    leaf = child[to_leaf]
    child = child.copy()
    child[to_leaf] = inner + np.arange(len(leaf))
    blank = np.full(len(leaf), -1)
    missing = given.get("nodes_missing_value_tracks_true", np.zeros(inner, dtype=np.int64))
    return {
        "mode": np.concatenate([given["nodes_modes"].astype(np.int64), np.full(len(leaf), _LEAF)]),
        "column": np.concatenate([given["nodes_featureids"], blank]),
        "threshold": np.concatenate([given["nodes_splits"], blank]).astype(np.float32),
        "yes": np.concatenate([child[:inner], blank]),
        "no": np.concatenate([child[inner:], blank]),
        "missing_yes": np.concatenate([missing, np.zeros(len(leaf))]).astype(bool),
        "trees": len(given["tree_roots"]),
        "weight_node": inner + np.arange(len(leaf)),
        "weight_output": given["leaf_targetids"][leaf],
        "weight": given["leaf_weights"][leaf],
        "base": (),
        "link": _LINKS[int(given.get("post_transform", 0))],
        "aggregate": _AGGREGATES[int(given.get("aggregate_function", 1))],
        "classes": 0,
        "outputs": int(given["n_targets"]),
    }


def _keys(trees: NDArray[np.int64], nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number per (tree, node)."""
    return trees * (1 << 32) + nodes


def _roots(below: NDArray[np.int32], above: NDArray[np.int32], trees: int) -> NDArray[np.int32]:
    """The node of every tree that is nobody's child; refuses what is not a forest. -1 stands for no child."""
    children = np.concatenate([below, above])
    parents = np.bincount(children[children >= 0], minlength=len(below))
    roots = np.flatnonzero(parents == 0)
    reached, here = 0, roots
    while parents.max(initial=0) <= 1 and len(here):
        reached += len(here)
        here = np.concatenate([below[here], above[here]])
        here = here[here >= 0]
    # Nodes in a ring have one parent each, and are reached from no root.
    if reached != len(parents) or len(roots) != trees:
        raise Undefined("the tree ensemble's nodes do not form one tree per tree id")
    return roots.astype(np.int32)


def _refuse(raw: Mapping[str, Any]) -> None:
    known = (raw["mode"] >= 0) & (raw["mode"] != _MODES.index("BRANCH_MEMBER"))
    if not known.all():
        raise Undefined("the tree ensemble tests membership of a set, which has no exact attribution here")
    if raw["link"] not in ("NONE", "LOGISTIC", "SOFTMAX"):
        raise Undefined(f"the tree ensemble ends in {raw['link']}, which has no exact attribution here")
    if raw["aggregate"] not in ("SUM", "AVERAGE"):
        raise Undefined(f"the tree ensemble takes the {raw['aggregate']} of its trees, which has no exact attribution")
    inner = raw["mode"] != _LEAF
    if np.isnan(raw["threshold"][inner]).any() or (raw["column"][inner] < 0).any():
        raise Undefined("the tree ensemble has a threshold that is not a number, or a negative column")
    if (raw["weight_output"] < 0).any() or (raw["weight_output"] >= raw["outputs"]).any():
        raise Undefined("the tree ensemble adds to an output that it does not declare")
