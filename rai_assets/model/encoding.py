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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.errors import InputRefused
from rai_assets.model.column_encoding import UNSEEN, CategoryEncoding, NumberEncoding, Style
from rai_assets.model.columns import as_dictionary, numbers_of

Kind = Literal["number", "boolean", "category"]

_CELLS_PER_BATCH = 8_000_000

KINDS: Mapping[str, Kind] = {"number": "number", "integer": "number", "boolean": "boolean", "category": "category"}
"""What a column of each dtype is to a model; of other dtypes none can be read."""


@dataclass(frozen=True)
class Feature:
    """A source column that a model reads: its name and what it holds."""

    name: str
    kind: Kind


def together(tables: Sequence[pa.Table], features: Sequence[Feature]) -> pa.Table:
    """The columns of some features of several tables, one after the other; numbers and texts of any type agree."""
    columns = {}
    for item in features:
        parts = [table.column(item.name) for table in tables]
        chunks = [chunk for part in parts for chunk in part.chunks]
        kind = parts[0].type
        if any(part.type != kind for part in parts):
            kind = pa.dictionary(pa.int32(), pa.string()) if item.kind == "category" else pa.float64()
            chunks = [_of_kind(chunk, kind) for chunk in chunks]
        columns[item.name] = pa.chunked_array(chunks, kind)
    return pa.table(columns)


def _of_kind(chunk: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_floating(kind):
        return pa.array(numbers_of(chunk, kind), kind, from_pandas=True)
    return as_dictionary(chunk).cast(kind)


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
        numbers = [NumberEncoding.fit(table, item.name, style) for item in features if item.kind != "category"]
        categories = [CategoryEncoding.fit(table, item.name, style) for item in features if item.kind == "category"]
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
