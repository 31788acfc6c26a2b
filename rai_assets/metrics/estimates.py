"""One metric over many groups: values, denominators, and the interval at any level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rai_assets.metrics.intervals import Bounds, Floats, Limits

SMALL = 30
"""A denominator below this is shown and marked small."""


@dataclass(frozen=True)
class Estimates:
    """The values of one metric in G groups.

    Attributes:
        metric: Name of the metric, without version.
        value: float64 (G,), NaN where undefined.
        n: Rows in the denominator, int64 (G,).
        limits: Bounds (G,) at a confidence level; NaN where there is none, infinite where unbounded. None for a count.
        undefined: Why a value can be NaN, for people.
        no_interval: Why a value can be without an interval, for people.
        support: Rows of the scarcest part that the metric needs, e.g. of the rarer class, int64 (G,); decides what is
            small. None where that is `n`.
        note: What limits every value, for people; empty for nothing.
    """

    metric: str
    value: Floats
    n: NDArray[np.int64]
    limits: Limits | None = None
    undefined: str = ""
    no_interval: str = ""
    support: NDArray[np.int64] | None = None
    note: str = ""

    @property
    def scarcest(self) -> NDArray[np.int64]:
        """Rows that decide what is small, (G,)."""
        return self.n if self.support is None else self.support

    def take(self, groups: ArrayLike) -> Estimates:
        """The estimates of some groups, by index or mask."""
        chosen, limits = np.asarray(groups), self.limits

        def chosen_limits(level: float) -> Bounds:
            assert limits is not None  # noqa: S101 - narrows the type
            low, high = limits(level)
            return low[chosen], high[chosen]

        return Estimates(
            self.metric,
            self.value[chosen],
            self.n[chosen],
            None if limits is None else chosen_limits,
            self.undefined,
            self.no_interval,
            None if self.support is None else self.support[chosen],
            self.note,
        )

    def bounds(self, level: float) -> Bounds:
        """Bounds (G,) at a level that always hold the value between them; NaN where there is none."""
        if self.limits is None:
            return np.full(self.value.shape, np.nan), np.full(self.value.shape, np.nan)
        low, high = self.limits(level)
        return np.minimum(low, self.value), np.maximum(high, self.value)
