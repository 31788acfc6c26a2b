"""The closed form of a linear model, read from its exported core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

LINEAR_ESTIMATORS = ("logistic_regression", "linear_regression")


@dataclass(frozen=True)
class LinearCore:
    """`link(matrix @ coefficients + intercept)` is what the core answers.

    Attributes:
        coefficients: Per matrix column and output, shape (m, k): k = 1 for two classes (log-odds of the second) and
            for a regression, else one output per class.
        intercept: Shape (k,).
        link: `logistic`, `softmax`, or `identity` for a regression.
    """

    coefficients: NDArray[np.float64]
    intercept: NDArray[np.float64]
    link: str


def linear_core(core: onnx.ModelProto, classes: int) -> LinearCore:
    """The coefficients of a core that `fitting` exported for one of `LINEAR_ESTIMATORS`.

    Args:
        core: The core, matrix -> scores.
        classes: Number of classes, 0 for a regression.

    Raises:
        ValueError: The core is not one product and one sum.
    """
    from onnx import numpy_helper

    constants = {item.name: item for item in core.graph.initializer}
    products = [node for node in core.graph.node if node.op_type == "MatMul"]
    if len(products) != 1:
        raise ValueError(f"a linear core has one product, this one has {len(products)}")
    sums = [node for node in core.graph.node if node.op_type == "Add" and products[0].output[0] in node.input]
    weight = numpy_helper.to_array(constants[products[0].input[1]]).astype(np.float64)
    offset = next(name for name in sums[0].input if name in constants)
    intercept = numpy_helper.to_array(constants[offset]).astype(np.float64).ravel()
    if classes == 2:
        # Both classes are stored, one the negative of the other.
        return LinearCore(weight[:, 1:], intercept[1:], "logistic")
    return LinearCore(weight, intercept, "softmax" if classes else "identity")
