"""Strata of a column: its values, or quintiles of a number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rai_assets.analysis.fairness.strata import BINS, strata
from rai_assets.errors import DeclarationError
from rai_assets.metrics.rows import Grouping, Rows
from rai_assets_tests.analysis.fairness.conftest import made


def stratified(values: list, **settings) -> tuple[Grouping, str]:
    rows = Rows("binary", ("0", "1"), None, np.zeros(len(values), np.int8))
    inputs = made(rows, {"z": values}, z={"missing": "allowed", **settings})
    return strata(inputs.table, inputs.contract, "z")


def labels(found: Grouping) -> list[str]:
    return [found.groups[code]["z"] for code in found.codes]


def test_a_category_has_a_stratum_per_value_and_one_for_what_is_missing():
    found, sentence = stratified(["b", "a", None, "b"], dtype="category")
    assert labels(found) == ["b", "a", "(missing)", "b"]
    assert sentence == "Gaps within z: 3 strata, one per value."


def test_a_number_with_few_values_has_a_stratum_per_value():
    found, _ = stratified([2.5, 1.0, None, 2.5], dtype="number")
    assert labels(found) == ["2.5", "1", "(missing)", "2.5"]


def test_a_number_with_many_values_is_cut_at_its_quintiles():
    found, sentence = stratified([float(value) for value in range(1, 101)], dtype="number")
    assert np.bincount(found.codes).tolist() == [20] * BINS
    assert labels(found)[0] == "[-inf, 21)"
    assert labels(found)[-1] == "[81, inf)"
    assert sentence.startswith("Gaps within z: 5 strata, cut at the quintiles: [-inf, 21), [21, 41)")


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5), st.just(0)), min_size=1, max_size=60))
def test_every_row_has_a_stratum_none_is_empty_and_they_keep_the_order(values):
    found, _ = stratified(values, dtype="integer")
    assert (np.bincount(found.codes, minlength=len(found.groups)) > 0).all()
    assert len(found.groups) <= BINS + 1
    missing = [value is None for value in values]
    assert [label == "(missing)" for label in labels(found)] == missing
    known = sorted((value, int(code)) for value, code in zip(values, found.codes, strict=True) if value is not None)
    assert [code for _, code in known] == sorted(code for _, code in known)


@pytest.mark.parametrize("dtype", ["text", "timestamp"])
def test_a_column_without_values_that_repeat_is_refused(dtype):
    with pytest.raises(DeclarationError, match=f"dtype {dtype}"):
        stratified([None], dtype=dtype)
