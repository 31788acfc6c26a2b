"""One column in numbers, as it is stored and shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

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
        distinct: Distinct values.
        distinct_error: Standard error of `distinct` as a share of it; 0 up to `COUNTED_VALUES`, where all are counted.
        minimum: Least value; a number, or the ISO text of a time.
        maximum: Greatest value.
        mean: Of a number.
        deviation: Standard deviation of a number, with n - 1 in the denominator; None below two values.
        quantiles: {share: value} at `SHARES`, of a number: the least value that the share of rows does not exceed.
        quantiles_error: Bound of what the rank of a quantile is off by, as a share of the values; 0 where every value
            was counted.
        histogram: {low, high, count} of `BINS` bins of one width between minimum and maximum, each with its lower
            bound; counts are approximate where quantiles are.
        top: {value, count} of the most frequent values, of anything but a fraction; none beyond `COUNTED_VALUES`
            distinct ones.
        lengths: {minimum, maximum, mean} of the characters of a text.
    """

    name: str
    dtype: str
    count: int
    missing: int
    distinct: int
    distinct_error: float
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    deviation: float | None = None
    quantiles: dict[str, float] = field(default_factory=dict)
    quantiles_error: float = 0.0
    histogram: list[dict[str, float]] = field(default_factory=list)
    top: list[dict[str, Any]] = field(default_factory=list)
    lengths: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)
