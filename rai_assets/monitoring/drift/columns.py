"""One column over some rows as a table of values and how often each occurs; and the cells of a reference, frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.data.sketch import CAPACITY, QuantileSketch

Kind = Literal["number", "category", "time"]

BINS = 10  # of a number, each with about the same share of the reference
EXACT_ROWS = 1_000_000  # rows of a side up to which every value is kept
_KEPT_VALUES = 1 << 17  # distinct numbers that are kept however many the rows
_WHOLE = 2.0**53  # below it every whole number is a double
_SMALL_RANGE = 1 << 21  # whole numbers within such a range are counted without sorting


@dataclass(frozen=True, eq=False)
class Sample:
    """One column over some rows; equal only to itself.

    Attributes:
        values: Its distinct values in order, shape (k,), float64: numbers, microseconds since 1970 of times, or the
            codes of the column's `Vocabulary`.
        counts: Rows of each value, shape (k,), int64, all above 0.
        missing: Rows without a value.
        error: Bound of the error of a share of the rows up to any value; 0 where every value was counted.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]
    missing: int = 0
    error: float = 0.0

    @property
    def n(self) -> int:
        """Rows with a value."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        """All rows."""
        return self.n + self.missing

    def __add__(self, other: Sample) -> Sample:
        values, counts = aligned(self, other)
        return Sample(values, counts.sum(0), self.missing + other.missing, max(self.error, other.error))

    def without(self, part: Sample) -> Sample:
        """The rows that are left when some of them are taken away."""
        values, (mine, theirs) = aligned(self, part)
        left = mine - theirs
        return Sample(values[left > 0], left[left > 0], self.missing - part.missing, self.error)

    def recoded(self, values: NDArray[np.float64]) -> Sample:
        """The same rows with another number in place of each distinct value, shape (k,)."""
        distinct, at = np.unique(values, return_inverse=True)
        counts = np.bincount(at, self.counts, len(distinct)).astype(np.int64)
        return Sample(distinct, counts, self.missing, self.error)


EMPTY = Sample(np.zeros(0), np.zeros(0, np.int64))


@lru_cache(maxsize=1)
def aligned(first: Sample, second: Sample) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """All values of two samples in order, shape (k,), and the counts of both, shape (2, k).

    The last pair is remembered, because several methods look at it one after the other.
    """
    if len(first.values) == len(second.values) and np.array_equal(first.values, second.values):
        return first.values, np.stack([first.counts, second.counts])
    values = np.union1d(first.values, second.values)
    counts = np.zeros((2, len(values)), np.int64)
    for row, sample in zip(counts, (first, second), strict=True):
        row[np.searchsorted(values, sample.values)] = sample.counts
    return values, counts


class Vocabulary:
    """The distinct texts of a column, numbered in the order in which they are first seen.

    Args:
        texts: Those that were seen before.
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._codes = {text: code for code, text in enumerate(texts)}

    @property
    def texts(self) -> list[str]:
        """The texts by code."""
        return list(self._codes)

    def codes(self, column: pa.DictionaryArray) -> NDArray[np.int64]:
        """The code of every row, shape (n,); -1 where it is missing. New texts get new codes."""
        known = self._codes
        numbered = [known.setdefault(text, len(known)) if text is not None else -1 for text in _texts(column)]
        indices = column.indices.fill_null(-1) if column.indices.null_count else column.indices
        return np.array([*numbered, -1], np.int64)[indices.to_numpy(zero_copy_only=False)]

    def counts(self, column: pa.DictionaryArray) -> NDArray[np.int64]:
        """Rows of every code, shape (k + 1,); those without a value come last. New texts get new codes."""
        known = self._codes
        indices = column.indices.drop_null() if column.indices.null_count else column.indices
        rows = np.bincount(indices.to_numpy(zero_copy_only=False), minlength=len(column.dictionary))
        numbered = np.array(
            [known.setdefault(text, len(known)) if text is not None else -1 for text in _texts(column)], np.int64
        )
        counts = np.zeros(len(known) + 1, np.int64)
        np.add.at(counts, numbered, rows)
        counts[-1] += len(column) - len(indices)
        return counts


def _texts(column: pa.DictionaryArray) -> list[str | None]:
    return column.dictionary.to_pylist()


