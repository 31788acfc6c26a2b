"""From what stands in a file to the declared type of each column; nothing is coerced that was not declared.

Every value is taken as its text: trimmed where that is declared, replaced by its alias, missing if it is spelled
like one of the declared markers, and only then read as the column's type. A value that is not of that type is
rejected, never bent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.data.contract import Column, Contract
from rai_assets.data.readers.batch import Batch
from rai_assets.data.settings import DatasetSettings

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6}0*)?)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)
_OFFSET = re.compile(r".*:.*(Z|[+-][0-9:]+)$")
_INT64 = range(-(2**63), 2**63)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Converted:
    """A batch in the declared types.

    Attributes:
        source: The batch as it stood in the file.
        data: The contract's columns, in its order; null where a value is missing or was rejected.
        rejected: {column: mask over the rows} of the values that are not of the declared type.
    """

    source: Batch
    data: pa.RecordBatch
    rejected: Mapping[str, Mask]


@dataclass
class Conversion:
    """Converts the batches of one data set, one after the other.

    Whether a timestamp column carries offsets is told by its first value, for the whole data set. If the first
    batch has none, it does not.

    Attributes:
        settings: The declaration.
        contract: Its contract.
        offsets: {timestamp column: whether its values carry an offset}, filled while reading.
    """

    settings: DatasetSettings
    contract: Contract
    offsets: dict[str, bool] = field(default_factory=dict)

    def convert(self, batch: Batch) -> Converted:
        """One batch in the declared types. A column that the file does not have is all null."""
        raw = batch.part.columns
        columns, rejected = [], {}
        for column in self.contract:
            if column.name not in raw.schema.names:
                columns.append(pa.nulls(raw.num_rows, self._type(column)))
                continue
            values, wrong = self._column(column, raw.column(column.name))
            columns.append(values)
            if wrong is not None and wrong.any():
                rejected[column.name] = wrong
        return Converted(batch, pa.RecordBatch.from_arrays(columns, schema=self.schema), rejected)

    @property
    def schema(self) -> pa.Schema:
        """The schema of the converted batches, as far as it is known."""
        return self.finished_contract().schema()

    def finished_contract(self) -> Contract:
        """The contract with what the data told about offsets."""
        return self.contract.with_utc(frozenset(name for name, offset in self.offsets.items() if offset))

    def _type(self, column: Column) -> pa.DataType:
        if column.dtype != "timestamp":
            return column.arrow_type
        return pa.timestamp("us", tz="UTC" if self.offsets.get(column.name) else None)

    def _column(self, column: Column, raw: pa.Array) -> tuple[pa.Array, Mask | None]:
        cells = _Cells.of(self.settings, column.name)
        native = None if cells.numeric else _native(column, raw, cells.missing)
        if native is not None:
            return native
        dictionary, codes = _as_texts(raw, encode=column.dtype in ("category", "boolean"))
        cleaned = cells.clean(dictionary)
        if column.dtype == "timestamp" and column.name not in self.offsets:
            known = cleaned.drop_null()
            self.offsets[column.name] = len(known) > 0 and _OFFSET.fullmatch(known[0].as_py()) is not None
        values, wrong = _READ[column.dtype](cleaned, self._type(column))
        if codes is None:
            return values, wrong
        return _expand(values, codes), None if wrong is None else _expand_mask(wrong, codes)


@dataclass(frozen=True)
class _Cells:
    """What is done to the texts of one column before they are read."""

    trim: bool
    aliases: Mapping[str, str]
    missing: tuple[str, ...]

    @classmethod
    def of(cls, settings: DatasetSettings, column: str) -> _Cells:
        return cls(settings.trim, settings.aliases.get(column, {}), tuple(settings.missing))

    @property
    def numeric(self) -> bool:
        """Whether a number may be an alias or a marker, so that a file's own numbers are taken as texts."""
        return any(_NUMBER.fullmatch(text) for text in (*self.aliases, *self.missing))

    def clean(self, texts: pa.Array) -> pa.Array:
        if self.trim:
            texts = pc.ascii_trim_whitespace(texts)
        if self.aliases:
            at = pc.index_in(texts, pa.array(list(self.aliases), pa.string()))
            texts = pc.coalesce(pa.array(list(self.aliases.values()), pa.string()).take(at), texts)
        if self.missing:
            marked = pc.is_in(texts, pa.array(self.missing, pa.string()))
            texts = pc.if_else(marked, pa.scalar(None, pa.string()), texts)
        return texts


def _as_texts(raw: pa.Array, *, encode: bool) -> tuple[pa.Array, pa.Array | None]:
    """The distinct texts of a column and the code of every row; or all texts, and None."""
    if pa.types.is_dictionary(raw.type):
        return raw.dictionary.cast(pa.string()), raw.indices
    texts = raw.cast(pa.string())
    if not encode:
        return texts, None
    encoded = texts.dictionary_encode()
    return encoded.dictionary, encoded.indices


