"""A tree ensemble of our own export, read from its ONNX core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rai_assets.model.links import logistic, softmax

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Trees:
    """T trees with N nodes over m columns, and k outputs.

    Attributes:
        tree: Tree of every node, (N,), not falling.
        column: Column that a node tests, (N,); -1 for a leaf.
        threshold: float32 (N,): a row goes below where its value is at most this.
        below: Node below, (N,).
        above: Node above, (N,).
        missing_below: bool (N,): a missing value goes below.
        weights: float64 (N, k): what a leaf adds to every output; 0 for other nodes.
        base: float64 (k,): added to the sums.
        link: `NONE`, `LOGISTIC` or `SOFTMAX`.
        classes: Number of classes, 0 for a regression. Two classes have one output, that of the second.
    """

    tree: NDArray[np.int64]
    column: NDArray[np.int64]
    threshold: NDArray[np.float32]
    below: NDArray[np.int64]
    above: NDArray[np.int64]
    missing_below: NDArray[np.bool_]
    weights: NDArray[np.float64]
    base: NDArray[np.float64]
    link: str
    classes: int

    def scores(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of weights and base (n, k) as the core's output: probabilities (n, classes), or values (n, 1)."""
        if self.link == "SOFTMAX":
            return softmax(sums)
        if self.link == "LOGISTIC":
            return logistic(sums)
        return np.concatenate([1.0 - sums, sums], axis=1) if self.classes == 2 else sums


def trees_of(core: onnx.ModelProto) -> Trees | None:
    """The ensemble of a core that is one tree operator and nothing else; None for any other core."""
    from onnx import helper

    nodes = [node for node in core.graph.node if node.op_type != "Cast"]
    if len(nodes) != 1 or nodes[0].op_type not in ("TreeEnsembleClassifier", "TreeEnsembleRegressor"):
        return None
    if list(nodes[0].input) != [core.graph.input[0].name]:
        return None
    return _read({item.name: helper.get_attribute_value(item) for item in nodes[0].attribute})


def _read(given: dict[str, Any]) -> Trees | None:
    """The trees of an operator's attributes; None where they use what our own exports do not."""
    side = "target" if "n_targets" in given else "class"
    classes = len(given.get("classlabels_int64s", ()))
    tree, number = np.array(given["nodes_treeids"]), np.array(given["nodes_nodeids"])
    link, modes = given.get("post_transform", b"NONE").decode(), set(given["nodes_modes"])
    first = np.searchsorted(tree, tree)
    if (
        not modes <= {b"LEAF", b"BRANCH_LEQ"}
        or link not in ("NONE", "LOGISTIC", "SOFTMAX")
        or given.get("aggregate_function", b"SUM") != b"SUM"
        or (np.diff(tree) < 0).any()
        or (number != np.arange(len(tree)) - first).any()
    ):
        return None
    output, weight = np.array(given[f"{side}_ids"]), np.array(given[f"{side}_weights"], np.float64)
    if classes == 2 and (output.any() or link == "SOFTMAX" or (link == "NONE" and (weight < 0).any())):
        return None
    outputs = classes if classes > 2 else 1
    leaf = np.searchsorted(tree, np.array(given[f"{side}_treeids"])) + np.array(given[f"{side}_nodeids"])
    weights = np.zeros((len(tree), outputs))
    np.add.at(weights, (leaf, output if outputs > 1 else np.zeros_like(output)), weight)
    base = np.array(given.get("base_values", ()), np.float64)
    return Trees(
        tree=np.cumsum(number == 0) - 1,
        column=np.where(np.array(given["nodes_modes"]) == b"LEAF", -1, np.array(given["nodes_featureids"])),
        threshold=np.array(given["nodes_values"], np.float32),
        below=first + np.array(given["nodes_truenodeids"]),
        above=first + np.array(given["nodes_falsenodeids"]),
        missing_below=np.array(given.get("nodes_missing_value_tracks_true") or np.zeros(len(tree)), bool),
        weights=weights,
        base=base[-outputs:] if len(base) else np.zeros(outputs),
        link=link,
        classes=classes,
    )
