"""Statistics of a stream equal those of the whole column, however it is cut."""

from __future__ import annotations

import datetime
import json
import math
import statistics
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_assets.data.column_statistics import BINS, SHARES, TOP_VALUES, ColumnStatistics
from rai_assets.data.contract import Contract
from rai_assets.data.distinct import COUNTED_VALUES, DistinctSketch, hashes
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.sketch import CAPACITY, QuantileSketch
from rai_assets.data.statistics import Tally, describe


def contract(dtype: str) -> Contract:
    declared = {"files": [{"path": "a"}], "columns": {"c": {"dtype": dtype, "missing": "allowed"}}}
    return Contract.of(DatasetSettings.model_validate(declared))


def describe_one(values: pa.Array, dtype: str, batch: int = 1 << 20) -> ColumnStatistics:
    made = contract(dtype)
    (found,) = describe(pa.table({"c": values}).to_batches(max_chunksize=batch), made)
    return found


numbers = st.floats(-1e9, 1e9)


@settings(max_examples=60)
@given(values=st.lists(numbers | st.none(), min_size=1, max_size=200), batch=st.integers(1, 50))
def test_numbers_agree_with_the_whole_column(values: list[float | None], batch: int) -> None:
    found = describe_one(pa.array(values, pa.float64()), "number", batch)
    known = [value for value in values if value is not None]
    assert (found.count, found.missing) == (len(values), len(values) - len(known))
    assert found.distinct_error == 0
    assert found.distinct == len(set(known))
    if not known:
        assert (found.mean, found.minimum, found.histogram, found.quantiles) == (None, None, [], {})
        return
    assert (found.minimum, found.maximum) == (min(known), max(known))
    assert found.mean == pytest.approx(statistics.fmean(known), rel=1e-9, abs=1e-6)
    if len(known) > 1:
        assert found.deviation == pytest.approx(statistics.stdev(known), rel=1e-6, abs=1e-3)
    expected = [sorted(known)[max(math.ceil(round(share * len(known), 9)) - 1, 0)] for share in SHARES]
    assert list(found.quantiles.values()) == expected
    assert sum(entry["count"] for entry in found.histogram) == len(known)


def test_a_histogram_counts_like_numpy() -> None:
    values = np.random.default_rng(0).normal(size=5000)
    found = describe_one(pa.array(values), "number", 700)
    counts, edges = np.histogram(values, BINS)
    assert [entry["count"] for entry in found.histogram] == counts.tolist()
    assert [entry["low"] for entry in found.histogram] == pytest.approx(edges[:-1].tolist())
    assert [entry["high"] for entry in found.histogram] == pytest.approx(edges[1:].tolist())


def test_a_constant_column_has_one_bin() -> None:
    found = describe_one(pa.array([7, 7, 7]), "integer")
    assert found.histogram == [{"low": 7.0, "high": 7.0, "count": 3}]
    assert found.top == [{"value": "7", "count": 3}]
    assert found.deviation == 0


def test_categories_times_and_truth_values_have_top_values() -> None:
    category = describe_one(pa.array(["b", "a", "b", None]).dictionary_encode(), "category", 2)
    assert (category.distinct, category.missing, category.mean) == (2, 1, None)
    assert category.top == [{"value": "b", "count": 2}, {"value": "a", "count": 1}]
    assert describe_one(pa.array([True, False, True]), "boolean").top[0] == {"value": "true", "count": 2}
    day = datetime.datetime(2024, 5, 31, tzinfo=datetime.UTC)
    times = describe_one(pa.array([day, day + datetime.timedelta(1)], pa.timestamp("us", "UTC")), "timestamp")
    assert (times.minimum, times.maximum) == ("2024-05-31T00:00:00+00:00", "2024-06-01T00:00:00+00:00")


def test_up_to_the_bound_every_distinct_value_is_counted_and_beyond_it_their_number_is_estimated() -> None:
    found = describe_one(pa.array([str(at) for at in range(COUNTED_VALUES)]), "text", 1000)
    assert (found.distinct, found.distinct_error, len(found.top)) == (COUNTED_VALUES, 0, TOP_VALUES)
    for n in (COUNTED_VALUES + 50, 300_000):
        found = describe_one(pa.array([str(at) for at in range(n)]), "text", 1000)
        assert found.distinct == pytest.approx(n, rel=4 * found.distinct_error)
        assert found.distinct_error == pytest.approx(0.01, rel=1e-3)
        assert found.top == []


@pytest.mark.parametrize("values", [[1e308, 1e308, -1e308], [1e200, -1e200], [5e-324, 0.0]])
def test_extreme_numbers_give_a_number_or_none_and_always_json(values: list[float]) -> None:
    found = describe_one(pa.array(values), "number", 1)
    json.dumps(found.as_json(), allow_nan=False)
    assert found.maximum == max(values)


