"""The rows that a metric is computed on: targets, decisions, scores and the groups they fall into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rai_assets.errors import InputRefused

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

    Raises:
        InputRefused: The columns differ in length, or hold a value that their kind does not have.
    """

    task: Task
    classes: tuple[str, ...] = ()
    target: NDArray | None = None
    decision: NDArray | None = None
    score: NDArray | None = None
    probability: bool = False
    weight: NDArray[np.float64] | None = None
    split: str = "all"

    def __post_init__(self) -> None:
        lengths = {
            len(values) for values in (self.target, self.decision, self.score, self.weight) if values is not None
        }
        if len(lengths) > 1:
            raise InputRefused(
                f"target, decision, score and weight differ in length: {sorted(lengths)}",
                fix="give each of them one value for every row, or leave it out",
            )
        if self.task != "regression":
            codes = 2 if self.task == "binary" else len(self.classes)
            _check("target", self.target, 0, codes - 1)
            _check("decision", self.decision, 0, codes - 1)
        elif self.target is not None:
            _check("target", self.target)
        _check("score", self.score, *((0, 1) if self.probability else ()))
        _check("weight", self.weight, 0)

    def take(self, chosen: NDArray) -> Rows:
        """Some of the rows, by indices (m,) or a mask (n,)."""

        def part(values: NDArray | None) -> NDArray | None:
            return None if values is None else values[chosen]

        return replace(
            self,
            target=part(self.target),
            decision=part(self.decision),
            score=part(self.score),
            weight=part(self.weight),
        )

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

    Raises:
        InputRefused: A code has no group.
    """

    columns: tuple[str, ...]
    codes: NDArray[np.int32]
    groups: tuple[Mapping[str, str], ...]

    def __post_init__(self) -> None:
        _check("group code", self.codes, 0, len(self.groups) - 1)

    @property
    def name(self) -> str:
        """The columns joined by commas: the coordinate `sensitive` of a gap."""
        return ",".join(self.columns)

    def take(self, chosen: NDArray) -> Grouping:
        """The groups of some rows, by indices (m,) or a mask (n,)."""
        return replace(self, codes=self.codes[chosen])


def _check(what: str, values: NDArray | None, least: float = -np.inf, most: float = np.inf) -> None:
    """Refuse values that are missing, infinite or out of range.

    Raises:
        InputRefused: Names the first such row, counted from 0.
    """
    if values is None or not len(values):
        return
    # Two quick passes: the extremes of an array with a NaN are NaN, which fails every comparison.
    low, high = values.min(), values.max()
    if least <= low and high <= most and np.isfinite(low) and np.isfinite(high):
        return
    bad = ~((values >= least) & (values <= most) & np.isfinite(values))
    row = int(np.argmax(bad.reshape(len(values), -1).any(axis=1)))
    limits = "" if np.isinf(least) else f" from {least:g} on" if np.isinf(most) else f" from {least:g} to {most:g}"
    raise InputRefused(
        f"the {what} of row {row} is {values[row]}, not a finite number{limits}",
        fix="rows without a value have to be left out or filled in first",
    )
