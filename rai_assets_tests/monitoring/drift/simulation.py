"""How often each method raises an alarm: on samples of one population, and of two that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, hypergeom

from rai_assets.monitoring.drift.columns import Kind, Sample, aligned
from rai_assets.monitoring.drift.methods import Column, measure, p_values, prepared
from rai_assets.monitoring.drift.settings import Method

SEED, DRAWS, LEVEL = 2024, 2000, 0.05
CRITICAL_TIMES = 5
"""So many times the pairs go into a critical value: with 2,000 its level is known to 0.2 points."""
SIZES = (100, 1000, 10_000)
CATEGORIES = (2, 42, 500)
OF_CATEGORIES: tuple[Method, ...] = ("chi_squared", "psi", "jensen_shannon", "hellinger", "l_infinity", "unseen")
OF_NUMBERS: tuple[Method, ...] = ("ks", "wasserstein", "psi", "jensen_shannon", "hellinger")
DIGITS = {"numbers": 1, "numbers, all different": 12}
POPULATIONS = (*DIGITS, "missing", *(f"{k} categories" for k in CATEGORIES))

TEXTBOOK = "textbook"
"""Pearson's test by its asymptotic distribution, as in scipy."""

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
        reference_power: That of the same statistic with its critical value known from the population; of unseen
            values that the population never has, that of Fisher's exact test; None of the textbook's test.
    """

    false: float
    power: float
    reference_power: float | None


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


Sides = dict[Method, Pair]


def measured(column: Column, methods: Sequence[Method], pair: Pair) -> tuple[Sides, dict[Method, float]]:
    """What each method looks at, and its statistic."""
    sides: Sides = {method: tuple(prepared(column, method, side) for side in pair) for method in methods}  # type: ignore[misc]
    return sides, {method: measure(column, method, *sides[method]) for method in methods}


def ordered(method: Method, value: float, pair: Pair) -> float:
    """The statistic, large where it speaks for drift: for a rate its distance from the reference's."""
    return abs(value - pair[0].missing / pair[0].rows) if method == "missing" else value


def tested(
    column: Column, methods: Sequence[Method], pairs: Iterator[Pair], rng: np.random.Generator
) -> dict[str, Told]:
    """Statistic and p-value of every pair, shape (draws, 2); of categories also those of the textbook's test."""
    found: dict[str, list[tuple[float, float]]] = {method: [] for method in methods}
    textbook = found.setdefault(TEXTBOOK, []) if column.kind == "category" else None
    for pair in pairs:
        sides, values = measured(column, methods, pair)
        told = p_values(column, sides, values, rng, _REDRAWN)
        for method in methods:
            found[method].append((ordered(method, values[method], pair), told[method].value))
        if textbook is not None:
            textbook.append((np.nan, textbook_p(pair)))
    return {name: np.array(rows) for name, rows in found.items()}


def textbook_p(pair: Pair) -> float:
    """P-value of Pearson's test; 1 where only one value occurs."""
    counts = aligned(*pair)[1]
    return float(chi2_contingency(counts).pvalue) if counts.shape[1] > 1 else 1.0


@dataclass(frozen=True)
class Cell:
    """A population and the rows of both sides."""

    population: str
    before: int
    now: int

    @property
    def categories(self) -> int:
        """How many it has; 0 for numbers."""
        return int(self.population.split()[0]) if "categories" in self.population else 0

    @property
    def column(self) -> Column:
        """The column that is compared."""
        kind: Kind = "category" if self.categories else "number"
        return Column("x", kind)

    @property
    def methods(self) -> tuple[Method, ...]:
        """The methods that it is compared by."""
        return OF_CATEGORIES if self.categories else OF_NUMBERS if self.population in DIGITS else ("missing",)

    def rng(self, seed: int) -> np.random.Generator:
        """Draws of its own."""
        return np.random.default_rng([seed, self.before, self.now, POPULATIONS.index(self.population)])

    def pairs(self, draws: int, rng: np.random.Generator, *, apart: bool) -> Iterator[Pair]:
        """Pairs of samples, of one population or of two."""
        if self.categories:
            return category_pairs(self.categories, self.before, self.now, draws, rng, apart=apart)
        if self.population in DIGITS:
            return number_pairs(self.before, self.now, draws, rng, apart=apart, digits=DIGITS[self.population])
        return missing_pairs(self.before, self.now, draws, rng, apart=apart)


