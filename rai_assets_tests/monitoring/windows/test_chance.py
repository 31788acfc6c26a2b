"""Chance is told from change: closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from rai_assets.monitoring.windows.chance import beyond_by_chance, chance_of


@pytest.mark.parametrize(("alarmed", "batches"), [(1, 1), (1, 12), (3, 12), (40, 365)])
def test_the_number_of_alarms_is_judged_by_the_binomial_tail(alarmed: int, batches: int) -> None:
    assert chance_of(alarmed, batches, 0.05) == pytest.approx(binom.sf(alarmed - 1, batches, 0.05))
    # With p-values two questions are asked, so each counts double.
    assert chance_of(alarmed, batches, 0.05, [1.0]) == pytest.approx(min(1, 2 * binom.sf(alarmed - 1, batches, 0.05)))


def test_a_year_of_hours_can_be_judged() -> None:
    assert chance_of(450, 8_760, 0.05) == pytest.approx(binom.sf(449, 8_760, 0.05))


@pytest.mark.parametrize(("blocks", "alarmed", "batches"), [(26, 1, 1), (26, 10, 60), (40, 30, 365)])
def test_batches_that_share_few_blocks_alarm_together(blocks: int, alarmed: int, batches: int) -> None:
    """Drawn: references with so many blocks, and batches like them; all numbers stand for the statistic of rows."""
    rng = np.random.default_rng(blocks)
    largest = int(0.05 * (blocks + 1))
    limit = np.sort(rng.random((4_000, blocks)), axis=1)[:, -largest]
    alarms = (rng.random((4_000, batches)) > limit[:, None]).sum(1)
    drawn = float((alarms >= alarmed).mean())
    assert chance_of(alarmed, batches, 0.05, blocks=blocks) == pytest.approx(drawn, abs=4 * 0.5 / 4_000**0.5)


@pytest.mark.parametrize(("blocks", "beyond"), [(10, 1), (19, 1), (26, 1), (39, 2), (59, 3), (60, 3), (99, 5)])
def test_one_batch_is_beyond_the_limit_of_its_blocks_as_often_as_it_is_the_largest_of_all(
    blocks: int, beyond: int
) -> None:
    """Blocks and batch are exchangeable; of b blocks the limit is the largest that p <= 5 % allows, or the first."""
    assert chance_of(1, 1, 0.05, blocks=blocks) == pytest.approx(beyond / (blocks + 1))


def test_one_very_small_p_value_counts_whatever_the_number_of_alarms() -> None:
    """Bonferroni over the batches, and over both questions."""
    assert chance_of(2, 10, 0.05, [0.001, 0.04]) == pytest.approx(2 * 10 * 0.001)
    assert chance_of(2, 10, 0.05, [0.03, 0.04]) == pytest.approx(2 * binom.sf(1, 10, 0.05))
    assert chance_of(2, 10, 0.05, [0.001], blocks=39) == pytest.approx(2 * 10 * 0.001)


def test_a_chance_is_a_probability() -> None:
    assert chance_of(0, 5, 0.05) == pytest.approx(1.0)
    assert chance_of(1, 5, 0.05, [0.9]) == pytest.approx(2 * (1 - 0.95**5))
    assert chance_of(3, 3, 0.9, [0.9]) == 1.0


def test_a_limit_at_the_end_of_a_95_percent_interval_is_beyond_it_in_one_tail() -> None:
    assert beyond_by_chance({"value": 0.8, "low": 0.7, "high": 0.9, "level": 0.95}, 0.7) == pytest.approx(0.025)
    # The end of the interval that is nearer to the limit tells how far the value is from it.
    uneven = {"value": 0.8, "low": 0.7, "high": 0.9 + 0.1, "level": 0.95}
    assert beyond_by_chance(uneven, 0.6) == pytest.approx(norm.sf(2 * norm.isf(0.025)))
    assert beyond_by_chance(uneven, 0.9) == pytest.approx(norm.sf(0.5 * norm.isf(0.025)))
    assert beyond_by_chance({**uneven, "level": 0.9}, 0.6) == pytest.approx(norm.sf(2 * norm.isf(0.05)))
    assert beyond_by_chance({**uneven, "low": 0.8}, 0.7) is None, "an interval of no width tells nothing"
    assert beyond_by_chance({"value": 0.8, "low": None, "high": None, "level": None}, 0.7) is None
