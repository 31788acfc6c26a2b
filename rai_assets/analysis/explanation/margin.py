"""The raw sum of a tree ensemble, before its link, as the ONNX runtime computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

    from rai_assets.model.ensemble import TreeEnsemble

_BATCH = 65_536


def tree_margins(
    core: onnx.ModelProto, node: onnx.NodeProto, ensemble: TreeEnsemble, matrix: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Run the same trees as a regression without a link.

    Args:
        core: The model that holds the node, for its operator versions.
        node: The ensemble's node.
        ensemble: The ensemble read from it.
        matrix: float32 (n, m).

    Returns:
        float64 (K, n): the explained outputs, in the order of `ensemble.base`.
    """
    from onnx import TensorProto, helper

    from rai_assets.model.runtime import open_session

    raw = _without_link(node)
    columns = matrix.shape[1]
    graph = helper.make_graph(
        [raw],
        "margins",
        [helper.make_tensor_value_info("matrix", TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info("margins", TensorProto.FLOAT, [None, None])],
    )
    model = helper.make_model(graph, opset_imports=list(core.opset_import), ir_version=core.ir_version)
    session = open_session(model.SerializeToString())
    parts = [
        session.run(None, {"matrix": matrix[start : start + _BATCH]})[0] for start in range(0, len(matrix), _BATCH)
    ]
    margins = np.concatenate(parts).astype(np.float64)
    return np.ascontiguousarray(margins[:, -ensemble.n_outputs :].T)


def _without_link(node: onnx.NodeProto) -> onnx.NodeProto:
    """The node as a regression: a classifier's class weights become target weights."""
    import onnx
    from onnx import helper

    if node.op_type == "TreeEnsemble":
        raw = onnx.NodeProto()
        raw.CopyFrom(node)
        del raw.attribute[:]
        raw.attribute.extend(item for item in node.attribute if item.name != "post_transform")
        del raw.input[:], raw.output[:]
        raw.input.append("matrix")
        raw.output.append("margins")
        return raw
    attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    kept = {name: value for name, value in attributes.items() if name.startswith("nodes_")}
    for name in ("base_values", "base_values_as_tensor", "aggregate_function"):
        if name in attributes:
            kept[name] = attributes[name]
    prefix = "class_" if node.op_type == "TreeEnsembleClassifier" else "target_"
    for name in ("ids", "nodeids", "treeids", "weights", "weights_as_tensor"):
        if prefix + name in attributes:
            kept[f"target_{name}"] = attributes[prefix + name]
    if prefix == "class_":
        only_one = len(set(kept["target_ids"])) == 1 and len(_labels(attributes)) == 2
        kept["target_ids"] = [0] * len(kept["target_ids"]) if only_one else kept["target_ids"]
        kept["n_targets"] = 1 if only_one else len(_labels(attributes))
    else:
        kept["n_targets"] = attributes.get("n_targets", 1)
    return helper.make_node(
        "TreeEnsembleRegressor", ["matrix"], ["margins"], domain="ai.onnx.ml", post_transform="NONE", **kept
    )


def _labels(attributes: dict) -> list:
    return list(attributes.get("classlabels_int64s") or attributes.get("classlabels_strings") or [])
