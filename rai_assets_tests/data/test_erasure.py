"""A stored table without a person's rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from rai_assets.data.erasure import count_rows, is_of, write_without


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (pa.array(["a", None, "b", "a "]), "a", [True, False, False, False]),
        (pa.array([7, 70, None, -7]), "7", [True, False, False, False]),
        (pa.array(["a", "b", None, "a"]).dictionary_encode(), "a", [True, False, False, True]),
    ],
)
def test_whose_a_row_is(column: pa.Array, value: str, expected: list[bool]) -> None:
    assert is_of(pa.record_batch({"person": column}), ["person", "not there"], value).to_pylist() == expected


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=5), min_size=1, max_size=4))
def test_the_others_stay_in_order_and_each_source_knows_its_rows(
    tmp_path_factory: pytest.TempPathFactory, sources: list[list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    source, target = folder / "source.parquet", folder / "target.parquet"
    people = [person for part in sources for person in part]
    parquet.write_table(pa.table({"person": pa.array(people, pa.string()), "row": range(len(people))}), source)
    left = write_without(source, target, ["person"], "a", [len(part) for part in sources])
    assert left == tuple(sum(person != "a" for person in part) for part in sources)
    assert parquet.read_table(target).to_pydict() == {
        "person": [person for person in people if person != "a"],
        "row": [row for row, person in enumerate(people) if person != "a"],
    }
    with Path(source).open("rb") as stream:
        assert count_rows(stream, ["person"], "a") == people.count("a")
