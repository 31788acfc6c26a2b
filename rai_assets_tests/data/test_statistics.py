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
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_assets.data.contract import Contract
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.sketch import CAPACITY, QuantileSketch
from rai_assets.data.statistics import BINS, COUNTED_VALUES, SHARES, ColumnStatistics, describe


def describe_one(values: pa.Array, dtype: str, batch: int = 1 << 20) -> ColumnStatistics:
    declared = {"files": [{"path": "a"}], "columns": {"c": {"dtype": dtype, "missing": "allowed"}}}
    made = Contract.of(DatasetSettings.model_validate(declared))
    (found,) = describe(pa.table({"c": values}).to_batches(max_chunksize=batch), made)
    return found


numbers = st.floats(-1e9, 1e9)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(numbers | st.none(), min_size=1, max_size=200), batch=st.integers(1, 50))
def test_numbers_agree_with_the_whole_column(values: list[float | None], batch: int) -> None:
    found = describe_one(pa.array(values, pa.float64()), "number", batch)
    known = [value for value in values if value is not None]
    assert (found.count, found.missing) == (len(values), len(values) - len(known))
    assert found.distinct_exact
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


def test_beyond_the_bound_distinct_values_are_not_counted_further_and_that_is_said() -> None:
    found = describe_one(pa.array([str(at) for at in range(COUNTED_VALUES + 50)]), "text", 1000)
    assert (found.distinct, found.distinct_exact, found.top) == (COUNTED_VALUES, False, [])


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
    assert describe_one(pa.array(np.arange(float(CAPACITY))), "number").quantiles_exact
    assert not describe_one(pa.array(np.arange(CAPACITY + 1.0)), "number").quantiles_exact
    assert describe_one(pa.array(["a", "b"]), "category").quantiles_exact
