"""The promotion rule: a pure function of verdicts and a paired comparison."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rai_assets.metrics.rows import Rows
from rai_assets.model.promotion import Comparison, compare, decide

WORSE = Comparison(0.02, 0.01, 0.03, 1000, "share of wrong decisions")
UNCLEAR = Comparison(0.02, -0.01, 0.05, 1000, "share of wrong decisions")


def decisions(target: NDArray, decision: NDArray, weight: NDArray | None = None) -> Rows:
    return Rows("binary", ("no", "yes"), target.astype(np.int8), decision.astype(np.int8), weight=weight)


def test_without_the_gate_nothing_moves() -> None:
    assert not decide(gate_holds=False, same_model=False, comparison=None).promote


def test_the_first_model_moves_and_the_same_one_does_not() -> None:
    assert decide(gate_holds=True, same_model=False, comparison=None).promote
    assert not decide(gate_holds=True, same_model=True, comparison=None).promote


def test_a_challenger_moves_unless_it_is_shown_to_be_worse() -> None:
    assert decide(gate_holds=True, same_model=False, comparison=UNCLEAR).promote
    refused = decide(gate_holds=True, same_model=False, comparison=WORSE)
    assert not refused.promote
    assert "+0.02" in refused.reason


def test_a_champion_that_cannot_score_the_present_data_gives_way_to_the_gate() -> None:
    moved = decide(gate_holds=True, same_model=False, comparison=None, obstacle="it needs the column z")
    assert moved.promote and "column z" in moved.reason
    assert not decide(gate_holds=False, same_model=False, comparison=None, obstacle="it needs the column z").promote


def test_the_interval_is_mcnemars_with_one_half_added() -> None:
    """40 rows only the challenger gets wrong, 10 only the champion, of 1,000."""
    target = np.zeros(1000)
    ours, theirs = np.zeros(1000), np.zeros(1000)
    ours[:40], theirs[40:50] = 1, 1
    found = compare(decisions(target, ours), decisions(target, theirs))
    variance = (40 + 10 + 1 - (40 - 10) ** 2 / 1000) / 1000**2
    assert found.mean == pytest.approx(0.03)
    assert found.high - found.mean == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-6)


def test_models_that_never_disagree_have_an_interval_around_zero() -> None:
    target = np.array([0, 1] * 50)
    found = compare(decisions(target, target), decisions(target, target))
    assert found.mean == 0
    assert found.low < 0 < found.high


def test_regressions_compare_squared_errors() -> None:
    target = np.array([1.0, 2.0, 3.0, 4.0])
    ours = Rows("regression", target=target, score=target + 1)
    theirs = Rows("regression", target=target, score=target + np.array([2.0, 2.0, 2.0, 0.0]))
    found = compare(ours, theirs)
    assert found.mean == pytest.approx(np.mean([1 - 4, 1 - 4, 1 - 4, 1 - 0]))
    assert found.loss == "squared error"


def test_a_weighted_row_counts_as_often_as_it_weighs() -> None:
    target = np.zeros(30)
    ours, theirs = np.zeros(30), np.zeros(30)
    ours[:3] = 1
    weight = np.ones(30)
    weight[:3] = 2.0
    found = compare(decisions(target, ours, weight), decisions(target, theirs, weight))
    assert found.mean == pytest.approx(6 / 33)


def test_a_worse_challenger_is_rarely_promoted_and_an_equal_one_rarely_refused() -> None:
    draw = np.random.default_rng(0)
    refused_worse = refused_equal = 0
    for _ in range(300):
        target = draw.integers(0, 2, 2000)
        theirs = np.where(draw.random(2000) < 0.2, 1 - target, target)
        equal = np.where(draw.random(2000) < 0.2, 1 - target, target)
        worse = np.where(draw.random(2000) < 0.26, 1 - target, target)
        refused_equal += compare(decisions(target, equal), decisions(target, theirs)).low > 0
        refused_worse += compare(decisions(target, worse), decisions(target, theirs)).low > 0
    assert refused_equal / 300 < 0.05
    assert refused_worse / 300 > 0.95
