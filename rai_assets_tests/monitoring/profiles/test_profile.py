"""A profile in chunks equals what pandas and Arrow say of all rows, on every pool, and merges over a window."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_assets.compute.pool import Serial, open_pool
from rai_assets.data.contract import Contract
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import UsageError
from rai_assets.monitoring.profiles.profile import profile
from rai_assets.monitoring.profiles.settings import ProfileSettings
from rai_assets.monitoring.profiles.statistics import TableTally, as_table
from rai_assets.monitoring.profiles.whylogs_file import merged_profiles, whylogs_profile

NOON = "2026-01-05T12:00:00+00:00"
COLUMNS: dict[str, dict[str, Any]] = {
    "person": {"dtype": "integer", "role": "identifier"},
    "income": {"dtype": "number", "missing": "allowed"},
    "age": {"dtype": "integer", "missing": "allowed"},
    "sex": {"dtype": "category", "role": "sensitive", "missing": "allowed"},
    "member": {"dtype": "boolean", "missing": "allowed"},
    "note": {"dtype": "text"},
    "day": {"dtype": "timestamp", "missing": "allowed"},
}
CONTRACT = Contract.of(DatasetSettings.model_validate({"files": [{"path": "a"}], "columns": COLUMNS}))


def rows(n: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    lost = rng.random((5, n)) < 0.1
    return pa.table(
        {
            "person": pa.array(rng.permutation(n) + seed * n),
            "income": pa.array(rng.normal(50, 20, n), mask=lost[0]),
            "age": pa.array(rng.integers(18, 90, n), mask=lost[1]),
            "sex": pa.array(rng.choice(["F", "M"], n), mask=lost[2]).dictionary_encode(),
            "member": pa.array(rng.random(n) < 0.3, mask=lost[3]),
            "note": pa.array(["ab " * k for k in rng.integers(0, 9, n)], pa.string()),
            "day": pa.array(rng.integers(0, 10**6, n) * 10**9, pa.timestamp("us"), mask=lost[4]),
        }
    )  # fmt: skip


def chunks(table: pa.Table, size: int) -> Iterator[pa.RecordBatch]:
    return iter(table.combine_chunks().to_batches(max_chunksize=size))


def merged(parts: Iterable[TableTally]) -> TableTally:
    whole = TableTally()
    for part in parts:
        whole.merge(part)
    return whole


PLAIN = ProfileSettings(whylogs=False)


def test_numbers_are_those_of_pandas_and_arrow() -> None:
    table = rows(20_000)
    found = profile(chunks(table, 3000), CONTRACT, PLAIN, Serial(), NOON)
    for cell, numbers in found.tally.statistics():
        column = table.column(cell.column)
        assert (numbers.count, numbers.missing) == (20_000, column.null_count)
        true = len(column.drop_null().unique())
        assert numbers.distinct == (pytest.approx(true, rel=4 * numbers.distinct_error) if true > 10_000 else true)
        if cell.dtype in ("number", "integer"):
            series = column.drop_null().to_pandas()
            assert numbers.mean == pytest.approx(series.mean(), rel=1e-12)
            assert numbers.deviation == pytest.approx(series.std(), rel=1e-12)
            assert (numbers.minimum, numbers.maximum) == (series.min(), series.max())
            expected = [np.quantile(series, float(share), method="inverted_cdf") for share in numbers.quantiles]
            assert list(numbers.quantiles.values()) == expected
    flat = as_table(found.tally.statistics()).to_pandas().set_index("column")
    counts = table.column("sex").to_pandas().value_counts()
    assert [(item["value"], item["count"]) for item in flat.top["sex"]] == list(counts.items())
    lengths = table.column("note").to_pandas().str.len()
    assert flat.length_mean["note"] == pytest.approx(lengths.mean())
    assert flat.length_maximum["note"] == lengths.max()
    assert flat.minimum["day"] == pc.min(table.column("day")).as_py().isoformat()


def test_of_an_identifier_no_value_is_kept() -> None:
    found = profile(chunks(rows(100), 30), CONTRACT, PLAIN, Serial(), NOON)
    flat, state = as_table(found.tally.statistics()).to_pylist()[0], found.tally.state().to_pylist()[0]
    assert (flat["column"], flat["distinct"], flat["top"]) == ("person", 100, [])
    assert state["values"] == []


@settings(max_examples=6)
@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=3), seed=st.integers(0, 50))
def test_the_profiles_of_batches_merge_into_that_of_all_their_rows(sizes: list[int], seed: int) -> None:
    tables = [rows(size, seed + at) for at, size in enumerate(sizes)]
    by = ("sex",)
    parts = [merged(TableTally.of(chunk, CONTRACT, by) for chunk in chunks(table, 17)) for table in tables]
    window = merged(TableTally.restored(part.state(), CONTRACT) for part in parts)
    together = pa.concat_tables(tables).unify_dictionaries()
    whole = merged(TableTally.of(chunk, CONTRACT, by) for chunk in chunks(together, 1000))
    assert {cell: item.as_json() | {"mean": 0, "deviation": 0} for cell, item in window.statistics()} == {
        cell: item.as_json() | {"mean": 0, "deviation": 0} for cell, item in whole.statistics()
    }
    for (_, one), (_, two) in zip(sorted(window.statistics()), sorted(whole.statistics()), strict=True):
        assert (one.mean or 0, one.deviation or 0) == pytest.approx((two.mean or 0, two.deviation or 0), rel=1e-9)


def test_groups_have_statistics_of_their_own() -> None:
    table = rows(5000)
    asked = ProfileSettings(by=["sex"], whylogs=False)
    found = profile(chunks(table, 700), CONTRACT, asked, Serial(), NOON)
    of_age = [item for item in found.tally.statistics() if (item[0].by, item[0].column) == ("sex", "age")]
    means = {cell.group: item.mean for cell, item in of_age}
    expected = table.to_pandas().astype({"sex": object}).fillna({"sex": "(missing)"}).groupby("sex").age.mean()
    assert means == pytest.approx(expected.to_dict())
    with pytest.raises(UsageError, match="no column 'height' to group by"):
        profile(chunks(table, 700), CONTRACT, ProfileSettings(by=["height"]), Serial(), NOON)
    with pytest.raises(UsageError, match="more than 200 groups"):
        profile(chunks(table, 700), CONTRACT, ProfileSettings(by=["person"], whylogs=False), Serial(), NOON)


@pytest.mark.parametrize("size", [50, 1000])
@pytest.mark.parametrize(("groups", "taken"), [(200, True), (201, False)])
def test_two_hundred_groups_are_the_most_in_all_chunks_together(groups: int, taken: bool, size: int) -> None:
    contract = Contract.of(
        DatasetSettings.model_validate({"files": [{"path": "a"}], "columns": {"shop": {"dtype": "category"}}})
    )
    table = pa.table({"shop": pa.array([f"s{number}" for number in range(groups)]).dictionary_encode()})
    asked = ProfileSettings(by=["shop"], whylogs=False)
    if not taken:
        with pytest.raises(UsageError, match="'shop' has more than 200 groups"):
            profile(chunks(table, size), contract, asked, Serial(), NOON)
        return
    found = profile(chunks(table, size), contract, asked, Serial(), NOON).tally
    assert {(cell.by, cell.group, item.count) for cell, item in found.statistics()} == {
        ("", "", 200), *(("shop", f"s{number}", 1) for number in range(200)),
    }  # fmt: skip


def test_a_row_of_the_table_has_every_number_of_its_cell() -> None:
    table = rows(500).drop_columns("note").append_column("note", pa.array(["ab", "c", None, "defg", ""] * 100))
    table = table.select(list(COLUMNS))
    tally = profile(chunks(table, 90), CONTRACT, ProfileSettings(by=["sex"], whylogs=False), Serial(), NOON).tally
    flat = {(row["by"], row["group"], row["column"]): row for row in as_table(tally.statistics()).to_pylist()}
    for cell, found in tally.statistics():
        row = flat[cell.by, cell.group, cell.column]
        assert (row["dtype"], row["count"], row["missing"]) == (cell.dtype, found.count, found.missing)
        for name in ("minimum", "maximum"):
            bound = getattr(found, name)
            assert row[name] == (None if bound is None else str(bound))
        for share, value in found.quantiles.items():
            assert row[f"quantile_{float(share):g}"] == value
    of_note = flat["", "", "note"]
    assert [of_note[f"length_{name}"] for name in ("minimum", "maximum", "mean")] == [0, 4, 1.75]
    age = table["age"].drop_null().to_numpy()
    assert (flat["", "", "age"]["minimum"], flat["", "", "age"]["maximum"]) == (str(age.min()), str(age.max()))
    assert flat["", "", "income"]["quantile_0.25"] == np.quantile(
        table["income"].drop_null(), 0.25, method="inverted_cdf"
    )


def test_no_rows_have_a_profile_too() -> None:
    found = profile([], CONTRACT, ProfileSettings(), Serial(), NOON)
    flat = as_table(found.tally.statistics()).to_pylist()
    assert [row["column"] for row in flat] == list(COLUMNS)
    assert all(row["count"] == 0 and row["mean"] is None for row in flat)
    assert found.whylogs is None


@pytest.fixture(params=["processes:2", "dask"])
def wanted(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param != "dask":
        yield request.param
        return
    import distributed

    with distributed.LocalCluster(
        n_workers=2, processes=False, protocol="tcp://", dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield f"dask:{cluster.scheduler_address}"


def test_every_pool_gives_the_same_numbers_bit_for_bit(wanted: str) -> None:
    table = rows(60_000)
    asked = ProfileSettings(by=["sex"], whylogs=False)
    here = profile(chunks(table, 7000), CONTRACT, asked, Serial(), NOON)
    with open_pool(wanted) as pool:
        there = profile(chunks(table, 7000), CONTRACT, asked, pool, NOON)
    assert here.tally.state().equals(there.tally.state())
    assert here.tally.statistics() == there.tally.statistics()


def test_whylogs_reads_its_file_and_finds_what_its_own_logger_finds() -> None:
    import whylogs
    from whylogs.core import DatasetProfileView

    table = rows(4000)
    found = profile(chunks(table, 1500), CONTRACT, ProfileSettings(), Serial(), NOON)
    assert found.whylogs is not None
    read = DatasetProfileView.deserialize(found.whylogs)
    assert read.dataset_timestamp == datetime.datetime.fromisoformat(NOON)
    ours = read.to_pandas()
    texts = table.set_column(3, "sex", table.column("sex").cast(pa.string()))
    frame = texts.drop(["person"]).to_pandas(integer_object_nulls=True)
    theirs = whylogs.log(frame).view().to_pandas()
    assert list(ours.index) == list(theirs.index) == sorted(set(COLUMNS) - {"person"})
    exact = [
        name
        for name in theirs.columns
        if name.startswith(("counts/", "types/", "distribution/m")) and name != "distribution/median"
    ]
    for name in exact:
        for column in theirs.index:
            assert ours.loc[column, name] == pytest.approx(theirs.loc[column, name], nan_ok=True), (column, name)
    assert ours.loc["sex", "cardinality/est"] == pytest.approx(2)


def test_profiles_of_whylogs_merge() -> None:
    from whylogs.core import DatasetProfileView

    parts = [whylogs_profile(next(chunks(rows(500, seed), 500)), CONTRACT, NOON) for seed in range(3)]
    whole = merged_profiles(parts)
    assert whole is not None
    assert set(DatasetProfileView.deserialize(whole).to_pandas()["counts/n"]) == {1500}
    assert merged_profiles([]) is None
