"""What raises an alarm other than a p-value, and how often it does so if nothing has changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rai_assets.errors import Undefined
from rai_assets.monitoring.drift.columns import Sample
from rai_assets.monitoring.drift.methods import Column, measures, table_of
from rai_assets.monitoring.drift.settings import DriftSettings, Method

_DRAWS = 200
_EVIDENTLY = {"wasserstein": 0.1, "jensen_shannon": 0.1 / math.sqrt(math.log(2))}
"""Wasserstein in standard deviations of the reference; 0.1 of the distance with natural logarithms, in base 2."""


@dataclass(frozen=True)
class Limits:
    """The values of a statistic that raise no alarm.

    Attributes:
        upper: The largest.
        lower: The smallest; None where no value is too small.
    """

    upper: float
    lower: float | None = None

    def beyond(self, value: NDArray[np.float64] | float) -> NDArray[np.bool_]:
        """Whether values raise an alarm."""
        above = np.asarray(value) > self.upper
        return above if self.lower is None else above | (np.asarray(value) < self.lower)


def limits_of(
    settings: DriftSettings, method: Method, spread: float, reference_chunks: Sequence[float]
) -> Limits | None:
    """The limits of a rule; None where the rule goes by the textbook's p-value.

    Args:
        settings: The rule.
        method: The method.
        spread: Standard deviation of the reference.
        reference_chunks: The statistic of every chunk of the reference against all of it.

    Raises:
        Undefined: The rule has no limit for the method, and why.
    """
    if settings.rule == "fixed":
        if method not in settings.limits:
            raise Undefined("no limit is named for this method")
        return Limits(settings.limits[method])
    if settings.rule == "evidently":
        if method == "wasserstein":
            return Limits(_EVIDENTLY[method] * spread)
        return Limits(_EVIDENTLY[method]) if method in _EVIDENTLY else None
    if len(reference_chunks) < 2:
        raise Undefined("the reference has fewer than two chunks")
    return _around(np.array(reference_chunks), settings.deviations)


def _around(values: NDArray[np.float64], deviations: float) -> Limits:
    centre, width = float(values.mean()), deviations * float(values.std())
    return Limits(centre + width, centre - width if centre > width else None)


def left_out_rate(reference_chunks: Sequence[float], deviations: float) -> float | None:
    """Share of the reference's chunks that would alarm by the limits of the others; None for fewer than three."""
    values = np.array(reference_chunks)
    if len(values) < 3:
        return None
    others = (np.delete(values, at) for at in range(len(values)))
    alarms = [bool(_around(rest, deviations).beyond(value)) for rest, value in zip(others, values, strict=True)]
    return float(np.mean(alarms))


@dataclass(frozen=True)
class Unchanged:
    """Tables of both sides drawn from the distribution of the reference.

    Attributes:
        values: The values of the tables, shape (k,).
        reference: Counts of the reference as observed, shape (k,).
        before: Drawn counts of the reference, shape (b, k).
        now: Drawn counts of the current rows, shape (b, k).
    """

    values: NDArray[np.float64]
    reference: NDArray[np.int64]
    before: NDArray[np.int64]
    now: NDArray[np.int64]


def unchanged(column: Column, method: Method, reference: Sample, rows: int, rng: np.random.Generator) -> Unchanged:
    """Draws of both sides for the tables of a method.

    Args:
        column: The column.
        method: The method.
        reference: The reference, prepared.
        rows: Current rows with a value.
        rng: Draws.
    """
    values, counts = table_of(column, method, reference, reference)
    p = counts[0] / counts[0].sum()
    before, now = (rng.multinomial(n, p, size=_DRAWS) for n in (reference.n, rows))
    return Unchanged(values, counts[0], before, now)


def false_alarm_rate(column: Column, method: Method, limits: Limits, drawn: Unchanged) -> float:
    """Share of draws that raise an alarm although nothing has changed."""
    if method == "missing":
        found = drawn.now[:, drawn.values == 1].sum(1) / drawn.now.sum(1)
    else:
        found = measures(column, [method], drawn.values, drawn.reference)[method](drawn.before, drawn.now)
    return float(limits.beyond(found).mean())
