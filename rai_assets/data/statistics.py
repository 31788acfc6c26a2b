"""What every column holds, counted in one pass over a stream of rows, in memory that does not grow with them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.data.contract import Column, Contract
from rai_assets.data.sketch import CAPACITY, QuantileSketch

COUNTED_VALUES = 10_000  # distinct values that are counted; above, only that there are more is known
TOP_VALUES = 10
BINS = 20
SHARES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class ColumnStatistics:
    """One column in numbers.

    Attributes:
        name: The column.
        dtype: As declared.
        count: Rows.
        missing: Rows without a value.
        distinct: Distinct values; `COUNTED_VALUES` if there are more.
        distinct_exact: Whether `distinct` is all of them.
        minimum: Least value; a number, or the ISO text of a time.
        maximum: Greatest value.
        mean: Of a number.
        deviation: Standard deviation of a number, with n - 1 in the denominator; None below two values.
        quantiles: {share: value} at `SHARES`, of a number: the least value that the share of rows does not exceed.
        quantiles_exact: False where the rows were too many to keep, and ranks are off by under 0.1 %.
        histogram: {low, high, count} of `BINS` bins of one width between minimum and maximum, each with its lower
            bound; counts are approximate where quantiles are.
        top: {value, count} of the most frequent values, of anything but a fraction; exact while `distinct_exact`.
    """

    name: str
    dtype: str
    count: int
    missing: int
    distinct: int
    distinct_exact: bool
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    deviation: float | None = None
    quantiles: dict[str, float] = field(default_factory=dict)
    quantiles_exact: bool = True
    histogram: list[dict[str, float]] = field(default_factory=list)
    top: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


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
    """The running counts of one column.

    Attributes:
        column: The column.
        rows: Rows counted so far.
        missing: Those without a value.
        sketch: Numbers, and times in microseconds since 1970.
    """

    def __init__(self, column: Column) -> None:
        self.column = column
        self.rows = self.missing = 0
        self._values: Counter[Any] = Counter()
        self._overflowed = False
        self._low: Any = None
        self._high: Any = None
        self._moments = _Moments()
        self.sketch = QuantileSketch()

    def add(self, values: pa.Array) -> None:
        """Count the values of some rows."""
        self.rows += len(values)
        self.missing += values.null_count
        known = values.drop_null()
        if not len(known):
            return
        self._count(known)
        if self.column.dtype in ("number", "integer"):
            numbers = known.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            self._moments.add(numbers)
            self.sketch.add(numbers)
        if self.column.dtype in ("number", "integer", "timestamp"):
            if self.column.dtype == "timestamp":
                self.sketch.add(known.cast(pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64))
            bounds = pc.min_max(known).as_py()
            low, high = bounds["min"], bounds["max"]
            self._low = low if self._low is None else min(self._low, low)
            self._high = high if self._high is None else max(self._high, high)

    @property
    def counts(self) -> dict[str, int] | None:
        """{value as text: rows}; None if there are more than `COUNTED_VALUES` values."""
        return None if self._overflowed else {_label(value): rows for value, rows in self._values.items()}

    def _count(self, known: pa.Array) -> None:
        if self._overflowed:
            return
        counted = pc.value_counts(known)
        values, rows = counted.field("values"), counted.field("counts")
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        self._values.update(dict(zip(values.to_pylist(), rows.to_pylist(), strict=True)))
        self._overflowed = len(self._values) > COUNTED_VALUES

    def finished(self) -> ColumnStatistics:
        """What was counted."""
        numeric = self._moments.count > 0
        inner = self.sketch.quantiles(SHARES[1:-1]).tolist() if numeric else []
        quantiles = [float(self._low), *inner, float(self._high)] if numeric else []
        return ColumnStatistics(
            name=self.column.name,
            dtype=self.column.dtype,
            count=self.rows,
            missing=self.missing,
            distinct=min(len(self._values), COUNTED_VALUES),
            distinct_exact=not self._overflowed,
            minimum=_bound(self._low),
            maximum=_bound(self._high),
            mean=self._moments.mean if numeric else None,
            deviation=self._moments.deviation,
            quantiles=dict(zip((f"{share:g}" for share in SHARES), quantiles, strict=False)),
            quantiles_exact=self._moments.count <= CAPACITY,
            histogram=self._histogram() if numeric else [],
            top=self._top(),
        )

    def _histogram(self) -> list[dict[str, float]]:
        low, high = float(self._low), float(self._high)
        if low == high or not math.isfinite(high - low):
            return [{"low": low, "high": high, "count": self._moments.count}]
        edges = np.linspace(low, high, BINS + 1)
        below = self.sketch.ranks(edges)
        below[0], below[-1] = 0, self._moments.count
        counts = np.diff(below)
        return [{"low": float(edges[at]), "high": float(edges[at + 1]), "count": int(counts[at])} for at in range(BINS)]

    def _top(self) -> list[dict[str, Any]]:
        if self._overflowed or self.column.dtype == "number":
            return []
        ordered = sorted(self._values.items(), key=lambda entry: (-entry[1], str(entry[0])))
        return [{"value": _label(value), "count": rows} for value, rows in ordered[:TOP_VALUES]]


@dataclass
class _Moments:
    """Count, mean and squared deviations, merged batch by batch (Chan, Golub and LeVeque 1983)."""

    count: int = 0
    mean: float | None = 0.0
    _squares: float = 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        if self.mean is None:
            self.count += len(values)
            return
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            squares = float(np.square(values - mean).sum())
            total = self.count + len(values)
            shift = mean - self.mean
            merged = self.mean + shift * len(values) / total
            self._squares += squares + shift * shift * self.count * len(values) / total
        # Values near the greatest double have no mean in doubles.
        self.mean = merged if math.isfinite(merged) else None
        self.count = total

    @property
    def deviation(self) -> float | None:
        if self.count < 2 or self.mean is None or not math.isfinite(self._squares):
            return None
        return math.sqrt(self._squares / (self.count - 1))


def _bound(value: Any) -> float | str | None:
    return value if value is None or isinstance(value, int | float) else value.isoformat()


def _label(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
