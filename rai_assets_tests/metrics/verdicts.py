"""How often a verdict is wrong: requirements judged on samples of populations whose truth is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from rai_assets.metrics.number import Number
from rai_assets.metrics.requirements import Requirement, judge
from rai_assets.metrics.rows import Rows
from rai_assets_tests.metrics.coverage import Scenario, sampled_numbers
from rai_assets_tests.metrics.grids import SEED, decided, selected

DRAWS = 400
SIZES = (30, 100, 300, 1000, 3000)
DISTANCES = (-0.1, -0.05, -0.02, 0.0, 0.02, 0.05, 0.1)


@dataclass(frozen=True, eq=False)
class Rule:
    """A requirement and populations that miss or keep its limit by a distance.

    Attributes:
        text: The requirement in words.
        requirement: What is judged.
        populations: One per group, at a signed distance of the truth from the limit.
    """

    text: str
    requirement: Requirement
    populations: Callable[[float], Sequence[Rows]]


def _gap(definition: str, **limit: float) -> Requirement:
    return Requirement("r", definition, sensitive=["g"], **limit)  # type: ignore[arg-type]


RULES = (
    Rule(
        "largest difference of two selection rates at most 0.1 (one is 0.3)",
        _gap("demographic_parity_difference", at_most=0.1),
        lambda distance: [selected(0.3), selected(0.4 + distance)],
    ),
    Rule(
        "largest difference of four selection rates at most 0.1 (three are 0.3)",
        _gap("demographic_parity_difference", at_most=0.1),
        lambda distance: [selected(0.3)] * 3 + [selected(0.4 + distance)],
    ),
    Rule(
        "ratio of two selection rates at least 0.8 (the higher is 0.5)",
        _gap("four_fifths", at_least=0.8),
        lambda distance: [selected(0.5), selected(0.5 * (0.8 + distance))],
    ),
    Rule(
        "false positive rate of a group at most 0.15 (half of the rows have a negative target)",
        Requirement("r", "false_positive_rate", group={"g": "0"}, at_most=0.15),
        lambda distance: [decided(0.5, 0.8, 0.15 + distance)],
    ),
    Rule(
        "accuracy of a group at least 0.8",
        Requirement("r", "accuracy", group={"g": "0"}, at_least=0.8),
        lambda distance: [decided(0.5, 0.8 + distance, 0.2 - distance)],
    ),
)


@cache
def outcomes(rule: Rule, size: int, distance: float, draws: int = DRAWS) -> Mapping[str, float]:
    """Share of the samples, `size` rows from every group, with each verdict."""
    populations = rule.populations(distance)
    scenario = Scenario("", populations, [size] * len(populations))
    gaps = not rule.requirement.group
    found: Counter[str] = Counter()
    for number in sampled_numbers(scenario, draws, np.random.default_rng(SEED), gaps=gaps):
        placed = number if gaps else _without_draw(number)
        if rule.requirement.concerns(placed):
            found[judge(rule.requirement, [placed]).verdict] += 1
    total = sum(found.values())
    return {verdict: found[verdict] / total for verdict in ("pass", "fail", "cannot tell")}


def _without_draw(number: Number) -> Number:
    return replace(number, group={"g": number.group["g"]})


def wrong(rule: Rule, size: int, distance: float, draws: int = DRAWS) -> float:
    """Share of the samples whose verdict is the opposite of the truth."""
    true = distance <= 0 if rule.requirement.at_most is not None else distance >= 0
    return outcomes(rule, size, distance, draws)["fail" if true else "pass"]