class Tally:
    """Counts one column batch by batch, in memory that does not grow with the rows beyond a million of them.

    Args:
        vocabulary: Of a column of texts; None for numbers and times.
    """

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        self._vocabulary = vocabulary
        self._codes = np.zeros(1, np.int64)
        self._pending: list[NDArray[Any]] = []
        self._waiting = 0
        self._counted = EMPTY
        self._sketch: QuantileSketch | None = None
        self._missing = 0

    def add(self, column: pa.Array) -> None:
        """Count some rows of a normal column (`sources`)."""
        if self._vocabulary is not None:
            counts = self._vocabulary.counts(column)
            if len(counts) > len(self._codes):
                self._codes = np.concatenate(
                    [self._codes[:-1], np.zeros(len(counts) - len(self._codes), np.int64), self._codes[-1:]]
                )
            self._codes[: len(counts) - 1] += counts[:-1]
            self._codes[-1] += counts[-1]
            return
        self._missing += column.null_count
        known = column.drop_null() if column.null_count else column
        if len(known):
            self._pending.append(known.to_numpy(zero_copy_only=False))
            self._waiting += len(known)
        if self._waiting >= EXACT_ROWS:
            self._count()

    def finished(self) -> Sample:
        """What was counted."""
        if self._vocabulary is not None:
            codes = np.flatnonzero(self._codes[:-1])
            return Sample(codes.astype(np.float64), self._codes[codes], int(self._codes[-1]))
        self._count()
        if self._sketch is None:
            return Sample(self._counted.values, self._counted.counts, self._missing)
        values, counts = self._sketch.points()
        n = self._sketch.count
        return Sample(values, counts, self._missing, float(np.log2(max(n / CAPACITY, 1)) / CAPACITY))

    def _count(self) -> None:
        if not self._pending:
            return
        values: NDArray[Any] = np.concatenate(self._pending)
        self._pending, self._waiting = [], 0
        if self._sketch is not None:
            self._sketch.add(values.astype(np.float64))
            return
        rows = self._counted.n + len(values)
        self._counted += Sample(*_counted(values))
        if rows > EXACT_ROWS and len(self._counted.values) > _KEPT_VALUES:
            self._sketch = QuantileSketch()
            self._sketch.add(np.repeat(self._counted.values, self._counted.counts))
            self._counted = EMPTY


def _counted(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distinct values in order and the rows of each."""
    low, high = float(values.min()), float(values.max())
    wide = high - low
    if wide < min(_SMALL_RANGE, 16 * len(values) + 4096) and max(abs(low), abs(high)) < _WHOLE:
        whole = values.astype(np.int64) if values.dtype.kind == "f" else values
        if whole is values or np.array_equal(whole, values):
            start = int(low)
            rows = np.bincount((whole - start).astype(np.int64, copy=False))
            seen = np.flatnonzero(rows)
            return (seen + start).astype(np.float64), rows[seen].astype(np.int64)
    ordered = np.sort(values.astype(np.float64, copy=False))
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[first], np.diff(np.append(first, len(ordered)))


@dataclass(frozen=True)
class Cells:
    """The cells of a reference column, frozen: bins between quantiles of a number, the values of anything else.

    Attributes:
        kind: `category` where every value is a cell, else what the column holds.
        edges: Inner edges of the bins, shape (b - 1,); a value on an edge belongs to the bin below it. Of values: the
            values themselves, in order.
        labels: Names of the cells; the last cell of values is that of unseen ones.
    """

    kind: Kind
    edges: NDArray[np.float64]
    labels: tuple[str, ...] = field(default=())

    def codes(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """The cell of every value, shape (n,); -1 where it is NaN."""
        if self.kind == "category":
            at = np.searchsorted(self.edges, values)
            seen = np.append(self.edges, np.nan)[at] == values
            codes = np.where(seen, at, len(self.edges))
        else:
            codes = np.searchsorted(self.edges, values, side="left")
        return np.where(np.isnan(values), -1, codes)

    def counts(self, sample: Sample) -> NDArray[np.int64]:
        """Rows of a sample in every cell."""
        cells = np.bincount(self.codes(sample.values), sample.counts, len(self.labels))
        return cells.astype(np.int64)


def freeze(reference: Sample, kind: Kind, texts: list[str] | None = None) -> Cells:
    """The cells of a reference column.

    Args:
        reference: The column over the reference.
        kind: What it holds.
        texts: The texts of its vocabulary, for a category.
    """
    if kind == "category" or 0 < len(reference.values) <= BINS:
        names = [texts[int(code)] if texts else written(code, kind) for code in reference.values]
        return Cells("category", reference.values, (*names, "(unseen)"))
    reached = np.cumsum(reference.counts)
    at = np.searchsorted(reached, np.arange(1, BINS) / BINS * reached[-1] * (1 - 1e-12)) if len(reached) else []
    edges = np.unique(reference.values[at]) if len(reached) else np.zeros(0)
    edges = edges[edges < reference.values[-1]] if len(reached) else edges
    return Cells(kind, edges, tuple(_bins(edges, kind)))


def _bins(edges: NDArray[np.float64], kind: Kind) -> list[str]:
    shown = [written(edge, kind) for edge in edges]
    if not shown:
        return ["any value"]
    inner = [f"above {low} to {high}" for low, high in pairwise(shown)]
    return [f"up to {shown[0]}", *inner, f"above {shown[-1]}"]


def written(value: float, kind: Kind) -> str:
    """A value for people."""
    if kind == "time":
        return str(np.datetime64(int(value), "us").astype("datetime64[s]")).replace("T", " ")
    return f"{value:.6g}"
