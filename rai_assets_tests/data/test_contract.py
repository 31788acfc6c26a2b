"""What a declaration makes of roles, task and classes, and that it survives being written down."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from rai_assets.data.contract import Contract
from rai_assets.data.settings import DatasetSettings


def contract(**columns: Any) -> Contract:
    return Contract.of(DatasetSettings.model_validate({"files": [{"path": "a.csv"}], "columns": columns}))


@pytest.mark.parametrize(
    ("columns", "task", "classes", "positive"),
    [
        ({"y": {"role": "target", "dtype": "integer", "positive": "1", "allowed": [0, 1]}}, "binary", ("0", "1"), "1"),
        ({"y": {"role": "target", "dtype": "integer", "positive": "0", "allowed": [0, 1]}}, "binary", ("1", "0"), "0"),
        ({"y": {"role": "target", "dtype": "boolean"}}, "binary", ("false", "true"), "true"),
        ({"y": {"role": "target", "dtype": "boolean", "positive": "false"}}, "binary", ("true", "false"), "false"),
        (
            {"y": {"role": "target", "dtype": "category", "positive": "<30", "allowed": ["<30", ">30", "NO"]}},
            "binary",
            ("not <30", "<30"),
            "<30",
        ),
        ({"y": {"role": "target", "dtype": "category", "allowed": ["c", "a"]}}, "multiclass", ("c", "a"), None),
        ({"y": {"role": "target", "dtype": "number"}}, "regression", (), None),
        ({"y": {"role": "target", "dtype": "integer"}}, "regression", (), None),
        (
            {"p": {"role": "prediction", "dtype": "category", "positive": "y", "allowed": ["n", "y"]}},
            "binary",
            ("n", "y"),
            "y",
        ),
        ({"s": {"role": "score", "dtype": "number", "threshold": 0.5}}, "binary", ("0", "1"), None),
        ({"x": {"dtype": "number"}}, None, (), None),
    ],
)
def test_the_task_follows_from_the_target(
    columns: dict[str, Any], task: str | None, classes: tuple[str, ...], positive: str | None
) -> None:
    made = contract(**columns)
    assert (made.task, made.classes) == (task, classes)
    if positive is not None:
        assert made.positive == positive


def test_classes_come_from_the_data_where_they_are_not_declared() -> None:
    made = contract(y={"role": "target", "dtype": "category", "positive": "yes"})
    assert made.classes == ("not yes", "yes")
    assert made.with_labels(("no", "yes")).classes == ("no", "yes")
    assert made.with_labels(("maybe", "no", "yes")).classes == ("not yes", "yes")


def test_roles_are_found_in_declared_order_and_ignored_columns_are_gone() -> None:
    made = contract(
        b={"role": "sensitive", "dtype": "category"},
        skip={"role": "ignored"},
        a={"role": ["feature", "sensitive"], "dtype": "category"},
        id={"role": "identifier", "dtype": "text"},
        w={"role": "weight", "dtype": "number"},
        when={"role": "timestamp", "dtype": "timestamp"},
    )
    assert made.names == ("b", "a", "id", "w", "when")
    assert (made.sensitive, made.features, made.identifiers) == (("b", "a"), ("a",), ("id",))
    assert (made.weight, made.timestamp, made.target, made.prediction, made.score) == ("w", "when", None, None, None)


def test_the_schema_keeps_categories_as_codes_and_times_with_their_offset() -> None:
    made = contract(
        c={"dtype": "category"},
        i={"dtype": "integer"},
        t={"role": "timestamp", "dtype": "timestamp"},
        s={"dtype": "text"},
    )
    assert made.schema().types == [pa.dictionary(pa.int32(), pa.string()), pa.int64(), pa.timestamp("us"), pa.string()]
    assert made.with_utc(frozenset({"t"})).schema().field("t").type == pa.timestamp("us", "UTC")


def test_a_contract_reads_back_equal_and_its_digest_follows_its_content() -> None:
    made = contract(
        y={"role": "target", "dtype": "category", "positive": "ja", "description": "übernommen"},
        age={"role": ["feature", "sensitive"], "dtype": "integer", "edges": [25, 45.5], "missing": "allowed"},
        t={"role": "timestamp", "dtype": "timestamp"},
    )
    made = made.with_labels(("ja", "nein")).with_utc(frozenset({"t"}))
    again = Contract.from_json(json.loads(json.dumps(made.as_json())))
    assert again == made
    assert again.digest == made.digest
    assert made.with_labels(()).digest != made.digest
