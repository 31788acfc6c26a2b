"""How closely a column goes along with a sensitive one: what a proxy would show.

Category with category: Cramér's V with Bergsma's bias correction (Journal of the Korean Statistical Society 42, 2013).
Number with category: the correlation ratio, bias-corrected as epsilon (Kelley, PNAS 21, 1935). Number with number:
|Spearman's rho|. Each lies in [0, 1], 0 where nothing goes along.

The interval is Fisher's on the scale of the correlation (atanh r, standard error 1 / sqrt(n - 3)), which holds
approximately for each of them; the bound at 0 is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.metrics.number import Number

DEFINITION = "sensitive_association@1"
_FEWEST_ROWS = 5


def associations(
    table: pa.Table, features: Sequence[str], sensitive: Sequence[str], *, split: str, level: float = 0.95
) -> list[Number]:
    """The association of every feature with every sensitive column, on the rows where both are known."""
    columns = {name: _Column(table.column(name)) for name in {*features, *sensitive}}
    numbers = []
    for feature in features:
        for other in sensitive:
            if feature == other:
                continue
            coordinates = {"feature": feature, "sensitive": other}
            value, n, reason = association(columns[feature], columns[other])
            low, high = (None, None) if value is None else _interval(value, n, level)
            numbers.append(
                Number(
                    DEFINITION,
                    value,
                    low=low,
                    high=high,
                    level=level if low is not None else None,
                    n=n,
                    small=_FEWEST_ROWS <= n < 30,
                    coordinates=coordinates,
                    split=split,
                    reason=reason,
                )
            )
    return numbers


class _Column:
    """A column as codes (categories) or ranks and values (numbers), with what is known of it."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        array = values.combine_chunks()
        kind = array.type
        self.number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        self.known = ~np.asarray(pc.is_null(array, nan_is_null=True))
        if self.number:
            self.values = np.nan_to_num(np.asarray(pc.cast(array, pa.float64()).fill_null(0.0)))
            return
        text = array if pa.types.is_dictionary(kind) else pc.cast(array, pa.string()).dictionary_encode()
        self.values = np.asarray(pc.fill_null(pc.cast(text.indices, pa.int64()), 0))


def association(left: _Column, right: _Column) -> tuple[float | None, int, str | None]:
    """Value in [0, 1], rows where both columns are known, and why there is no value."""
    known = left.known & right.known
    n = int(known.sum())
    if n < _FEWEST_ROWS:
        return None, n, f"only {n} rows have both columns"
    a, b = left.values[known], right.values[known]
    if len(np.unique(a)) < 2 or len(np.unique(b)) < 2:
        return None, n, "one of the two columns has a single value"
    if left.number and right.number:
        return abs(_pearson(_ranks(a), _ranks(b))), n, None
    if left.number:
        return _correlation_ratio(b, a), n, None
    if right.number:
        return _correlation_ratio(a, b), n, None
    return _cramers_v(a, b), n, None


def _cramers_v(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    a, b = np.unique(a, return_inverse=True)[1], np.unique(b, return_inverse=True)[1]
    rows, columns, n = a.max() + 1, b.max() + 1, len(a)
    counts = np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns).astype(float)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / n
    phi = ((counts - expected) ** 2 / expected).sum() / n
    corrected = max(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    fewer = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return float(min(1.0, math.sqrt(corrected / fewer))) if fewer > 0 else 0.0


def _correlation_ratio(groups: NDArray[np.int64], values: NDArray[np.float64]) -> float:
    groups = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(groups)
    means = np.bincount(groups, values) / sizes
    total = float(((values - values.mean()) ** 2).sum())
    within = float(((values - means[groups]) ** 2).sum())
    free = len(values) - len(sizes)
    if free <= 0:
        return 0.0
    return math.sqrt(max(0.0, 1.0 - within / free * (len(values) - 1) / total))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mid-ranks: ties share the mean of their places."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def _pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip((a @ b) / math.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def _interval(value: float, n: int, level: float) -> tuple[float, float]:
    centre = math.atanh(min(value, 1.0 - 1e-12))
    reach = NormalDist().inv_cdf(0.5 + level / 2) / math.sqrt(n - 3)
    return max(0.0, min(value, math.tanh(centre - reach))), max(value, math.tanh(centre + reach))
