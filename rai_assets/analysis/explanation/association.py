"""How closely a column goes along with a sensitive one: what a proxy would show.

Category with category: Cramér's V with Bergsma's bias correction (Journal of the Korean Statistical Society 42, 2013).
Number with category: the correlation ratio, bias-corrected as epsilon (Kelley, PNAS 21, 1935). Number with number:
|Spearman's rho|. Each lies in [0, 1], 0 where nothing goes along. Intervals: `association_intervals`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.analysis.explanation.association_intervals import (
    Interval,
    mid_ranks,
    rank_interval,
    ratio_interval,
    table_interval,
)
from rai_assets.charts.text import how_many
from rai_assets.metrics.number import Number

DEFINITION = "sensitive_association@1"
_FEWEST_ROWS = 5
_NO_INTERVAL = "no interval: too few rows for the number of categories"


def associations(
    table: pa.Table, features: Sequence[str], sensitive: Sequence[str], *, split: str, level: float = 0.95
) -> list[Number]:
    """The association of every feature with every sensitive column, on the rows where both are known.

    Args:
        table: The rows, with all named columns.
        features: Columns that the model reads.
        sensitive: Sensitive columns; a column is not compared with itself.
        split: Which rows they are.
        level: Of the intervals.

    Returns:
        A number in [0, 1] for each pair, or the reason why there is none.
    """
    columns = {name: _Column(table.column(name)) for name in {*features, *sensitive}}
    numbers = []
    for feature in features:
        for other in sensitive:
            if feature == other:
                continue
            found = associate(columns[feature], columns[other], level)
            low, high = found.interval or (None, None)
            numbers.append(
                Number(
                    DEFINITION,
                    found.value,
                    low=low,
                    high=high,
                    level=level if low is not None else None,
                    n=found.n,
                    small=_FEWEST_ROWS <= found.n < 30,
                    coordinates={"feature": feature, "sensitive": other},
                    split=split,
                    reason=found.reason,
                )
            )
    return numbers


@dataclass(frozen=True)
class Association:
    """A value in [0, 1] with its interval, the rows where both columns are known, and why something is missing."""

    value: float | None
    n: int
    interval: Interval | None = None
    reason: str | None = None


class _Column:
    """A column with what is known of it.

    Attributes:
        number: Whether it holds numbers.
        known: bool (n,).
        values: float64 (n,) of numbers; codes of categories.
    """

    def __init__(self, values: pa.ChunkedArray) -> None:
        array = values.combine_chunks()
        kind = array.type
        self.number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        self.known = ~np.asarray(pc.is_null(array, nan_is_null=True))
        if self.number:
            self.values = np.nan_to_num(np.asarray(pc.cast(array, pa.float64(), safe=False).fill_null(0.0)))
            return
        text = array if pa.types.is_dictionary(kind) else pc.cast(array, pa.string()).dictionary_encode()
        self.values = np.asarray(pc.fill_null(pc.cast(text.indices, pa.int64()), 0))

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Place of every number among the distinct ones: the column is sorted once, whatever it is compared with."""
        return np.unique(self.values, return_inverse=True)[1]


def associate(left: _Column, right: _Column, level: float) -> Association:
    """The measure that fits the two columns."""
    known = left.known & right.known
    n = int(known.sum())
    if n < _FEWEST_ROWS:
        return Association(None, n, reason=f"only {how_many(n, 'row has', 'rows have')} both columns")
    a, b = left.values[known], right.values[known]
    if a.min() == a.max() or b.min() == b.max():
        return Association(None, n, reason="one of the two columns has a single value")
    if left.number and right.number:
        a, b = _dense(left.places[known]), _dense(right.places[known])
        value, interval = abs(_pearson(mid_ranks(a), mid_ranks(b))), rank_interval(a, b, level)
    elif left.number or right.number:
        groups, numbers = (_dense(b), a) if left.number else (_dense(a), b)
        value, interval = _correlation_ratio(groups, numbers), ratio_interval(groups, numbers, level)
    else:
        counts = _crossed(a, b)
        value, interval = _cramers_v(counts), table_interval(counts, level)
    if interval is None:
        return Association(value, n, reason=_NO_INTERVAL)
    return Association(value, n, (min(interval[0], value), max(interval[1], value)))


def _dense(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Codes 0..k-1 of the codes that occur, in their order."""
    occurs = np.bincount(codes) > 0
    return (np.cumsum(occurs) - 1)[codes]


def _crossed(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rows of every pair of categories that occur, (r, c)."""
    a, b = _dense(a), _dense(b)
    rows, columns = int(a.max()) + 1, int(b.max()) + 1
    return np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns).astype(np.float64)


def _cramers_v(counts: NDArray[np.float64]) -> float:
    n, (rows, columns) = float(counts.sum()), counts.shape
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / n
    phi = ((counts - expected) ** 2 / expected).sum() / n
    corrected = max(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    fewer = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return float(min(1.0, math.sqrt(corrected / fewer))) if fewer > 0 else 0.0


def _correlation_ratio(groups: NDArray[np.int64], values: NDArray[np.float64]) -> float:
    sizes = np.bincount(groups)
    means = np.bincount(groups, values) / sizes
    total = float(((values - values.mean()) ** 2).sum())
    within = float(((values - means[groups]) ** 2).sum())
    free = len(values) - len(sizes)
    if free <= 0:
        return 0.0
    return math.sqrt(max(0.0, 1.0 - within / free * (len(values) - 1) / total))


def _pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip((a @ b) / math.sqrt((a @ a) * (b @ b)), -1.0, 1.0))
