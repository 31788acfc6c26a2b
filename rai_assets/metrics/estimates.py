"""One metric over many groups: values, denominators, the interval at any level, and why something is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rai_assets.metrics.intervals import Bounds, Floats, Limits

SMALL = 30
"""A denominator below this is shown and marked small."""

Causes = NDArray[np.str_]

LOPSIDED = "one row carries nearly all the weight"
FEWEST_EFFECTIVE = 1.5
"""Effective rows from which a spread can be estimated."""


@dataclass(frozen=True)
class Estimates:
    """The values of one metric in G groups.

    Attributes:
        metric: Name of the metric, without version.
        value: float64 (G,), NaN where undefined.
        n: Rows in the denominator, int64 (G,).
        limits: Bounds (G,) at a confidence level; NaN where there is none, infinite where unbounded.
        undefined: Why a value can be NaN, for people.
        unbounded: Why a bound can be missing, for people, str (G,); None where none can be.
        least: Rows that must reach the minimum size, e.g. those of the rarer class, int64 (G,); None where that is `n`.
        kind: What those rows are, for people: `with a negative target`; empty for any rows.
        support: Rows that decide what is small, e.g. those of the rarest class, int64 (G,); None where that is `least`.
        note: What limits every value, for people; empty for nothing.
        biased: The values are off to one side by chance. The distances from value to bounds then do not add in
            squares, and gaps are bounded by the bounds alone.
    """

    metric: str
    value: Floats
    n: NDArray[np.int64]
    limits: Limits
    undefined: str = "no row"
    unbounded: Causes | None = None
    least: NDArray[np.int64] | None = None
    kind: str = ""
    support: NDArray[np.int64] | None = None
    note: str = ""
    biased: bool = False

    @property
    def deciding(self) -> NDArray[np.int64]:
        """Rows that must reach the minimum size, (G,)."""
        return self.n if self.least is None else self.least

    @property
    def scarcest(self) -> NDArray[np.int64]:
        """Rows that decide what is small, (G,)."""
        return self.deciding if self.support is None else self.support

    def take(self, groups: ArrayLike) -> Estimates:
        """The estimates of some groups, by indices (m,) or a mask (G,)."""
        chosen = np.asarray(groups)

        def limits(level: float) -> Bounds:
            low, high = self.limits(level)
            return low[chosen], high[chosen]

        def part(values: NDArray | None) -> NDArray | None:
            return None if values is None else values[chosen]

        return Estimates(
            self.metric,
            self.value[chosen],
            self.n[chosen],
            limits,
            self.undefined,
            part(self.unbounded),
            part(self.least),
            self.kind,
            part(self.support),
            self.note,
            self.biased,
        )

    def bounds(self, level: float) -> Bounds:
        """Bounds (G,) at a level that always hold the value between them; NaN where there is none."""
        low, high = self.limits(level)
        return np.minimum(low, self.value), np.maximum(high, self.value)

    def withheld(self, code: int, minimum_size: int) -> str:
        """Why the value of a group is not published; empty where it is."""
        rows = int(self.deciding[code])
        if 0 < rows < minimum_size:
            return too_small(rows, minimum_size, self.kind)
        return self.undefined if np.isnan(self.value[code]) else ""

    def causes(self, level: float) -> list[str]:
        """Why groups lack a bound at a level, each cause once."""
        if self.unbounded is None:
            return []
        low, high = self.bounds(level)
        return list(dict.fromkeys(self.unbounded[~(np.isfinite(low) & np.isfinite(high))].tolist()))


def too_small(rows: int, minimum_size: int, kind: str = "") -> str:
    """Why there is no number: `1 row with a negative target, under the minimum size 5`."""
    return f"{rows} {'row' if rows == 1 else 'rows'} {kind}".rstrip() + f", under the minimum size {minimum_size}"


def missing_bounds(low: float, high: float, causes: list[str]) -> str:
    """Which bounds of a number are missing and why, for people; empty where none is."""
    sides = [name for name, bound in (("lower", low), ("upper", high)) if not np.isfinite(bound)]
    if not sides:
        return ""
    return f"no {f'{sides[0]} bound' if len(sides) == 1 else 'interval'}, because {' and '.join(causes)}"
