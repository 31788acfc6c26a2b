"""Groups partition the rows: every row is in one group, every group has rows, and labels mean what they say."""

from __future__ import annotations

import time
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_assets.data.contract import Contract, bin_labels
from rai_assets.data.groups import grouping, groupings
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import UsageError

CATEGORY = {"role": "sensitive", "dtype": "category"}


def contract(**columns: Any) -> Contract:
    return Contract.of(DatasetSettings.model_validate({"files": [{"path": "a"}], "columns": columns}))


def encoded(*values: str | None) -> pa.Array:
    return pa.array(values, pa.string()).dictionary_encode()


@settings(max_examples=80)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["F", "M", "(missing)", "", None]),
            st.integers(0, 100) | st.none(),
            st.booleans() | st.none(),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_groups_partition_the_rows(rows: list[tuple[str | None, int | None, bool | None]]) -> None:
    made = contract(
        sex=CATEGORY,
        age={"role": "sensitive", "dtype": "integer", "edges": [25, 45.5]},
        veteran={"role": "sensitive", "dtype": "boolean"},
    )
    sexes, ages, veterans = (list(column) for column in zip(*rows, strict=True))
    table = pa.table(
        {"sex": encoded(*sexes), "age": pa.array(ages, pa.int64()), "veteran": pa.array(veterans, pa.bool_())}
    )

    def expected(row: tuple[str | None, int | None, bool | None]) -> dict[str, str]:
        sex, age, veteran = row
        names = {None: "(missing)", "(missing)": "'(missing)'"}
        bin_of = (
            "(missing)" if age is None else "[-inf, 25)" if age < 25 else "[25, 45.5)" if age < 45.5 else "[45.5, inf)"
        )
        truth = {None: "(missing)", True: "true", False: "false"}[veteran]
        return {"sex": names.get(sex, str(sex)), "age": bin_of, "veteran": truth}

    for found in groupings(table, made, 3):
        assert sorted(np.unique(found.codes)) == list(range(len(found.groups)))
        assert [dict(found.groups[code]) for code in found.codes] == [
            {name: expected(row)[name] for name in found.columns} for row in rows
        ]
    assert [item.columns for item in groupings(table, made, 2)] == [
        ("sex",), ("age",), ("veteran",), ("sex", "age"), ("sex", "veteran"), ("age", "veteran"),
    ]  # fmt: skip


def test_groups_stand_in_the_declared_order_then_by_size_then_by_letter() -> None:
    declared = contract(c={**CATEGORY, "allowed": ["young", "old"]}, d=CATEGORY, e=CATEGORY)
    table = pa.table(
        {
            "c": encoded("old", None, "young", "odd"),
            "d": encoded("10", "9", "-1", "2"),
            "e": encoded("b", "nan", "a", "10"),
        }
    )
    orders = [[group[name] for group in grouping(table, declared, [name]).groups] for name in "cde"]
    assert orders == [["young", "old", "odd", "(missing)"], ["-1", "2", "9", "10"], ["10", "a", "b", "nan"]]


def test_bins_hold_their_lower_bound() -> None:
    made = contract(age={"role": "sensitive", "dtype": "number", "edges": [0.5, 25, 1e6]})
    found = grouping(pa.table({"age": [0.4999, 0.5, 24.9, 25.0, 1e6]}), made, ["age"])
    assert [found.groups[code]["age"] for code in found.codes] == [
        "[-inf, 0.5)", "[0.5, 25)", "[0.5, 25)", "[25, 1000000)", "[1000000, inf)",
    ]  # fmt: skip
    assert bin_labels([25]) == ("[-inf, 25)", "[25, inf)")


def test_codes_of_integers_are_categories() -> None:
    made = contract(RAC1P=CATEGORY, plain={"dtype": "integer"})
    table = pa.table({"RAC1P": encoded("2", "1", "9"), "plain": [10, 9, 10]})
    assert [group["RAC1P"] for group in grouping(table, made, ["RAC1P"]).groups] == ["1", "2", "9"]
    assert [group["plain"] for group in grouping(table, made, ["plain"]).groups] == ["9", "10"]


def test_a_filtered_table_shows_only_the_groups_it_has() -> None:
    made = contract(sex=CATEGORY)
    table = pa.table({"sex": encoded("F", "M", "F")}).filter(pa.array([True, False, True]))
    assert [dict(group) for group in grouping(table, made, ["sex"]).groups] == [{"sex": "F"}]


def test_many_values_in_several_columns_are_grouped_without_a_table_of_all_cells() -> None:
    made = contract(a=CATEGORY, b=CATEGORY)
    values = [str(at) for at in range(5000)]
    found = grouping(pa.table({"a": encoded(*values), "b": encoded(*reversed(values))}), made, ["a", "b"])
    assert len(found.groups) == 5000
    assert dict(found.groups[found.codes[7]]) == {"a": "7", "b": "4992"}


@pytest.mark.parametrize(
    ("columns", "sentence"), [([], "at least one"), (["none"], "no column 'none'"), (["x"], "has no groups")]
)
def test_what_cannot_be_grouped_is_refused(columns: list[str], sentence: str) -> None:
    made = contract(sex=CATEGORY, x={"dtype": "number"})
    with pytest.raises(UsageError, match=sentence):
        grouping(pa.table({"sex": encoded("F"), "x": [0.5]}), made, columns)


def test_a_million_rows_and_three_columns_take_a_tenth_of_a_second() -> None:
    generator = np.random.default_rng(0)
    made = contract(a=CATEGORY, b=CATEGORY, c={"role": "sensitive", "dtype": "integer", "edges": [25, 45, 65]})
    names = {"a": ["F", "M"], "b": list("ABCDE")}
    columns: dict[str, Any] = {
        name: pa.DictionaryArray.from_arrays(generator.integers(0, len(values), 1_000_000, np.int32), values)
        for name, values in names.items()
    }
    table = pa.table({**columns, "c": generator.integers(18, 90, 1_000_000)})
    spent = []
    for _ in range(5):
        started = time.process_time()
        found = grouping(table, made, ["a", "b", "c"])
        spent.append(time.process_time() - started)
    assert min(spent) < 0.1
    assert len(found.groups) == len(list(product("FM", "ABCDE", range(4))))
