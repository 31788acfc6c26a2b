"""The written declaration reads back to exactly the settings it was made from, whatever the strings are."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rai_assets.data.settings import DatasetSettings
from rai_assets.data.template import dataset_yaml

TRICKY = [
    "NO", "yes", "on", "y", "null", "~", "1.10", "12:30:00", "0x1F", "1e3", "1_000", ".5", "-", "- a", "a: b", "a #b",
    "#a", "&a", "*a", "!a", "|", ">50K", "<=50K.", "%a", "@a", "`a", '"', "'", "\\", "{a}", "[a]", ",", "?", " a ", "",
    "2024-05-31", "=", "<<", "é", "日本", "\u2028", "\x7f", "\x85", "\ufeff", "a\tb", "a\nb",
    "</script>", "{{7*7}}", "😀",
]  # fmt: skip
labels = st.sampled_from(TRICKY) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffe\uffff"), max_size=12
)
names = labels.filter(lambda name: name.isprintable() and name.strip() == name and 0 < len(name) <= 40)


@settings(max_examples=120)
@given(
    columns=st.lists(names, min_size=2, max_size=4, unique_by=str.casefold),
    allowed=st.lists(labels, min_size=2, max_size=60, unique=True),
    missing=st.lists(labels, max_size=3),
    edges=st.lists(st.floats(-1e18, 1e18), min_size=1, max_size=4, unique=True).map(sorted),
    path=names,
    indent=st.integers(0, 6),
)
def test_settings_survive_being_written(
    columns: list[str], allowed: list[str], missing: list[str], edges: list[float], path: str, indent: int
) -> None:
    declared: dict[str, Any] = {
        "files": [{"path": path}],
        "missing": missing,
        "aliases": {columns[0]: {allowed[0]: allowed[1]}},
        "columns": {
            columns[0]: {"role": "target", "dtype": "category", "allowed": allowed, "positive": allowed[-1]},
            columns[1]: {
                "role": ["feature", "sensitive"],
                "dtype": "number",
                "edges": edges,
                "description": allowed[0],
            },
            **{name: {"role": "ignored"} for name in columns[2:]},
        },
    }
    try:
        made = DatasetSettings.model_validate(declared)
    except ValidationError:
        return
    text = dataset_yaml(made, indent)
    assert all(line.startswith(" " * indent) for line in text.splitlines() if line)
    assert DatasetSettings.model_validate(yaml.safe_load(text)) == made


@settings(max_examples=100)
@given(edge=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive_being_written(edge: float) -> None:
    column = {"role": "sensitive", "dtype": "number", "edges": [edge]}
    made = DatasetSettings.model_validate({"files": [{"path": "a"}], "columns": {"c": column}})
    (read,) = yaml.safe_load(dataset_yaml(made))["columns"]["c"]["edges"]
    assert isinstance(read, int | float)
    assert float(read) == edge


@pytest.mark.parametrize(
    "fields",
    [
        {"header": False, "separator": "\t", "comment": "|", "trim": True, "encoding": "latin-1", "format": "csv"},
        {"separator": " ", "split": {"by": "fraction", "test": 0.25, "calibration": 0.1, "seed": 7}},
        {"split": {"by": "time", "column": "t", "calibration_from": "2024-01-01", "test_from": "2024-06-01"}},
        {"split": {"by": "column", "column": "c", "values": {"train": ["no", "1"], "test": ["yes"]}}},
        {"files": [{"path": "a.csv", "split": "train"}, {"path": "b c.csv", "split": "test"}]},
    ],
)
def test_every_field_is_written(fields: dict[str, Any]) -> None:
    columns = {"t": {"role": "timestamp", "dtype": "timestamp"}, "c": {"dtype": "category"}, "s": {"role": "ignored"}}
    made = DatasetSettings.model_validate({"files": [{"path": "a.csv"}], "columns": columns, **fields})
    again = DatasetSettings.model_validate(yaml.safe_load(dataset_yaml(made, 4)))
    assert json.loads(again.model_dump_json()) == json.loads(made.model_dump_json())


def test_what_a_person_reads() -> None:
    made = DatasetSettings.model_validate(
        {
            "files": [{"path": "a.csv"}],
            "columns": {
                "age": {"role": "sensitive", "dtype": "integer", "edges": [25, 45.5]},
                "answer": {"role": "target", "dtype": "category", "allowed": ["no", "maybe"], "positive": "no"},
                "skip": {"role": "ignored"},
            },
        }
    )
    lines = dataset_yaml(made).splitlines()
    assert lines[-3:] == [
        "  age: {role: sensitive, dtype: integer, edges: [25, 45.5]}",
        '  answer: {role: target, dtype: category, allowed: ["no", maybe], positive: "no"}',
        "  skip: {role: ignored}",
    ]
    assert any("[feature, sensitive]" in line for line in lines)
