"""A changed schema: how files differ from a contract, and the contract that they would keep."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rai_assets.data.columns import ColumnSettings, DType
from rai_assets.data.contract import Contract
from rai_assets.data.conversion import Conversion
from rai_assets.data.readers import read_batches
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import InputRefused

_FEW = 50  # distinct texts that are categories
_MANY = 10_000  # distinct texts of a column that are looked at
_BOOLEANS = frozenset({"true", "false"})
_TYPED: tuple[tuple[str, DType], ...] = (
    ("is_boolean", "boolean"),
    ("is_integer", "integer"),
    ("is_floating", "number"),
    ("is_timestamp", "timestamp"),
)


@dataclass(frozen=True)
class Change:
    """How one column differs.

    Attributes:
        column: Its name.
        sentence: The difference, in words.
        settings: What the column is from then on; None if it is gone.
    """

    column: str
    sentence: str
    settings: ColumnSettings | None


def changes(settings: DatasetSettings, base: Path, optional: Collection[str]) -> list[Change]:
    """How files differ from the contract that they are read by: columns, types, and values of categories.

    Args:
        settings: The contract, with the files.
        base: The folder of the files.
        optional: Columns that they may lack.

    Raises:
        InputRefused: A file cannot be read.
    """
    conversion = Conversion(settings, Contract.of(settings))
    rejected: set[str] = set()
    seen: dict[str, pa.Array] = {}
    for batch in read_batches(settings, base):
        rejected |= set(conversion.convert(batch).rejected)
        raw = batch.part.columns
        for name, column in zip(raw.schema.names, raw.columns, strict=True):
            plain = column.dictionary if pa.types.is_dictionary(column.type) else pc.unique(column)
            both = [seen[name], plain] if name in seen else [plain]
            seen[name] = pc.unique(pa.concat_arrays(both)).slice(0, _MANY)
    if not seen:
        raise InputRefused("the files have no rows", fix="a contract is learned from rows")
    found = []
    for name in settings.file_columns:
        column = settings.columns[name]
        if column.roles == ("ignored",):
            continue
        if name not in seen:
            found += [] if name in optional else [Change(name, f"{name!r} is gone", None)]
        elif name in rejected:
            found.append(_other_type(name, column, _dtype(seen[name], settings.missing)))
        elif (new := _new_values(column, seen[name], settings)) is not None:
            found.append(Change(name, f"{name!r} has new values: {new[0]}", new[1]))
    for name in seen:
        if name not in settings.columns:
            dtype = _dtype(seen[name], settings.missing)
            added = ColumnSettings(role="context", dtype=dtype, missing="allowed")
            found.append(Change(name, f"{name!r} is new: {dtype}", added))
    return found


def changed(dataset: dict[str, Any], found: Sequence[Change]) -> dict[str, Any]:
    """A contract's data set with the changes; columns that are gone are no part of it."""
    columns = dict(dataset["columns"])
    for change in found:
        if change.settings is None:
            del columns[change.column]
        else:
            columns[change.column] = change.settings.model_dump(mode="json", exclude_unset=True)
    return {**dataset, "columns": columns}


def _other_type(name: str, column: ColumnSettings, dtype: DType) -> Change:
    """The column with another type; of its rules those that can be said of that type."""
    kept: dict[str, Any] = {"role": column.role, "dtype": dtype, "missing": column.missing}
    if dtype in ("number", "integer") and column.dtype in ("number", "integer"):
        kept |= {key: getattr(column, key) for key in ("minimum", "maximum", "edges", "threshold")}
    try:
        settings = ColumnSettings(**kept, description=column.description)
    except ValueError as error:
        raise InputRefused(
            f"the column {name!r} is {dtype} now, which one with role {', '.join(column.roles)} cannot be",
            fix="mend the files, or change the declaration and audit the model again",
        ) from error
    return Change(name, f"{name!r} is {dtype}, not {column.dtype}", settings)


def _new_values(column: ColumnSettings, seen: pa.Array, settings: DatasetSettings) -> tuple[str, ColumnSettings] | None:
    if column.allowed is None:
        return None
    texts = [text for text in seen.cast(pa.string()).to_pylist() if text is not None]
    texts = [text.strip() if settings.trim else text for text in texts]
    new = sorted(set(texts) - set(column.allowed) - set(settings.missing))
    if not new:
        return None
    stated = column.model_dump(exclude_unset=True)
    widened = ColumnSettings.model_validate({**stated, "allowed": [*column.allowed, *new]})
    return ", ".join(map(repr, new[:10])), widened


def _dtype(values: pa.Array, missing: Sequence[str]) -> DType:
    """The narrowest type that all values have."""
    for test, dtype in _TYPED:
        if getattr(pa.types, test)(values.type):
            return dtype
    texts = [text for text in values.cast(pa.string()).to_pylist() if text is not None and text not in missing]
    if not texts:
        return "text"
    if {text.lower() for text in texts} <= _BOOLEANS:
        return "boolean"
    kinds: tuple[tuple[DType, pa.DataType], ...] = (("integer", pa.int64()), ("number", pa.float64()))
    for name, kind in (*kinds, ("timestamp", pa.timestamp("us")), ("timestamp", pa.timestamp("us", tz="UTC"))):
        try:
            pa.array(texts, pa.string()).cast(kind)
        except pa.ArrowInvalid:
            continue
        return name
    return "category" if len(texts) <= _FEW else "text"