def _expand(values: pa.Array, codes: pa.Array) -> pa.Array:
    """The value of every row from the values of the distinct texts; a dictionary stays one."""
    if pa.types.is_dictionary(values.type):
        return pa.DictionaryArray.from_arrays(values.indices.take(codes), values.dictionary)
    return values.take(codes)


def _expand_mask(wrong: Mask, codes: pa.Array) -> Mask:
    return pc.fill_null(pa.array(wrong).take(codes), fill_value=False).to_numpy(zero_copy_only=False)


def _native(column: Column, raw: pa.Array, missing: tuple[str, ...]) -> tuple[pa.Array, Mask | None] | None:
    """A column whose own type fits the declared one; None where it has to go through its texts.

    A NaN means missing only if `NaN` is a declared marker, in any case of its letters.
    """
    kind, types = raw.type, pa.types
    if column.dtype == "integer" and types.is_integer(kind) and kind != pa.uint64():
        return raw.cast(pa.int64()), None
    if column.dtype == "number" and types.is_floating(kind):
        values = raw.cast(pa.float64())
        if "nan" in {marker.casefold() for marker in missing}:
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
        return _reject(values, pc.invert(pc.fill_null(pc.is_finite(values), fill_value=True)))
    if column.dtype == "number" and types.is_integer(kind):
        values = raw.cast(pa.float64(), safe=False)
        exact = pc.equal(values.cast(kind, safe=False), raw)
        return _reject(values, pc.invert(pc.fill_null(exact, fill_value=True)))
    if column.dtype == "boolean" and types.is_boolean(kind):
        return raw, None
    return None


def _reject(values: pa.Array, wrong: pa.Array) -> tuple[pa.Array, Mask]:
    return pc.if_else(wrong, pa.scalar(None, values.type), values), wrong.to_numpy(zero_copy_only=False)


def _read_integers(texts: pa.Array, kind: pa.DataType) -> tuple[pa.Array, Mask | None]:
    # Arrow also takes 0x1F for a number.
    if not pc.any(pc.match_substring(texts, "x", ignore_case=True)).as_py():
        try:
            return texts.cast(kind), None
        except pa.ArrowInvalid:
            pass
    return _one_by_one(texts, _integer, kind)


def _read_numbers(texts: pa.Array, kind: pa.DataType) -> tuple[pa.Array, Mask | None]:
    try:
        values = texts.cast(kind)
    except pa.ArrowInvalid:
        return _one_by_one(texts, _number, kind)
    if pc.all(pc.is_finite(values)).as_py() is False:
        return _one_by_one(texts, _number, kind)
    return values, None


def _read_booleans(texts: pa.Array, kind: pa.DataType) -> tuple[pa.Array, Mask | None]:
    return _one_by_one(texts, _boolean, kind)


def _read_timestamps(texts: pa.Array, kind: pa.DataType) -> tuple[pa.Array, Mask | None]:
    try:
        return texts.cast(kind), None
    except pa.ArrowInvalid:
        return _one_by_one(texts, _utc_time if kind.tz else _local_time, kind)


def _read_categories(texts: pa.Array, _kind: pa.DataType) -> tuple[pa.Array, Mask | None]:
    return texts.dictionary_encode(), None


def _read_texts(texts: pa.Array, _kind: pa.DataType) -> tuple[pa.Array, Mask | None]:
    return texts, None


_READ: dict[str, Callable[[pa.Array, pa.DataType], tuple[pa.Array, Mask | None]]] = {
    "integer": _read_integers,
    "number": _read_numbers,
    "boolean": _read_booleans,
    "timestamp": _read_timestamps,
    "category": _read_categories,
    "text": _read_texts,
}


def _one_by_one(texts: pa.Array, parse: Callable[[str], Any], kind: pa.DataType) -> tuple[pa.Array, Mask]:
    """Each distinct text parsed on its own; None from `parse` rejects it."""
    encoded = texts.dictionary_encode()
    parsed = [parse(text) for text in encoded.dictionary.to_pylist()]
    wrong = np.array([value is None for value in parsed], bool)
    values = pa.array(parsed, kind).take(encoded.indices)
    return values, _expand_mask(wrong, encoded.indices)


def _integer(text: str) -> int | None:
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if value in _INT64 else None


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _local_time(text: str) -> datetime | None:
    time = _time(text)
    return time if time is not None and time.tzinfo is None else None


def _utc_time(text: str) -> datetime | None:
    time = _time(text)
    try:
        return time.astimezone(UTC) if time is not None and time.tzinfo is not None else None
    except OverflowError:
        return None


def _time(text: str) -> datetime | None:
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
