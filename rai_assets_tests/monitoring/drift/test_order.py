"""P-values from blocks of the reference, against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binom, chi2

from rai_assets.monitoring.drift.calibration import PValue
from rai_assets.monitoring.drift.order import block_p, blocks_of, by_blocks, larger, max_t, unlucky_rate
from rai_assets.monitoring.drift.settings import DriftSettings


def by_definition(scale: np.ndarray) -> list[float]:
    """Step down from the most surprising test of the chunk, the first row: each against the largest of those left."""
    adjusted, largest = [0.0] * scale.shape[1], 0.0
    left = list(range(scale.shape[1]))
    while left:
        test = max(left, key=lambda at: scale[0, at])
        reached = sum(max(row[at] for at in left) >= scale[0, test] - 1e-9 for row in scale)
        largest = max(largest, reached / len(scale))
        adjusted[test] = largest
        left.remove(test)
    return adjusted


def standardized(statistics: np.ndarray) -> np.ndarray:
    return np.asarray((statistics - statistics.mean(0)) / statistics.std(0))


@pytest.mark.parametrize("seed", range(20))
def test_maxima_step_down_as_westfall_and_young_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    blocks, observed = rng.exponential(size=(25, 4)), rng.exponential(1.5, size=4)
    if seed % 2:
        blocks, observed = blocks.round(), observed.round()  # equal values count as reached
    assert max_t(observed, blocks) == pytest.approx(by_definition(standardized(np.vstack([observed, blocks]))))


@pytest.mark.parametrize("seed", range(10))
def test_tests_of_different_methods_are_compared_as_normal_deviates(seed: int) -> None:
    """Chi-squared of 1 degree; of 40, three times as large in all blocks; the third test has a statistic only."""
    rng = np.random.default_rng(seed)
    degrees = np.array([1.0, 40.0])
    values = np.column_stack([rng.chisquare(1, 26), 3 * rng.chisquare(40, 26)])
    statistics = np.column_stack([values, rng.normal(size=26)])
    as_told = np.full((26, 3, 2), np.nan)
    as_told[:, :2, 0], as_told[:, :2, 1] = values, degrees
    inflation = np.maximum(np.median(values, axis=0) / chi2.ppf(beta.ppf(0.95, 13.5, 13.5), degrees), 1)
    assert inflation[1] > 2
    roots = np.cbrt(values / inflation / degrees)
    deviates = (roots - (1 - 2 / (9 * degrees))) / np.sqrt(2 / (9 * degrees))
    scale = np.column_stack([deviates, standardized(statistics)[:, 2]])
    assert max_t(statistics[0], statistics[1:], as_told) == pytest.approx(by_definition(scale))


def test_the_median_of_few_chi_squared_values_is_that_far_out_in_one_of_twenty() -> None:
    rng = np.random.default_rng(0)
    medians = np.median(rng.chisquare(3, (20_000, 27)), axis=1)
    assert np.mean(medians > chi2.ppf(beta.ppf(0.95, 14, 14), 3)) == pytest.approx(0.05, abs=0.005)


def test_a_statistic_that_never_varies_says_nothing() -> None:
    blocks = np.column_stack([np.zeros(19), np.arange(19.0)])
    adjusted = max_t(np.array([0.0, 100.0]), blocks)
    assert adjusted.tolist() == [1.0, 1 / 20]


def test_blocks_as_far_as_the_chunk_are_counted_with_the_chunk_itself() -> None:
    blocks = np.array([1.0, 2.0, 3.0, 3.0])
    assert [block_p(value, blocks).value for value in (0.5, 2.5, 3.0, 3.1)] == [1.0, 3 / 5, 3 / 5, 1 / 5]
    assert block_p(3.0 + 1e-12, blocks).value == 3 / 5, "equal but for rounding"
    assert block_p(1.0, blocks).null == "4 blocks of the reference"


def test_a_chunk_has_to_differ_in_both_ways() -> None:
    blocks, rows = PValue(0.04, "24 blocks of the reference"), PValue(0.2, "closed form")
    assert larger(blocks, rows) == PValue(0.2, "larger of 24 blocks of the reference and closed form")
    assert larger(blocks, PValue(0.01, "closed form")).value == 0.04


@pytest.mark.parametrize(("blocks", "beyond"), [(26, 1), (40, 2), (199, 10)])
def test_one_reference_in_twenty_is_that_unlucky(blocks: int, beyond: int) -> None:
    rate = unlucky_rate(blocks, 0.05)
    # At most `beyond - 1` of the blocks lie in the upper share `rate` of all: the binomial form of the same chance.
    assert binom.cdf(beyond - 1, blocks, rate) == pytest.approx(0.05)


def test_a_null_says_how_many_blocks_it_is_from() -> None:
    assert blocks_of(block_p(0.5, np.arange(26.0)).null) == 26
    assert blocks_of(larger(block_p(0.5, np.arange(26.0)), PValue(0.3, "permutation, 33 draws")).null) == 26
    assert blocks_of("permutation") is None


def test_blocks_are_compared_where_the_reference_has_twenty_of_them() -> None:
    assert by_blocks(DriftSettings(), 2_000, 100)
    assert not by_blocks(DriftSettings(), 1_999, 100)
    assert not by_blocks(DriftSettings(), 2_000, 0)
    assert not by_blocks(DriftSettings(null="permutation"), 2_000, 100)
    assert by_blocks(DriftSettings(null="blocks"), 500, 100)
