"""Every kind of contract rule: what breaks it is named by row, line and column, counted, and blocks nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from rai_assets.data.ingest import Ingested
from rai_assets.data.rules import RuleResult, rules_of, shown
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.uniqueness import KeyFile
from rai_assets_tests.data.conftest import Declare

Store = Callable[[DatasetSettings], Ingested]
TEXT = {"dtype": "text"}
INT = {"dtype": "integer"}


def failed(ingested: Ingested) -> dict[str, RuleResult]:
    return {rule.rule: rule for rule in ingested.rules if not rule.passed}


def sentences(ingested: Ingested) -> dict[str, str]:
    return {name: rule.sentence for name, rule in failed(ingested).items()}


def test_a_value_of_another_type_is_named_by_row_line_and_column(declare: Declare, store: Store) -> None:
    found = store(declare("# c\na,b\n1,x\n\n2,abc\n", {"a": INT, "b": INT}, comment="#"))
    assert not found.accepted
    (rule,) = failed(found).values()
    assert (rule.rule, rule.count) == ("dtypes", 2)
    assert [str(violation) for violation in rule.violations] == [
        "data.csv, row 1 (line 3), column 'b': 'x' is not a whole number of at most 64 bits",
        "data.csv, row 2 (line 5), column 'b': 'abc' is not a whole number of at most 64 bits",
    ]


def test_the_first_five_are_shown_and_all_are_counted(declare: Declare, store: Store) -> None:
    found = store(declare("a\n" + "x\n" * 1000, {"a": INT}))
    rule = failed(found)["dtypes"]
    assert (rule.count, len(rule.violations)) == (1000, 5)
    assert rule.sentence.endswith("and 995 more")


def test_values_are_escaped_and_cut(declare: Declare, store: Store) -> None:
    value = "</script>\x1b[31m\u202e" + "x" * 200
    found = store(declare(f"a\n{value}\n", {"a": INT}))
    text = failed(found)["dtypes"].violations[0].value
    assert text is not None
    assert text == shown(value)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 110


def test_columns_have_to_be_those_declared(declare: Declare, store: Store) -> None:
    found = store(declare("a,c\n1,2\n", {"a": INT, "b": INT}))
    assert sentences(found)["columns"].splitlines() == [
        "data.csv, column 'b': is not in the file",
        "data.csv, column 'c': is not declared; give it `role: ignored` to leave it out",
    ]
    assert set(failed(found)) == {"columns"}


def test_missing_values_are_refused_unless_allowed(declare: Declare, store: Store) -> None:
    columns = {"a": {**INT, "missing": "allowed"}, "b": INT}
    found = store(declare("a,b\n,1\n2,?\n", columns, missing=["", "?"]))
    assert sentences(found) == {
        "missing": "data.csv, row 2 (line 3), column 'b': '?' means missing, which is refused here"
    }


@pytest.mark.parametrize(
    ("column", "values", "rule", "problem"),
    [
        ({"dtype": "category", "allowed": ["x", "y"]}, "x,z", "allowed_values", "'z' is not among the allowed values"),
        ({"dtype": "integer", "allowed": [1, 2]}, "1,3", "allowed_values", "'3' is not among the allowed values"),
        ({"dtype": "integer", "minimum": 0}, "0,-1", "ranges", "'-1' is below 0"),
        ({"dtype": "number", "maximum": 0.5}, "0.5,0.6", "ranges", "'0.6' is above 0.5"),
        ({"dtype": "number", "role": "weight"}, "0,-0.1", "ranges", "'-0.1' is below 0"),
        ({"dtype": "integer", "role": "identifier"}, "7,7", "identifiers", "is the same as in data.csv, row 1"),
        ({"dtype": "text", "role": "identifier"}, "a,a", "identifiers", "is the same as in data.csv, row 1"),
    ],
)
def test_values_outside_the_contract(
    declare: Declare, store: Store, column: dict[str, Any], values: str, rule: str, problem: str
) -> None:
    content = "c,n\n" + "".join(f"{value},{at}\n" for at, value in enumerate(values.split(",")))
    found = store(declare(content, {"c": column, "n": INT}))
    assert set(failed(found)) == {rule}
    assert failed(found)[rule].count == 1
    assert problem in sentences(found)[rule]
    assert "row 2" in sentences(found)[rule]


def test_identifiers_together_name_a_row_over_all_files(declare: Declare, store: Store) -> None:
    key = {"role": "identifier", "dtype": "text"}
    declare("p,v\na,1\na,2\nb,1\n", {"p": key, "v": key}, name="one.csv")
    declared = declare("p,v\na,1\nc,1\n", {"p": key, "v": key}, name="two.csv", trim=False)
    both = declared.model_copy(
        update={"files": [declared.files[0].model_copy(update={"path": "one.csv"}), *declared.files]}
    )
    found = store(both)
    assert sentences(found) == {"identifiers": "two.csv, row 1, column 'p, v': is the same as in one.csv, row 1"}


@pytest.mark.parametrize(
    ("columns", "content", "problem"),
    [
        ({"y": {"role": "target", "dtype": "category", "positive": ">50K"}}, "y\n>50K.\n<=50K.\n",
         "never has the positive value '>50K'; its values are '<=50K.', '>50K.'"),
        ({"y": {"role": "target", "dtype": "integer", "positive": 1}}, "y\n0\n2\n", "never has the positive value '1'"),
        ({"y": {"role": "target", "dtype": "category"}}, "y\n" + "".join(f"{i}\n" for i in range(1002)),
         "more than 1,000 values"),
        ({"y": {"role": "target", "dtype": "category", "positive": "a"},
          "p": {"role": "prediction", "dtype": "category"}},
         "y,p\na,a\nb,c\n", "column 'p': 'c' is no value of the target, which has 'a', 'b'"),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_what_was_meant(
    declare: Declare, store: Store, columns: dict[str, Any], content: str, problem: str
) -> None:
    found = store(declare(content, columns))
    assert set(failed(found)) == {"target"}
    assert problem in sentences(found)["target"]


def test_a_target_of_one_class_is_no_fault_of_the_data(declare: Declare, store: Store) -> None:
    target = {"role": "target", "dtype": "category", "positive": "a", "allowed": ["b", "a"]}
    assert store(declare("y\nb\nb\n", {"y": target})).accepted


def test_only_the_rules_that_a_contract_has_are_checked(declare: Declare) -> None:
    declared = declare("a\n1\n", {"a": {"dtype": "category", "missing": "allowed"}})
    assert [rule.name for rule in rules_of(declared)] == ["columns"]
    declared = declare("a\n1\n", {"a": {"role": "identifier", "dtype": "integer", "minimum": 0, "allowed": [1]}})
    assert [rule.name for rule in rules_of(declared)] == [
        "columns", "dtypes", "missing", "allowed_values", "ranges", "identifiers",
    ]  # fmt: skip


def test_keys_are_compared_over_many_batches() -> None:
    with_doubles = KeyFile()
    for start in range(0, 10_000, 1000):
        with_doubles.add([pa.array(range(start, start + 1000)), pa.array(["x"] * 1000)])
    with_doubles.add([pa.array([5, None, None]), pa.array(["x", "x", "x"])])
    assert list(with_doubles.repeated()) == [(10_000, 5)]
    with_doubles.close()
    empty = KeyFile()
    assert list(empty.repeated()) == []
    empty.close()
