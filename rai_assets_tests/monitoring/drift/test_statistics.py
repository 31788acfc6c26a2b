"""Every statistic equals that of scipy, or its definition written out, on samples of all shapes."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from rai_assets.monitoring.drift import DriftRow, DriftSettings, drift
from rai_assets.monitoring.drift.settings import Method
from rai_assets.monitoring.drift.statistics import chi_squared, doane_range, quantile_bins, value_by_value

NUMBERS = st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6, allow_subnormal=False))
SAMPLES = arrays(np.float64, st.integers(1, 60), elements=NUMBERS)
TEXTS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=80)


def compared(reference: object, current: object, *methods: Method, **more: object) -> dict[str, DriftRow]:
    frames = [pd.DataFrame({"x": side}) for side in (reference, current)]
    found = drift(*frames, DriftSettings(methods=list(methods), **{"rule": "textbook", **more}))
    return {row.method: row for row in found.rows}


@given(SAMPLES, SAMPLES)
@settings(max_examples=60)
def test_numbers_as_in_scipy(reference: np.ndarray, current: np.ndarray) -> None:
    rows = compared(reference, current, "ks", "wasserstein")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy says where it takes the asymptotic form
        expected = ks_2samp(reference, current)
    assert rows["ks"].statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert rows["ks"].p_value == pytest.approx(expected.pvalue, abs=1e-9)
    distance = wasserstein_distance(reference, current)
    assert rows["wasserstein"].statistic == pytest.approx(distance, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_a_million_rows_are_exact(shift: float) -> None:
    rng = np.random.default_rng(0)
    reference, current = rng.lognormal(size=1_000_000), rng.lognormal(size=300_000) + shift
    rows = compared(reference, current, "ks", "wasserstein")
    expected = ks_2samp(reference, current)
    assert rows["ks"].statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert rows["ks"].p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert rows["wasserstein"].statistic == pytest.approx(wasserstein_distance(reference, current), abs=1e-9)
    assert rows["ks"].error == 0


@given(TEXTS, TEXTS)
@settings(max_examples=60)
def test_categories_as_in_scipy(reference: list[str], current: list[str]) -> None:
    rows = compared(reference, current, "chi_squared", "jensen_shannon", "hellinger", "l_infinity", "unseen", "psi")
    values = sorted({*reference, *current})
    counts = np.array([[side.count(value) for value in values] for side in (reference, current)])
    p, q = counts / counts.sum(1, keepdims=True)
    if len(values) > 1:
        expected = chi2_contingency(counts)
        assert rows["chi_squared"].statistic == pytest.approx(expected.statistic, abs=1e-9)
        assert rows["chi_squared"].p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert rows["jensen_shannon"].statistic == pytest.approx(np.nan_to_num(jensenshannon(p, q, base=2)), abs=1e-7)
    assert rows["hellinger"].statistic == pytest.approx(np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / np.sqrt(2), abs=1e-9)
    assert rows["l_infinity"].statistic == pytest.approx(np.abs(p - q).max(), abs=1e-9)
    assert rows["unseen"].statistic == pytest.approx(np.mean([value not in reference for value in current]), abs=1e-9)
    p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    assert rows["psi"].statistic == pytest.approx(((q - p) * np.log(q / p)).sum(), abs=1e-9)


@given(arrays(np.float64, st.integers(3, 200), elements=st.floats(-1e3, 1e3).map(lambda x: round(x, 2))))
@settings(max_examples=100)
def test_bins_of_a_number_are_those_of_numpy(sample: np.ndarray) -> None:
    values, counts = np.unique(sample, return_counts=True)
    (low,), (high,), (bins,) = doane_range(counts[None], values)
    assert np.linspace(low, high, bins + 1) == pytest.approx(np.histogram_bin_edges(sample, "doane"))


def test_many_references_have_the_bins_of_numpy_at_once() -> None:
    """Small ones and large ones, and values far from zero, whose powers have no digit to spare."""
    rng = np.random.default_rng(2)
    values = 1e7 + np.sort(rng.exponential(size=80).round(3))
    references = np.array([rng.multinomial(n, np.ones(80) / 80) for n in range(1, 201)])
    lows, highs, bins = doane_range(references, values)
    for counts, low, high, number in zip(references, lows, highs, bins, strict=True):
        expected = np.histogram_bin_edges(np.repeat(values - 1e7, counts), "doane")
        assert (number, low - 1e7, high - 1e7) == pytest.approx((len(expected) - 1, expected[0], expected[-1]))


@pytest.mark.parametrize(
    ("distinct", "rows", "few"), [(50, 500, True), (51, 5000, False), (50, 499, False), (1, 10, True), (1, 9, False)]
)
def test_numbers_of_few_values_are_compared_value_by_value(distinct: int, rows: int, few: bool) -> None:
    counts = np.zeros(80, np.int64)
    counts[:distinct] = rows // distinct
    counts[0] += rows % distinct
    assert value_by_value(counts) == few


def test_a_value_that_neither_side_has_changes_nothing() -> None:
    before, now = np.array([30, 12, 0]), np.array([10, 14, 0])
    assert chi_squared(before, now) == pytest.approx(chi2_contingency([[30, 12], [10, 14]]).statistic)


@pytest.mark.parametrize("n", [5, 10, 15, 30, 35, 70, 110, 700, 1130])
def test_each_decile_is_the_smallest_value_that_is_enough(n: int) -> None:
    """Of the numbers from 1 to n, the smallest with n d / 10 of them up to it; n / 10 may be no binary fraction."""
    bounds = [0, *(-(-n * decile // 10) for decile in range(1, 10)), n]
    (found,), _ = quantile_bins(np.ones((1, n), np.int64), np.ones((1, n), np.int64))
    assert found.tolist() == np.diff(bounds).tolist()


def test_numbers_in_bins_of_the_reference_and_one_of_what_lies_outside() -> None:
    rng = np.random.default_rng(1)
    reference, current = rng.normal(size=4000), rng.normal(0.4, 1.3, size=700)
    rows = compared(reference, current, "jensen_shannon", "hellinger")
    edges = np.histogram_bin_edges(reference, "doane")
    p, q = (np.histogram(side, edges)[0] / len(side) for side in (reference, current))
    p, q = np.append(p, 0), np.append(q, 1 - q.sum())
    assert q[-1] > 0
    assert rows["jensen_shannon"].statistic == pytest.approx(jensenshannon(p, q, base=2), abs=1e-9)
    assert rows["hellinger"].statistic == pytest.approx(np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / np.sqrt(2), abs=1e-9)


def test_the_stability_index_of_a_number_has_the_deciles_of_the_reference() -> None:
    reference = np.arange(1, 101)
    current = np.arange(1, 101) + 10
    # Ten bins of ten; the first is empty now, the last has two tenths.
    found = compared(reference, current, "psi")["psi"].statistic
    p, q = np.full(10, 0.1), np.array([1e-4, *[0.1] * 8, 0.2])
    assert found == pytest.approx(((q - p) * np.log(q / p)).sum())


def test_the_missing_rate_and_its_difference() -> None:
    row = compared([1.0, None, 2.0, 3.0], [None, None, 1.0, 2.0], "missing")["missing"]
    assert (row.statistic, row.effect) == (0.5, 0.25)
    assert (row.n_reference, row.n_current) == (4, 4)
