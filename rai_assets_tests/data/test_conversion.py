"""Texts become values of the declared type, exactly, or are rejected; nothing is guessed."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from rai_assets.data.contract import Contract
from rai_assets.data.conversion import Conversion
from rai_assets.data.readers import Batch, Part, read_batches
from rai_assets.data.settings import DatasetSettings

UTC = datetime.UTC


def at(*parts: int) -> datetime.datetime:
    """A time without an offset."""
    return datetime.datetime(*parts)  # noqa: DTZ001


def convert(values: pa.Array | Sequence[str | None], dtype: str, **fields: Any) -> tuple[list[Any], list[int]]:
    """The values of a column `c`, and the rows that were rejected."""
    column = {"dtype": dtype, "missing": "allowed"}
    declared = DatasetSettings.model_validate({"files": [{"path": "a"}], "columns": {"c": column}, **fields})
    raw = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    part = Part(pa.RecordBatch.from_arrays([raw], names=["c"]), lambda _: None)
    converted = Conversion(declared, Contract.of(declared)).convert(Batch(0, "a", 1, part))
    rejected = converted.rejected.get("c", np.array([], bool))
    return converted.data.column("c").to_pylist(), np.flatnonzero(rejected).tolist()


@pytest.mark.parametrize(
    ("dtype", "texts", "values", "rejected"),
    [
        ("integer", ["1", "-2", "+3", "007", str(2**63 - 1), str(-(2**63))], [1, -2, 3, 7, 2**63 - 1, -(2**63)], []),
        ("integer", ["1", "0x1F", "1.0", "1e3", str(2**63), " 1", "1_0", "１", "", "NA"], [1, *[None] * 9],
         [1, 2, 3, 4, 5, 6, 7, 9]),
        ("number", ["1", "-0.5", ".5", "5.", "1e3", "+2", "00.1"], [1.0, -0.5, 0.5, 5.0, 1000.0, 2.0, 0.1], []),
        ("number", ["1", "1e400", "nan", "inf", "1,5", "1_0", "0x1", "--1", "5%"], [1.0, *[None] * 8],
         [1, 2, 3, 4, 5, 6, 7, 8]),
        ("boolean", ["true", "FALSE", "True"], [True, False, True], []),
        ("boolean", ["1", "yes", "", "t"], [None] * 4, [0, 1, 3]),
        ("category", ["00123", "NA", "1.10", "", " "], ["00123", "NA", "1.10", None, " "], []),
        ("text", ["00123", "null", ""], ["00123", "null", None], []),
        ("timestamp", ["2024-05-31", "2024-05-31T12:00", "2024-05-31 12:00:00.5"],
         [at(2024, 5, 31), at(2024, 5, 31, 12),
          at(2024, 5, 31, 12, 0, 0, 500_000)], []),
        ("timestamp", ["2024-05-31", "2024-02-30", "31.05.2024", "2024-05-31T12:00Z", "2024-W01-1"],
         [at(2024, 5, 31), *[None] * 4], [1, 2, 3, 4]),
        ("timestamp", ["2024-05-31T12:00Z", "2024-05-31T12:00:00+02:00"],
         [datetime.datetime(2024, 5, 31, 12, tzinfo=UTC), datetime.datetime(2024, 5, 31, 10, tzinfo=UTC)], []),
        ("timestamp", ["2024-05-31T12:00Z", "2024-05-31T12:00", "0001-01-01T00:00+05:00"],
         [datetime.datetime(2024, 5, 31, 12, tzinfo=UTC), None, None], [1, 2]),
    ],
)  # fmt: skip
def test_what_a_text_means_is_told_by_the_declared_type(
    dtype: str, texts: list[str], values: list[Any], rejected: list[int]
) -> None:
    assert convert(texts, dtype) == (values, rejected)


def test_values_are_trimmed_then_renamed_then_missing() -> None:
    declared = {"trim": True, "missing": ["?"], "aliases": {"c": {"<=50K.": "<=50K", "none": "?", "": "unknown"}}}
    texts = [" <=50K.", "<=50K", " ? ", "none", "", None]
    assert convert(texts, "category", **declared) == (["<=50K", "<=50K", None, None, "unknown", None], [])


def test_only_declared_spellings_are_missing() -> None:
    assert convert(["?", "", "NA", "-999"], "category", missing=["?"]) == ([None, "", "NA", "-999"], [])
    assert convert(["1", "-999", ""], "integer", missing=["-999"]) == ([1, None, None], [2])


@pytest.mark.parametrize(
    ("array", "dtype", "values", "rejected"),
    [
        (pa.array([1, None, 2**62]), "integer", [1, None, 2**62], []),
        (pa.array([1.0, 2.5, None]), "integer", [1, None, None], [1]),
        (pa.array([2**64 - 1], pa.uint64()), "integer", [None], [0]),
        (pa.array([1, 2**53 + 1]), "number", [1.0, None], [1]),
        (pa.array([0.1, math.nan, math.inf, None]), "number", [0.1, None, None, None], [1, 2]),
        (pa.array([0.1], pa.float32()), "number", [float(np.float32(0.1))], []),
        (pa.array([1, 2]), "category", ["1", "2"], []),
        (pa.array([True, None]), "boolean", [True, None], []),
        (pa.array([True, False]), "category", ["true", "false"], []),
        (pa.array([datetime.date(2024, 5, 31)]), "timestamp", [at(2024, 5, 31)], []),
        (pa.array([0], pa.timestamp("s", "Europe/Paris")), "timestamp", [at(1970, 1, 1).replace(tzinfo=UTC)], []),
        (pa.array([1], pa.timestamp("ns")), "timestamp", [None], [0]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "text", ["a", "b", "a"], []),
        (pa.array(["1", "x", "1"]).dictionary_encode(), "integer", [1, None, 1], [1]),
    ],
)  # fmt: skip
def test_a_files_own_types_are_kept_where_no_value_changes(
    array: pa.Array, dtype: str, values: list[Any], rejected: list[int]
) -> None:
    assert convert(array, dtype) == (values, rejected)


def test_a_nan_is_missing_only_if_that_is_declared() -> None:
    assert convert(pa.array([1.5, math.nan]), "number", missing=["NaN"]) == ([1.5, None], [])
    assert convert(pa.array([1, -999]), "integer", missing=["-999"]) == ([1, None], [])


@settings(max_examples=80)
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=1))
def test_integers_come_back_exactly(values: list[int | None]) -> None:
    assert convert([None if value is None else str(value) for value in values], "integer") == (values, [])


@settings(max_examples=80)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_come_back_exactly(values: list[float]) -> None:
    assert convert([repr(value) for value in values], "number") == (values, [])


@settings(max_examples=80)
@given(texts=st.lists(st.text(alphabet="0123456789+-.eExX_ naif", max_size=6), min_size=1, max_size=5))
def test_one_bad_value_does_not_change_how_the_others_are_read(texts: list[str]) -> None:
    for dtype in ("integer", "number"):
        together = convert(texts, dtype)
        alone = [convert([text], dtype) for text in texts]
        assert together[0] == [values[0] for values, _ in alone]
        assert together[1] == [at for at, (_, rejected) in enumerate(alone) if rejected]


def test_columns_come_in_the_contracts_order_and_ignored_ones_are_left_out(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"b": [1], "skip": ["x"], "a": ["y"]}), tmp_path / "a.parquet")
    declared = DatasetSettings.model_validate(
        {
            "files": [{"path": "a.parquet"}],
            "columns": {"a": {"dtype": "text"}, "b": {"dtype": "integer"}, "skip": {"role": "ignored"}},
        }
    )
    (batch,) = read_batches(declared, tmp_path)
    converted = Conversion(declared, Contract.of(declared)).convert(batch)
    assert converted.data.to_pylist() == [{"a": "y", "b": 1}]
