"""Normal columns: what columns of any Arrow type are made of to be counted.

A normal column is int64 or float64 (numbers), timestamp[us] (times) or a dictionary of texts (anything else). Lists of
numbers that all have one length are vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rai_assets.errors import InputRefused
from rai_assets.monitoring.drift.columns import Kind


def held_by(kind: pa.DataType) -> str | None:
    """What a column of a type holds: `number`, `time`, `category`, `vector`, `unreadable`; None where only nulls."""
    types = pa.types
    if types.is_dictionary(kind):
        return held_by(kind.value_type)
    if types.is_null(kind):
        return None
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_duration(kind):
        return "number"
    if types.is_timestamp(kind) or types.is_date(kind):
        return "time"
    if types.is_fixed_size_list(kind) and held_by(kind.value_type) == "number":
        return "vector"
    if types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType):
        return "unreadable"
    return "category"


def normal_column(column: pa.Array, kind: Kind | None) -> pa.Array:
    """A column of any type as a normal one; NaN is a missing value."""
    types = pa.types
    if kind is None:
        return pa.nulls(len(column), pa.float64())
    if kind == "category":
        return _category(column)
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kind == "time":
        return column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False)
    if types.is_floating(column.type):
        values = column.cast(pa.float64())
        lost = pc.is_nan(values)
        return pc.if_else(lost, pa.scalar(None, pa.float64()), values) if pc.any(lost).as_py() else values
    if types.is_integer(column.type) and column.type != pa.uint64():
        return column.cast(pa.int64())
    if types.is_duration(column.type):
        return column.cast(pa.int64())
    return column.cast(pa.float64(), safe=False)


def _category(column: pa.Array) -> pa.Array:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    values = column.dictionary
    if pa.types.is_floating(values.type):
        # 3.0 and 3 are one code.
        texts = pa.array([None if value is None or value != value else f"{value:.15g}" for value in values.to_pylist()])
    else:
        texts = values.cast(pa.string())
    return pa.DictionaryArray.from_arrays(column.indices, texts.cast(pa.string()))


def as_times(column: pa.Array) -> pa.Array:
    """A normal column as timestamps.

    Raises:
        InputRefused: It holds no times.
    """
    if pa.types.is_timestamp(column.type):
        return column
    if pa.types.is_dictionary(column.type):
        for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
            try:
                return column.dictionary.cast(kind).take(column.indices)
            except pa.ArrowInvalid:
                continue
    raise InputRefused("it holds no times", fix="write them like 2024-05-31 or 2024-05-31 13:45:00")


def epoch(column: pa.Array) -> np.ndarray[Any, Any]:
    """Microseconds since 1970 of times, shape (n,), int64."""
    return column.cast(pa.int64()).to_numpy(zero_copy_only=False)
