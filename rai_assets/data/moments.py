"""Sums of a stream that merge: moments of numbers, lengths of texts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass
class Moments:
    """Count, mean and squared deviations of numbers, merged part by part (Chan, Golub and LeVeque 1983).

    Attributes:
        count: Numbers.
        mean: Their mean; None where it has no place in a double.
        squares: Sum of the squared deviations from it.
    """

    count: int = 0
    mean: float | None = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Moments:
        """The moments of finite numbers, shape (n,), n > 0."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            # Values near the greatest double have no mean in doubles.
            return cls(len(values), mean if math.isfinite(mean) else None, float(np.square(values - mean).sum()))

    def merge(self, other: Moments) -> None:
        """Add the numbers of another part."""
        total = self.count + other.count
        if self.mean is not None and other.mean is not None and other.count:
            with np.errstate(over="ignore", invalid="ignore"):
                shift = np.float64(other.mean) - self.mean
                merged = float(self.mean + shift * other.count / total)
                self.squares += other.squares + float(shift * shift * self.count * other.count / total)
            self.mean = merged if math.isfinite(merged) else None
        elif other.count:
            self.mean = None
        self.count = total

    @property
    def deviation(self) -> float | None:
        """Standard deviation with n - 1 in the denominator; None below two numbers."""
        if self.count < 2 or self.mean is None or not math.isfinite(self.squares):
            return None
        return math.sqrt(self.squares / (self.count - 1))


@dataclass
class Lengths:
    """Characters of texts.

    Attributes:
        count: Texts.
        total: Characters of all.
        least: Of the shortest.
        greatest: Of the longest.
    """

    count: int = 0
    total: int = 0
    least: int | None = None
    greatest: int = 0

    @classmethod
    def of(cls, texts: pa.Array) -> Lengths:
        """The lengths of texts, none missing."""
        found = pc.utf8_length(texts)
        bounds = pc.min_max(found).as_py()
        return cls(len(texts), int(pc.sum(found).as_py()), bounds["min"], bounds["max"])

    def merge(self, other: Lengths) -> None:
        """Add the texts of another part."""
        if other.least is None:
            return
        self.least = other.least if self.least is None else min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)
        self.total += other.total
        self.count += other.count

    def as_json(self) -> dict[str, float]:
        """Least, greatest and mean; nothing without texts."""
        if self.least is None:
            return {}
        return {"minimum": self.least, "maximum": self.greatest, "mean": self.total / self.count}
