"""How one source column becomes columns of the matrix: its rule, learned from training rows, and its values by it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.charts.text import how_many
from rai_assets.data.contract import MISSING
from rai_assets.errors import InputRefused
from rai_assets.model.columns import as_dictionary, indices_of, numbers_of

Style = Literal["codes", "codes_nan", "scaled"]
"""For trees; for trees that route missing numbers themselves; for linear models and networks."""

# More 0/1 columns than this for one source column cost memory and carry next to no rows each: the most frequent
# categories keep a column, the others count as unseen.
ONE_HOT_LIMIT = 256
UNSEEN = -1  # the code of a category that training rows do not have


@dataclass(frozen=True)
class NumberEncoding:
    """One column of numbers: `(value - offset) * factor`.

    Attributes:
        feature: The source column.
        fill: What stands for a missing value; None: it stays NaN.
        offset: What is subtracted, in the column's unit.
        factor: What is multiplied, 1 over the column's unit.
    """

    feature: str
    fill: float | None
    offset: float = 0.0
    factor: float = 1.0

    @classmethod
    def fit(cls, table: pa.Table, feature: str, style: Style) -> NumberEncoding:
        """Learn fill and scale from a column of training rows.

        Raises:
            InputRefused: A number does not fit into float32.
        """
        values = np.concatenate([numbers_of(chunk) for chunk in table.column(feature).chunks])
        if infinite := int(np.isinf(values).sum()):
            raise too_large(feature, infinite)
        if style == "codes_nan":
            return cls(feature, fill=None)
        known = values[~np.isnan(values)]
        fill = float(np.median(known)) if len(known) else 0.0
        fill = float(np.float32(fill))
        if style == "codes":
            return cls(feature, fill)
        filled = np.where(np.isnan(values), np.float32(fill), values).astype(np.float64)
        centre, spread = float(filled.mean()), float(filled.std())
        # A constant column has a spread of rounding errors only: scaled by it, noise would look like a signal.
        varies = spread > max(float(np.finfo(np.float32).eps) * abs(centre), float(np.finfo(np.float32).tiny))
        factor = float(np.float32(1.0 / spread)) if varies else 1.0
        return cls(feature, fill, offset=float(np.float32(centre)), factor=factor)

    def values(self, column: pa.Array) -> NDArray[np.float32]:
        """The encoded column, shape (n,).

        Raises:
            UsageError: The column holds no numbers.
            InputRefused: A number is infinite or beyond float32, which a tree would take for just another large one.
        """
        values = numbers_of(column)
        if infinite := int(np.count_nonzero(np.isinf(values))):
            raise too_large(self.feature, infinite)
        if self.fill is not None and (column.null_count or not pa.types.is_integer(column.type)):
            values = np.where(np.isnan(values), np.float32(self.fill), values)
        if (self.offset, self.factor) != (0.0, 1.0):
            values = (values - np.float32(self.offset)) * np.float32(self.factor)
        return values


@dataclass(frozen=True)
class CategoryEncoding:
    """One column of codes, or one 0/1 column per category.

    Attributes:
        feature: The source column.
        categories: In code order.
        missing: True where missing is a category of its own, with the code after the last category.
        one_hot: True for one column per category.
        unlisted: Categories of the training rows beyond `ONE_HOT_LIMIT`, treated as unseen.
    """

    feature: str
    categories: tuple[str, ...]
    missing: bool
    one_hot: bool
    unlisted: int = 0

    @classmethod
    def fit(cls, table: pa.Table, feature: str, style: Style) -> CategoryEncoding:
        """Learn the categories of a column of training rows."""
        column = pa.chunked_array([as_dictionary(chunk) for chunk in table.column(feature).chunks])
        counts: Counter[str] = Counter()
        for item in pc.value_counts(column).to_pylist():
            counts[item["values"] or ""] += item["counts"]
        missing = counts.pop("", 0) > 0
        one_hot = style == "scaled"
        kept = sorted(counts, key=lambda value: (-counts[value], value))[: ONE_HOT_LIMIT if one_hot else None]
        return cls(feature, tuple(sorted(kept)), missing, one_hot, unlisted=len(counts) - len(kept))

    @property
    def levels(self) -> tuple[str, ...]:
        """What each code stands for, `(missing)` included."""
        return (*self.categories, MISSING) if self.missing else self.categories

    @property
    def width(self) -> int:
        """Columns of the matrix that this source column takes."""
        return len(self.levels) if self.one_hot else 1

    def codes(self, column: pa.Array) -> NDArray[np.int32]:
        """Code of every row, shape (n,): an index into `levels`, or -1 where unseen."""
        codes, rows = self.lookup(column)
        return codes[rows]

    def lookup(self, column: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The code of every word of the column's dictionary, shape (words + 1,), and the word of every row, (n,).

        The last code is that of a missing value.
        """
        column = as_dictionary(column)
        for_missing = len(self.categories) if self.missing else UNSEEN
        found = pc.index_in(column.dictionary, value_set=pa.array(self.categories, pa.string()))
        lookup = np.full(len(column.dictionary) + 1, for_missing, np.int32)
        lookup[:-1] = pc.fill_null(found, UNSEEN).to_numpy(zero_copy_only=False)
        # The full ONNX model is fed the empty string for a missing value, so an empty string is one here too.
        empty = pc.fill_null(pc.equal(column.dictionary, ""), True).to_numpy(zero_copy_only=False)
        lookup[:-1][empty] = for_missing
        return lookup, indices_of(column, len(column.dictionary))


def too_large(feature: str, count: int) -> InputRefused:
    """The refusal of `count` numbers of a feature that are infinite or do not fit into float32."""
    return InputRefused(
        f"{how_many(count, 'value is', 'values are')} infinite or beyond 3.4e38, which no model here can read",
        where=f"column {feature!r}",
        fix="declare a range for the column, or leave it out of the features",
    )
