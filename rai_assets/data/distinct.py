"""How many distinct values a stream has, in bounded memory; counts of two streams merge."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

COUNTED_VALUES = 10_000  # distinct values that are counted; above, their number is estimated


class DistinctSketch:
    """How many distinct values a stream has, by the least of their hashes.

    Hashes of 64 bits spread evenly, so the k-th least of n lies near k / n of their range (Bar-Yossef et al. 2002,
    with the estimate of Beyer et al. 2007). Up to `COUNTED_VALUES` distinct values their number is exact.
    """

    def __init__(self, hashes: NDArray[np.uint64] | None = None) -> None:
        self.hashes = np.zeros(0, np.uint64) if hashes is None else hashes

    @property
    def count(self) -> int:
        """Distinct values."""
        if not self.error:
            return len(self.hashes)
        return round(COUNTED_VALUES / (float(self.hashes[-1]) / 2.0**64))

    @property
    def error(self) -> float:
        """Standard error of `count` as a share of it; 0 where it is exact."""
        return 1 / math.sqrt(COUNTED_VALUES - 1) if len(self.hashes) > COUNTED_VALUES else 0.0

    def add(self, values: pa.Array) -> None:
        """Add values without nulls."""
        self._keep(hashes(values))

    def merge(self, other: DistinctSketch) -> None:
        """Add all that another sketch has seen."""
        self._keep(other.hashes)

    def _keep(self, found: NDArray[np.uint64]) -> None:
        if self.error:
            found = found[found < self.hashes[-1]]
        if len(found):
            self.hashes = np.union1d(self.hashes, found)[: COUNTED_VALUES + 1]


def hashes(values: pa.Array) -> NDArray[np.uint64]:
    """Hashes of 64 bits of values without nulls, shape (n,); the same on any machine."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        codes: NDArray[np.uint64] = hashes(values.dictionary.fill_null(""))[values.indices.to_numpy()]
        return codes
    if pa.types.is_floating(kind):
        numbers = values.cast(pa.float64()).to_numpy() + 0.0  # -0.0 is 0.0
        return _mixed(numbers.view(np.uint64))
    if pa.types.is_boolean(kind):
        return _mixed(values.cast(pa.uint8()).to_numpy().astype(np.uint64))
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return _mixed(values.cast(pa.int64()).to_numpy().view(np.uint64))
    return _mixed(_text_sums(values.cast(pa.large_string())))


_PRIME, _STEP = 0x100000001B3, 1 << 20  # bytes that are looked at together


def _text_sums(texts: pa.LargeStringArray) -> NDArray[np.uint64]:
    """Of every text the sum of (byte + 1) * p^place modulo 2^64, p odd, plus its length."""
    _, offsets, content = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    if content is None or bounds[-1] == bounds[0]:
        return np.zeros(len(texts), np.uint64)
    letters = np.frombuffer(content, np.uint8)
    sums = np.empty(len(texts), np.uint64)
    start = 0
    while start < len(texts):
        stop = max(int(np.searchsorted(bounds, bounds[start] + _STEP, side="right")) - 1, start + 1)
        within = bounds[start : stop + 1] - bounds[start]
        part = letters[bounds[start] : bounds[stop]].astype(np.uint64) + np.uint64(1)
        powers = np.cumprod(np.full(len(part) + 1, _PRIME, np.uint64))
        reached = np.concatenate([np.zeros(1, np.uint64), np.cumsum(part * powers[:-1])])
        # The sum over a text begins at the power of its first byte; an odd number has an inverse modulo 2^64.
        inverses = np.cumprod(np.full(len(part) + 1, pow(_PRIME, -1, 1 << 64), np.uint64))
        sums[start:stop] = (reached[within[1:]] - reached[within[:-1]]) * inverses[within[:-1]] + np.diff(
            within
        ).astype(np.uint64)
        start = stop
    return sums


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Bits spread over the whole range, one to one (Steele, Lea and Flood 2014)."""
    mixed = bits + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
