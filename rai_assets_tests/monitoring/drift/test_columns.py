"""A column as a table of values, against counting them one by one, and the frozen cells of a reference."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_assets.monitoring.drift import columns
from rai_assets.monitoring.drift.columns import EMPTY, Cells, Sample, Tally, Vocabulary, aligned, freeze

NUMBERS = st.one_of(
    st.none(), st.integers(-9, 9).map(float), st.sampled_from([0.5, -2.25, 1e9, 1e300, float("inf"), -float("inf")])
)
BATCHES = st.lists(st.lists(NUMBERS, max_size=12), max_size=4)
TEXTS = st.lists(st.lists(st.one_of(st.none(), st.sampled_from("abcde")), max_size=12), max_size=4)


def counted(batches: list[list[float | None]]) -> Sample:
    tally = Tally()
    for batch in batches:
        tally.add(pa.array(batch, pa.float64()))
    return tally.finished()


def as_counter(sample: Sample) -> Counter[float]:
    return Counter(dict(zip(sample.values.tolist(), sample.counts.tolist(), strict=True)))


@given(BATCHES)
@settings(max_examples=80)
def test_numbers_are_counted_over_batches(batches: list[list[float | None]]) -> None:
    sample = counted(batches)
    every = [value for batch in batches for value in batch]
    assert as_counter(sample) == Counter(value for value in every if value is not None)
    assert (np.diff(sample.values) > 0).all()
    assert (sample.missing, sample.rows, sample.error) == (every.count(None), len(every), 0.0)
    assert sample.n == len(every) - every.count(None)


@pytest.mark.parametrize(
    "values",
    [
        np.array([-3, 5, -3, 7], np.int64),
        np.array([2**53, 2**53 + 2, 2**53 + 2], np.int64),
        np.array([200, 3, 200], np.uint8),
        np.array([0.5, 1.5, 0.5, -2.0]),
        np.array([1.0, 2.0, 1.0]),
        np.array([1e17, 1e17 + 16, 1e17]),
    ],
)
def test_values_of_every_kind_are_counted_as_they_are(values: np.ndarray) -> None:
    tally = Tally()
    tally.add(pa.array(values))
    assert as_counter(tally.finished()) == Counter(values.astype(float).tolist())


@given(TEXTS)
@settings(max_examples=80)
def test_texts_are_counted_over_batches_with_dictionaries_of_their_own(batches: list[list[str | None]]) -> None:
    vocabulary = Vocabulary()
    tally = Tally(vocabulary)
    for batch in batches:
        column = pa.array(batch, pa.string()).dictionary_encode()
        tally.add(column)
        coded = [None if code < 0 else vocabulary.texts[code] for code in vocabulary.codes(column)]
        assert coded == batch
    sample = tally.finished()
    every = [value for batch in batches for value in batch]
    found = Counter({vocabulary.texts[int(code)]: rows for code, rows in as_counter(sample).items()})
    assert found == Counter(value for value in every if value is not None)
    assert sample.missing == every.count(None)
    assert vocabulary.texts == list(dict.fromkeys(value for value in every if value is not None))


def test_a_dictionary_may_name_a_text_twice_and_hold_one_that_is_missing() -> None:
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 2, None, 3]), pa.array(["a", None, "b", "a"]))
    vocabulary = Vocabulary()
    assert vocabulary.counts(twice).tolist() == [2, 2, 2]
    assert vocabulary.codes(twice).tolist() == [0, -1, 1, 1, -1, 0]


@given(BATCHES, BATCHES)
@settings(max_examples=60)
def test_samples_add_up_and_can_be_taken_away(one: list[list[float | None]], other: list[list[float | None]]) -> None:
    first, second = counted(one), counted(other)
    both = first + second
    assert as_counter(both) == as_counter(counted([*one, *other]))
    assert both.missing == first.missing + second.missing
    left = both.without(second)
    assert (as_counter(left), left.missing) == (as_counter(first), first.missing)
    assert (left.counts > 0).all()
    values, counts = aligned(first, second)
    assert values.tolist() == sorted({*as_counter(first), *as_counter(second)})
    assert [dict(zip(values, side, strict=True)) for side in counts] == [
        {value: as_counter(side)[value] for value in values} for side in (first, second)
    ]


def test_the_error_of_a_sum_is_the_larger_one() -> None:
    exact, sketched = Sample(np.ones(1), np.ones(1, np.int64)), Sample(np.ones(1), np.ones(1, np.int64), 0, 0.01)
    assert (exact + sketched).error == (sketched + exact).error == 0.01
    assert (sketched.without(exact)).error == sketched.recoded(np.zeros(1)).error == 0.01


def test_values_that_become_one_are_counted_together() -> None:
    sample = Sample(np.arange(4.0), np.array([5, 2, 4, 1]), 3)
    lengths = sample.recoded(np.array([7.0, 2.0, 7.0, 9.0]))
    assert (lengths.values.tolist(), lengths.counts.tolist(), lengths.missing) == ([2, 7, 9], [2, 9, 1], 3)


@pytest.mark.parametrize(("distinct", "sketched"), [(30, False), (41, True)])
def test_many_rows_are_sketched_only_if_they_have_many_values(
    distinct: int, sketched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "EXACT_ROWS", 5_000)
    monkeypatch.setattr(columns, "_KEPT_VALUES", 40)
    rows = np.random.default_rng(0).permutation(np.tile(np.arange(distinct) + 0.5, 2_000))
    tally = Tally()
    for part in np.array_split(rows, 7):
        tally.add(pa.array(part))
    sample = tally.finished()
    assert (sample.n, sample.error > 0) == (len(rows), sketched)
    reached = np.cumsum(sample.counts) / sample.n
    exact = np.searchsorted(np.sort(rows), sample.values, side="right") / len(rows)
    assert np.abs(reached - exact).max() <= max(sample.error, 1e-12)


@pytest.mark.parametrize(("distinct", "kind"), [(1, "category"), (10, "category"), (11, "number")])
def test_few_numbers_are_cells_of_their_own(distinct: int, kind: str) -> None:
    cells = freeze(Sample(np.arange(float(distinct)), np.full(distinct, 3)), "number")
    assert cells.kind == kind
    assert len(cells.labels) == (distinct + 1 if kind == "category" else 10)


def test_values_of_a_category_have_their_cell_unseen_ones_the_last_and_nan_none() -> None:
    cells = Cells("category", np.array([1.0, 3.0]), ("one", "three", "(unseen)"))
    assert cells.codes(np.array([1.0, 2.0, 3.0, 4.0, np.nan, -1.0])).tolist() == [0, 2, 1, 2, -1, 2]
    bins = Cells("number", np.array([1.0, 3.0]), ("low", "middle", "high"))
    assert bins.codes(np.array([1.0, 1.5, 3.0, 3.1, np.nan, -9.0])).tolist() == [0, 1, 1, 2, -1, 0]


def test_bins_of_a_reference_with_one_frequent_value_have_no_empty_end() -> None:
    """A number whose last deciles are all its greatest value: no bin lies above it."""
    values, counts = np.arange(20.0), np.array([1] * 19 + [81])
    cells = freeze(Sample(values, counts), "number")
    assert cells.edges.tolist() == [9.0]
    assert cells.labels == ("up to 9", "above 9")
    assert cells.counts(Sample(values, counts)).tolist() == [10, 90]
    assert freeze(EMPTY, "number").labels == ("any value",)


def test_times_are_written_as_dates() -> None:
    day = np.datetime64("2026-01-05T12:30:00", "us").astype(np.int64)
    times = Sample(np.array([float(day)]), np.array([4]))
    assert freeze(times, "time").labels == ("2026-01-05 12:30:00", "(unseen)")
