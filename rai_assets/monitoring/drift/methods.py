"""Which methods a column is compared by, and the statistic, effect and p-value of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rai_assets.data.profiling import named_like_identifier
from rai_assets.errors import Undefined
from rai_assets.monitoring.drift import calibration, statistics, unseen, words
from rai_assets.monitoring.drift.calibration import PValue
from rai_assets.monitoring.drift.columns import Kind, Sample, aligned
from rai_assets.monitoring.drift.settings import COMPARING, DEFINITIONS, OF_CODES, DriftSettings, Method
from rai_assets.monitoring.drift.statistics import Measure

_FEW = 10  # numbers with no more distinct values on both sides are compared as categories
_TEXT_DISTINCT, _TEXT_SHARE = 30, 0.5  # more distinct texts, and for a larger share of the rows, are no categories
_SMALL_REFERENCE, _FEW_FOR_EVIDENTLY = 1000, 5


@dataclass(frozen=True)
class Column:
    """One column of both sides.

    Attributes:
        name: The column.
        kind: What it holds.
        texts: The texts of its vocabulary by code; empty for numbers and times.
    """

    name: str
    kind: Kind
    texts: Sequence[str] = ()


def fitting(column: Column, reference: Sample, current: Sample, settings: DriftSettings) -> list[Method]:
    """The methods for a column: those named for it, or those that fit its type and values.

    What decides looks at the rows of both sides together, so that it does not depend on which side a row is on.

    Raises:
        Undefined: No method compares the column, and why.
    """
    named = settings.columns.get(column.name, settings.methods or list(settings.limits))
    if not (reference.n + current.n):
        if "missing" in named:
            return ["missing"]
        raise Undefined("no row has a value")
    if named:
        few = len(aligned(reference, current)[0]) <= _FEW
        chosen = [method for method in named if method in COMPARING[column.kind]] or [
            method for method in named if few and method in OF_CODES
        ]
        if not chosen:
            raise Undefined(unfit(column, named))
        return chosen
    if settings.rule == "evidently":
        return [_evidently(column, reference)]
    marked: list[Method] = ["missing"] if reference.missing + current.missing else []
    return [*_fitted(column, reference, current), *marked]


def unfit(column: Column, methods: Sequence[Method]) -> str:
    """Why methods that do not fit what a column holds compare nothing of it, and what does."""
    others = ", ".join(method for method in DEFINITIONS if method in COMPARING[column.kind])
    verb = "compares" if len(methods) == 1 else "compare"
    if column.kind == "category":
        return f"{', '.join(methods)} {verb} numbers; what compares texts: {others}"
    codes = f"categories and numbers of at most {_FEW} values; `categorical` names columns of codes"
    return f"{', '.join(methods)} {verb} {codes}; what compares numbers: {others}"


def _fitted(column: Column, reference: Sample, current: Sample) -> list[Method]:
    values, counts = aligned(reference, current)
    distinct, n = len(values), int(counts.sum())
    if column.kind != "category":
        if column.kind == "number" and distinct == n > _FEW and named_like_identifier(column.name):
            raise Undefined("it names the rows: every one has its own value")
        return ["chi_squared"] if distinct <= _FEW else ["ks"]
    if distinct > _TEXT_DISTINCT and distinct > _TEXT_SHARE * n:
        if sum(" " in column.texts[int(code)].strip() for code in values[:1000]) * 2 < min(distinct, 1000):
            raise Undefined("it names the rows: nearly every one has its own value")
        return ["vocabulary", "length"]
    return ["chi_squared"]


def _evidently(column: Column, reference: Sample) -> Method:
    few = len(reference.values) <= _FEW_FOR_EVIDENTLY
    if reference.rows <= _SMALL_REFERENCE:
        return "chi_squared" if column.kind == "category" or few else "ks"
    return "jensen_shannon" if column.kind == "category" or few else "wasserstein"


def prepared(column: Column, method: Method, side: Sample) -> Sample:
    """The sample that a method looks at: lengths instead of texts, missing or not instead of values."""
    if method == "length":
        lengths = np.array([len(column.texts[int(code)]) for code in side.values], np.float64)
        return side.recoded(lengths)
    if method == "missing":
        both = np.array([side.n, side.missing], np.int64)
        return Sample(np.flatnonzero(both).astype(np.float64), both[both > 0])
    return side


def measure(column: Column, method: Method, reference: Sample, current: Sample) -> float:
    """The statistic of a method on all values of two prepared samples.

    Raises:
        Undefined: It has no value, and why.
    """
    if not reference.n or not current.n:
        raise Undefined(f"no {'reference' if not reference.n else 'current'} row has a value")
    if method == "missing":
        return _missing_share(current)
    if method == "vocabulary":
        return words.distance(column.texts, reference, current)
    values, counts = aligned(reference, current)
    of = measures(column, [method], values, counts[0])[method]
    value = float(of(counts[:1], counts[1:])[0])
    if not np.isfinite(value):
        raise Undefined("infinite values have no distance")
    return value


def _missing_share(side: Sample) -> float:
    return float(side.counts[side.values == 1].sum() / side.n)


def measures(
    column: Column, methods: Sequence[Method], values: NDArray[np.float64], reference: NDArray[np.int64]
) -> dict[Method, Measure]:
    """The statistics of methods on a table of counts.

    Args:
        column: The column.
        methods: Any but `vocabulary`.
        values: The values of the table, shape (k,).
        reference: Counts of the reference as observed, shape (k,): they decide whether a number has cells at all.
    """
    few = column.kind == "category" or statistics.value_by_value(reference)
    bins = statistics.as_they_are if few else partial(statistics.doane_bins, values=values)
    deciles = statistics.as_they_are if column.kind == "category" else statistics.quantile_bins
    known: dict[Method, Measure] = {
        "ks": Measure(statistics.ks),
        "length": Measure(statistics.ks),
        "wasserstein": Measure(partial(statistics.wasserstein, values=values)),
        "psi": Measure(statistics.psi, deciles),
        "jensen_shannon": Measure(statistics.jensen_shannon, bins),
        "hellinger": Measure(statistics.hellinger, bins),
        "chi_squared": Measure(statistics.chi_squared),
        "l_infinity": Measure(statistics.l_infinity),
        "unseen": Measure(statistics.unseen),
        "missing": Measure(statistics.l_infinity),
    }
    return {method: known[method] for method in methods}


def effect(method: Method, statistic: float, reference: Sample, current: Sample) -> float:
    """How large a difference is, whatever the number of rows.

    Wasserstein in standard deviations of the reference, Cramér's V for chi-squared, the difference of the missing
    rates; the others are effects themselves.
    """
    if method == "chi_squared":
        return float(np.sqrt(statistic / (reference.n + current.n)))
    if method == "missing":
        return abs(statistic - _missing_share(reference))
    if method == "wasserstein":
        spread = deviation(reference) or deviation(reference + current)
        return statistic / spread if spread else 0.0
    return statistic


def deviation(side: Sample) -> float:
    """Standard deviation of a sample of numbers, with n in the denominator; NaN with infinite values."""
    with np.errstate(invalid="ignore"):
        mean = side.values @ side.counts / side.n
        return float(np.sqrt(np.square(side.values - mean) @ side.counts / side.n))


def table_of(
    column: Column, method: Method, reference: Sample, current: Sample
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The table that rows are redrawn on: values and the counts of both sides, shape (2, k)."""
    if column.kind == "category" and method not in ("length", "missing"):
        values, counts = aligned(reference, current)
        return values, calibration.few_cells(counts)
    return calibration.table(reference, current)


