"""Every row is in exactly one split, the same one every time, and no split is silently empty."""

from __future__ import annotations

import datetime
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_assets.data.contract import Contract
from rai_assets.data.dataset import Source
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.splits import assign, columns_needed, counts
from rai_assets.errors import InputRefused

Y = {"role": "target", "dtype": "category"}
TIME = {"role": "timestamp", "dtype": "timestamp"}


def contract(split: dict[str, Any] | None, **columns: Any) -> Contract:
    declared = {"files": [{"path": "a"}], "columns": columns, **({"split": split} if split else {})}
    return Contract.of(DatasetSettings.model_validate(declared))


def source(rows: int, split: Any = None) -> Source:
    return Source("a", "0", rows, split)


@settings(max_examples=60)
@given(
    labels=st.lists(st.sampled_from("abc"), min_size=20, max_size=300),
    test=st.sampled_from([0.1, 0.25, 0.3, 0.5]),
    calibration=st.sampled_from([None, 0.1, 0.25]),
    seed=st.integers(0, 2**32 - 1),
)
def test_fractions_hold_in_all_and_in_every_class_to_within_a_row(
    labels: list[str], test: float, calibration: float | None, seed: int
) -> None:
    made = contract({"by": "fraction", "test": test, "calibration": calibration, "seed": seed}, y=Y)
    table = pa.table({"y": labels})
    codes = assign(table, made, [source(len(labels))])
    assert np.array_equal(codes, assign(table, made, [source(len(labels))]))
    assert set(codes.tolist()) <= {0, 1, 2}
    assert abs((codes == 2).sum() - test * len(labels)) <= 0.5
    assert abs((codes == 1).sum() - (calibration or 0) * len(labels)) <= 3
    for label, rows in Counter(labels).items():
        of_class = codes[np.array(labels) == label]
        assert abs((of_class == 2).sum() - test * rows) <= 1


def test_another_seed_is_another_split_and_a_quarter_is_the_default() -> None:
    table = pa.table({"y": ["a", "b"] * 500})
    default = assign(table, contract(None, y=Y), [source(1000)])
    assert counts(default) == {"train": 750, "test": 250}
    other = assign(table, contract({"by": "fraction", "test": 0.25, "seed": 1}, y=Y), [source(1000)])
    assert counts(other) == counts(default)
    assert not np.array_equal(default, other)


def test_a_regression_is_not_stratified() -> None:
    made = contract({"by": "fraction", "test": 0.2}, y={"role": "target", "dtype": "number"})
    assert columns_needed(made, [source(10)]) == []
    assert counts(assign(pa.table({}), made, [source(10)])) == {"train": 8, "test": 2}


def test_files_name_their_splits() -> None:
    made = contract(None, y=Y)
    codes = assign(
        pa.table({}), made, [source(2, "train"), source(1, "test"), source(0, "calibration"), source(1, "train")]
    )
    assert codes.tolist() == [0, 0, 2, 0]


@pytest.mark.parametrize("cut", ["2024-02-01", "2024-02-01T00:00:00", "2024-02-01T00:00:00+00:00"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_time_is_cut_with_the_later_side_in_test(cut: str, zone: str | None) -> None:
    days = [datetime.datetime(2024, month, 1, tzinfo=datetime.UTC) for month in (1, 2, 3)]
    table = pa.table({"t": pa.array([day.replace(tzinfo=None) for day in days], pa.timestamp("us", zone))})
    made = contract({"by": "time", "test_from": cut}, t=TIME)
    assert assign(table, made, [source(3)]).tolist() == [0, 2, 2]


def test_calibration_lies_between_train_and_test() -> None:
    made = contract(
        {"by": "time", "column": "year", "calibration_from": 2017, "test_from": 2018}, year={"dtype": "integer"}
    )
    codes = assign(pa.table({"year": [2018, 2016, 2017, 2019]}), made, [source(4)])
    assert codes.tolist() == [2, 0, 1, 2]


def test_values_of_a_column_name_the_split() -> None:
    split = {"by": "column", "column": "part", "values": {"train": ["a", "b"], "test": ["z"]}}
    made = contract(split, part={"dtype": "category"})
    table = pa.table({"part": pa.array(["z", "a", "b"]).dictionary_encode()})
    assert assign(table, made, [source(3)]).tolist() == [2, 0, 0]


@pytest.mark.parametrize(
    ("split", "values", "sentence"),
    [
        ({"by": "fraction", "test": 0.01}, ["a", "b"], "no row falls into test \\(train 2\\)"),
        ({"by": "column", "column": "y", "values": {"train": ["a"], "test": ["z"]}}, ["a"], "no row falls into test"),
        (
            {"by": "column", "column": "y", "values": {"train": ["a"], "test": ["b"]}},
            ["a", "b", "q"],
            "no split lists: 'q'",
        ),
        (
            {"by": "column", "column": "y", "values": {"train": ["a"], "test": ["b"]}},
            ["a", "b", None],
            "no split lists",
        ),
    ],
)
def test_an_empty_split_and_a_row_without_one_are_refused(
    split: dict[str, Any], values: list[str | None], sentence: str
) -> None:
    with pytest.raises(InputRefused, match=sentence):
        assign(pa.table({"y": values}), contract(split, y=Y), [source(len(values))])


@pytest.mark.parametrize(
    ("test_from", "times", "sentence"),
    [("2025-01-01", ["2024-01-01"], "no row falls into test"),
     ("2024-01-01", [None, "2024-01-01"], "1 row has no time")],
)  # fmt: skip
def test_a_time_split_that_cannot_be(test_from: str, times: list[str | None], sentence: str) -> None:
    table = pa.table({"t": pa.array(times).cast(pa.timestamp("us"))})
    with pytest.raises(InputRefused, match=sentence):
        assign(table, contract({"by": "time", "test_from": test_from}, t=TIME), [source(len(times))])
