"""Rows to measure, from a model's scores or from logged columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.data.contract import Contract
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import InputRefused, UsageError
from rai_assets.model.rows import scored_rows

YES_NO = {"dtype": "category", "allowed": ["no", "yes"]}
KINDS = {"dtype": "category", "allowed": ["cat", "dog", "eel"]}


def declare(**columns: dict[str, Any]) -> Contract:
    return Contract.of(DatasetSettings.model_validate({"files": [{"path": "x.csv"}], "columns": columns}))


def words(*values: str | None) -> pa.Array:
    return pa.array(values).dictionary_encode()


BINARY = declare(y={"role": "target", "positive": "yes", **YES_NO}, w={"role": "weight", "dtype": "number"})


def test_a_models_scores_and_rows_that_cannot_be_measured() -> None:
    table = pa.table({"y": words("yes", "no", None, "yes"), "w": [1.0, 2.0, 3.0, None]})
    scores = np.array([[0.5, 0.5], [0.6, 0.4], [0.1, 0.9], [0.9, 0.1]])
    found = scored_rows(BINARY, table, "test", scores, 0.5)
    assert found.excluded == {"target missing": 1, "weight missing": 1}
    assert found.table.equals(table.slice(0, 2))
    np.testing.assert_array_equal(found.keep, [True, True, False, False])
    rows = found.rows
    assert (rows.task, rows.classes, rows.probability, rows.split) == ("binary", ("no", "yes"), True, "test")
    for values, expected in (
        (rows.target, [1, 0]),
        (rows.decision, [1, 0]),
        (rows.score, [0.5, 0.4]),
        (rows.weight, [1, 2]),
    ):
        np.testing.assert_array_equal(values, expected)
    assert rows.target is not None
    assert rows.target.dtype == np.int8


def test_several_negative_labels_are_one() -> None:
    contract = declare(y={"role": "target", "positive": "cat", **KINDS})
    rows = scored_rows(contract, pa.table({"y": words("eel", "cat", "dog")}), "all", np.eye(3)[:, :2], 0.5).rows
    np.testing.assert_array_equal(rows.target, [0, 1, 0])
    assert rows.classes == ("not cat", "cat")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ({"dtype": "boolean"}, pa.array([True, False, None])),
        ({"dtype": "integer", "positive": "1"}, pa.array([1, 0, None])),
        ({"dtype": "integer", "positive": "2"}, pa.chunked_array([[2], [1, None]])),
    ],
)
def test_targets_that_are_no_text(column: dict[str, Any], values: pa.Array) -> None:
    found = scored_rows(declare(y={"role": "target", **column}), pa.table({"y": values}), "all", np.eye(3)[:, :2], 0.5)
    np.testing.assert_array_equal(found.rows.target, [1, 0])
    assert found.excluded == {"target missing": 1}


def test_logged_decisions_and_scores() -> None:
    target, prediction = {"role": "target", "positive": "yes", **YES_NO}, {"role": "prediction", **YES_NO}
    contract = declare(y=target, p=prediction, s={"role": "score", "dtype": "number", "threshold": 0.9})
    table = pa.table({"y": words("yes", "no", "no"), "p": words("yes", None, "yes"), "s": [0.2, 0.3, 0.8]})
    found = scored_rows(contract, table, "all")
    assert found.excluded == {"prediction missing": 1}
    # The logged decision stands, whatever the score says.
    np.testing.assert_array_equal(found.rows.decision, [1, 1])
    np.testing.assert_array_equal(found.rows.score, [0.2, 0.8])
    assert found.rows.probability


@pytest.mark.parametrize(
    ("scores", "probability"),
    [([0.1, 0.5, 1.0], True), ([1.0, 5.0, 10.0], False), ([0.0, 1.0, 1.0], False), ([-0.1, 0.5, 0.9], False)],
)
def test_a_logged_score_and_its_threshold(scores: list[float], probability: bool) -> None:
    target = {"role": "target", "positive": "yes", **YES_NO}
    contract = declare(y=target, s={"role": "score", "dtype": "number", "threshold": 0.5})
    rows = scored_rows(contract, pa.table({"y": words("yes", "no", "no"), "s": scores}), "all").rows
    np.testing.assert_array_equal(rows.decision, np.array(scores) >= 0.5)
    assert rows.probability is probability
    without = declare(y=target, s={"role": "score", "dtype": "number"})
    assert scored_rows(without, pa.table({"y": words("yes", "no", "no"), "s": scores}), "all").rows.decision is None


def test_decisions_without_a_target() -> None:
    contract = declare(p={"role": "prediction", "positive": "yes", **YES_NO})
    rows = scored_rows(contract, pa.table({"p": words("yes", "no")}), "all").rows
    assert rows.target is None
    np.testing.assert_array_equal(rows.decision, [1, 0])


def test_multiclass() -> None:
    contract = declare(y={"role": "target", **KINDS}, p={"role": "prediction", **KINDS})
    table = pa.table({"y": words("eel", "cat"), "p": words("eel", "dog")})
    rows = scored_rows(contract, table, "all").rows
    np.testing.assert_array_equal(rows.target, [2, 0])
    np.testing.assert_array_equal(rows.decision, [2, 1])
    scored = scored_rows(contract, table, "all", np.array([[0.2, 0.4, 0.4], [0.1, 0.1, 0.8]]), None).rows
    np.testing.assert_array_equal(scored.decision, [1, 2])
    assert scored.score is not None
    assert scored.score.shape == (2, 3)
    with pytest.raises(InputRefused, match="'yak' is none of the classes cat, dog, eel") as caught:
        scored_rows(contract, table.set_column(1, "p", words("yak", "dog")), "all")
    assert caught.value.where == "column 'p'"


def test_two_classes_without_a_positive_one() -> None:
    """A category with two values and no `positive` is a multiclass question: the most probable class, no threshold."""
    contract = declare(y={"role": "target", **YES_NO})
    rows = scored_rows(contract, pa.table({"y": words("no", "yes")}), "all", np.array([[0.5, 0.5], [0.2, 0.8]])).rows
    assert rows.task == "multiclass"
    np.testing.assert_array_equal(rows.decision, [0, 1])


def test_regression() -> None:
    contract = declare(y={"role": "target", "dtype": "number"}, p={"role": "prediction", "dtype": "integer"})
    table = pa.table({"y": [1.5, None, 3.0], "p": [1, 2, None]})
    found = scored_rows(contract, table, "all")
    assert found.excluded == {"target missing": 1, "prediction missing": 1}
    np.testing.assert_array_equal(found.rows.score, [1.0])
    assert (found.rows.decision, found.rows.probability) == (None, False)
    model = scored_rows(contract, table, "all", np.array([1.0, 2.0, 9.0])).rows
    np.testing.assert_array_equal(model.score, [1.0, 9.0])


def test_refusals() -> None:
    table = pa.table({"y": words("yes", None), "w": [1.0, 1.0]})
    with pytest.raises(UsageError, match="there is no model, and no column has the role prediction or score"):
        scored_rows(BINARY, table, "all")
    with pytest.raises(InputRefused, match="no row of 'test' can be measured: target missing in 1"):
        scored_rows(BINARY, table.slice(1), "test", np.eye(2)[1:], 0.5)
    with pytest.raises(InputRefused, match="1 weights are negative or infinite, e.g. -1") as caught:
        scored_rows(BINARY, table.set_column(1, "w", pa.array([1.0, -1.0])), "all", np.eye(2), 0.5)
    assert caught.value.where == "column 'w', row 2"
    with pytest.raises(UsageError, match="nothing to measure"):
        scored_rows(declare(x={"dtype": "number"}), pa.table({"x": [1.0]}), "all")