@pytest.mark.parametrize("order", ["random", "rising", "falling", "few values"])
def test_a_long_stream_has_quantiles_within_the_stated_error(order: str) -> None:
    n = 1_000_000
    values = np.random.default_rng(0).permutation(n).astype(float)
    made: dict[str, Any] = {
        "random": values,
        "rising": np.sort(values),
        "falling": -np.sort(values),
        "few values": values % 7,
    }
    stream = made[order]
    sketch = QuantileSketch()
    for start in range(0, n, 65_536):
        sketch.add(stream[start : start + 65_536])
    ranked = np.sort(stream)
    allowed = math.log2(n / CAPACITY) / CAPACITY * n
    for share in (0.001, 0.05, 0.25, 0.5, 0.75, 0.99):
        found = sketch.quantiles([share])[0]
        low, high = np.searchsorted(ranked, found, "left"), np.searchsorted(ranked, found, "right")
        assert low - allowed <= share * n <= high + allowed
    points = np.array([ranked[1000], ranked[n // 2]])
    assert np.abs(sketch.ranks(points) - np.searchsorted(ranked, points)).max() <= allowed


def test_a_short_stream_has_exact_quantiles() -> None:
    sketch = QuantileSketch()
    sketch.add(np.arange(CAPACITY, dtype=float))
    assert sketch.quantiles([0.0, 0.5, 1.0]).tolist() == [0.0, CAPACITY / 2 - 1, CAPACITY - 1]
    with pytest.raises(ValueError, match="no values"):
        QuantileSketch().quantiles([0.5])


def test_quantiles_are_said_to_be_exact_where_they_are() -> None:
    assert describe_one(pa.array(np.arange(float(CAPACITY))), "number").quantiles_error == 0
    assert 0 < describe_one(pa.array(np.arange(CAPACITY + 1.0)), "number").quantiles_error < 1e-4
    assert describe_one(pa.array(["a", "b"]), "category").quantiles_error == 0


def test_quantiles_of_few_values_are_exact_however_many_the_rows() -> None:
    values = np.random.default_rng(0).integers(0, 5000, 400_000)
    found = describe_one(pa.array(values), "integer", 50_000)
    assert found.quantiles_error == 0
    expected = np.quantile(values, SHARES, method="inverted_cdf")
    assert list(found.quantiles.values()) == expected.tolist()
    assert found.distinct == len(np.unique(values))


def test_zero_is_one_value_whatever_its_sign() -> None:
    found = describe_one(pa.array([0.0, -0.0, 1.0]), "number")
    assert (found.distinct, found.quantiles["0.5"]) == (2, 0.0)
    assert len(np.unique(hashes(pa.array([0.0, -0.0])))) == 1


def test_texts_have_lengths_in_characters() -> None:
    found = describe_one(pa.array(["", "äöü", None, "x" * 9]), "text", 2)
    assert found.lengths == {"minimum": 0, "maximum": 9, "mean": 4.0}
    assert describe_one(pa.array([None], pa.string()), "text").lengths == {}


def drawn(dtype: str, size: int, many: bool, seed: int) -> pa.Array:
    """A column with missing values, of few or of more than `COUNTED_VALUES` distinct values."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-(10**9) if many else 0, 10**9 if many else 40, size)
    missing = rng.random(size) < 0.1
    values: dict[str, pa.Array] = {
        "number": pa.array(codes / 7, mask=missing),
        "integer": pa.array(codes, mask=missing),
        "boolean": pa.array(codes > 20, mask=missing),
        "category": pa.array(codes.astype(str), mask=missing).dictionary_encode(),
        "text": pa.array(codes.astype(str), mask=missing),
        "timestamp": pa.array(codes * 1_000_000, pa.timestamp("us"), mask=missing),
    }
    return values[dtype]


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("dtype", ["number", "integer", "boolean", "category", "text", "timestamp"])
@settings(max_examples=4)
@given(sizes=st.lists(st.sampled_from([0, 1, 30, 8_000, 40_000]), min_size=2, max_size=3), seed=st.integers(0, 99))
def test_merged_parts_equal_one_pass(dtype: str, many: bool, sizes: list[int], seed: int) -> None:
    (column,) = contract(dtype)
    parts = [drawn(dtype, size, many, seed + at) for at, size in enumerate(sizes)]
    whole, merged = Tally(column), Tally(column)
    for part in parts:
        whole.add(part)
        alone = Tally(column)
        alone.add(part)
        merged.merge(Tally.restored(column, alone.state()))
    one, two = whole.finished().as_json(), merged.finished().as_json()
    error = one.pop("quantiles_error") + two.pop("quantiles_error")
    for name in ("mean", "deviation"):
        assert (one[name] is None) == (two[name] is None)
        assert (one.pop(name) or 0) == pytest.approx(two.pop(name) or 0, rel=1e-9)
    if error:
        known = np.sort(np.concatenate([_plain(part) for part in parts]))
        for share, value in one.pop("quantiles").items():
            ranks = np.searchsorted(known, [value, two["quantiles"][share]]) / len(known)
            assert abs(ranks[0] - ranks[1]) <= error + 1 / len(known)
        del two["quantiles"], one["histogram"], two["histogram"]
    assert one == two


def _plain(part: pa.Array) -> np.ndarray[Any, Any]:
    return part.drop_null().to_numpy(zero_copy_only=False).astype(float)


def test_the_number_of_distinct_values_is_the_same_however_the_rows_are_cut_and_repeated() -> None:
    values = pa.array([f"person {at} of many" for at in range(50_000)])
    whole, parts = DistinctSketch(), DistinctSketch()
    whole.add(values)
    for start in range(40_000, -1, -10_000):
        part = DistinctSketch()
        part.add(values[start : start + 20_000])
        parts.merge(part)
    assert np.array_equal(whole.hashes, parts.hashes)


@pytest.mark.parametrize(
    "values",
    [
        pa.array(np.arange(200_000)),
        pa.array(np.arange(200_000) / 8),
        pa.array([f"{at:06d}" for at in range(200_000)]),
        pa.array([chr(33 + at % 90) * (1 + at // 90) for at in range(9_000)]),
    ],
    ids=["whole numbers", "fractions", "texts of one length", "one letter repeated"],
)
def test_hashes_of_values_that_are_alike_differ_and_spread_evenly(values: pa.Array) -> None:
    found = hashes(values)
    assert len(np.unique(found)) == len(values)
    cells = np.bincount((found >> np.uint64(56)).astype(int), minlength=256)
    assert scipy.stats.chisquare(cells).pvalue > 1e-6
    offset = values.slice(17, 100)
    assert np.array_equal(hashes(offset), found[17:117])
