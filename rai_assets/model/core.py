"""Our own exports, ready to run in this process: rows in, scores out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.model.encoding import Encoding
from rai_assets.model.graph import core_of
from rai_assets.model.linear import linear_of
from rai_assets.model.records import RecordEncoder
from rai_assets.model.runtime import open_session
from rai_assets.model.supplied import refuse_unsafe
from rai_assets.model.tree_scorer import TreeScorer


class Core:
    """The numeric core of a file that `graph.assemble` wrote.

    Linear cores run in closed form, tree ensembles in our kernels, both in double precision; the rest in ONNX Runtime.

    Args:
        file: The ONNX file.
        encoding: How source columns become the core's matrix.
        classes: Number of classes, 0 for a regression.

    Raises:
        InputRefused: The file holds more than our own exports do.

    Attributes:
        model: The core as an ONNX model, matrix -> scores. Not to be changed.
        encoding: How source columns become its matrix.
        linear: Its closed form, or None where it is not linear.
    """

    def __init__(self, file: bytes, encoding: Encoding, classes: int) -> None:
        import onnx

        parsed = onnx.load_model_from_string(file)
        refuse_unsafe(parsed, "the stored model")
        self.model = core_of(parsed)
        self.linear = linear_of(self.model, classes)
        self.encoding = encoding
        self._records = RecordEncoder(encoding)
        self._trees = TreeScorer.of(self.model, encoding.width)
        self._session = None if self.linear or self._trees else open_session(self.model.SerializeToString())
        self._feed = self.model.graph.input[0].name

    def scores(self, batch: pa.Table) -> NDArray[np.float64]:
        """Probabilities (n, k) or values (n, 1) of one batch of rows."""
        if self.linear is not None:
            return self.linear.table_scores(self.encoding, batch)
        return self.matrix_scores(self.encoding.matrix(batch))

    def value_scores(self, values: Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
        """Probabilities (n, k) or values (n, 1) of a few rows, given as n Python values per feature.

        Raises:
            UsageError: A number was expected and the value is something else.
            InputRefused: A number is infinite or beyond float32.
        """
        numbers, codes = self._records.coded(values)
        if self.linear is not None:
            return self.linear.coded_scores(self.encoding, numbers, codes)
        return self.matrix_scores(self._records.matrix(numbers, codes))

    def matrix_scores(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n, k) or values (n, 1) of one batch of encoded rows (n, m)."""
        if self._session is not None:
            return self._session.run(None, {self._feed: matrix})[0].astype(np.float64)
        scorer = self._trees or self.linear
        assert scorer is not None  # noqa: S101
        return scorer.scores(matrix)
