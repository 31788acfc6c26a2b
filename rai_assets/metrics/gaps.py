"""Gaps between groups, whatever the metric: largest to smallest, and to a reference group, each with an interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rai_assets.errors import UsageError
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.estimates import SMALL, Estimates, missing_bounds, too_small
from rai_assets.metrics.intervals import (
    Floats,
    difference_interval,
    max_min_difference,
    max_min_ratio,
    ratio_interval,
    simultaneous,
)
from rai_assets.metrics.number import Number, measured
from rai_assets.metrics.rows import Grouping

NAMED_AT_MOST = 3
"""Groups left out of a comparison that are named in its reason; more are counted."""


LeftOut = Mapping[int, Sequence[str]]
"""Why groups do not enter a gap, by their code."""


def join(*reasons: str) -> str:
    """Reasons as one, each once; empty ones are passed over."""
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))


def group_name(group: Mapping[str, str]) -> str:
    """A group for people: `race=Other, sex=F`."""
    return ", ".join(f"{column}={value}" for column, value in group.items())


@dataclass(frozen=True)
class Gap:
    """Value and interval of one comparison; NaN where undefined, infinite where unbounded."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """How the groups of one grouping are compared.

    Attributes:
        grouping: The groups, G of them.
        sizes: Unweighted rows per group, (G,).
        level: Confidence level.
        minimum_size: Groups with fewer rows, in all or in a denominator, are left out of its gaps, and that is said.
        split: Split the rows come from.
        coordinates: What else places the gaps, e.g. the class.
    """

    grouping: Grouping
    sizes: NDArray[np.int64]
    level: float = 0.95
    minimum_size: int = 5
    split: str | None = None
    coordinates: Mapping[str, str] = field(default_factory=dict)

    def difference(self, estimates: Estimates, name: str | None = None) -> Number:
        """Largest less smallest value: `R_difference`, or a named gap with that formula."""
        kept, out = self.kept(estimates)
        name = name or f"{estimates.metric}_difference"
        if why := self.too_few(kept, out):
            return self.undefined(name, why)
        return self.number(name, difference_gap(kept, self.level), [kept], out)

    def ratio(self, estimates: Estimates, name: str | None = None) -> Number:
        """Smallest over largest value: `R_ratio`, or a named gap with that formula."""
        kept, out = self.kept(estimates)
        name = name or f"{estimates.metric}_ratio"
        if why := self.too_few(kept, out) or no_ratio(kept):
            return self.undefined(name, why)
        return self.number(name, ratio_gap(kept, self.level), [kept], out)

    def to_reference(self, estimates: Estimates, reference: Mapping[str, str]) -> list[Number]:
        """`R_difference_to_reference` and `R_ratio_to_reference` of every other group, each at its own level.

        Raises:
            UsageError: There is no such group.
        """
        base = self.code_of(reference)
        low, high = estimates.bounds(_pair_level(estimates, self.level))
        no_base, numbers = self.why_not(estimates, base), []
        for code, group in enumerate(self.grouping.groups):
            if code == base:
                continue
            pair = estimates.take([code, base])
            why = self.why_not(estimates, code) or (no_base and f"reference group: {no_base}")
            places: dict[str, Any] = {"group": dict(group), "reference": dict(self.grouping.groups[base])}
            for suffix, compare in (("difference", pair_difference), ("ratio", pair_ratio)):
                name = f"{estimates.metric}_{suffix}_to_reference"
                reason = why or ("" if suffix == "difference" else no_ratio_to(*pair.value))
                if reason:
                    numbers.append(self.undefined(name, reason, **places))
                else:
                    gap = compare(pair, low[[code, base]], high[[code, base]])
                    numbers.append(self.number(name, gap, [pair], **places))
        return numbers

    def kept(self, estimates: Estimates) -> tuple[Estimates, LeftOut]:
        """The estimates that can be compared, and why each other group is left out, by its code."""
        reasons = [self.why_not(estimates, code) for code in range(len(self.grouping.groups))]
        keep = np.array([not why for why in reasons], bool)
        return estimates.take(keep), {code: [why] for code, why in enumerate(reasons) if why}

    def why_not(self, estimates: Estimates, code: int) -> str:
        """Why a group cannot be compared; empty where it can."""
        if self.sizes[code] < self.minimum_size:
            return too_small(int(self.sizes[code]), self.minimum_size)
        return estimates.withheld(code, self.minimum_size)

    def too_few(self, kept: Estimates, out: LeftOut) -> str:
        """Why there is nothing to compare; empty where there is."""
        return "" if len(kept.value) > 1 else join("fewer than two groups can be compared", self.left_out(out))

    def left_out(self, out: LeftOut) -> str:
        """Which groups do not enter a gap and why, for people; empty for none."""
        named = [f"{group_name(self.grouping.groups[code])} ({join(*out[code])})" for code in sorted(out)]
        more = f" and {len(named) - NAMED_AT_MOST} more" if len(named) > NAMED_AT_MOST else ""
        return f"left out: {'; '.join(named[:NAMED_AT_MOST])}{more}" if named else ""

    def code_of(self, group: Mapping[str, str]) -> int:
        """The code of a group.

        Raises:
            UsageError: There is no such group.
        """
        for code, known in enumerate(self.grouping.groups):
            if dict(known) == dict(group):
                return code
        some = "; ".join(group_name(known) for known in self.grouping.groups[:10])
        raise UsageError(f"there is no group {group_name(group)!r} in {self.grouping.name}", fix=f"one of: {some}")

    def number(
        self,
        name: str,
        gap: Gap,
        parts: Sequence[Estimates],
        out: LeftOut | None = None,
        group: Mapping[str, str] | None = None,
        reference: Mapping[str, str] | None = None,
    ) -> Number:
        """A gap as a published number: n sums the denominators, small if any of them is.

        Args:
            name: Name of its definition.
            gap: Value and interval.
            parts: The estimates of the groups that it compares; several for an average of gaps.
            out: Groups that were left out, and why.
            group: The group that is compared with the reference; None for a gap over all groups.
            reference: The group that it is compared with, if it is one.
        """
        bounded = math.isfinite(gap.low) and math.isfinite(gap.high)
        unbounded = missing_bounds(gap.low, gap.high, [] if bounded else self._causes(parts))
        return measured(
            definition(name).id,
            gap.value,
            gap.low,
            gap.high,
            level=self.level,
            n=int(max(part.n.sum() for part in parts)),
            small=any(int(part.scarcest.min()) < SMALL for part in parts),
            reason=join(self.left_out(out or {}), *(part.note for part in parts), unbounded) or None,
            unit=definition(name).unit,
            **self._places(group, reference),
        )

    def undefined(
        self,
        name: str,
        reason: str,
        group: Mapping[str, str] | None = None,
        reference: Mapping[str, str] | None = None,
    ) -> Number:
        """A gap that cannot be given, and why."""
        unit = definition(name).unit
        return Number(definition(name).id, None, reason=reason, unit=unit, **self._places(group, reference))

    def _causes(self, parts: Sequence[Estimates]) -> list[str]:
        """Why a gap lacks a bound: because a group does, or because a ratio has no end."""
        at = [(part, simultaneous(self.level, len(part.value), by_pair=not part.biased)) for part in parts]
        causes = [cause for part, level in at for cause in part.causes(level)]
        if causes:
            return list(dict.fromkeys(causes))
        below = any((part.bounds(level)[0] < 0).any() for part, level in at)
        return ["a value may be below 0" if below else "the value that others are divided by may be 0"]

    def _places(self, group: Mapping[str, str] | None, reference: Mapping[str, str] | None) -> dict:
        coordinates = {"sensitive": self.grouping.name, **self.coordinates}
        return {"group": group or {}, "coordinates": coordinates, "reference": reference, "split": self.split}


def difference_gap(estimates: Estimates, level: float) -> Gap:
    """Largest less smallest of two or more defined values."""
    value = estimates.value
    return Gap(
        float(value.max() - value.min()),
        *max_min_difference(value, estimates.bounds, level, by_pair=not estimates.biased),
    )


def ratio_gap(estimates: Estimates, level: float) -> Gap:
    """Smallest over largest of two or more defined values that are not negative and not all 0."""
    value = estimates.value
    return Gap(
        float(value.min() / value.max()), *max_min_ratio(value, estimates.bounds, level, by_pair=not estimates.biased)
    )


def no_ratio(estimates: Estimates) -> str:
    """Why the values have no ratio; empty where they have one."""
    if estimates.value.min() < 0:
        return "a value is below 0, and a ratio needs values of one sign"
    return "" if estimates.value.max() > 0 else "the value of every group is 0"


def no_ratio_to(value: float, base: float) -> str:
    """Why two values have no ratio; empty where they have one."""
    if min(value, base) < 0:
        return "a value is below 0, and a ratio needs values of one sign"
    return "" if base > 0 else "the value of the reference group is 0"


def pair_difference(pair: Estimates, low: Floats, high: Floats) -> Gap:
    """First less second of two values, with their bounds, (2,), at the wanted level."""
    value = pair.value
    if pair.biased:
        return Gap(float(value[0] - value[1]), float(low[0] - high[1]), float(high[0] - low[1]))
    bounds = difference_interval(value[0], (low[0], high[0]), value[1], (low[1], high[1]))
    return Gap(float(value[0] - value[1]), float(bounds[0]), float(bounds[1]))


def pair_ratio(pair: Estimates, low: Floats, high: Floats) -> Gap:
    """First over second of two values, the second above 0, with their bounds, (2,), at the wanted level."""
    value = pair.value
    if pair.biased:
        return Gap(
            float(value[0] / value[1]), float(low[0] / high[1]), float(high[0] / low[1]) if low[1] > 0 else math.inf
        )
    bounds = ratio_interval(value[0], (low[0], high[0]), value[1], (low[1], high[1]))
    return Gap(float(value[0] / value[1]), float(bounds[0]), float(bounds[1]))


def _pair_level(estimates: Estimates, level: float) -> float:
    """Level of each of two bounds that a gap at a level is made from."""
    return simultaneous(level, 2, by_pair=not estimates.biased)
