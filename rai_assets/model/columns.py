"""Arrow columns as arrays: numbers as floats, categories as codes of a dictionary or as Python strings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.errors import UsageError

_FLOAT32 = pa.float32()


def numbers_of(column: pa.Array, kind: pa.DataType = _FLOAT32) -> NDArray:
    """A numeric or boolean column as floats, shape (n,), missing values NaN, booleans 0 and 1.

    Args:
        column: n values.
        kind: float32 or float64. What lies beyond float32 becomes infinite.

    Raises:
        UsageError: The column holds something else.
    """
    if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
        raise UsageError(
            f"a number was expected and the column holds {column.type}",
            fix="convert it to a number, or declare the column as a category",
        )
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.uint8())
    if pa.types.is_decimal(column.type):
        column = pc.cast(column, pa.float64())
    return pc.cast(column, kind, safe=False).to_numpy(zero_copy_only=False)


def as_dictionary(column: pa.Array) -> pa.DictionaryArray:
    """The column dictionary-encoded with string values."""
    if not pa.types.is_dictionary(column.type):
        column = pc.cast(column, pa.string()).dictionary_encode()
    if column.dictionary.type != pa.string():
        column = pa.DictionaryArray.from_arrays(column.indices, pc.cast(column.dictionary, pa.string()))
    return column


def strings_of(column: pa.Array) -> NDArray[np.object_]:
    """A categorical column as Python strings, shape (n,), missing values the empty string."""
    column = as_dictionary(column)
    values = [*("" if value is None else value for value in column.dictionary.to_pylist()), ""]
    return np.array(values, object)[indices_of(column, len(column.dictionary))]


def indices_of(column: pa.DictionaryArray, for_null: int) -> NDArray[np.int32]:
    """Index into the dictionary of every row, shape (n,), `for_null` where a value is missing."""
    indices = pc.cast(column.indices, pa.int32())
    return (pc.fill_null(indices, for_null) if indices.null_count else indices).to_numpy(zero_copy_only=False)