def part(cell: Cell, draws: int, seed: int) -> dict[str, tuple[Told, Told]]:
    """Statistics and p-values of pairs from one population, and of pairs that differ."""
    rng, column, methods = cell.rng(seed), cell.column, cell.methods
    same = tested(column, methods, cell.pairs(draws, rng, apart=False), rng)
    usual = [method for method in methods if method != "unseen"]
    others = tested(column, usual, cell.pairs(draws, rng, apart=True), rng)
    if cell.categories:
        new = unseen_pairs(cell.categories, cell.before, cell.now, draws, rng)
        others["unseen"] = tested(column, ("unseen",), new, rng)["unseen"]
    return {name: (same[name], others[name]) for name in same}


def critical_values(cell: Cell, draws: int, seed: int) -> dict[Method, float]:
    """The value of each method that at most 5 % of the pairs from one population exceed."""
    found: dict[Method, list[float]] = {method: [] for method in cell.methods}
    for pair in cell.pairs(draws, cell.rng(seed), apart=False):
        for method, value in measured(cell.column, cell.methods, pair)[1].items():
            found[method].append(ordered(method, value, pair))
    return {method: float(np.quantile(values, 1 - LEVEL, method="higher")) for method, values in found.items()}


def lost(method: str, population: str, found: dict[str, Alarms]) -> float | None:
    """The power that a method falls short of; None where it is itself the textbook's test, by the same p-values.

    With two categories one number decides, by whichever name: their measure is the textbook's test. That of the others
    is what the same statistic could reach.
    """
    reach = found[method].reference_power
    if method in (TEXTBOOK, "ks", "missing") or reach is None:
        return None
    if population == "2 categories" and method != "unseen":
        reach = found[TEXTBOOK].power
    return reach - found[method].power


@cache
def alarms(population: str, before: int, now: int, draws: int = DRAWS, seed: int = SEED) -> dict[str, Alarms]:
    """False alarms and power of every method for a population, and of the textbook's test where none of them is it.

    Args:
        population: One of `POPULATIONS`.
        before: Rows of the reference.
        now: Current rows.
        draws: Pairs of samples, of either kind.
        seed: Of the samples and of what is redrawn; every 500 draws have the next one.
    """
    cell = Cell(population, before, now)
    parts = [part(cell, min(_PART, draws), seed + at) for at in range(-(-draws // _PART))]
    critical = critical_values(cell, CRITICAL_TIMES * draws, seed + len(parts))
    told = {name: [np.concatenate([found[name][side] for found in parts]) for side in (0, 1)] for name in parts[0]}
    found = {method: _alarms(method, *told[method], critical[method], cell) for method in cell.methods}
    if not cell.categories:
        return found
    return {TEXTBOOK: _alarms(TEXTBOOK, *told[TEXTBOOK], np.nan, cell), **found}


def _alarms(name: str, same: Told, others: Told, critical: float, cell: Cell) -> Alarms:
    reached = others[:, 0] > critical * (1 + 1e-9)
    if name == "unseen" and critical == 0:
        # Who knows the population knows that a single new value is none of it. Fisher's exact test does not.
        new = np.rint(others[:, 0] * cell.now)
        reached = hypergeom.pmf(new, cell.before + cell.now, new, cell.now) <= LEVEL
    return Alarms(
        false=float((same[:, 1] <= LEVEL).mean()),
        power=float((others[:, 1] <= LEVEL).mean()),
        reference_power=None if name == TEXTBOOK else float(reached.mean()),
    )
