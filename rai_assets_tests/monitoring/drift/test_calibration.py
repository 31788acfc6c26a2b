"""P-values hold their level and lose no power: here on a small grid, every night on all of the page."""

from __future__ import annotations

import importlib.util
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp, permutation_test

from rai_assets.monitoring.drift.calibration import (
    DRAWS,
    PValue,
    beyond_draws,
    draws_for,
    few_cells,
    holm,
    ks_p,
    permuted,
    table,
    two_cells_p,
)
from rai_assets.monitoring.drift.columns import Sample
from rai_assets.monitoring.drift.methods import Column, p_values
from rai_assets.monitoring.drift.order import max_t
from rai_assets.monitoring.drift.settings import Method
from rai_assets.monitoring.drift.statistics import Measure, jensen_shannon, l_infinity, psi
from rai_assets_tests.monitoring.drift import simulation
from rai_assets_tests.monitoring.drift.simulation import LEVEL, POPULATIONS, alarms

DOCS = Path(__file__).resolve().parents[3] / "docs"
_spec = importlib.util.spec_from_file_location("simulate_drift", DOCS / "simulate_drift.py")
assert _spec is not None and _spec.loader is not None
simulate_drift = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(simulate_drift)

FALSE_ALARMS, POWER = LEVEL + 0.02, 0.05


def error(draws: int) -> float:
    """Two standard errors of a share near the level."""
    return 2 * (LEVEL * (1 - LEVEL) / draws) ** 0.5


@pytest.mark.parametrize(
    ("population", "before", "now"),
    [("2 categories", 100, 1000), ("42 categories", 1000, 100), ("42 categories", 1000, 1000), ("numbers", 100, 100)],
)
def test_false_alarms_are_as_rare_as_promised(population: str, before: int, now: int) -> None:
    draws = 200
    every = alarms(population, before, now, draws)
    for method, found in every.items():
        assert method == simulation.TEXTBOOK or found.false <= FALSE_ALARMS + error(draws), method
        assert (simulation.lost(method, population, every) or 0) <= POWER + 2 * (0.5 / draws**0.5), method


def test_a_test_that_redraws_one_side_only_is_found_out() -> None:
    """The harness itself: the known mistake raises the false alarms far beyond the level."""
    rng = np.random.default_rng(0)
    p = simulation.zipf(42)
    alarmed = 0
    for _ in range(200):
        before, now = rng.multinomial(1000, p), rng.multinomial(1000, p)
        null = jensen_shannon(before, rng.multinomial(1000, before / 1000, size=199))
        alarmed += (1 + (null >= jensen_shannon(before, now)).sum()) / 200 <= LEVEL
    assert alarmed / 200 > 0.3


