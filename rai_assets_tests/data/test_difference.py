"""What differs between two versions of a table, checked against a count by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from rai_assets.data import row_difference
from rai_assets.data.contract import Column, Contract
from rai_assets.data.difference import ColumnDifference, Difference, Version, compare
from rai_assets.data.difference_text import as_lines
from rai_assets.data.settings import ColumnSettings

PEOPLE = {
    "id": {"role": "identifier", "dtype": "integer"},
    "age": {"dtype": "number", "missing": "allowed"},
    "city": {"dtype": "category"},
}


def version(columns: dict[str, dict[str, Any]], rows: Mapping[str, Any], size: int = 3) -> Version:
    """A table that arrives a few rows at a time."""
    contract = Contract(tuple(Column(name, ColumnSettings.model_validate(one)) for name, one in columns.items()))
    table = pa.table({name: pa.array(rows[name]).cast(contract[name].arrow_type) for name in columns})
    return Version(contract, lambda: table.to_batches(max_chunksize=size))


def column(found: Difference, name: str) -> ColumnDifference:
    return next(item for item in found.columns if item.name == name)


def counts(found: Difference) -> tuple[int, int, int | None]:
    return found.rows.added, found.rows.removed, found.rows.changed


def test_the_same_rows_in_another_order_are_the_same() -> None:
    one = version(PEOPLE, {"id": [1, 2, 3, 4], "age": [30, None, 0.0, 40], "city": ["a", "b", "a", "c"]})
    other = version(PEOPLE, {"id": [4, 3, 2, 1], "age": [40, -0.0, None, 30], "city": ["c", "a", "b", "a"]}, size=1)
    found = compare(one, other)
    assert found.same
    assert counts(found) == (0, 0, 0)
    assert list(as_lines(found)) == [
        "rows     4 -> 4: 0 added, 0 removed, 0 changed (by id)",
        "3 columns are the same",
    ]


def test_rows_are_matched_by_their_identifier() -> None:
    before = version(PEOPLE, {"id": [1, 2, 3, 4], "age": [30, None, 20, 40], "city": ["a", "b", "a", "c"]})
    after = version(PEOPLE, {"id": [5, 4, 3, 2], "age": [50, 40, 21, 22], "city": ["a", "c", "b", "b"]})
    found = compare(before, after)
    assert counts(found) == (1, 1, 2)
    assert found.rows.columns == {"age": 2, "city": 1}
    assert column(found, "age").changed_rows == 2
    assert column(found, "id").changed_rows is None
    age = column(found, "age")
    assert age.before is not None and age.after is not None
    assert (age.before.n, age.before.missing, age.before.mean) == (3, 0.25, 30.0)
    assert (age.after.n, age.after.missing, age.after.mean) == (4, 0.0, 33.25)


def test_without_an_identifier_whole_rows_are_counted() -> None:
    columns = {"age": {"dtype": "integer"}, "city": {"dtype": "category"}}
    before = version(columns, {"age": [1, 1, 1, 2], "city": ["a", "a", "a", "b"]})
    after = version(columns, {"age": [1, 2, 2, 1], "city": ["a", "b", "b", "c"]})
    found = compare(before, after)
    assert counts(found) == (2, 2, None)
    assert "no identifier is declared" in next(as_lines(found))


def test_columns_that_come_go_and_change_their_type() -> None:
    before = version(
        {"id": PEOPLE["id"], "old": {"dtype": "boolean"}, "size": {"dtype": "integer"}, "kind": {"dtype": "category"}},
        {"id": [1, 2], "old": [True, False], "size": [1, 2], "kind": ["x", "y"]},
    )
    after = version(
        {"id": PEOPLE["id"], "new": {"dtype": "text"}, "size": {"dtype": "number"}, "kind": {"dtype": "text"}},
        {"id": [1, 2], "new": ["p", "q"], "size": [1.0, 2.5], "kind": ["x", "y"]},
    )
    found = compare(before, after)
    kinds = {item.name: item.kind for item in found.columns}
    assert kinds == {"id": "same", "new": "added", "size": "retyped", "kind": "retyped", "old": "removed"}
    assert found.rows.columns == {"size": 1}, "1 and 1.0 are the same number; a category is its text"
    assert found.contract["columns in order"] == (["id", "old", "size", "kind"], ["id", "new", "size", "kind"])
    text = "\n".join(as_lines(found))
    assert "column   new: added (text)" in text
    assert "column   size: retyped (integer -> number)" in text


def test_what_the_contract_says_of_a_column() -> None:
    rows = {"age": [1.0, 2.0]}
    before = version({"age": {"dtype": "number", "minimum": 0}}, rows)
    after = version({"age": {"dtype": "number", "minimum": 1, "role": ["feature", "sensitive"], "edges": [2]}}, rows)
    found = compare(before, after)
    changed = column(found, "age").settings
    assert changed["minimum"] == (0, 1)
    assert {"edges", "minimum"} <= changed.keys()
    assert any("sensitive" in str(sides[1]) for sides in changed.values())
    assert not found.same


def test_shares_and_their_total_variation() -> None:
    columns = {"city": {"dtype": "category", "missing": "allowed"}}
    before = version(columns, {"city": ["a", "a", "b", "b", None]})
    after = version(columns, {"city": ["a", "c", "c", "c"]})
    city = column(compare(before, after), "city")
    assert city.before is not None and city.after is not None
    assert city.before.shares == {"c": 0.0, "b": 0.5, "a": 0.5}
    assert city.after.shares == {"c": 0.75, "b": 0.0, "a": 0.25}
    assert (city.distance, city.measure) == (0.75, "total variation")
    assert (city.before.missing, city.after.missing) == (0.2, 0.0)


def test_times_have_a_distance_and_bounds() -> None:
    columns = {"when": {"dtype": "timestamp"}}
    days = [datetime.fromisoformat(f"2026-01-0{day}") for day in (1, 2, 3, 4)]
    when = column(compare(version(columns, {"when": days}), version(columns, {"when": days[2:]})), "when")
    assert when.distance == 0.5
    assert when.after is not None and when.after.least == "2026-01-03T00:00:00"


def test_a_column_without_values_has_a_reason_instead_of_a_distance() -> None:
    columns = {"age": {"dtype": "number", "missing": "allowed"}}
    empty = version(columns, {"age": pa.array([None, None], pa.float64())})
    found = compare(empty, version(columns, {"age": [1.0]}))
    assert column(found, "age").distance is None
    assert column(found, "age").reason == "one version has no values"
    assert "one version has no values" in "\n".join(as_lines(found))


def test_texts_that_are_all_different_are_not_counted() -> None:
    columns = {"note": {"dtype": "text"}}
    many = [f"note {at}" for at in range(20_000)]
    found = compare(version(columns, {"note": many}, 5_000), version(columns, {"note": many[1:]}, 5_000))
    assert counts(found) == (0, 1, None)
    assert column(found, "note").reason == "there are more than 10,000 values"


NUMBERS = st.lists(st.integers(-3, 3) | st.floats(-5, 5).map(lambda value: round(value, 2)), min_size=1, max_size=40)


@given(NUMBERS, NUMBERS)
@settings(max_examples=60)
def test_the_distance_of_numbers_is_that_of_their_distribution_functions(old: list[float], new: list[float]) -> None:
    columns = {"x": {"dtype": "number"}}
    sides = [{"x": [float(value) for value in values]} for values in (old, new)]
    found = compare(version(columns, sides[0]), version(columns, sides[1]))
    points = np.union1d(old, new)
    steps = [np.searchsorted(np.sort(values), points, side="right") / len(values) for values in (old, new)]
    assert column(found, "x").distance == pytest.approx(np.abs(steps[0] - steps[1]).max(), abs=1e-12)


ROWS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["a", "b", None])), max_size=30)


@given(ROWS, ROWS, st.integers(1, 8))
@settings(max_examples=100)
def test_rows_are_counted_as_often_as_they_occur(
    old: list[tuple[int, str | None]], new: list[tuple[int, str | None]], bucket: int
) -> None:
    columns = {"n": {"dtype": "integer"}, "t": {"dtype": "category", "missing": "allowed"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_difference, "_BUCKET_ROWS", bucket)
        sides = [
            {"n": pa.array([n for n, _ in rows], pa.int64()), "t": pa.array([t for _, t in rows], pa.string())}
            for rows in (old, new)
        ]
        found = compare(version(columns, sides[0]), version(columns, sides[1]))
    before, after = Counter(old), Counter(new)
    assert counts(found) == ((after - before).total(), (before - after).total(), None)


PEOPLE_BY_ID = st.dictionaries(st.integers(0, 30), st.tuples(st.sampled_from([None, 0.0, 1.5]), st.sampled_from("ab")))


@settings(max_examples=40)
@given(PEOPLE_BY_ID, PEOPLE_BY_ID, st.sampled_from([1, 3, 1000]))
def test_rows_with_one_identifier_are_compared_value_by_value(
    old: dict[int, tuple[float | None, str]], new: dict[int, tuple[float | None, str]], bucket: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_difference, "_BUCKET_ROWS", bucket)
        sides = [
            version(PEOPLE, {
                "id": pa.array(list(rows), pa.int64()), "age": pa.array([a for a, _ in rows.values()], pa.float64()),
                "city": pa.array([c for _, c in rows.values()], pa.string()),
            })
            for rows in (old, new)
        ]  # fmt: skip
        found = compare(*sides)
    both = old.keys() & new.keys()
    changed = [name for name in both if old[name] != new[name]]
    assert counts(found) == (len(new.keys() - both), len(old.keys() - both), len(changed))
    per_column = [sum(old[name][at] != new[name][at] for name in both) for at in (0, 1)]
    wanted = {name: rows for name, rows in zip(("age", "city"), per_column, strict=True) if rows}
    assert found.rows.columns == wanted, "nothing is no zero"


def test_integers_beyond_doubles_are_told_apart() -> None:
    columns = {"n": {"dtype": "integer"}}
    found = compare(version(columns, {"n": [2**53]}), version(columns, {"n": [2**53 + 1]}))
    assert counts(found) == (1, 1, None)


def test_long_streams_stay_within_a_few_hundredths_of_a_percent() -> None:
    draw = np.random.default_rng(0)
    sides = [draw.normal(shift, 1, 200_000) for shift in (0.0, 0.1)]
    columns = {"x": {"dtype": "number"}}
    before, after = (version(columns, {"x": list(side)}, 50_000) for side in sides)
    found = compare(before, after)
    assert column(found, "x").distance == pytest.approx(ks_2samp(*sides).statistic, abs=5e-4)
