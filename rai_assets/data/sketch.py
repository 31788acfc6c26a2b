"""Quantiles of a stream in bounded memory, exact while the stream is short; sketches of two streams merge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

CAPACITY = 1 << 15  # values a level holds; up to this many in all, quantiles are exact


class QuantileSketch:
    """Levels of values, each value of level h standing for 2^h of the stream.

    A full level is sorted and every second value goes one level up, the even and the odd ones in turns (Manku,
    Rajagopalan and Lindsay 1998, with the alternation of Agarwal et al. 2012). Each such step shifts a rank by at
    most 2^h, so a rank is off by less than log2(n / CAPACITY) / CAPACITY of the n values: 0.04 % for ten million.

    Attributes:
        count: Values of the stream.
    """

    def __init__(self) -> None:
        self._levels: list[list[NDArray[np.float64]]] = [[]]
        self._odd = [False]
        self._shift = 0
        self.count = 0

    @property
    def error(self) -> float:
        """Bound of what a rank is off by, as a share of the stream; 0 while every value is kept."""
        return self._shift / self.count if self.count else 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        """Add finite values, shape (n,)."""
        self.count += len(values)
        for start in range(0, len(values), CAPACITY):
            self._levels[0].append(np.asarray(values[start : start + CAPACITY], np.float64))
            self._compact()

    def add_counted(self, values: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
        """Add finite values, shape (k,), each as often as its count, shape (k,), says."""
        self.count += int(counts.sum())
        for height in range(int(counts.max(initial=0)).bit_length()):
            self._level(height).append(values[(counts >> height & 1).astype(bool)])
        self._compact()

    def merge(self, other: QuantileSketch) -> None:
        """Add all that another sketch has seen."""
        self.count += other.count
        self._shift += other._shift
        for height, level in enumerate(other._levels):
            self._level(height).extend(level)
        self._compact()

    def state(self) -> dict[str, Any]:
        """What `restored` makes the sketch of again."""
        levels = [np.concatenate(level) if level else np.zeros(0) for level in self._levels]
        return {"levels": levels, "odd": list(self._odd), "shift": self._shift}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> QuantileSketch:
        """The sketch of a state."""
        made = cls()
        made._levels = [[np.asarray(level, np.float64)] for level in state["levels"]]
        made._odd, made._shift = list(state["odd"]), int(state["shift"])
        made.count = sum(len(level[0]) << height for height, level in enumerate(made._levels))
        return made

    def quantiles(self, shares: Sequence[float]) -> NDArray[np.float64]:
        """The smallest value that at least each share of the stream does not exceed; shares in [0, 1], rising or not.

        Raises:
            ValueError: Nothing was added.
        """
        if not self.count:
            raise ValueError("no values, no quantiles")
        values, reached = self._ranked()
        # A tiny slack, because 0.1 * 10 is not always 1.
        at = np.searchsorted(reached, np.asarray(shares) * reached[-1] * (1 - 1e-12), side="left")
        return values[np.minimum(at, len(values) - 1)]

    def ranks(self, points: NDArray[np.float64]) -> NDArray[np.int64]:
        """How many values of the stream lie below each point."""
        values, reached = self._ranked()
        return np.concatenate([[0], reached])[np.searchsorted(values, points, side="left")]

    def points(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The kept values in order, each once, and how many of the stream each stands for."""
        values, reached = self._ranked()
        last = np.flatnonzero(np.append(values[1:] != values[:-1], True))
        return values[last], np.diff(reached[last], prepend=0)

    def distance(self, other: QuantileSketch) -> float:
        """The largest difference between the two distribution functions (Kolmogorov and Smirnov), in [0, 1].

        Raises:
            ValueError: One of them is empty.
        """
        if not (self.count and other.count):
            raise ValueError("no values, no distance")
        points = np.unique(np.concatenate([self._ranked()[0], other._ranked()[0]]))
        # Between two points both functions stand still, so the steps at the points are all there is.
        upto = np.append(points[1:], np.inf)
        shares = [sketch.ranks(upto) / sketch.count for sketch in (self, other)]
        return float(np.abs(shares[0] - shares[1]).max())

    def _ranked(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The kept values in order, and how much of the stream each of them reaches."""
        filled = [(1 << height, np.concatenate(level)) for height, level in enumerate(self._levels) if level]
        values = np.concatenate([level for _, level in filled])
        weights = np.repeat([weight for weight, _ in filled], [len(level) for _, level in filled])
        order = np.argsort(values, kind="stable")
        return values[order], np.cumsum(weights[order])

    def _level(self, height: int) -> list[NDArray[np.float64]]:
        while height >= len(self._levels):
            self._levels.append([])
            self._odd.append(False)
        return self._levels[height]

    def _compact(self) -> None:
        for height, level in enumerate(self._levels):
            if sum(map(len, level)) <= CAPACITY:
                continue
            values = np.sort(np.concatenate(level))
            # An odd one out stays behind, so that no weight is lost.
            pairs = len(values) // 2 * 2
            self._levels[height] = [values[pairs:]] if pairs < len(values) else []
            self._level(height + 1).append(values[int(self._odd[height]) : pairs : 2])
            self._odd[height] = not self._odd[height]
            self._shift += 1 << height
