"""Every published interval holds the truth as often as it says, and verdicts are rarely wrong.

Here on a small grid; the nightly test simulates the whole of docs/statistics.md again.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rai_assets.metrics.rows import Rows
from rai_assets_tests.metrics import verdicts
from rai_assets_tests.metrics.coverage import Scenario, coverage
from rai_assets_tests.metrics.grids import (
    BINARY,
    BINARY_GAPS,
    CLASSES,
    ERROR_GAPS,
    ERRORS,
    GAPS,
    NEEDED,
    of_gaps,
    of_groups,
    of_strata,
    stratified_scenarios,
    uncovered,
)
from rai_assets_tests.metrics.grids import GAP_DRAWS as GRID_GAP_DRAWS
from rai_assets_tests.metrics.grids import GROUP_DRAWS as GRID_GROUP_DRAWS

DRAWS, GAP_DRAWS = 400, 220


def allowed(draws: int) -> float:
    """Two standard errors of so many samples below what is needed."""
    return NEEDED - 2 * (NEEDED * (1 - NEEDED) / draws) ** 0.5


DOCS = Path(__file__).resolve().parents[2] / "docs"
_spec = importlib.util.spec_from_file_location("simulate", DOCS / "simulate.py")
assert _spec is not None and _spec.loader is not None
simulate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(simulate)


@pytest.mark.parametrize("kind", [*BINARY, *ERRORS])
def test_metrics_of_one_group_are_covered(kind: str) -> None:
    population = {**BINARY, **ERRORS}[kind]
    for scenario in (Scenario("5", [population], [5]), Scenario("40 weighted", [population], [40], weighted=True)):
        assert uncovered({scenario.name: coverage(scenario, DRAWS, 1)}, allowed(DRAWS)) == {}


def test_averages_over_classes_are_covered() -> None:
    scenario = Scenario("30", [CLASSES["three classes, 60, 25 and 15 %"]], [30])
    assert uncovered({"30": coverage(scenario, DRAWS, 1)}, allowed(DRAWS)) == {}


@pytest.mark.parametrize(
    ("populations", "sizes"),
    [
        BINARY_GAPS["2 equal, n 12"],
        BINARY_GAPS["3 apart, n 10, 40, 300"],
        BINARY_GAPS["2 apart, n 1000"],
        ERROR_GAPS["3 equal, n 12"],
    ],
)
def test_gaps_are_covered(populations: Sequence[Rows], sizes: Sequence[int]) -> None:
    found = coverage(Scenario("", populations, sizes), GAP_DRAWS, 1, gaps=True)
    assert uncovered({"": found}, allowed(GAP_DRAWS)) == {}
    assert any(name.endswith("_ratio") for name in found)


def test_gaps_within_strata_are_covered() -> None:
    found = coverage(stratified_scenarios()[1], GAP_DRAWS, 1, gaps=True)
    assert "selection_rate_conditional_difference" in found
    assert uncovered({"": found}, allowed(GAP_DRAWS)) == {}


def test_an_interval_that_is_too_narrow_is_found_out() -> None:
    """The harness itself: intervals at 60 % hold the truth of many rows about that often."""
    scenario = Scenario("1000", [BINARY["rates of one half, scores spread evenly"]], [1000])
    found = coverage(scenario, DRAWS, 1, level=0.6)
    for name in ("accuracy", "true_positive_rate", "roc_auc", "matthews_correlation"):
        assert 0.52 <= found[name].held <= 0.72


@pytest.mark.parametrize("rule", verdicts.RULES, ids=lambda rule: rule.text)
def test_verdicts_are_rarely_wrong_and_many_rows_can_tell(rule: verdicts.Rule) -> None:
    for distance in (-0.02, 0.0, 0.02):
        assert verdicts.wrong(rule, 100, distance, draws=200) <= 0.06
    far = verdicts.outcomes(rule, 3000, -0.1, draws=100)
    kept = rule.requirement.at_most is not None
    assert far["pass" if kept else "fail"] >= 0.9


@pytest.mark.nightly
@pytest.mark.parametrize("kind", simulate.PROMISED)
def test_every_metric_of_one_group_is_covered(kind: str) -> None:
    assert uncovered(of_groups(kind), allowed(GRID_GROUP_DRAWS)) == {}


@pytest.mark.nightly
@pytest.mark.parametrize("task", GAPS)
def test_every_gap_is_covered(task: str) -> None:
    assert uncovered(of_gaps(task), allowed(GRID_GAP_DRAWS)) == {}


@pytest.mark.nightly
def test_every_gap_within_strata_is_covered() -> None:
    assert uncovered(of_strata(), allowed(GRID_GAP_DRAWS)) == {}


@pytest.mark.nightly
def test_verdicts_are_wrong_as_rarely_as_the_intervals_promise() -> None:
    """5 % and two standard errors of the samples."""
    worst = max(
        verdicts.wrong(rule, size, distance)
        for rule in verdicts.RULES
        for size in verdicts.SIZES
        for distance in verdicts.DISTANCES
    )
    assert worst <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / verdicts.DRAWS)


@pytest.mark.nightly
@pytest.mark.parametrize("name", list(simulate.SECTIONS))
def test_the_page_of_statistics_is_what_is_simulated(name: str) -> None:
    assert simulate.SECTIONS[name]() in simulate.PAGE.read_text(encoding="utf-8"), "run `make statistics`"
