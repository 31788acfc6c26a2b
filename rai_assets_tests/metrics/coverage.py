"""How often published intervals hold the truth: samples are drawn from finite populations, of which the truth is exact.

A population is a table of rows with probabilities; its true figures are the product's own, measured on it with the
probabilities as weights. Many samples are measured at once, each as a group of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from rai_assets.metrics.conditional import measure_conditional
from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Grouping, Rows
from rai_assets.metrics.table import Measurement, estimate, gap_numbers, group_numbers

FEWEST = 200
"""Samples with an interval below which no coverage is told."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class Scenario:
    """Samples of fixed size from every group.

    Attributes:
        name: For the head of a column.
        populations: One per group, `weight` holding the probabilities.
        sizes: Rows that are drawn from each.
        weighted: Rows carry random weights, exponentially distributed: n rows are worth about n / 2.
        strata: Stratum of every group's population rows; None for no strata. Then `sizes` are those of every stratum.
    """

    name: str
    populations: Sequence[Rows]
    sizes: Sequence[int]
    weighted: bool = False
    strata: Sequence[np.ndarray] | None = None


@dataclass(frozen=True)
class Coverage:
    """How often the intervals of one metric held the truth.

    Attributes:
        scenario: Name of the scenario.
        definition: Id of the metric, without version.
        held: Share of the samples with an interval whose interval held the truth, the lowest over groups and classes.
        shown: Share of the samples with an interval.
        width: Median width of the interval.
    """

    scenario: str
    definition: str
    held: float
    shown: float
    width: float


def coverage(
    scenario: Scenario, draws: int, seed: int, *, gaps: bool = False, level: float = 0.95
) -> dict[str, Coverage]:
    """Coverage of every metric of a scenario, by definition: of the groups, or of the gaps between them."""
    truth = {_key(number): number for number in _true_numbers(scenario, gaps=gaps)}
    found: dict[Key, list[Number]] = {}
    for number in sampled_numbers(scenario, draws, np.random.default_rng(seed), gaps=gaps, level=level):
        found.setdefault(_key(number), []).append(number)
    told: dict[str, Coverage] = {}
    for key, numbers in found.items():
        true = truth[key].value if key in truth else None
        bounded = [number for number in numbers if number.low is not None or number.high is not None]
        if true is None or len(bounded) < FEWEST:
            continue
        slack = 1e-9 * max(1.0, abs(true))
        low = np.array([-np.inf if number.low is None else number.low for number in bounded])
        high = np.array([np.inf if number.high is None else number.high for number in bounded])
        held = float(((low - slack <= true) & (true <= high + slack)).mean())
        name = key[0]
        if name not in told or held < told[name].held:
            told[name] = Coverage(scenario.name, name, held, len(bounded) / len(numbers), float(np.median(high - low)))
    return told


def _key(number: Number) -> Key:
    places = {**number.coordinates, **{name: value for name, value in number.group.items() if name == "g"}}
    return (number.definition.partition("@")[0], *(f"{name}={value}" for name, value in sorted(places.items())))


def _true_numbers(scenario: Scenario, *, gaps: bool) -> Iterator[Number]:
    """Every figure of the populations, each group with as much weight as it has rows in a sample."""
    rows = _joined(
        scenario.populations,
        [part.weight * size for part, size in zip(scenario.populations, scenario.sizes, strict=True)],
    )
    grouping = _grouping(np.repeat(np.arange(len(scenario.populations)), [part.n for part in scenario.populations]))
    yield from _numbers(estimate(rows, grouping), gaps=gaps, minimum_size=1)
    if scenario.strata is not None and gaps:
        strata = _strata(np.concatenate(scenario.strata))
        yield from measure_conditional(rows, grouping, strata, minimum_size=1)


def sampled_numbers(
    scenario: Scenario, draws: int, rng: np.random.Generator, *, gaps: bool, level: float = 0.95
) -> Iterator[Number]:
    """The numbers of many samples; a gap that leaves groups out is one of fewer groups, and is passed over."""
    n_groups = len(scenario.populations)
    picked, codes = [], []
    for group, (part, size) in enumerate(zip(scenario.populations, scenario.sizes, strict=True)):
        picked.append(
            part.take(_picks(part, None if scenario.strata is None else scenario.strata[group], size, draws, rng))
        )
        codes.append(np.repeat(np.arange(draws) * n_groups + group, picked[-1].n // draws))
    weights = [rng.exponential(size=part.n) if scenario.weighted else None for part in picked]
    rows = _joined(picked, weights if scenario.weighted else None)
    code = np.concatenate(codes)
    labels = tuple({"draw": str(draw), "g": str(group)} for draw in range(draws) for group in range(n_groups))
    measured = estimate(rows, Grouping(("draw", "g"), code.astype(np.int32), labels))
    if not gaps:
        yield from group_numbers(measured, level, 5, "all")
        return
    cached = [(replace(item, limits=cache(item.limits)), places) for item, places in measured.estimates]
    groups = _grouping(np.arange(n_groups)).groups
    for draw in range(draws):
        chosen = np.arange(n_groups) + draw * n_groups
        one = Measurement(
            Grouping(("g",), np.arange(n_groups, dtype=np.int32), groups),
            measured.sizes[chosen],
            None,
            [(item.take(chosen), places) for item, places in cached],
            [(cells.take(chosen), places) for cells, places in measured.tables],
        )
        yield from (
            number for number in _numbers(one, gaps=True, level=level) if "left out" not in (number.reason or "")
        )
    if scenario.strata is not None:
        stratum = np.concatenate([
            np.tile(np.repeat(np.unique(strata), size), draws)
            for strata, size in zip(scenario.strata, scenario.sizes, strict=True)
        ])  # fmt: skip
        for draw in range(draws):
            chosen = np.flatnonzero(code // n_groups == draw)
            yield from measure_conditional(
                rows.take(chosen), _grouping(code[chosen] % n_groups), _strata(stratum[chosen]), level=level
            )


def _picks(part: Rows, strata: np.ndarray | None, size: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of a population, `size` per draw, or per draw and stratum in order; (draws * size,)."""
    assert part.weight is not None
    if strata is None:
        return rng.choice(part.n, draws * size, p=part.weight / part.weight.sum())
    columns = []
    for stratum in np.unique(strata):
        chance = part.weight * (strata == stratum)
        columns.append(rng.choice(part.n, (draws, size), p=chance / chance.sum()))
    return np.concatenate(columns, axis=1).ravel()


def _numbers(measured: Measurement, *, gaps: bool, level: float = 0.95, minimum_size: int = 5) -> list[Number]:
    if not gaps:
        return group_numbers(measured, level, minimum_size, "all")
    return gap_numbers(measured, measured.groups[0], level, minimum_size, "all")


def _joined(parts: Sequence[Rows], weights: Sequence[np.ndarray] | None) -> Rows:
    def column(name: str) -> np.ndarray | None:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else np.concatenate(values)

    arrays = {name: column(name) for name in ("target", "decision", "score")}
    return replace(parts[0], **arrays, weight=None if weights is None else np.concatenate(weights))


def _grouping(codes: np.ndarray) -> Grouping:
    return Grouping(("g",), codes.astype(np.int32), tuple({"g": str(code)} for code in range(int(codes.max()) + 1)))


def _strata(codes: np.ndarray) -> Grouping:
    return Grouping(("s",), codes.astype(np.int32), tuple({"s": str(code)} for code in range(int(codes.max()) + 1)))