def test_permutation_agrees_with_scipy() -> None:
    before, now = np.array([40, 30, 20, 10]), np.array([12, 25, 15, 8])

    def statistic(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
        sides = [np.stack([(side == value).sum(axis) for value in range(4)], -1) for side in (first, second)]
        return jensen_shannon(*sides)

    rows = [np.repeat(np.arange(4), side) for side in (before, now)]
    expected = permutation_test(rows, statistic, alternative="greater", vectorized=True, n_resamples=20_000, rng=1)
    drawn = [
        permuted(before, now, {"js": Measure(jensen_shannon)}, np.random.default_rng(seed))["js"].value
        for seed in range(60)
    ]
    assert np.mean(drawn) == pytest.approx(expected.pvalue, rel=0.15)


@given(st.integers(0, 8), st.integers(0, 8), st.integers(10, 40))
@settings(max_examples=60)
def test_few_missing_values_as_by_fisher_where_both_order_the_tables_alike(a: int, b: int, n: int) -> None:
    before, now = np.array([a, n - a]), np.array([b, n - b])
    assert two_cells_p(before, now, Measure(l_infinity)).value == pytest.approx(
        fisher_exact([before, now]).pvalue, abs=1e-9
    )


def test_few_missing_values_of_sides_of_different_sizes() -> None:
    before, now = np.array([6, 94]), np.array([3, 7])
    drawn = np.random.default_rng(0).hypergeometric(9, 101, 10, size=100_000)
    apart = np.abs(drawn / 10 - (9 - drawn) / 100)
    assert two_cells_p(before, now, Measure(l_infinity)).value == pytest.approx(
        (apart >= 0.24 - 1e-9).mean(), abs=0.003
    )


@given(st.integers(0, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 9))
@settings(max_examples=60)
def test_two_values_are_exact_for_every_statistic(a: int, b: int, c: int, d: int) -> None:
    """All ways to choose the current rows among the pooled ones."""
    before, now = np.array([a, b]), np.array([c, d])
    for of in (Measure(psi), Measure(jensen_shannon), Measure(l_infinity)):
        observed, reached, every = of(before, now), 0, 0
        for first in range(a + c + 1):
            ways = comb(a + c, first) * comb(b + d, c + d - first) if first <= c + d else 0
            if ways:
                drawn = np.array([first, c + d - first])
                every += ways
                reached += ways * bool(of(before + now - drawn, drawn) >= observed - 1e-12)
        assert two_cells_p(before, now, of).value == pytest.approx(reached / every, abs=1e-9)


def test_which_p_value_a_table_of_counts_gets() -> None:
    column = Column("x", "category")

    def null(method: Method, before: list[int], now: list[int], *, textbook: bool = False) -> str:
        sides = tuple(Sample(np.arange(len(side), dtype=float), np.array(side)) for side in (before, now))
        told = p_values(column, {method: sides}, {method: 0.1}, np.random.default_rng(0), 99, textbook=textbook)  # type: ignore[dict-item]
        return told[method].null.split(",")[0]

    # The least expected count is 50 * 10 / 100 = 5, and 49 * 10 / 100.
    assert null("chi_squared", [45, 45], [5, 5]) == "closed form"
    assert null("chi_squared", [44, 46], [5, 5]) == "exact"
    assert null("chi_squared", [44, 46], [5, 5], textbook=True) == "closed form"
    assert null("chi_squared", [30, 30, 4], [9, 9, 1]) == "permutation"
    assert null("psi", [30, 30], [9, 9]) == null("l_infinity", [30, 30], [9, 9]) == "exact"
    assert null("psi", [30_000, 30_000], [20_001, 9]) == "permutation"
    assert null("psi", [30, 30, 4], [9, 9, 1]) == "permutation"


def test_a_p_value_stops_at_its_tenth_exceedance() -> None:
    rng = np.random.default_rng(0)
    same = permuted(np.array([500, 500]), np.array([500, 500]), {"x": Measure(l_infinity)}, rng)["x"]
    far = permuted(np.array([500, 500]), np.array([900, 100]), {"x": Measure(l_infinity)}, rng)["x"]
    assert (same.value, same.null) == (1.0, "permutation, 10 draws")
    assert (far.value, far.null) == (1 / (DRAWS + 1), "permutation, 1,999 draws")


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert draws_for(14, 0.05) == DRAWS
    assert 1 / (draws_for(1000, 0.05) + 1) <= 0.05 / 1000


def test_blocks_hold_the_family_wise_level() -> None:
    """Chunk and blocks from one population, four tests that go together: an alarm in at most 5 % of the draws."""
    rng = np.random.default_rng(0)
    alarmed = 0
    for _ in range(1000):
        shared = rng.normal(size=(40, 1))
        every = np.exp(shared + rng.normal(size=(40, 4)))
        alarmed += max_t(every[0], every[1:]).min() <= LEVEL
    assert alarmed / 1000 <= LEVEL + error(1000)
    moved = np.concatenate([[np.array([9.0, 1, 1, 1])], 1 + rng.random((39, 4))])
    assert max_t(moved[0], moved[1:]).tolist()[0] == 1 / 40


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("population", POPULATIONS)
def test_every_calibrated_method_at_every_size(population: str) -> None:
    for before, now in simulate_drift.sizes(population):
        every = alarms(population, before, now)
        for method, found in every.items():
            assert method == simulation.TEXTBOOK or found.false <= FALSE_ALARMS, (method, before, now)
            assert (simulation.lost(method, population, every) or 0) <= POWER, (method, before, now)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("population", POPULATIONS)
def test_the_page_is_what_is_simulated(population: str) -> None:
    assert simulate_drift.section(population) in simulate_drift.PAGE.read_text(encoding="utf-8"), (
        "run `make statistics`"
    )


@pytest.mark.nightly
@pytest.mark.parametrize(("before", "now"), [(100, 100), (1500, 300)])
def test_words_of_texts_alarm_as_rarely_as_promised(before: int, now: int) -> None:
    """Words that come in bursts, so that those of one text go together; over 1,000 rows are redrawn in groups."""
    rng, draws = np.random.default_rng(0), 300
    column = Column("x", "category", [" ".join([f"w{a}"] * b + [f"v{b}"]) for a in range(40) for b in range(1, 8)])
    p = simulation.zipf(len(column.texts))
    alarmed = 0
    for _ in range(draws):
        sides = [simulation.counted(rng.multinomial(rows, p)) for rows in (before, now)]
        told = p_values(column, {"vocabulary": (sides[0], sides[1])}, {"vocabulary": 0.0}, rng, 199)
        alarmed += told["vocabulary"].value <= LEVEL
    assert alarmed / draws <= FALSE_ALARMS + error(draws)


@pytest.mark.parametrize(("before", "now"), [(40, 70), (12_000, 9_000)])
def test_the_p_value_of_the_distance_is_that_of_scipy(before: int, now: int) -> None:
    rng = np.random.default_rng(before)
    sides = rng.normal(size=before), rng.normal(1.5 * np.sqrt(1 / before + 1 / now), size=now)
    expected = ks_2samp(*sides)
    samples = [Sample(np.sort(side), np.ones(len(side), np.int64)) for side in sides]
    assert ks_p(samples[0], samples[1], float(expected.statistic)).value == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("shift", [0.4, 0.6, 0.8])
def test_where_the_distance_is_certain_the_first_term_is_all_there_is(shift: float) -> None:
    """On both sides of p = 2e-26, beyond which scipy's series is not summed."""
    n, distance = 40_000, np.sqrt(60 / 40_000) * (shift + 0.4)
    sample = Sample(np.arange(n, dtype=float), np.ones(n, np.int64))
    found = ks_p(sample, sample, float(distance)).value
    assert found == pytest.approx(2 * np.exp(-2 * n / 2 * distance**2), rel=0.02)


def test_many_numbers_are_cut_at_the_quantiles_of_all_rows() -> None:
    rng = np.random.default_rng(0)
    sides = [Sample(*np.unique(rng.normal(size=n).round(4), return_counts=True)) for n in (3000, 2000)]
    values, counts = table(*sides)
    assert counts.sum(1).tolist() == [3000, 2000]
    assert 900 <= len(values) <= 1000
    assert (np.diff(values) > 0).all()
    assert counts.sum(0).max() <= 2 * 5000 / 1000 + 1, "about five rows each"
    assert values @ counts.sum(0) == pytest.approx(sum(side.values @ side.counts for side in sides))
    few = [Sample(np.arange(1000.0), np.ones(1000, np.int64))] * 2
    assert len(table(*few)[0]) == 1000


def test_the_rarest_of_many_categories_are_one() -> None:
    counts = np.stack([np.arange(1500), np.arange(1500)[::-1] % 7])
    kept = few_cells(counts)
    assert kept.shape == (2, 1000)
    assert kept.sum(1).tolist() == counts.sum(1).tolist()
    pooled = np.sort(counts.sum(0))[::-1]
    assert kept.sum(0)[:999].tolist() == pooled[:999].tolist()
    assert few_cells(counts[:, :1000]) is not None and few_cells(counts[:, :1000]).shape == (2, 1000)


def test_rows_drawn_one_by_one_and_cell_by_cell_are_of_one_distribution() -> None:
    """100 of 1,100 rows in 50 cells are drawn one by one; the same table counted tenfold in fewer cells is not."""
    rng = np.random.default_rng(0)
    for cells in (50, 10):
        before, now = (rng.multinomial(n, simulation.zipf(cells)) for n in (1000, 100))
        statistic = Measure(jensen_shannon)
        drawn = rng.multivariate_hypergeometric(before + now, 100, size=20_000)
        expected = (statistic(before + now - drawn, drawn) >= statistic(before, now) - 1e-12).mean()
        found = [permuted(before, now, {"x": statistic}, np.random.default_rng(seed))["x"].value for seed in range(40)]
        assert np.mean(found) == pytest.approx(expected, rel=0.25)


def test_a_p_value_that_no_draw_reached_is_the_textbooks_of_common_values() -> None:
    """Two rare values would void the textbook's test; taken together with the next they leave a 2 x 2 table."""
    before, now = np.array([400, 400, 3, 2]), np.array([100, 700, 1, 4])
    floor = PValue(1 / (DRAWS + 1), "permutation")
    together = np.array([[400, 405], [100, 705]])
    wanted = chi2_contingency(together, correction=False).pvalue
    assert beyond_draws(floor, before, now, DRAWS).value == pytest.approx(wanted, rel=1e-9)
    assert beyond_draws(PValue(2 / (DRAWS + 1), "permutation"), before, now, DRAWS).value == 2 / (DRAWS + 1)
    few = np.array([3, 0, 0]), np.array([0, 2, 1])
    assert beyond_draws(floor, *few, DRAWS) == floor, "nothing is common enough to tell"
