"""Which of the demo's planted faults the published numbers show.

Reads nothing but the objects that `rai metrics lending --format json` prints. Every comparison is between a number
and the value it would have without the fault: a constant, or another published number. Its p-value is that of the
widest level at which their intervals are still apart (Altman & Bland, How to obtain the P value from a confidence
interval, BMJ 343:d2304, 2011; for two numbers, their half-widths facing each other are added in squares: Zou & Donner,
Statistics in Medicine 27, 2008). A fault that shows in several comparisons needs all of them, so it has the largest
p-value of them. A fault is found when its p-value, adjusted for the four claims (Holm, 1979), is at most 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

LEVEL = 0.05
_NORMAL = NormalDist()

JsonNumber = Mapping[str, Any]


@dataclass(frozen=True)
class Planted:
    """One row of the table *planted -> found*.

    Attributes:
        name: Name of the fault in `generator.FAULTS`.
        planted: What was planted, in words.
        found: Whether the published numbers show it.
        p_value: Adjusted for all claims; 1 where a number is missing.
        evidence: The numbers with their addresses, or which of them is missing.
    """

    name: str
    planted: str
    found: bool
    p_value: float
    evidence: str


@dataclass(frozen=True)
class _Comparison:
    """`upper` lies above `lower` while the fault is on; `lower` None stands for zero."""

    upper: JsonNumber | None
    lower: JsonNumber | None
    wanted: str
    against_zero: bool = False


def findings(numbers: Iterable[JsonNumber]) -> list[Planted]:
    """The four faults and whether the numbers of the audited rows show them.

    Args:
        numbers: Objects with the fields of `Number.as_json`.
    """
    published = [number for number in numbers if number["split"] == "test" and not number["cohort"]]
    p_values, evidence = [], []
    for _, _, compare in _CLAIMS:
        comparisons = compare(published)
        p_values.append(max(_p_value(item) for item in comparisons))
        evidence.append("; ".join(_describe(item) for item in comparisons))
    adjusted = _holm(p_values)
    return [
        Planted(name, planted, adjusted[row] <= LEVEL, adjusted[row], evidence[row])
        for row, (name, planted, _) in enumerate(_CLAIMS)
    ]


def _label_bias(numbers: Sequence[JsonNumber]) -> list[_Comparison]:
    return [_above_zero(numbers, "base_rate_conditional_difference", sensitive="sex", stratifier="merit_band")]


def _proxy(numbers: Sequence[JsonNumber]) -> list[_Comparison]:
    """`channel` is known to have neither a cause nor an effect: what it has is what chance gives."""
    return [
        _above(
            numbers,
            _Wanted("sensitive_association", {}, {"feature": "postcode_area", "sensitive": "origin"}),
            _Wanted("sensitive_association", {}, {"feature": "channel", "sensitive": "origin"}),
        ),
        _above(
            numbers,
            _Wanted("mean_absolute_shap_value", {}, {"feature": "postcode_area"}),
            _Wanted("mean_absolute_shap_value", {}, {"feature": "channel"}),
        ),
        _above_zero(numbers, "selection_rate_conditional_difference", sensitive="origin", stratifier="merit_band"),
    ]


def _intersection(numbers: Sequence[JsonNumber]) -> list[_Comparison]:
    inner = _Wanted("selection_rate", {"sex": "F", "age_group": "60+"})
    return [_above(numbers, _Wanted("selection_rate", group), inner) for group in ({"sex": "F"}, {"age_group": "60+"})]


def _miscalibration(numbers: Sequence[JsonNumber]) -> list[_Comparison]:
    return [_above(numbers, _Wanted("mean_score", {"origin": "C"}), _Wanted("base_rate", {"origin": "C"}))]


_CLAIMS: tuple[tuple[str, str, Callable[[Sequence[JsonNumber]], list[_Comparison]]], ...] = (
    ("label_bias", "Women are judged harsher than men of the same merit", _label_bias),
    ("proxy", "The postcode area stands in for origin and carries weight in the model", _proxy),
    ("intersection", "Women of 60 and more are selected less than women and than people of 60 and more", _intersection),
    ("miscalibration", "Scores of origin C are too high since officers judge it harsher", _miscalibration),
)


@dataclass(frozen=True)
class _Wanted:
    definition: str
    group: Mapping[str, str]
    coordinates: Mapping[str, str] | None = None

    def __str__(self) -> str:
        places = {**self.group, **(self.coordinates or {})}
        inner = ",".join(f"{name}={value}" for name, value in places.items())
        return f"{self.definition}[{inner}]" if inner else self.definition

    def among(self, numbers: Sequence[JsonNumber]) -> JsonNumber | None:
        """The number asked for, if it is there and has a value with an interval."""
        for number in numbers:
            if (
                number["definition"].partition("@")[0] == self.definition
                and number["group"] == self.group
                and not number["reference"]
                and (number["coordinates"] or {}) == (self.coordinates or {})
                and None not in (number["value"], number["low"], number["high"], number["level"])
            ):
                return number
        return None


def _above(numbers: Sequence[JsonNumber], upper: _Wanted, lower: _Wanted) -> _Comparison:
    return _Comparison(upper.among(numbers), lower.among(numbers), f"{upper} > {lower}")


def _above_zero(numbers: Sequence[JsonNumber], definition: str, **coordinates: str) -> _Comparison:
    wanted = _Wanted(definition, {}, coordinates)
    return _Comparison(wanted.among(numbers), None, f"{wanted} > 0", against_zero=True)


def _p_value(comparison: _Comparison) -> float:
    """Two-sided p-value of "no difference"; 1 where a number is missing or the difference has the other sign."""
    upper, lower = comparison.upper, comparison.lower
    if upper is None or (lower is None and not comparison.against_zero):
        return 1.0
    if lower is None and upper["low"] <= 0.0:
        # A gap has no values below 0, so its interval ends there however wide it is.
        return 1.0
    distance = upper["value"] - (lower["value"] if lower is not None else 0.0)
    below = (upper["value"] - upper["low"]) / _reach(upper)
    above = (lower["high"] - lower["value"]) / _reach(lower) if lower is not None else 0.0
    error = math.hypot(below, above)
    if distance <= 0.0 or error <= 0.0:
        return 1.0
    return math.erfc(distance / error / math.sqrt(2.0))


def _reach(number: JsonNumber) -> float:
    """Standard errors between the value and the end of its interval."""
    return _NORMAL.inv_cdf(0.5 + number["level"] / 2.0)


def _holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, floor = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = floor
    return adjusted


def _describe(comparison: _Comparison) -> str:
    upper, lower = comparison.upper, comparison.lower
    if upper is None or (lower is None and not comparison.against_zero):
        return f"not published with an interval: {comparison.wanted}"
    return f"{_written(upper)} against {_written(lower) if lower is not None else '0'}"


def _written(number: JsonNumber) -> str:
    place = number["address"] or number["definition"]
    return f"{number['value']:.3f} ({number['low']:.3f} to {number['high']:.3f}) {place}"
