"""A few rows of Python values: the same numbers as a table's to the last bit, and every value checked first."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_assets.errors import InputRefused, UsageError
from rai_assets.model.encoding import Encoding, Feature
from rai_assets.model.linear import LinearCore
from rai_assets.model.records import FEW_ROWS, RecordEncoder, RecordScorer
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.version import ModelVersion
from rai_assets_tests.model import supplied_models as supplied
from rai_assets_tests.model.people import FEATURES, contract, population
from rai_assets_tests.model.test_scoring import version

words = st.one_of(st.none(), st.sampled_from(["", "a", "b", "b ", "é", "(missing)"]))
numbers = st.one_of(st.none(), st.floats(-1e38, 1e38), st.just(math.nan))
integers = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
rows = st.lists(st.tuples(numbers, integers, words, st.one_of(st.none(), st.booleans())), min_size=1, max_size=20)
KINDS = {"x": pa.float64(), "i": pa.int64(), "w": pa.string(), "b": pa.bool_()}
PAIR = (Feature("n", "number"), Feature("c", "category"))
FOUR = (Feature("x", "number"), Feature("i", "number"), Feature("w", "category"), Feature("b", "boolean"))


def columns(content: list) -> dict[str, list]:
    return {name: [row[k] for row in content] for k, name in enumerate(KINDS)}


def as_table(content: list) -> pa.Table:
    return pa.table({name: pa.array(values, KINDS[name]) for name, values in columns(content).items()})


@settings(max_examples=80)
@given(rows, rows, st.sampled_from(["codes", "codes_nan", "scaled"]), st.integers(1, 4))
def test_any_values_are_encoded_as_in_a_table(train: list, new: list, style: str, features: int) -> None:
    encoding = Encoding.fit(as_table(train), FOUR[-features:], style)  # type: ignore[arg-type]
    encoder = RecordEncoder(encoding)
    numbers, codes = encoder.coded(columns(new))
    np.testing.assert_array_equal(encoder.matrix(numbers, codes), encoding.matrix(as_table(new)))
    random = np.random.default_rng(0)
    for outputs, link in ((1, "logistic"), (3, "softmax"), (1, "identity")) if style == "scaled" else ():
        linear = LinearCore(random.normal(size=(encoding.width, outputs)), random.normal(size=outputs), link)
        few = linear.coded_scores(encoding, numbers, codes)
        np.testing.assert_allclose(few, linear.table_scores(encoding, as_table(new)), rtol=1e-15, atol=0)


def test_values_that_a_table_would_hold_otherwise() -> None:
    """Decimals, numpy's numbers, and categories that are no texts: what Arrow makes of them."""
    encoding = Encoding.fit(pa.table({"n": [1.0, 3.0], "c": ["1", "true"]}), PAIR, "codes")
    encoder = RecordEncoder(encoding)
    numbers, codes = encoder.coded({"n": [Decimal("1.5"), np.int32(7), np.float32(0.1)], "c": [1, True, 2]})
    assert numbers.ravel().tolist() == [1.5, 7.0, float(np.float32(0.1))]
    assert codes == [[0, 1, -1]]
    for odd in ("1.5", b"1", datetime.date(2024, 1, 1), [1.0]):
        with pytest.raises(UsageError, match="a number was expected"):
            encoder.coded({"n": [odd], "c": ["1"]})
    for large in (math.inf, 1e39, 10**400, -(10**39)):
        with pytest.raises(InputRefused, match="column 'n': 1 value is infinite or beyond"):
            encoder.coded({"n": [large], "c": ["1"]})
    with pytest.raises(InputRefused, match="column 'n': 1 value is infinite or beyond"):
        encoding.matrix(pa.table({"n": [1e39, 1.0], "c": ["1", "1"]}))


