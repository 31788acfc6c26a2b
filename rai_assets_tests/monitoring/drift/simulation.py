"""How often each method raises an alarm: on samples of one population, and of two that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from rai_assets.monitoring.drift.columns import Kind, Sample
from rai_assets.monitoring.drift.methods import Column, measure, p_values, prepared
from rai_assets.monitoring.drift.settings import Method

SEED, DRAWS, LEVEL = 2024, 2000, 0.05
SIZES = (100, 1000, 10_000)
CATEGORIES = (2, 42, 500)
OF_CATEGORIES: tuple[Method, ...] = ("chi_squared", "psi", "jensen_shannon", "hellinger", "l_infinity", "unseen")
OF_NUMBERS: tuple[Method, ...] = ("ks", "wasserstein", "psi", "jensen_shannon", "hellinger")
DIGITS = {"numbers": 1, "numbers, all different": 12}
POPULATIONS = (*DIGITS, "missing", *(f"{k} categories" for k in CATEGORIES))

_PART = 500
_REDRAWN = 199
"""An alarm at 5 % is fewer than 10 exceedances among the first 199 redrawn samples, however many may follow."""
_DETECTABLE = {2: 5.0, 42: 20.0, 500: 60.0}
"""Noncentrality at which the chi-squared test of so many categories finds a bit more than half of the differences."""


@dataclass(frozen=True)
class Alarms:
    """How often one method alarmed, in [0, 1].

    Attributes:
        false: Where both samples are from one population.
        power: Where they are not.
        reference_power: That of the same statistic with its critical value known from the population, so what
            calibration by redrawing could reach at most; of unseen values that the population never has, that of
            Fisher's exact test.
    """

    false: float
    power: float
    reference_power: float


Pair = tuple[Sample, Sample]
Told = NDArray[np.float64]
"""Statistics and p-values, shape (draws, 2)."""


def zipf(k: int) -> NDArray[np.float64]:
    weights = 1 / np.arange(1, k + 1)
    return weights / weights.sum()


def category_pairs(
    k: int, before: int, now: int, draws: int, rng: np.random.Generator, *, apart: bool
) -> Iterator[Pair]:
    """Samples of k categories; apart, every second one is more frequent and the others rarer by the same factor."""
    p = zipf(k)
    factor = min(np.sqrt(_DETECTABLE[k] * (1 / before + 1 / now)), 0.9) if apart else 0.0
    q = p * (1 + factor * np.where(np.arange(k) % 2, 1, -1))
    if k == 2:
        q = p + np.array([1, -1]) * factor * np.sqrt(p.prod())
    q = q / q.sum()
    for one, other in zip(rng.multinomial(before, p, draws), rng.multinomial(now, q, draws), strict=True):
        yield counted(one), counted(other)


def unseen_pairs(k: int, before: int, now: int, draws: int, rng: np.random.Generator) -> Iterator[Pair]:
    """Samples of k categories, with a new one in about 6 current rows."""
    p, share = zipf(k), min(6 / now, 0.5)
    old, new = np.append(p, 0), np.append(p * (1 - share), share)
    for one, other in zip(rng.multinomial(before, old, draws), rng.multinomial(now, new, draws), strict=True):
        yield counted(one), counted(other)


def number_pairs(
    before: int, now: int, draws: int, rng: np.random.Generator, *, apart: bool, digits: int
) -> Iterator[Pair]:
    """Samples of a rounded normal distribution; apart, shifted."""
    shift = 2.3 * np.sqrt(1 / before + 1 / now) if apart else 0.0
    for _ in range(draws):
        sides = rng.normal(size=before), rng.normal(shift, size=now)
        yield tuple(  # type: ignore[misc]
            Sample(*np.unique(side.round(digits), return_counts=True)) for side in sides
        )


def missing_pairs(before: int, now: int, draws: int, rng: np.random.Generator, *, apart: bool) -> Iterator[Pair]:
    """Samples of one value, 3 % of it missing; apart, more."""
    rate = 0.03
    more = rate + (2.3 * np.sqrt(rate * (1 - rate) * (1 / before + 1 / now)) if apart else 0.0)
    for lost in zip(rng.binomial(before, rate, draws), rng.binomial(now, more, draws), strict=True):
        yield tuple(  # type: ignore[misc]
            Sample(np.zeros(1), np.array([rows - gone], np.int64), int(gone))
            for rows, gone in zip((before, now), lost, strict=True)
        )


def counted(counts: NDArray[np.int64]) -> Sample:
    seen = np.flatnonzero(counts)
    return Sample(seen.astype(np.float64), counts[seen])


def tested(
    column: Column, methods: Sequence[Method], pairs: Iterator[Pair], rng: np.random.Generator
) -> dict[Method, Told]:
    """Statistic (for a rate its distance from the reference's) and p-value of every pair, shape (draws, 2)."""
    found: dict[Method, list[tuple[float, float]]] = {method: [] for method in methods}
    for before, now in pairs:
        sides = {method: (prepared(column, method, before), prepared(column, method, now)) for method in methods}
        values = {method: measure(column, method, *sides[method]) for method in methods}
        told = p_values(column, sides, values, rng, _REDRAWN)
        for method in methods:
            value = values[method]
            if method == "missing":
                value = abs(value - before.missing / before.rows)
            found[method].append((value, told[method].value))
    return {method: np.array(rows) for method, rows in found.items()}


def part(population: str, before: int, now: int, draws: int, seed: int) -> dict[Method, tuple[Told, Told]]:
    """Statistics and p-values of pairs from one population, and of pairs that differ."""
    rng = np.random.default_rng([seed, before, now, POPULATIONS.index(population)])
    kind: Kind = "category" if "categories" in population else "number"
    column, k = Column("x", kind), int(population.split()[0]) if kind == "category" else 0
    methods = OF_CATEGORIES if k else OF_NUMBERS if population in DIGITS else ("missing",)

    def pairs(apart: bool) -> Iterator[Pair]:
        if k:
            return category_pairs(k, before, now, draws, rng, apart=apart)
        if population in DIGITS:
            return number_pairs(before, now, draws, rng, apart=apart, digits=DIGITS[population])
        return missing_pairs(before, now, draws, rng, apart=apart)

    same = tested(column, methods, pairs(apart=False), rng)
    others = tested(column, [method for method in methods if method != "unseen"], pairs(apart=True), rng)
    if k:
        others |= tested(column, ("unseen",), unseen_pairs(k, before, now, draws, rng), rng)
    return {method: (same[method], others[method]) for method in methods}


def of_the_textbook(method: Method, population: str) -> bool:
    """Whether a method is the textbook's own test, whose power is the measure and not measured."""
    return method in ("ks", "missing") or (method == "chi_squared" and population == "2 categories")


@cache
def alarms(population: str, before: int, now: int, draws: int = DRAWS, seed: int = SEED) -> dict[Method, Alarms]:
    """False alarms and power of every method for a population.

    Args:
        population: One of `POPULATIONS`.
        before: Rows of the reference.
        now: Current rows.
        draws: Pairs of samples, of either kind.
        seed: Of the samples and of what is redrawn; every 500 draws have the next one.
    """
    parts = [part(population, before, now, min(_PART, draws), seed + at) for at in range(-(-draws // _PART))]
    return {
        method: _alarms(
            method, *(np.concatenate([found[method][side] for found in parts]) for side in (0, 1)), before, now
        )
        for method in parts[0]
    }


def _alarms(method: Method, same: Told, others: Told, before: int, now: int) -> Alarms:
    critical = np.quantile(same[:, 0], 1 - LEVEL, method="higher")
    reached = others[:, 0] > critical * (1 + 1e-9)
    if method == "unseen" and critical == 0:
        # Who knows the population knows that a single new value is none of it. Fisher's exact test does not.
        new = np.rint(others[:, 0] * now)
        reached = hypergeom.pmf(new, before + now, new, now) <= LEVEL
    return Alarms(
        false=float((same[:, 1] <= LEVEL).mean()),
        power=float((others[:, 1] <= LEVEL).mean()),
        reference_power=float(reached.mean()),
    )