def as_chi_squared(
    method: Method, reference: Sample, current: Sample, statistic: float | None
) -> tuple[float, float] | None:
    """A statistic of two prepared samples as the chi-squared value that is as surprising, and its degrees of freedom.

    It is that of rows taken as interchangeable, however small the counts: chi-squared of the table; of a distance of
    Kolmogorov and Smirnov the value with the tail 2 exp(-2 m D^2), with 2 degrees. None for methods without one.
    """
    if statistic is None:
        return None
    if method in ("ks", "length"):
        size = reference.n * current.n / (reference.n + current.n)
        return max(4 * size * statistic**2 - 2 * math.log(2), 0.0), 2.0
    if method in ("chi_squared", "missing"):
        counts = aligned(reference, current)[1]
        return float(statistics.chi_squared(*counts)), max(counts.shape[1] - 1.0, 1.0)
    return None


def p_values(
    column: Column,
    sides: Mapping[Method, tuple[Sample, Sample]],
    statistic: Mapping[Method, float],
    rng: np.random.Generator,
    draws: int,
    *,
    textbook: bool = False,
) -> dict[Method, PValue]:
    """The p-values of the methods of one column, from rows redrawn at random.

    Args:
        column: The column.
        sides: {method: reference and current, prepared}.
        statistic: {method: its value}, of those that have one.
        rng: Draws.
        draws: At most so many.
        textbook: Take the textbook's p-values however small the counts.
    """
    found: dict[Method, PValue] = {}
    waiting: list[Method] = []
    for method, value in statistic.items():
        reference, current = sides[method]
        if method in ("ks", "length"):
            found[method] = calibration.ks_p(reference, current, value)
        elif method == "vocabulary":
            found[method] = words.p_value(column.texts, reference, current, rng, draws)
        else:
            values, counts = aligned(reference, current)
            of_the_textbook = method in ("chi_squared", "missing")
            if of_the_textbook and (textbook or counts.shape[1] < 2 or calibration.chi_squared_holds(*counts)):
                found[method] = calibration.chi_squared_p(*counts)
            elif method == "unseen":
                found[method] = unseen.p_value(counts[0], counts[1], rng, draws)
            elif counts.shape[1] == 2 and min(counts.sum(0).min(), counts.sum(1).min()) <= calibration.TABLES:
                of = measures(column, [method], values, counts[0])[method]
                found[method] = calibration.two_cells_p(counts[0], counts[1], of)
            else:
                waiting.append(method)
    if waiting:
        values, counts = table_of(column, waiting[0], *sides[waiting[0]])
        redrawn = measures(column, waiting, values, counts[0])
        drawn = calibration.permuted(counts[0], counts[1], redrawn, rng, draws)
        found |= {name: calibration.beyond_draws(p, counts[0], counts[1], draws) for name, p in drawn.items()}
    return found