def test_few_rows_are_scored_as_many(boosted: ModelVersion) -> None:
    table = population(300, seed=8)
    with ScoringSession(boosted) as session:
        whole = session.scores(table)
        for size in (1, 3, FEW_ROWS, FEW_ROWS + 1):
            parts = [session.scores(table.slice(start, size)) for start in range(0, 300, size)]
            np.testing.assert_array_equal(np.concatenate(parts), whole)
        job = table["job"].combine_chunks()
        other = job.indices.take(pa.array([0, 1])).fill_null(9)
        odd = table.slice(0, 2).set_column(2, "job", pa.DictionaryArray.from_arrays(other, pa.array(range(10))))
        assert session.scores(odd).shape == (2, 2), "a category of whole numbers goes the way of a table"
        with pytest.raises(InputRefused, match="needs the columns region"):
            session.scores(table.slice(0, 1).drop_columns("region"))
        with pytest.raises(UsageError, match="a number was expected"):
            session.scores(table.slice(0, 1).set_column(0, "age", pa.array(["12"])))


ARROW = {"number": pa.float64(), "boolean": pa.bool_(), "category": pa.string()}
RECORD: dict[str, Any] = {"age": 40, "income": 1e4, "job": "cook", "insured": True, "region": "west"}
RULES = contract(
    "binary",
    age={"dtype": "integer", "minimum": 18, "maximum": 120},
    region={"dtype": "category", "allowed": ["east", "north", "west"]},
)


def test_a_record_is_scored(boosted: ModelVersion) -> None:
    with ScoringSession(boosted) as session:
        scorer = RecordScorer(session, RULES)
        asked = [
            RECORD,
            {**RECORD, "income": None, "insured": None, "job": None, "person": 17},
            RECORD | {"job": "spy"},
        ]
        answers = scorer.score(asked)
        rows = pa.Table.from_pylist(asked, pa.schema([(item.name, ARROW[item.kind]) for item in FEATURES]))
        np.testing.assert_array_equal(answers.scores, session.scores(rows))
        np.testing.assert_array_equal(answers.decisions, answers.scores[:, 1] >= 0.5)
        assert answers.unseen == ((), (), ("job",))
        many = scorer.score([RECORD] * (FEW_ROWS + 1))
        np.testing.assert_array_equal(many.scores, np.repeat(answers.scores[:1], FEW_ROWS + 1, axis=0))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"age": 17}, "record 2: 'age' is 17, below the minimum 18"),
        ({"age": 1e300}, "above the maximum 120"),
        ({"age": 40.5}, "not a whole number"),
        ({"age": None}, "'age' is missing, which is refused here"),
        ({"age": math.nan}, "'age' is missing"),
        ({"income": math.inf}, "'income' is inf, not a finite number"),
        ({"income": "abc"}, "'income' is 'abc', not a finite number"),
        ({"income": 10**400}, "infinite or beyond 3.4e38"),
        ({"income": True}, "not a finite number"),
        ({"insured": 1}, "'insured' is 1, neither true nor false"),
        ({"region": "south"}, "'region' is 'south', not among the allowed values"),
        ({"region": ["west"]}, "not a text"),
        ({"age": 3, "region": ""}, "below the minimum 18; 'region' is missing"),
    ],
)
def test_a_value_that_the_contract_does_not_allow(boosted: ModelVersion, changed: dict, message: str) -> None:
    with ScoringSession(boosted) as session, pytest.raises(InputRefused) as caught:
        RecordScorer(session, RULES).score([RECORD, RECORD | changed])
    assert message in str(caught.value)


def test_a_record_without_a_feature(boosted: ModelVersion) -> None:
    record = {name: value for name, value in RECORD.items() if name != "job"}
    with ScoringSession(boosted) as session, pytest.raises(InputRefused, match="'job' is not in the record"):
        RecordScorer(session, RULES).score([record])


def test_records_of_a_supplied_model() -> None:
    with ScoringSession(version(supplied.logistic(0.01))) as session:
        answers = RecordScorer(session, RULES).score([{"age": 40, "income": 60.0}])
        np.testing.assert_allclose(answers.scores[0, 1], 1 / (1 + math.exp(-1)), atol=1e-7)
        assert answers.unseen == ((),)
        with pytest.raises(InputRefused, match="no numeric core"):
            session.value_scores({"age": [40], "income": [60.0]})
