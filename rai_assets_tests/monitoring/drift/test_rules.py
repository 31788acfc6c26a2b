"""Limits without a level: where they lie, what is beyond them, and how often they alarm by themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm

from rai_assets.errors import Undefined
from rai_assets.monitoring.drift.columns import Sample
from rai_assets.monitoring.drift.methods import Column, prepared
from rai_assets.monitoring.drift.rules import Limits, false_alarm_rate, left_out_rate, limits_of, unchanged
from rai_assets.monitoring.drift.settings import DriftSettings


def of_chunks(values: list[float], deviations: float) -> Limits | None:
    settings = DriftSettings(rule="reference_chunks", chunks=10, deviations=deviations)
    return limits_of(settings, "ks", 1.0, values)


def test_only_a_value_beyond_the_limit_is() -> None:
    assert Limits(1.0).beyond(np.array([0.0, 1.0, 1.1])).tolist() == [False, False, True]
    assert Limits(1.0, 0.5).beyond(np.array([0.4, 0.5, 0.7, 1.0, 1.1])).tolist() == [True, False, False, False, True]


def test_the_limits_of_chunks_are_their_mean_and_so_many_standard_deviations() -> None:
    assert of_chunks([2.0, 4.0], 2.0) == Limits(5.0, 1.0)
    # No value is too small where the lower limit is not above zero.
    assert of_chunks([2.0, 4.0], 3.0) == Limits(6.0, None)
    assert of_chunks([0.0, 1.0], 3.0) == Limits(2.0, None)
    with pytest.raises(Undefined, match="fewer than two chunks"):
        of_chunks([2.0], 3.0)


def test_the_limits_of_evidently_and_those_that_are_named() -> None:
    evidently = DriftSettings(rule="evidently")
    assert limits_of(evidently, "wasserstein", 5.0, []) == Limits(0.5)
    distance = limits_of(evidently, "jensen_shannon", 5.0, [])
    assert distance is not None
    # Evidently's 0.1 is of the distance with natural logarithms.
    assert distance.upper * math.sqrt(math.log(2)) == pytest.approx(0.1)
    assert limits_of(evidently, "ks", 5.0, []) is None
    fixed = DriftSettings(rule="fixed", limits={"psi": 0.25})
    assert limits_of(fixed, "psi", 5.0, []) == Limits(0.25)
    with pytest.raises(Undefined, match="no limit is named"):
        limits_of(fixed, "ks", 5.0, [])


def test_each_chunk_is_judged_by_the_others() -> None:
    # Beside three ones, ten is beyond 1 +- 0; beside two ones and the ten, one is within 4 +- 3 * 4.2.
    assert left_out_rate([1.0, 1.0, 1.0, 10.0], 3.0) == 0.25
    assert left_out_rate([1.0, 2.0, 3.0], 3.0) == 0.0 + (abs(1 - 2.5) > 1.5) / 3 + (abs(3 - 1.5) > 1.5) / 3
    assert left_out_rate([1.0, 10.0], 3.0) is None


@pytest.mark.parametrize("beyond", [0.1, 0.3, 0.5])
def test_a_limit_on_the_missing_rate_alarms_as_the_binomial_says(beyond: float) -> None:
    column, reference = Column("x", "number"), Sample(np.zeros(1), np.array([900]), 100)
    limit = float(binom.isf(beyond, 400, 0.1)) / 400
    drawn = unchanged(column, "missing", prepared(column, "missing", reference), 400, np.random.default_rng(0))
    expected = binom.sf(round(limit * 400), 400, 0.1)
    assert false_alarm_rate(column, "missing", Limits(limit), drawn) == pytest.approx(expected, abs=0.09)


@pytest.mark.parametrize(("before", "now"), [(400, 400), (400, 4000), (4000, 400)])
def test_a_limit_on_a_difference_of_shares_alarms_as_if_both_sides_were_drawn(before: int, now: int) -> None:
    column, reference = (
        Column("x", "category", ["a", "b"]),
        Sample(np.arange(2.0), np.array([before // 4, before * 3 // 4])),
    )
    limit = norm.isf(0.2) * math.sqrt(0.25 * 0.75 * (1 / before + 1 / now))
    drawn = unchanged(column, "l_infinity", reference, now, np.random.default_rng(0))
    assert (drawn.before.sum(1) == before).all()
    assert (drawn.now.sum(1) == now).all()
    assert false_alarm_rate(column, "l_infinity", Limits(limit), drawn) == pytest.approx(0.4, abs=0.1)
