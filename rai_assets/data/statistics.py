"""What every column holds, counted in one pass over a stream of rows, in memory that does not grow with them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.data.column_statistics import BINS, SHARES, TOP_VALUES, ColumnStatistics
from rai_assets.data.contract import Column, Contract
from rai_assets.data.distinct import COUNTED_VALUES, DistinctSketch
from rai_assets.data.moments import Lengths, Moments
from rai_assets.data.sketch import QuantileSketch


def describe(
    batches: Iterable[pa.RecordBatch], contract: Contract, tell: Callable[[int], None] = lambda _: None
) -> list[ColumnStatistics]:
    """The statistics of every column.

    Args:
        batches: The rows, with all columns of the contract.
        contract: The contract of the data.
        tell: Told the rows counted so far.
    """
    tallies = [Tally(column) for column in contract]
    done = 0
    for batch in batches:
        for tally in tallies:
            tally.add(batch.column(tally.column.name))
        done += batch.num_rows
        tell(done)
    return [tally.finished() for tally in tallies]


class Tally:
    """The running counts of one column. Those of two parts of the rows merge into those of both.

    Up to `COUNTED_VALUES` distinct values each is counted, and quantiles and top values are exact however many the
    rows; beyond, sketches take their place.

    Attributes:
        column: The column.
        rows: Rows counted so far.
        missing: Those without a value.
    """

    def __init__(self, column: Column) -> None:
        self.column = column
        self.rows = self.missing = 0
        self._values: Counter[Any] = Counter()
        self._distinct: DistinctSketch | None = None  # once there are too many values to count each
        self._points = QuantileSketch()
        self._low: Any = None
        self._high: Any = None
        self._moments = Moments()
        self._lengths = Lengths()

    def add(self, values: pa.Array) -> None:
        """Count the values of some rows."""
        self.rows += len(values)
        self.missing += values.null_count
        known = values.drop_null() if values.null_count else values
        if not len(known):
            return
        self._count(known)
        if self.column.dtype in ("number", "integer"):
            self._moments.merge(Moments.of(_scaled(known)))
        if self._on_a_scale:
            bounds = pc.min_max(known).as_py()
            self._widen(bounds["min"], bounds["max"])
        if self.column.dtype == "text":
            self._lengths.merge(Lengths.of(known))

    def merge(self, other: Tally) -> None:
        """Count the rows of another tally of this column too."""
        self.rows += other.rows
        self.missing += other.missing
        if other._low is not None:
            self._widen(other._low, other._high)
        self._moments.merge(other._moments)
        self._lengths.merge(other._lengths)
        if other._distinct is not None:
            self.forget_values()
        if self._distinct is None:
            self._values.update(other._values)
            if len(self._values) > COUNTED_VALUES:
                self.forget_values()
            return
        self._pour(other._values)
        if other._distinct is not None:
            self._distinct.merge(other._distinct)
            self._points.merge(other._points)

    @property
    def sketch(self) -> QuantileSketch:
        """Numbers, and times in microseconds since 1970."""
        if self._distinct is not None or not self._on_a_scale:
            return self._points
        made = QuantileSketch()
        made.add_counted(*self._counted(self._values))
        return made

    @property
    def counts(self) -> dict[str, int] | None:
        """{value as text: rows}; None if there are more than `COUNTED_VALUES` values."""
        return None if self._distinct is not None else {_label(value): rows for value, rows in self._values.items()}

    def forget_values(self) -> None:
        """Keep sketches in place of the values themselves."""
        if self._distinct is None:
            self._distinct = DistinctSketch()
            values, self._values = self._values, Counter()
            self._pour(values)

    def state(self) -> dict[str, Any]:
        """All counts as plain values, numpy arrays and texts, of which `restored` makes the tally again."""
        written = [_label(value) for value in self._values]
        return {
            "rows": self.rows,
            "missing": self.missing,
            "low": None if self._low is None else _label(self._low),
            "high": None if self._high is None else _label(self._high),
            "values": written,
            "counts": list(self._values.values()),
            "hashes": None if self._distinct is None else self._distinct.hashes,
            "moments": asdict(self._moments),
            "lengths": asdict(self._lengths),
            "points": self._points.state(),
        }

    @classmethod
    def restored(cls, column: Column, state: Mapping[str, Any]) -> Tally:
        """The tally of a state."""
        made = cls(column)
        made.rows, made.missing = state["rows"], state["missing"]
        read = _READERS[column.dtype]
        if state["low"] is not None:
            made._low, made._high = read(state["low"]), read(state["high"])
        made._values = Counter(dict(zip(map(read, state["values"]), state["counts"], strict=True)))
        if state["hashes"] is not None:
            made._distinct = DistinctSketch(np.asarray(state["hashes"], np.uint64))
        made._moments, made._lengths = Moments(**state["moments"]), Lengths(**state["lengths"])
        made._points = QuantileSketch.restored(state["points"])
        return made

    @property
    def _on_a_scale(self) -> bool:
        return self.column.dtype in ("number", "integer", "timestamp")

    def _widen(self, low: Any, high: Any) -> None:
        self._low = low if self._low is None else min(self._low, low)
        self._high = high if self._high is None else max(self._high, high)

    def _count(self, known: pa.Array) -> None:
        if self._distinct is None:
            counted = _value_counts(known)
            if counted is not None:
                self._values.update(counted)
                if len(self._values) > COUNTED_VALUES:
                    self.forget_values()
                return
            self.forget_values()
        assert self._distinct is not None  # noqa: S101
        self._distinct.add(known)
        if self._on_a_scale:
            self._points.add(_scaled(known))

    def _pour(self, values: Counter[Any]) -> None:
        """Add counted values to the sketches."""
        if self._distinct is None or not values:
            return
        self._distinct.add(self._array(values))
        if self._on_a_scale:
            self._points.add_counted(*self._counted(values))

    def _counted(self, values: Counter[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        return _scaled(self._array(values)), np.fromiter(values.values(), np.int64, len(values))

    def _array(self, values: Counter[Any]) -> pa.Array:
        kind = self.column.arrow_type
        return pa.array(list(values), kind.value_type if pa.types.is_dictionary(kind) else kind)

    def finished(self) -> ColumnStatistics:
        """What was counted."""
        numeric, sketch = self._moments.count > 0, self.sketch
        inner = sketch.quantiles(SHARES[1:-1]).tolist() if numeric else []
        quantiles = [float(self._low), *inner, float(self._high)] if numeric else []
        return ColumnStatistics(
            name=self.column.name,
            dtype=self.column.dtype,
            count=self.rows,
            missing=self.missing,
            distinct=len(self._values) if self._distinct is None else self._distinct.count,
            distinct_error=0.0 if self._distinct is None else self._distinct.error,
            minimum=_bound(self._low),
            maximum=_bound(self._high),
            mean=self._moments.mean if numeric else None,
            deviation=self._moments.deviation,
            quantiles=dict(zip((f"{share:g}" for share in SHARES), quantiles, strict=False)),
            quantiles_error=sketch.error,
            histogram=self._histogram(sketch) if numeric else [],
            top=self._top(),
            lengths=self._lengths.as_json(),
        )

    def _histogram(self, sketch: QuantileSketch) -> list[dict[str, float]]:
        low, high = float(self._low), float(self._high)
        if low == high or not math.isfinite(high - low):
            return [{"low": low, "high": high, "count": self._moments.count}]
        edges = np.linspace(low, high, BINS + 1)
        below = sketch.ranks(edges)
        below[0], below[-1] = 0, self._moments.count
        counts = np.diff(below)
        return [{"low": float(edges[at]), "high": float(edges[at + 1]), "count": int(counts[at])} for at in range(BINS)]

    def _top(self) -> list[dict[str, Any]]:
        if self._distinct is not None or self.column.dtype == "number":
            return []
        ordered = sorted(self._values.items(), key=lambda entry: (-entry[1], str(entry[0])))
        return [{"value": _label(value), "count": rows} for value, rows in ordered[:TOP_VALUES]]


def _value_counts(known: pa.Array) -> Counter[Any] | None:
    """How often every value occurs; None if there are too many of them, which the first rows mostly show."""
    found: Counter[Any] = Counter()
    for part in (known[: 2 * COUNTED_VALUES], known[2 * COUNTED_VALUES :]):
        counted = pc.value_counts(part)
        if len(counted) > COUNTED_VALUES:
            return None
        values = counted.field("values")
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        for value, rows in zip(values.to_pylist(), counted.field("counts").to_pylist(), strict=True):
            found[value] += rows  # 0.0 and -0.0 are two for Arrow
    return found


def _scaled(known: pa.Array) -> NDArray[np.float64]:
    """Numbers, and times in microseconds since 1970."""
    if pa.types.is_timestamp(known.type):
        known = known.cast(pa.timestamp("us", known.type.tz)).cast(pa.int64())
    return known.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _bound(value: Any) -> float | str | None:
    return value if value is None or isinstance(value, int | float) else value.isoformat()


def _label(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


_READERS: dict[str, Callable[[str], Any]] = {
    "number": float,
    "integer": int,
    "boolean": "true".__eq__,
    "category": str,
    "text": str,
    "timestamp": datetime.fromisoformat,
}
