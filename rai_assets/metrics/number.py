"""One published number with everything needed to compare it: definition, interval, rows and coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from rai_assets.provenance import Address, Provenance


@dataclass(frozen=True)
class Number:
    """A value of one metric definition on one set of rows.

    Attributes:
        definition: Id of the exact formula, e.g. `false_positive_rate@1`.
        value: The value, or None where there is none; then `reason` says why.
        low: Lower bound of the interval, or None: a count has no interval; elsewhere `reason` says why it is missing.
        high: Upper bound of the interval, or None likewise.
        level: Confidence level of the interval in (0, 1).
        n: Rows in the denominator; None without a value.
        small: True for a cell of fewer than 30 rows: shown, and marked.
        group: Sensitive columns and their values; empty for all rows.
        coordinates: What else places the number: class, feature, sensitive, stratifier, column, chunk.
        reference: The group compared with, for gaps to a reference.
        cohort: Name of the cohort, or None for all rows.
        split: `train`, `calibration`, `test` or `all`.
        unit: `rate`, `count`, `log-odds`, the target's unit, or empty.
        reason: Why there is no value, or what limits it.
        branch: Data branch; set when the number is stored.
        commit: Data commit; set when the number is stored.
        model: SHA-256 of the ONNX file, or None for logged decisions.
        address: Set when the number is read from a results commit.
    """

    definition: str
    value: float | None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    n: int | None = None
    small: bool = False
    group: Mapping[str, str] = field(default_factory=dict)
    coordinates: Mapping[str, str] = field(default_factory=dict)
    reference: Mapping[str, str] | None = None
    cohort: str | None = None
    split: str | None = None
    unit: str = ""
    reason: str | None = None
    branch: str | None = None
    commit: str | None = None
    model: str | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            bound = getattr(self, name)
            if bound is not None and not math.isfinite(bound):
                raise ValueError(f"{self.definition}: {name} is {bound}; a number without a value says why in `reason`")
        if self.value is None and not self.reason:
            raise ValueError(f"{self.definition} has neither a value nor a reason")

    def pinned(self, provenance: Provenance) -> Number:
        """The number with the data commit, branch and model it was computed from."""
        return replace(self, branch=provenance.branch, commit=provenance.commit, model=provenance.model)

    def addressed(self, use_case: str, results_commit: str, asset: str) -> Number:
        """The number with its address in a results commit."""
        others: dict[str, str] = {f".{name}": str(value) for name, value in self.coordinates.items()}
        if self.reference:
            others[".reference"] = ";".join(f"{name}={value}" for name, value in self.reference.items())
        if self.cohort:
            others[".cohort"] = self.cohort
        if self.split:
            others[".split"] = self.split
        coordinates = {**{name: str(value) for name, value in self.group.items()}, **others}
        return replace(self, address=str(Address(use_case, results_commit, asset, self.definition, coordinates)))

    def as_json(self) -> dict[str, Any]:
        """The JSON object of the number, all fields in their declared order."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in ("group", "coordinates", "reference"):
            values[name] = dict(values[name]) if values[name] is not None else None
        return values

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Number:
        """The number that `as_json` wrote."""
        return cls(**value)


def finite(value: float) -> float | None:
    """A Python float, or None where the value is not finite."""
    return float(value) if math.isfinite(value) else None


def measured(
    definition: str,
    value: float,
    low: float = math.nan,
    high: float = math.nan,
    *,
    level: float | None = None,
    **others: Any,
) -> Number:
    """A number from computed floats: NaN and infinity become None, and `level` is kept only beside a bound.

    Args:
        definition: Id of the formula.
        value: The value.
        low: Lower end of its interval.
        high: Upper end.
        level: Of the interval, e.g. 0.95.
        others: Further fields of `Number`.

    Raises:
        ValueError: The value is not finite and no `reason` is given.
    """
    bounds = finite(low), finite(high)
    kept = level if bounds != (None, None) else None
    return Number(definition, finite(value), *bounds, level=kept, **others)
