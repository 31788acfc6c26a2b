"""How source columns become the float32 matrix of the numeric core, straight from Arrow columns.

The rules, in the order of the matrix's columns:

* numbers and booleans (0/1), each in one column; a missing value becomes the training median, or stays NaN where the
  estimator routes missing values itself; for linear models and networks the column is centred and scaled;
* categories, for trees one column of codes in the order of the sorted categories, for linear models and networks one
  0/1 column per category. A missing value is a category of its own where training rows have one. A category that
  training rows do not have is code -1, or all zeros.

Everything is computed in float32, because the ONNX graph that states the same rules computes in float32.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.charts.text import how_many
from rai_assets.errors import InputRefused
from rai_assets.model.columns import as_dictionary, indices_of, numbers_of

Kind = Literal["number", "boolean", "category"]
Style = Literal["codes", "codes_nan", "scaled"]

MISSING = "(missing)"
# More 0/1 columns than this for one source column cost memory and carry next to no rows each: the most frequent
# categories keep a column, the others count as unseen.
ONE_HOT_LIMIT = 256
UNSEEN = -1
_CELLS_PER_BATCH = 8_000_000


KINDS: Mapping[str, Kind] = {"number": "number", "integer": "number", "boolean": "boolean", "category": "category"}
"""What a column of each dtype is to a model; of other dtypes none can be read."""


@dataclass(frozen=True)
class Feature:
    """A source column that a model reads: its name and what it holds."""

    name: str
    kind: Kind


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


@dataclass(frozen=True)
class Encoding:
    """The whole rule from source columns to the matrix: numbers first, then categories.

    Attributes:
        features: Every source column, in declared order.
        numbers: Encodings of numeric and boolean columns, in matrix order.
        categories: Encodings of categorical columns, in matrix order.
    """

    features: tuple[Feature, ...]
    numbers: tuple[NumberEncoding, ...]
    categories: tuple[CategoryEncoding, ...]

    @classmethod
    def fit(cls, table: pa.Table, features: Sequence[Feature], style: Style) -> Encoding:
        """Learn fills, scales and categories from training rows.

        Args:
            table: Training rows, n >= 1.
            features: Source columns to encode.
            style: `codes` for trees, `codes_nan` for trees that route missing numbers themselves, `scaled` for
                linear models and networks.

        Raises:
            InputRefused: A number does not fit into float32, so no model can be exported that reads it.
        """
        if table.num_rows == 0:
            raise InputRefused("there are no rows to train on", fix="check the split and the file of the training rows")
        numbers = [_fit_number(table, item, style) for item in features if item.kind != "category"]
        categories = [_fit_category(table, item, style) for item in features if item.kind == "category"]
        return cls(tuple(features), tuple(numbers), tuple(categories))

    @property
    def names(self) -> list[str]:
        """Names of the source columns, in declared order."""
        return [item.name for item in self.features]

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return len(self.numbers) + sum(item.width for item in self.categories)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where every category's columns begin in the matrix."""
        widths = [item.width for item in self.categories]
        return tuple(len(self.numbers) + sum(widths[:index]) for index in range(len(widths)))

    @cached_property
    def players(self) -> NDArray[np.int32]:
        """Index into `features` of the source column behind every matrix column, shape (m,)."""
        place = {item.name: index for index, item in enumerate(self.features)}
        owners = [place[item.feature] for item in self.numbers]
        for category in self.categories:
            owners += [place[category.feature]] * category.width
        return np.array(owners, np.int32)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Name of every matrix column: the source column, or `column=category` for a 0/1 column."""
        names = [item.feature for item in self.numbers]
        for category in self.categories:
            names += [f"{category.feature}={level}" for level in category.levels] if category.one_hot else []
            names += [] if category.one_hot else [category.feature]
        return tuple(names)

    @property
    def batch_rows(self) -> int:
        """Rows per batch that keep one batch's matrix at a few dozen MiB."""
        return int(np.clip(_CELLS_PER_BATCH // max(self.width, 1), 256, 65_536))

    def matrix(self, table: pa.Table) -> NDArray[np.float32]:
        """The encoded rows, shape (n, m), C order.

        Raises:
            InputRefused: A feature is not a column of the table.
        """
        require_columns(table, self.names)
        out = np.zeros((table.num_rows, self.width), np.float32)
        start = 0
        for batch in table.to_batches():
            self._encode(batch, out[start : start + batch.num_rows])
            start += batch.num_rows
        return out

    def _encode(self, batch: pa.RecordBatch, out: NDArray[np.float32]) -> None:
        for index, number in enumerate(self.numbers):
            out[:, index] = number.values(batch.column(number.feature))
        for category, start in zip(self.categories, self.starts, strict=True):
            codes = category.codes(batch.column(category.feature))
            if category.one_hot:
                hit = np.flatnonzero(codes != UNSEEN)
                out[hit, start + codes[hit]] = 1.0
            else:
                out[:, start] = codes

    def as_json(self) -> dict[str, Any]:
        """The encoding as a JSON object."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Encoding:
        """The encoding that `as_json` wrote."""
        return cls(
            tuple(Feature(**item) for item in value["features"]),
            tuple(NumberEncoding(**item) for item in value["numbers"]),
            tuple(
                CategoryEncoding(**{**item, "categories": tuple(item["categories"])}) for item in value["categories"]
            ),
        )


def require_columns(table: pa.Table, names: Sequence[str]) -> None:
    """Refuse a table that lacks one of the named columns.

    Args:
        table: The rows that are to be scored.
        names: The columns that the model reads.

    Raises:
        InputRefused: With the columns that are missing.
    """
    absent = [name for name in names if name not in table.column_names]
    if absent:
        raise InputRefused(
            f"the model needs the columns {', '.join(absent)}, which the table does not have",
            fix="score rows that follow the use case's contract",
        )


def too_large(feature: str, count: int) -> InputRefused:
    """The refusal of `count` numbers of a feature that are infinite or do not fit into float32."""
    return InputRefused(
        f"{how_many(count, 'value is', 'values are')} infinite or beyond 3.4e38, which no model here can read",
        where=f"column {feature!r}",
        fix="declare a range for the column, or leave it out of the features",
    )


def _fit_number(table: pa.Table, feature: Feature, style: Style) -> NumberEncoding:
    values = np.concatenate([numbers_of(chunk) for chunk in table.column(feature.name).chunks])
    if infinite := int(np.isinf(values).sum()):
        raise too_large(feature.name, infinite)
    if style == "codes_nan":
        return NumberEncoding(feature.name, fill=None)
    known = values[~np.isnan(values)]
    fill = float(np.median(known)) if len(known) else 0.0
    fill = float(np.float32(fill))
    if style == "codes":
        return NumberEncoding(feature.name, fill)
    filled = np.where(np.isnan(values), np.float32(fill), values).astype(np.float64)
    centre, spread = float(filled.mean()), float(filled.std())
    # A constant column has a spread of rounding errors only: scaled by it, noise would look like a signal.
    varies = spread > max(float(np.finfo(np.float32).eps) * abs(centre), float(np.finfo(np.float32).tiny))
    factor = float(np.float32(1.0 / spread)) if varies else 1.0
    return NumberEncoding(feature.name, fill, offset=float(np.float32(centre)), factor=factor)


def _fit_category(table: pa.Table, feature: Feature, style: Style) -> CategoryEncoding:
    column = pa.chunked_array([as_dictionary(chunk) for chunk in table.column(feature.name).chunks])
    counts: Counter[str] = Counter()
    for item in pc.value_counts(column).to_pylist():
        counts[item["values"] or ""] += item["counts"]
    missing = counts.pop("", 0) > 0
    one_hot = style == "scaled"
    kept = sorted(counts, key=lambda value: (-counts[value], value))[: ONE_HOT_LIMIT if one_hot else None]
    return CategoryEncoding(feature.name, tuple(sorted(kept)), missing, one_hot, unlisted=len(counts) - len(kept))
