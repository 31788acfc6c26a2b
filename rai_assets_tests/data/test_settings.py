"""A declaration that cannot mean anything is refused when it is read, with a sentence that says why."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rai_assets.data.settings import ColumnSettings, DatasetSettings, SplitSettings

X = {"dtype": "number"}
Y = {"role": "target", "dtype": "category", "positive": "yes"}


def dataset(columns: dict[str, Any], **fields: Any) -> DatasetSettings:
    return DatasetSettings.model_validate({"files": [{"path": "a.csv"}], "columns": columns, **fields})


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        ({"role": "feature"}, "`dtype` is missing"),
        ({"role": ["ignored", "feature"], "dtype": "text"}, "`ignored` is the only role"),
        ({"role": ["feature", "feature"], "dtype": "number"}, "each role once"),
        ({"role": ["feature", "target"], "dtype": "integer"}, "not target"),
        ({"role": "score", "dtype": "category"}, "a weight or a score has dtype"),
        ({"role": "sensitive", "dtype": "integer"}, "needs `edges`"),
        ({"role": "sensitive", "dtype": "text"}, "dtype category, boolean"),
        ({"role": "sensitive", "dtype": "integer", "edges": [3, 3]}, "`edges` rise"),
        ({"dtype": "integer", "edges": [3]}, "`edges` cut a numeric sensitive column"),
        ({"dtype": "category", "minimum": 0}, "are for numbers"),
        ({"dtype": "number", "minimum": 2, "maximum": 1}, "`minimum` is above `maximum`"),
        ({"dtype": "number", "minimum": float("inf")}, "finite"),
        ({"dtype": "number", "allowed": ["1"]}, "`allowed` lists the values of a category"),
        ({"dtype": "category", "allowed": ["a", "a"]}, "names a value twice"),
        ({"dtype": "integer", "allowed": ["01"]}, "without sign"),
        ({"dtype": "category", "allowed": [1.10]}, "in quotes"),
        ({"role": "target", "dtype": "boolean", "positive": "yes"}, '"true" or "false"'),
        ({"dtype": "category", "positive": "yes"}, "`positive` stands on the target"),
        ({"dtype": "number", "threshold": 0.5}, "`threshold` stands on the column with role `score`"),
        ({"role": "target", "dtype": "integer", "missing": "allowed"}, "has a value in every row"),
        ({"dtype": "number", "colour": "red"}, "Extra inputs"),
    ],
)
def test_a_column_that_contradicts_itself_is_refused(column: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        ColumnSettings.model_validate(column)


@pytest.mark.parametrize(
    ("columns", "fields", "sentence"),
    [
        ({"a": X, "A ": X}, {}, "look the same"),
        ({"ﬁne": X, "fine": X}, {}, "look the same"),
        ({"": X}, {}, "1 to 200 characters"),
        ({"a" * 201: X}, {}, "1 to 200 characters"),
        ({"a\nb": X}, {}, "U\\+000A"),
        ({"a\u202eb": X}, {}, "U\\+202E"),
        ({"y": Y, "z": Y}, {}, "only one column has role `target`"),
        ({"a": {"role": "ignored"}}, {}, "every column is `ignored`"),
        ({"a": X}, {"aliases": {"b": {"x": "y"}}}, "`aliases` names the column 'b'"),
        ({"a": X}, {"separator": '"'}, "neither a quote"),
        ({"a": X}, {"encoding": "klingon"}, "not the name of a text encoding"),
        ({"a": X}, {"encoding": "base64"}, "not the name of a text encoding"),
        ({"y": Y | {"allowed": ["no", "ja"]}}, {}, "which `allowed` does not name"),
        ({"y": {"role": "target", "dtype": "number", "positive": "1"}}, {}, "category, boolean or integer"),
        ({"y": {"role": "target", "dtype": "text"}}, {}, "the target 'y' has dtype"),
        ({"y": Y, "p": Y | {"role": "prediction"}}, {}, "`positive` stands on the target"),
        ({"a": X}, {"split": {"by": "time", "test_from": "2024-01-01"}}, "needs a `column`"),
        ({"a": Y}, {"split": {"by": "time", "column": "a", "test_from": "2024-01-01"}}, "timestamp or a number"),
        ({"a": X}, {"split": {"by": "column", "column": "b", "values": {"test": ["1"]}}}, "does not declare"),
        ({"a": X}, {"files": [{"path": "a", "split": "train"}, {"path": "b"}]}, "all do"),
        (
            {"a": X},
            {"files": [{"path": "a", "split": "train"}], "split": {"by": "fraction", "test": 0.2}},
            "not go with",
        ),
    ],
)
def test_a_data_set_that_contradicts_itself_is_refused(
    columns: dict[str, Any], fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        dataset(columns, **fields)


@pytest.mark.parametrize(
    ("split", "sentence"),
    [
        ({"by": "fraction"}, "needs `test`"),
        ({"by": "fraction", "test": 0.6, "calibration": 0.4}, "no rows to train on"),
        ({"by": "file", "seed": 3}, "`seed` does not go with `by: file`"),
        ({"by": "time"}, "needs `test_from`"),
        ({"by": "column", "column": "a"}, "needs `column` and `values`"),
        ({"by": "column", "column": "a", "values": {"train": ["x"], "test": ["x"]}}, "one value to two splits"),
    ],
)
def test_a_split_that_contradicts_itself_is_refused(split: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        SplitSettings.model_validate(split)


def test_whole_numbers_are_labels_and_fractions_have_to_be_quoted() -> None:
    column = ColumnSettings.model_validate({"role": "target", "dtype": "integer", "allowed": [0, 1], "positive": 1})
    assert (column.allowed, column.positive) == (["0", "1"], "1")


def test_a_column_may_be_sensitive_and_a_feature() -> None:
    assert ColumnSettings.model_validate({"role": ["feature", "sensitive"], "dtype": "category"}).roles == (
        "feature",
        "sensitive",
    )
