"""Which rows two versions of a table share, in memory that does not grow with them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_BUCKET_ROWS = 1 << 18  # rows of one side that are compared at a time
_MISSING = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class RowChanges:
    """How many rows came, went and changed.

    Attributes:
        identifiers: Columns that name a row; empty where whole rows are compared, each as often as it occurs.
        before: Rows before.
        after: Rows after.
        added: Rows that only the later version has.
        removed: Rows that only the earlier version has.
        changed: Rows with the same identifier and other values; None where whole rows are compared.
        columns: {column: rows in which its value changed}, of the columns where there are any.
    """

    identifiers: tuple[str, ...]
    before: int
    after: int
    added: int
    removed: int
    changed: int | None
    columns: dict[str, int]


class RowFile:
    """Rows as 64-bit hashes in temporary files: of what names a row, and of each further value. A context manager.

    Two different rows share a hash with a chance of rows² / 2^65: 3e-8 for a million rows.

    Args:
        key: Name and type of the columns that name a row; rows with the same key are told apart by their order.
        values: Name and type of the columns that are compared between rows of the same key.
    """

    def __init__(self, key: Sequence[tuple[str, pa.DataType]], values: Sequence[tuple[str, pa.DataType]]) -> None:
        self._key, self._values = list(key), list(values)
        self._keys, self._words = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  closed below
        self.rows = 0

    def __enter__(self) -> RowFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keys.close()
        self._words.close()

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a batch that has all the columns."""
        key = np.zeros(batch.num_rows, np.uint64)
        for name, form in self._key:
            key = _mixed(key ^ _hashes(batch.column(name), form))
        self._keys.write(key.tobytes())
        words = [_hashes(batch.column(name), form) for name, form in self._values]
        if words:
            self._words.write(np.column_stack(words).tobytes())
        self.rows += batch.num_rows

    def compare(self, after: RowFile, identifiers: Sequence[str]) -> RowChanges:
        """What changed from these rows to those of a file with the same columns."""
        buckets = max(1, -(-max(self.rows, after.rows) // _BUCKET_ROWS))
        shared = changed = 0
        per_column = np.zeros(len(self._values), np.int64)
        for bucket in range(buckets):
            (old_keys, old_rows), (new_keys, new_rows) = (side._bucket(bucket, buckets) for side in (self, after))
            _, old, new = np.intersect1d(old_keys, new_keys, assume_unique=True, return_indices=True)
            shared += len(old)
            if self._values:
                differ = self._read_words(old_rows[old]) != after._read_words(new_rows[new])
                per_column += differ.sum(axis=0)
                changed += int(differ.any(axis=1).sum())
        return RowChanges(
            identifiers=tuple(identifiers),
            before=self.rows,
            after=after.rows,
            added=after.rows - shared,
            removed=self.rows - shared,
            changed=changed if identifiers else None,
            columns={name: int(count) for (name, _), count in zip(self._values, per_column, strict=True) if count},
        )

    def _bucket(self, bucket: int, buckets: int) -> tuple[Words, NDArray[np.int64]]:
        """Keys that no two rows share, and their rows, of one part of all keys."""
        if not self.rows:
            return np.zeros(0, np.uint64), np.zeros(0, np.int64)
        self._keys.flush()
        keys = np.memmap(self._keys, np.uint64, mode="r", shape=(self.rows,))
        found = [
            np.flatnonzero(keys[start : start + _BUCKET_ROWS] % np.uint64(buckets) == bucket) + start
            for start in range(0, self.rows, _BUCKET_ROWS)
        ]
        rows = np.concatenate(found)
        # Stable, so that the first of several equal rows is the first on both sides.
        rows = rows[np.argsort(keys[rows], kind="stable")]
        ordered = np.asarray(keys[rows])
        place = np.arange(len(rows)) - np.searchsorted(ordered, ordered, side="left")
        return _mixed(ordered ^ _mixed(place.astype(np.uint64))), rows

    def _read_words(self, rows: NDArray[np.int64]) -> Words:
        if not len(rows):
            return np.zeros((0, len(self._values)), np.uint64)
        self._words.flush()
        return np.asarray(np.memmap(self._words, np.uint64, mode="r", shape=(self.rows, len(self._values)))[rows])


def common_form(before: pa.DataType, after: pa.DataType) -> pa.DataType:
    """The type in which values of two types are compared: what is written alike is equal."""
    old, new = (kind.value_type if pa.types.is_dictionary(kind) else kind for kind in (before, after))
    if old == new:
        return old
    if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in (old, new)):
        return pa.float64()
    if all(pa.types.is_timestamp(kind) for kind in (old, new)):
        return pa.int64()
    return pa.string()


def _hashes(values: pa.Array, form: pa.DataType) -> Words:
    """One 64-bit hash per value; shape (n,)."""
    if pa.types.is_dictionary(values.type):
        words = np.append(_hashes(values.dictionary, form), _MISSING)
        codes = pc.fill_null(values.indices, len(values.dictionary)).to_numpy(zero_copy_only=False)
        return np.asarray(words[codes])
    cast = values.cast(form, safe=False) if values.type != form else values
    if pa.types.is_string(form):
        words = np.array([hash(text) for text in cast.to_pylist()], np.int64).view(np.uint64)
    elif pa.types.is_floating(form):
        # Adding zero makes -0.0 the zero that it equals.
        words = (pc.fill_null(cast, 0.0).to_numpy(zero_copy_only=False) + 0.0).view(np.uint64)
    else:
        whole = pc.fill_null(cast.cast(pa.int64(), safe=False), 0)
        words = whole.to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
    known = cast.is_valid().to_numpy(zero_copy_only=False)
    return np.where(known, _mixed(words), _MISSING)


def _mixed(words: Words) -> Words:
    """Spread the bits of each word over all of it (the finalizer of SplitMix64: Steele, Lea and Flood 2014)."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)))
