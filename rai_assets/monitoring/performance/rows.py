"""Rows of a batch as performance in production reads them: scored, their labels unknown or not looked at."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.data.contract import Contract
from rai_assets.metrics.rows import Rows
from rai_assets.model.decision import decide
from rai_assets.model.rows import ScoredRows, weights_of


def unlabelled_rows(
    contract: Contract, table: pa.Table, scores: NDArray[np.float64], threshold: float | None, split: str = "all"
) -> ScoredRows:
    """Rows with what the model says of them. A target among the columns is not looked at.

    Args:
        contract: Roles of the columns; has a target or a prediction, which says what task there is.
        table: Rows of the batch.
        scores: The model's answer in the order of the table: (n, k) probabilities, or (n,) values of a regression.
        threshold: Of a binary decision; None for other tasks.
        split: Name for the rows.
    """
    task = contract.task or "binary"
    keep, weight = np.ones(table.num_rows, bool), None
    if contract.weight is not None and contract.weight in table.column_names:
        weight, keep = weights_of(table, contract.weight)
    rows = Rows(
        task=task,
        classes=contract.classes,
        decision=None if task == "regression" else decide(scores, threshold)[keep],
        score=(scores[:, 1] if task == "binary" else scores)[keep],
        probability=task != "regression",
        weight=None if weight is None else weight[keep],
        split=split,
    )
    excluded = {} if keep.all() else {"weight missing": int((~keep).sum())}
    return ScoredRows(rows, table if keep.all() else table.filter(pa.array(keep)), keep, excluded)
