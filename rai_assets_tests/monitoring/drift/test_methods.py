"""Which methods a column is compared by, at the boundaries, and how large a difference is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency, ks_2samp, wasserstein_distance
from scipy.stats.contingency import association

from rai_assets.errors import Undefined
from rai_assets.monitoring.drift import methods
from rai_assets.monitoring.drift.columns import Kind, Sample
from rai_assets.monitoring.drift.methods import (
    Column,
    as_chi_squared,
    deviation,
    effect,
    fitting,
    measure,
    p_values,
    prepared,
    table_of,
)
from rai_assets.monitoring.drift.settings import DriftSettings, Method

PLAIN = DriftSettings()


def distinct(n: int, rows_each: int = 3, start: int = 0) -> Sample:
    """So many values, each as often."""
    return Sample(np.arange(start, start + n, dtype=float), np.full(n, rows_each))


def chosen(
    kind: Kind, before: Sample, now: Sample, settings: DriftSettings = PLAIN, name: str = "x", words: str = "w{}"
) -> list[Method]:
    texts = [words.format(code) for code in range(4000)] if kind == "category" else []
    return fitting(Column(name, kind, texts), before, now, settings)


@pytest.mark.parametrize("kind", ["number", "time"])
def test_numbers_of_at_most_ten_values_on_both_sides_are_categories(kind: Kind) -> None:
    assert chosen(kind, distinct(6), distinct(4, start=6)) == ["chi_squared"]
    assert chosen(kind, distinct(6), distinct(5, start=6)) == ["ks"]
    assert chosen(kind, distinct(10), distinct(10)) == ["chi_squared"]


@pytest.mark.parametrize("method", ["chi_squared", "l_infinity", "unseen"])
def test_numbers_of_at_most_ten_values_are_compared_as_categories_where_that_is_all_that_was_asked_for(
    method: Method,
) -> None:
    asked, more = DriftSettings(methods=[method]), DriftSettings(methods=["ks", method])
    assert chosen("number", distinct(6), distinct(4, start=6), asked) == [method]
    assert chosen("number", distinct(6), distinct(4, start=6), more) == ["ks"]
    with pytest.raises(Undefined, match=f"^{method} compares categories and numbers of at most 10 values; `cat"):
        chosen("number", distinct(6), distinct(5, start=6), asked)


@pytest.mark.parametrize(("missing", "asked"), [((0, 0), []), ((1, 0), ["missing"]), ((0, 1), ["missing"])])
def test_missing_values_are_asked_about_where_either_side_has_some(missing: tuple[int, int], asked: list[str]) -> None:
    before, now = (Sample(distinct(20).values, distinct(20).counts, lost) for lost in missing)
    assert chosen("number", before, now) == ["ks", *asked]


def test_an_identifier_is_a_number_that_every_row_has_to_itself_and_is_named_like_one() -> None:
    with pytest.raises(Undefined, match="it names the rows"):
        chosen("number", distinct(8, 1), distinct(3, 1, start=8), name="customer_id")
    assert chosen("number", distinct(8, 1), distinct(3, 1, start=7), name="customer_id") == ["chi_squared"]
    assert chosen("number", distinct(8, 1), distinct(4, 1, start=7), name="customer_id") == ["ks"]
    assert chosen("number", distinct(8, 1), distinct(3, 1, start=8), name="income") == ["ks"]
    assert chosen("number", distinct(7, 1), distinct(3, 1, start=7), name="customer_id") == ["chi_squared"]
    assert chosen("time", distinct(8, 1), distinct(3, 1, start=8), name="customer_id") == ["ks"]


def test_texts_are_no_categories_from_31_on_that_most_rows_have_to_themselves() -> None:
    with pytest.raises(Undefined, match="nearly every one has its own value"):
        chosen("category", distinct(31, 1), distinct(0))
    assert chosen("category", distinct(30, 1), distinct(0)) == ["chi_squared"]
    assert chosen("category", distinct(31, 1), distinct(31, 1)) == ["chi_squared"], "31 of 62 rows are half of them"
    spaced = "two words {}"
    assert chosen("category", distinct(31, 1), distinct(30, 1), words=spaced) == ["vocabulary", "length"]
    halves = [f"two words {code}" if code % 2 else f"one{code}" for code in range(200)]
    column = Column("x", "category", halves)
    assert fitting(column, distinct(40, 1), distinct(0), PLAIN) == ["vocabulary", "length"], "half of them have a space"
    column = Column("x", "category", ["one0", *halves[2:], "one"])
    with pytest.raises(Undefined):
        fitting(column, distinct(41, 1), distinct(0), PLAIN)


def test_what_is_named_for_a_column_goes_before_what_is_named_for_all() -> None:
    named = DriftSettings(methods=["ks", "chi_squared"], columns={"y": ["psi"]})
    assert chosen("number", distinct(20), distinct(20), named) == ["ks"]
    assert chosen("number", distinct(20), distinct(20), named, name="y") == ["psi"]
    assert chosen("category", distinct(20), distinct(20), named) == ["chi_squared"]
    with pytest.raises(Undefined, match="no row has a value"):
        chosen("number", Sample(np.zeros(0), np.zeros(0, int), 5), Sample(np.zeros(0), np.zeros(0, int), 4))
    lost = DriftSettings(methods=["missing", "ks"])
    none = Sample(np.zeros(0), np.zeros(0, int), 5)
    assert chosen("number", none, none, lost) == ["missing"]
    assert chosen("number", distinct(20), none, lost) == ["missing", "ks"]


@pytest.mark.parametrize(
    ("values", "each", "missing", "few_rows", "many_rows"),
    [(5, 199, 0, "chi_squared", "jensen_shannon"), (6, 166, 0, "ks", "wasserstein")],
)
def test_evidently_counts_the_rows_of_the_reference_and_its_values(
    values: int, each: int, missing: int, few_rows: str, many_rows: str
) -> None:
    rule, plain = DriftSettings(rule="evidently"), distinct(values, each)
    at_most = Sample(plain.values, plain.counts, 1000 - plain.n)
    more = Sample(plain.values, plain.counts, 1001 - plain.n)
    assert chosen("number", at_most, distinct(30), rule) == [few_rows]
    assert chosen("number", more, distinct(30), rule) == [many_rows]
    assert chosen("category", at_most, distinct(30), rule) == ["chi_squared"]
    assert chosen("category", more, distinct(30), rule) == ["jensen_shannon"]


def test_the_effect_of_chi_squared_is_cramers_v() -> None:
    before, now = Sample(np.arange(2.0), np.array([40, 60])), Sample(np.arange(2.0), np.array([90, 110]))
    column = Column("x", "category", ["a", "b"])
    table = np.array([[40, 60], [90, 110]])
    statistic = measure(column, "chi_squared", before, now)
    assert effect("chi_squared", statistic, before, now) == pytest.approx(association(table, correction=True))


def test_the_effect_of_missing_values_is_the_difference_of_the_rates_whichever_is_larger() -> None:
    column = Column("x", "number")
    sides = Sample(np.arange(2.0), np.array([20, 20]), 10), Sample(np.arange(2.0), np.array([90, 0]), 10)
    for before, now, rate in ((*sides, 0.1), (*sides[::-1], 0.2)):
        ready = [prepared(column, "missing", side) for side in (before, now)]
        assert measure(column, "missing", *ready) == pytest.approx(rate)
        assert effect("missing", rate, *ready) == pytest.approx(0.1)


def test_the_effect_of_wasserstein_is_in_deviations_of_the_reference() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 2, 50), rng.normal(1, 9, 40)
    before, now = (Sample(np.sort(side), np.ones(len(side), int)) for side in (one, other))
    distance = measure(Column("x", "number"), "wasserstein", before, now)
    assert distance == pytest.approx(wasserstein_distance(one, other))
    assert effect("wasserstein", distance, before, now) == pytest.approx(distance / one.std())
    weighted = Sample(np.array([1.0, 3.0]), np.array([3, 1]))
    assert deviation(weighted) == pytest.approx(np.std([1, 1, 1, 3]))
    constant = Sample(np.array([5.0]), np.array([4]))
    away = Sample(np.array([7.0]), np.array([4]))
    # Of a constant reference by that of all rows: four fives and four sevens have a deviation of one.
    assert effect("wasserstein", 2.0, constant, away) == pytest.approx(2.0)
    assert effect("wasserstein", 0.0, constant, constant) == 0.0
    assert effect("ks", 0.3, before, now) == 0.3


def test_a_distance_is_told_as_the_chi_squared_value_that_is_as_surprising() -> None:
    before, now = distinct(50), distinct(50, rows_each=2, start=10)
    distance = measure(Column("x", "number"), "ks", before, now)
    told = as_chi_squared("ks", before, now, distance)
    assert told is not None
    assert chi2.sf(*told) == pytest.approx(2 * np.exp(-2 * 60 * distance**2)), "150 and 100 rows"
    assert as_chi_squared("ks", before, now, 0.0) == (0.0, 2.0)


def test_a_table_is_told_as_its_own_chi_squared_value() -> None:
    before, now = distinct(4, rows_each=30), Sample(np.array([1.0, 3.0, 5.0]), np.array([20, 10, 1]))
    table = np.array([[30, 30, 30, 30, 0], [0, 20, 0, 10, 1]])
    expected = chi2_contingency(table, correction=False)
    assert as_chi_squared("chi_squared", before, now, expected.statistic) == pytest.approx((expected.statistic, 4.0))
    assert as_chi_squared("chi_squared", before, before, 0.0) == (0.0, 3.0)
    assert as_chi_squared("wasserstein", before, now, 1.0) is None
    assert as_chi_squared("ks", before, now, None) is None


def test_lengths_are_those_of_the_texts_and_what_is_missing_is_one_of_two_values() -> None:
    column = Column("x", "category", ["ab", "abc", "x y"])
    side = Sample(np.arange(3.0), np.array([5, 2, 4]), 7)
    lengths = prepared(column, "length", side)
    assert (lengths.values.tolist(), lengths.counts.tolist()) == ([2, 3], [5, 6])
    there = prepared(column, "missing", side)
    assert (there.values.tolist(), there.counts.tolist()) == ([0, 1], [11, 7])
    every = prepared(column, "missing", Sample(np.zeros(0), np.zeros(0, int), 7))
    assert (every.values.tolist(), every.counts.tolist()) == ([1], [7])
    assert prepared(column, "psi", side) is side


def test_the_p_value_of_lengths_is_that_of_their_distribution_functions() -> None:
    rng = np.random.default_rng(1)
    column = Column("x", "category", ["w" * length for length in range(1, 31)])
    sides = [Sample(np.arange(30.0), rng.multinomial(n, np.full(30, 1 / 30))) for n in (80, 60)]
    sides = [Sample(side.values[side.counts > 0], side.counts[side.counts > 0]) for side in sides]
    lengths = [np.repeat(side.values + 1, side.counts) for side in sides]
    ready = tuple(prepared(column, "length", side) for side in sides)
    expected, found = ks_2samp(*lengths), measure(column, "length", *ready)
    assert found == pytest.approx(expected.statistic)
    told = p_values(column, {"length": ready}, {"length": found}, rng, 99)["length"]
    assert told.value == pytest.approx(expected.pvalue)


def test_the_table_of_a_category_has_its_rarest_values_as_one() -> None:
    before, now = distinct(1500), distinct(1500)
    values, counts = table_of(Column("x", "category", ["w"] * 1500), "psi", before, now)
    assert (len(values), counts.shape) == (1500, (2, 1000))
    for kind, method in (("number", "psi"), ("category", "length")):
        of_numbers, numbers = table_of(Column("x", kind), method, before, now)
        assert numbers.shape == (2, len(of_numbers))
        assert numbers.sum() == before.n + now.n


@pytest.mark.parametrize("side", [0, 1])
def test_the_reference_decides_on_the_cells_of_a_number(side: int) -> None:
    """Fifty values in five hundred rows are cells of their own; with one value more there are bins."""
    few, many = distinct(50, 10), distinct(60, 10)
    pair = (few, many) if side == 0 else (many, few)
    shares = np.zeros((2, 60))
    for row, sample in zip(shares, pair, strict=True):
        row[: len(sample.values)] = sample.counts / sample.n
    each = np.sqrt(np.square(np.sqrt(shares[0]) - np.sqrt(shares[1])).sum() / 2)
    found = measure(Column("x", "number"), "hellinger", *pair)
    assert (found == pytest.approx(each)) == (side == 0)


def test_a_side_without_values_has_no_distance_and_the_other_is_named() -> None:
    none = Sample(np.zeros(0), np.zeros(0, int))
    for pair, said in (((none, distinct(3)), "no reference row"), ((distinct(3), none), "no current row")):
        with pytest.raises(Undefined, match=said):
            measure(Column("x", "number"), "ks", *pair)


def test_every_method_is_measured_and_none_is_fitted_that_is_not() -> None:
    column, sides = Column("x", "category", [f"two words {code}" for code in range(40)]), (distinct(40), distinct(30))
    for method in sorted(methods.COMPARING["category"]):
        assert np.isfinite(measure(column, method, *(prepared(column, method, side) for side in sides)))
