"""Running the numeric core: matrix in, scores out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rai_assets.model.runtime import open_session
from rai_assets.model.tree_scorer import TreeScorer
from rai_assets.model.trees import trees_of

if TYPE_CHECKING:
    import onnx


class CoreRunner:
    """A core that `graph.core_of` cut out, ready to run: tree ensembles in our kernels, the rest in ONNX Runtime.

    Args:
        core: The core, from one float32 matrix to scores.
    """

    def __init__(self, core: onnx.ModelProto) -> None:
        trees = trees_of(core)
        width = core.graph.input[0].type.tensor_type.shape.dim[1].dim_value
        self._trees = None if trees is None else TreeScorer.of(trees, width)
        self._session = open_session(core.SerializeToString()) if self._trees is None else None

    def scores(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n, k) or values (n, 1) of encoded rows (n, m), all in one batch."""
        if self._trees is not None:
            return self._trees.scores(matrix)
        assert self._session is not None  # noqa: S101
        name = self._session.get_inputs()[0].name
        return self._session.run(None, {name: matrix})[0].astype(np.float64)
