"""The populations and sample sizes at which coverage is simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from scipy.stats import beta, expon, lognorm, norm, t

from rai_assets.metrics.rows import Rows
from rai_assets_tests.metrics.coverage import Coverage, Scenario, coverage

SEED = 2024
GROUP_DRAWS, GAP_DRAWS = 1000, 400
SIZES = (5, 8, 12, 30, 100, 1000)
WEIGHTED_SIZES = (12, 30, 100)
NEEDED = 0.92
"""The nominal 95 % less three points."""

Table = Mapping[str, Mapping[str, Coverage]]
"""Coverage by scenario, then by definition."""


def decided(base_rate: float, hit_rate: float, false_rate: float) -> Rows:
    """A binary decision with given rates of positive targets, and of positive decisions among either."""
    share = [
        (1 - base_rate) * (1 - false_rate), (1 - base_rate) * false_rate,
        base_rate * (1 - hit_rate), base_rate * hit_rate,
    ]  # fmt: skip
    target, decision = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], np.int8)
    return Rows("binary", ("no", "yes"), target, decision, weight=np.array(share))


def selected(rate: float) -> Rows:
    """A decision without a target."""
    return Rows("binary", ("no", "yes"), decision=np.array([0, 1], np.int8), weight=np.array([1 - rate, rate]))


def scored(a: float, b: float, power: float, threshold: float, points: int = 400) -> Rows:
    """Scores s of a beta distribution, positive with probability s ** power, so that a power of 1 is calibrated."""
    score = beta.ppf((np.arange(points) + 0.5) / points, a, b)
    positive = score**power
    return Rows(
        "binary",
        ("no", "yes"),
        np.repeat([0, 1], points).astype(np.int8),
        np.tile((score >= threshold).astype(np.int8), 2),
        np.tile(score, 2),
        True,
        np.concatenate([1 - positive, positive]) / points,
    )


def predicted(quantiles: Callable[[np.ndarray], np.ndarray], points: int = 4000) -> Rows:
    """Standard normal predictions with independent errors, given by their quantile function."""
    middle = (np.arange(points) + 0.5) / points
    prediction = np.random.default_rng(0).permutation(norm.ppf(middle))
    return Rows(
        "regression", target=prediction - quantiles(middle), score=prediction, weight=np.full(points, 1 / points)
    )


def several(shares: Sequence[float], concentration: float, points: int = 1500) -> Rows:
    """Three classes with calibrated scores of a Dirichlet distribution around the shares."""
    score = np.random.default_rng(0).dirichlet(concentration * np.array(shares), points)
    return Rows(
        "multiclass",
        ("a", "b", "c"),
        np.repeat(np.arange(3), points),
        np.tile(score.argmax(axis=1), 3),
        np.tile(score, (3, 1)),
        True,
        score.T.ravel() / points,
    )


BINARY = {
    "rates of one half, scores spread evenly": scored(1, 1, 1, 0.5),
    "rates near 0: 6 % positive targets": scored(0.5, 8, 1, 0.3),
    "rates near 1: 94 % positive targets": scored(8, 0.5, 1, 0.5),
    "scores far too high": scored(2, 2, 2, 0.5),
    "scores near 0 and 1: ROC AUC 0.97": scored(0.2, 0.2, 1, 0.5),
}
ERRORS = {
    "normal errors": predicted(norm.ppf),
    "uniform errors": predicted(lambda u: 2 * u - 1),
    "exponential errors, skewness 2": predicted(lambda u: expon.ppf(u) - 1),
    "log-normal errors, sigma 0.5, skewness 1.7": predicted(lambda u: lognorm.ppf(u, 0.5) - np.exp(0.125)),
    "Student's errors with 5 degrees of freedom": predicted(lambda u: t.ppf(u, 5)),
}
WILD_ERRORS = {
    "log-normal errors, sigma 1, skewness 6.2": predicted(lambda u: lognorm.ppf(u, 1) - np.exp(0.5)),
    "Student's errors with 3 degrees of freedom": predicted(lambda u: t.ppf(u, 3)),
    "four errors in five are 0, the fifth exponential": predicted(
        lambda u: np.where(u < 0.8, 0, expon.ppf(np.clip((u - 0.8) / 0.2, 0, 1)))
    ),
}
CLASSES = {
    "three classes of equal size": several((1 / 3, 1 / 3, 1 / 3), 1.5),
    "three classes, 60, 25 and 15 %": several((0.6, 0.25, 0.15), 1.5),
}
_EQUAL = scored(1, 1, 1, 0.5)
_OTHER = scored(2, 3, 1.3, 0.4)
BINARY_GAPS = {
    "2 equal, n 12": ([_EQUAL] * 2, [12] * 2),
    "5 equal, n 30": ([_EQUAL] * 5, [30] * 5),
    "5 equal, n 300": ([_EQUAL] * 5, [300] * 5),
    "2 equal, rates near 0, n 100": ([decided(0.05, 0.3, 0.01)] * 2, [100] * 2),
    "4 groups, rates near 1, n 30": ([decided(0.9, 0.97, 0.6)] * 3 + [decided(0.8, 0.9, 0.5)], [30] * 4),
    "2 apart, n 60": ([_EQUAL, _OTHER], [60] * 2),
    "3 apart, n 10, 40, 300": (
        [decided(0.5, 0.9, 0.1), decided(0.4, 0.6, 0.3), decided(0.3, 0.8, 0.05)],
        [10, 40, 300],
    ),
    "2 apart, n 1000": ([_EQUAL, _OTHER], [1000] * 2),
}
ERROR_GAPS = {
    "3 equal, n 12": ([predicted(lambda u: expon.ppf(u) - 1)] * 3, [12] * 3),
    "2 equal, n 100": ([predicted(norm.ppf)] * 2, [100] * 2),
    "2 apart, n 60": ([predicted(norm.ppf), predicted(lambda u: 0.5 + 2 * (expon.ppf(u) - 1))], [60] * 2),
}
CLASS_GAPS = {
    "3 equal, n 60": ([several((0.6, 0.25, 0.15), 1.5)] * 3, [60] * 3),
    "2 apart, n 200": ([several((0.6, 0.25, 0.15), 1.5), several((0.4, 0.4, 0.2), 3)], [200] * 2),
}


def _in_strata(*parts: Rows) -> tuple[Rows, np.ndarray]:
    """Strata as one population, and the stratum of every row."""
    arrays = {
        name: None if getattr(parts[0], name) is None else np.concatenate([getattr(part, name) for part in parts])
        for name in ("target", "decision", "score", "weight")
    }
    return replace(parts[0], **arrays), np.repeat(np.arange(len(parts)), [part.n for part in parts])


_ONE = _in_strata(decided(0.2, 0.5, 0.1), decided(0.5, 0.7, 0.2), decided(0.8, 0.9, 0.4))
_TWO = _in_strata(decided(0.2, 0.6, 0.2), decided(0.5, 0.7, 0.2), decided(0.8, 0.8, 0.4))
_RARE = _in_strata(*[decided(rate, 0.6, 0.05) for rate in np.linspace(0.02, 0.1, 8)])
_SKEWED = _in_strata(predicted(lambda u: expon.ppf(u) - 1), predicted(lambda u: 3 * (expon.ppf(u) - 1)))
STRATA = {
    "2 equal, 3 strata of 20": ([_ONE, _ONE], [20, 20]),
    "2 apart, 3 strata of 10 and 60": ([_ONE, _TWO], [10, 60]),
    "2 equal, rates near 0, 8 strata of 15": ([_RARE, _RARE], [15, 15]),
    "2 equal, skewed errors, 2 strata of 15": ([_SKEWED, _SKEWED], [15, 15]),
}


def group_scenarios(population: Rows) -> list[Scenario]:
    """One group of every size, then weighted."""
    return [
        *(Scenario(f"{n}", [population], [n]) for n in SIZES),
        *(Scenario(f"{n} weighted", [population], [n], weighted=True) for n in WEIGHTED_SIZES),
    ]


def gap_scenarios(grid: Mapping[str, tuple[Sequence[Rows], Sequence[int]]]) -> list[Scenario]:
    """Every scenario, and the last one weighted."""
    plain = [Scenario(name, populations, sizes) for name, (populations, sizes) in grid.items()]
    return [*plain, replace(plain[-1], name=f"{plain[-1].name}, weighted", weighted=True)]


def stratified_scenarios() -> list[Scenario]:
    """Groups in strata, and the first again weighted."""
    plain = [
        Scenario(name, [rows for rows, _ in parts], sizes, strata=[strata for _, strata in parts])
        for name, (parts, sizes) in STRATA.items()
    ]
    return [*plain, replace(plain[0], name=f"{plain[0].name}, weighted", weighted=True)]


@cache
def of_groups(kind: str) -> Table:
    """Coverage of every metric of one group, by sample size."""
    population = {**BINARY, **ERRORS, **WILD_ERRORS, **CLASSES}[kind]
    return {item.name: coverage(item, GROUP_DRAWS, SEED) for item in group_scenarios(population)}


GAPS = {"binary": BINARY_GAPS, "regression": ERROR_GAPS, "several classes": CLASS_GAPS}


@cache
def of_gaps(task: str) -> Table:
    """Coverage of every gap, by scenario."""
    return {item.name: coverage(item, GAP_DRAWS, SEED, gaps=True) for item in gap_scenarios(GAPS[task])}


@cache
def of_strata() -> Table:
    """Coverage of every gap within strata, by scenario."""
    found = {item.name: coverage(item, GAP_DRAWS, SEED, gaps=True) for item in stratified_scenarios()}
    return {
        name: {key: told for key, told in row.items() if key.endswith("_conditional_difference")}
        for name, row in found.items()
    }


def uncovered(table: Table, needed: float = NEEDED) -> dict[str, float]:
    """What is covered too little: `definition at scenario`."""
    return {
        f"{told.definition} at {name}": told.held
        for name, row in table.items()
        for told in row.values()
        if told.held < needed
    }
