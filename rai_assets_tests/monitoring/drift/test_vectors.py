"""Vectors compared as the table of their dimensions, and rows that are judged as one family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.model.encoding import Feature
from rai_assets.monitoring.drift import DriftRow, DriftSettings
from rai_assets.monitoring.drift.multivariate import multivariate_drift
from rai_assets.monitoring.drift.vectors import compare_columns, compare_vectors, one_family, vector_array


def column(n: int, seed: int, correlation: float = 0.9) -> tuple[pa.Table, np.ndarray]:
    """Vectors of three numbers in some batches, one missing and two not finite; and those that are whole."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 3)).astype(np.float32)
    values[:, 1] = correlation * values[:, 0] + np.sqrt(1 - correlation**2) * values[:, 1]
    given: list[np.ndarray | None] = list(values.copy())
    given[2] = None
    given[5][0], given[n - 1][2] = np.nan, np.inf  # type: ignore[index]
    table = pa.table({"v": vector_array(given, 3)})
    return pa.concat_tables([table[:30], table[30:]]), np.delete(values, [2, 5, n - 1], axis=0)


def test_a_lost_vector_is_missing_and_the_others_are_as_they_were() -> None:
    array = vector_array([np.array([1, 2], np.float32), None, np.array([3, 4], np.float32)], 2)
    assert array.to_pylist() == [[1, 2], None, [3, 4]]
    assert len(vector_array([], 4)) == 0


@pytest.mark.parametrize(
    ("asked", "ordered"),
    [
        (DriftSettings(), False),
        (DriftSettings(rule="textbook"), False),
        (DriftSettings(timestamp="when"), True),
        (DriftSettings(chunks=10), True),
        (DriftSettings(timestamp="when", null="permutation"), False),
        (DriftSettings(timestamp="when", level=0.2, minimum_effect=0.1), True),
    ],
)
def test_whole_vectors_are_compared_dimension_by_dimension_in_their_order(asked: DriftSettings, ordered: bool) -> None:
    (before, old), (now, new) = column(503, 0), column(26, 1)
    sides = [pa.table({str(at): side[:, at] for at in range(3)}) for side in (old, new)]
    features = [Feature(str(at), "number") for at in range(3)]
    found = compare_vectors("v", before, now, asked, 7)
    wanted = multivariate_drift(
        *sides, features, seed=7, ordered=ordered, level=asked.level, minimum_effect=asked.minimum_effect,
        importance=False,
    )  # fmt: skip
    assert found == [replace(row, column="v", rule=asked.rule) for row in wanted.rows]
    assert {(row.n_reference, row.n_current) for row in found} == {(500, 23)}
    assert any("blocks" in row.null for row in found) == ordered


def test_vectors_that_moved_are_found_unless_they_moved_less_than_asked() -> None:
    (before, _), (now, _) = column(400, 0), column(400, 1)
    moved = np.array(now.column("v").drop_null().to_pylist(), np.float32) + 2
    now = pa.table({"v": vector_array(list(moved), 3)})
    found, less = (
        compare_vectors("v", before, now, DriftSettings(minimum_effect=effect), 0)[0] for effect in (0.0, 2.0)
    )
    assert (found.drifted, less.drifted) == (True, False)
    assert found.p_value == less.p_value


def test_without_a_whole_vector_on_a_side_nothing_is_said() -> None:
    there, _ = column(60, 0)
    none = pa.table({"v": vector_array([None, np.array([np.nan, 0, 0], np.float32)], 3)})
    for before, now in ((there, none), (none, there), (none, none)):
        for row in compare_vectors("v", before, now, DriftSettings(), 0):
            assert (row.column, row.drifted, row.p_value) == ("v", None, None)
            assert row.reason


def test_all_columns_but_those_of_time_are_compared_at_once_and_the_one_that_moved_is_named() -> None:
    def side(moved: float, seed: int) -> pa.Table:
        rng = np.random.default_rng(seed)
        columns = {"x": rng.normal(size=400), "moved": rng.normal(moved, 1, 400), "town": rng.choice(["a", "b"], 400)}
        return pa.table({**columns, "when": np.arange(400).astype("datetime64[s]")})

    kinds = {"x": "number", "moved": "number", "town": "category", "when": "time"}
    sides = side(0, 1), side(1, 2)
    found = compare_columns(kinds, *sides, DriftSettings(), 7)  # type: ignore[arg-type]
    features = [Feature("x", "number"), Feature("moved", "number"), Feature("town", "category")]
    wanted = multivariate_drift(*sides, features, seed=7, ordered=False, level=0.05, minimum_effect=0.0)
    assert found == [replace(row, rule="calibrated") for row in wanted.rows]
    (told,) = (row for row in found if row.method == "domain_classifier_auc")
    assert told.drifted
    assert told.drivers.startswith("moved")


def test_named_methods_and_limits_say_nothing_of_vectors() -> None:
    table, _ = column(60, 2)
    for asked in (DriftSettings(methods=["ks"]), DriftSettings(columns={"v": ["psi"]})):
        (row,) = compare_vectors("v", table, table, asked, 0)
        assert (row.column, row.reason, row.drifted) == ("v", "the named methods cannot compare vectors", None)
    other = DriftSettings(columns={"w": ["psi"]})
    assert len(compare_vectors("v", table, table, other, 0)) == 2
    (row,) = compare_vectors("v", table, table, DriftSettings(rule="evidently"), 0)
    assert (row.column, row.rule) == ("v", "evidently")
    assert "has no limit for whole rows" in (row.reason or "")


def test_rows_of_one_family_are_adjusted_together() -> None:
    """Holm: three times the least p-value, twice the next; what has none stays, and a small effect is no drift."""
    made = DriftRow("x", "all", rule="calibrated", drivers="a", effect=-0.5)
    rows = [replace(made, p_value=p) for p in (0.04, 0.01, 0.02)] + [replace(made, reason="no row")]
    found = one_family(rows, DriftSettings(minimum_effect=0.3))
    assert [row.family_p_value for row in found] == pytest.approx([0.04, 0.03, 0.04, None])
    assert [row.drifted for row in found] == [True, True, True, None]
    strict = one_family(rows, DriftSettings(level=0.03))
    assert [(row.drifted, row.drivers) for row in strict[:3]] == [(False, ""), (True, "a"), (False, "")]
    small = one_family(rows, DriftSettings(minimum_effect=0.6))
    assert [row.drifted for row in small] == [False, False, False, None]
    exactly = one_family(rows, DriftSettings(minimum_effect=0.5))
    assert [row.drifted for row in exactly] == [True, True, True, None]
    unknown = one_family([replace(made, p_value=0.01, effect=None)], DriftSettings(minimum_effect=0.6))
    assert unknown[0].drifted
