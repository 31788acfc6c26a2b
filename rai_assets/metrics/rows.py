"""The rows that a metric is computed on: targets, decisions, scores and the groups they fall into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class Rows:
    """n rows of one split with what is true of them and what the model, or the log, said.

    Attributes:
        task: Kind of target.
        classes: Class labels in code order; for binary the second is the positive one; empty for regression.
        target: Binary int8 {0, 1}; multiclass integer codes; regression float64. Shape (n,). None where unknown.
        decision: Binary int8 {0, 1}; multiclass integer codes, shape (n,). None for regression or where there is none.
        score: Binary float64 (n,), score of the positive class; multiclass float64 (n, k); regression float64 (n,),
            the predicted value. None where only decisions are known.
        probability: True where `score` is a probability.
        weight: float64 (n,), non-negative, or None for equal weights.
        split: Name of the split the rows come from.
    """

    task: Task
    classes: tuple[str, ...] = ()
    target: NDArray | None = None
    decision: NDArray | None = None
    score: NDArray | None = None
    probability: bool = False
    weight: NDArray[np.float64] | None = None
    split: str = "all"

    @property
    def n(self) -> int:
        """Number of rows."""
        known = next(values for values in (self.target, self.decision, self.score) if values is not None)
        return len(known)


@dataclass(frozen=True)
class Grouping:
    """The group of every row.

    Attributes:
        columns: Sensitive columns, in declared order.
        codes: int32 (n,), index into `groups`.
        groups: One {column: value} per code; a missing value reads `(missing)`.
    """

    columns: tuple[str, ...]
    codes: NDArray[np.int32]
    groups: tuple[Mapping[str, str], ...]

    @property
    def name(self) -> str:
        """The columns joined by commas: the coordinate `sensitive` of a gap."""
        return ",".join(self.columns)
