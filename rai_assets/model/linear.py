"""The closed form of a linear model, read from its exported core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.model.column_encoding import UNSEEN
from rai_assets.model.encoding import Encoding
from rai_assets.model.links import logistic, softmax

if TYPE_CHECKING:
    import onnx

# What the export of a linear model consists of, besides its one product and one sum.
_AROUND = {"Cast", "Identity", "Reshape", "Sigmoid", "Softmax", "Abs", "ReduceSum", "Div"}


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

    def scores(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The core's output for encoded rows (n, m): probabilities (n, classes), or values (n, 1)."""
        return self._linked(matrix.astype(np.float64) @ self.coefficients + self.intercept)

    def table_scores(self, encoding: Encoding, table: pa.Table) -> NDArray[np.float64]:
        """The core's output for rows that are not encoded yet: a category is one coefficient, no 0/1 columns.

        Args:
            encoding: How source columns become the matrix, categories one 0/1 column each.
            table: n rows.

        Returns:
            Probabilities (n, classes), or values (n, 1).

        Raises:
            UsageError: A column of text stands where the model reads a number.
            InputRefused: A number is infinite or beyond float32.
        """
        sums = np.repeat(self.intercept[:, None], table.num_rows, axis=1)
        start = 0
        for batch in table.to_batches():
            self._add(encoding, batch, sums[:, start : start + batch.num_rows])
            start += batch.num_rows
        return self._linked(sums.T)

    def coded_scores(
        self, encoding: Encoding, numbers: NDArray[np.float32], codes: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        """`table_scores` for a few rows whose values are encoded, to the last bit: sums are taken in the same order.

        Args:
            encoding: How source columns become the matrix.
            numbers: Encoded numbers, (n, p).
            codes: Per category the codes of the n rows, -1 where unseen.

        Returns:
            Probabilities (n, classes), or values (n, 1).
        """
        coefficients = self._lists
        sums = []
        for row, values in enumerate(numbers.tolist()):
            total = self.intercept.tolist()
            for value, mine in zip(values, coefficients[: len(values)], strict=True):
                total = [old + value * new for old, new in zip(total, mine, strict=True)]
            for start, given in zip(encoding.starts, codes, strict=True):
                if given[row] != UNSEEN:
                    total = [old + new for old, new in zip(total, coefficients[start + given[row]], strict=True)]
            sums.append(total)
        return self._linked(np.array(sums))

    @cached_property
    def _lists(self) -> list[list[float]]:
        return self.coefficients.tolist()

    def _add(self, encoding: Encoding, batch: pa.RecordBatch, sums: NDArray[np.float64]) -> None:
        """Add every column of a batch to `sums` (k, n)."""
        for index, number in enumerate(encoding.numbers):
            values = number.values(batch.column(number.feature)).astype(np.float64)
            for total, coefficient in zip(sums, self.coefficients[index], strict=True):
                total += values * coefficient
        for category, place in zip(encoding.categories, encoding.starts, strict=True):
            codes, rows = category.lookup(batch.column(category.feature))
            mine = self.coefficients[place : place + category.width]
            for total, coefficients in zip(sums, mine.T, strict=True):
                # A category that training did not have adds nothing: its code -1 is the appended zero.
                total += np.append(coefficients, 0.0)[codes][rows]

    def _linked(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.link == "identity":
            return sums
        return logistic(sums) if self.link == "logistic" else softmax(sums)


def linear_of(core: onnx.ModelProto, classes: int) -> LinearCore | None:
    """The closed form of a core that is linear; None for any other core.

    Args:
        core: The core, matrix -> scores.
        classes: Number of classes, 0 for a regression.
    """
    operators = [node.op_type for node in core.graph.node]
    rest = set(operators) - {"MatMul", "Add"}
    if operators.count("MatMul") != 1 or operators.count("Add") != 1 or not rest <= _AROUND:
        return None
    wanted = {0: set(), 2: {"Sigmoid"}}.get(classes, {"Softmax"})
    return linear_core(core, classes) if rest & {"Sigmoid", "Softmax"} == wanted else None


def linear_core(core: onnx.ModelProto, classes: int) -> LinearCore:
    """The coefficients of a core that is known to be linear.

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
