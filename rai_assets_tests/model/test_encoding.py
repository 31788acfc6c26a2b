"""The matrix: equal to scikit-learn's transformers, row by row, whatever the chunks."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from rai_assets.data.contract import MISSING
from rai_assets.errors import InputRefused, UsageError
from rai_assets.model.column_encoding import ONE_HOT_LIMIT
from rai_assets.model.encoding import Encoding, Feature, together
from rai_assets_tests.model.people import FEATURES, population

SMALL = pa.table(
    {
        "size": pa.array([1.0, None, 4.0, 3.0]),
        "color": pa.array(["red", "blue", None, "red"]).dictionary_encode(),
        "old": pa.array([True, False, None, True]),
    }
)
SMALL_FEATURES = (Feature("color", "category"), Feature("size", "number"), Feature("old", "boolean"))


def test_codes_for_trees() -> None:
    encoding = Encoding.fit(SMALL, SMALL_FEATURES, "codes")
    # size with the median 3, old with the median 1, then color: blue 0, red 1, missing 2.
    expected = [[1, 1, 1], [3, 0, 0], [4, 1, 2], [3, 1, 1]]
    np.testing.assert_array_equal(encoding.matrix(SMALL), np.array(expected, np.float32))
    assert encoding.columns == ("size", "old", "color")
    np.testing.assert_array_equal(encoding.players, [1, 2, 0])
    unseen = pa.table(
        {"old": [None], "size": [float("nan")], "color": ["green"]}, SMALL.select(["old", "size", "color"]).schema
    )
    np.testing.assert_array_equal(encoding.matrix(unseen), [[3, 1, -1]])


def test_trees_that_route_missing_numbers_see_nan() -> None:
    matrix = Encoding.fit(SMALL, SMALL_FEATURES, "codes_nan").matrix(SMALL)
    np.testing.assert_array_equal(matrix[:, 0], np.array([1, np.nan, 4, 3], np.float32))
    np.testing.assert_array_equal(matrix[:, 1], np.array([1, 0, np.nan, 1], np.float32))


def test_one_column_per_category_for_linear_models() -> None:
    encoding = Encoding.fit(SMALL, SMALL_FEATURES, "scaled")
    assert encoding.columns == ("size", "old", "color=blue", "color=red", f"color={MISSING}")
    matrix = encoding.matrix(SMALL)
    np.testing.assert_array_equal(matrix[:, 2:], [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]])
    np.testing.assert_allclose(matrix[:, :2].mean(axis=0), 0, atol=1e-7)
    np.testing.assert_allclose(matrix[:, :2].std(axis=0), 1, rtol=1e-6)
    np.testing.assert_array_equal(encoding.players, [1, 2, 0, 0, 0])


def test_missing_is_a_category_only_where_training_has_one() -> None:
    table = pa.table({"color": ["red", "blue"]})
    encoding = Encoding.fit(table, [Feature("color", "category")], "scaled")
    assert encoding.columns == ("color=blue", "color=red")
    np.testing.assert_array_equal(encoding.matrix(pa.table({"color": pa.array([None, "red"])})), [[0, 0], [0, 1]])


def test_an_empty_string_is_missing_as_in_the_full_model() -> None:
    table = pa.table({"color": pa.array(["red", "", None, "blue"])})
    category = Encoding.fit(table, [Feature("color", "category")], "codes").categories[0]
    assert category.categories == ("blue", "red")
    np.testing.assert_array_equal(category.codes(table["color"].chunk(0)), [1, 2, 2, 0])


@pytest.mark.parametrize("style", ["codes", "scaled"])
def test_equals_scikit_learn_transformers(style: str) -> None:
    table, other = population(800), population(800, seed=1)
    frame, new = (item.to_pandas() for item in (table, other))
    for item in (frame, new):
        item[["job", "region"]] = item[["job", "region"]].astype(object).fillna("missing")
        item["insured"] = item["insured"].astype(float)
        item[["age", "income", "insured"]] = item[["age", "income", "insured"]].astype(np.float32)
    numbers, words = ["age", "income", "insured"], ["job", "region"]
    fill = SimpleImputer(strategy="median")
    steps = {
        "codes": (
            fill,
            OrdinalEncoder(categories=[["clerk", "cook", "pilot", "zoë", "missing"], ["east", "north", "west"]]),
        ),
        "scaled": (
            make_pipeline(fill, StandardScaler()),
            OneHotEncoder(
                sparse_output=False,
                categories=[["clerk", "cook", "pilot", "zoë", "missing"], ["east", "north", "west"]],
            ),
        ),
    }[style]
    reference = ColumnTransformer([("n", steps[0], numbers), ("c", steps[1], words)]).fit(frame)
    encoding = Encoding.fit(table, FEATURES, style)  # type: ignore[arg-type]
    np.testing.assert_allclose(encoding.matrix(other), reference.transform(new), rtol=2e-6, atol=2e-6)


def test_a_constant_column_is_not_blown_up() -> None:
    table = pa.table({"x": np.full(1000, 0.1)})
    matrix = Encoding.fit(table, [Feature("x", "number")], "scaled").matrix(pa.table({"x": [0.1, 0.2]}))
    np.testing.assert_allclose(matrix[:, 0], [0, 0.1], atol=1e-7)


def test_many_categories_keep_the_most_frequent() -> None:
    names = [f"v{k:04d}" for k in range(ONE_HOT_LIMIT + 44)]
    table = pa.table({"zip": names[44:] * 2 + names[:44]})
    encoding = Encoding.fit(table, [Feature("zip", "category")], "scaled")
    assert (encoding.width, encoding.categories[0].unlisted) == (ONE_HOT_LIMIT, 44)
    assert encoding.matrix(pa.table({"zip": ["v0000", "v0100"]})).sum(axis=1).tolist() == [0, 1]
    assert Encoding.fit(table, [Feature("zip", "category")], "codes").categories[0].unlisted == 0


def test_refusals() -> None:
    number = [Feature("x", "number")]
    with pytest.raises(InputRefused, match="1 value is infinite or beyond"):
        Encoding.fit(pa.table({"x": [1.0, 1e300]}), number, "codes")
    with pytest.raises(InputRefused, match="no rows to train on"):
        Encoding.fit(pa.table({"x": pa.array([], pa.float64())}), number, "codes")
    with pytest.raises(InputRefused, match="needs the columns x"):
        Encoding.fit(pa.table({"x": [1.0]}), number, "codes").matrix(pa.table({"y": [1.0]}))
    with pytest.raises(UsageError, match="a number was expected"):
        Encoding.fit(pa.table({"x": ["a"]}), number, "codes")


words = st.one_of(st.none(), st.sampled_from(["", "a", "b", "b ", "é", "(missing)", "\N{PILE OF POO}"]))
values = st.one_of(st.none(), st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6))
rows = st.lists(st.tuples(values, words, st.one_of(st.none(), st.booleans())), min_size=1, max_size=30)
KINDS = {"x": pa.float64(), "w": pa.string(), "b": pa.bool_()}
TRIPLE = (Feature("x", "number"), Feature("w", "category"), Feature("b", "boolean"))


def as_table(content: list) -> pa.Table:
    return pa.table({name: pa.array([row[k] for row in content], kind) for k, (name, kind) in enumerate(KINDS.items())})


@settings(max_examples=60)
@given(rows, rows, st.sampled_from(["codes", "codes_nan", "scaled"]), st.integers(1, 7))
def test_properties(train: list, new: list, style: str, chunk: int) -> None:
    """Any values: the JSON round trip and the chunking change nothing, and each row is encoded by itself."""
    encoding = Encoding.fit(as_table(train), TRIPLE, style)  # type: ignore[arg-type]
    assert Encoding.from_json(json.loads(json.dumps(encoding.as_json()))) == encoding
    table = as_table(new)
    matrix = encoding.matrix(table)
    assert matrix.dtype == np.float32
    assert (
        matrix.shape
        == (len(new), encoding.width)
        == (len(new), len(encoding.columns))
        == (len(new), len(encoding.players))
    )
    pieces = pa.concat_tables([table.slice(start, chunk) for start in range(0, len(new), chunk)])
    encoded = pieces.set_column(1, "w", pa.chunked_array([item.dictionary_encode() for item in pieces["w"].chunks]))
    np.testing.assert_array_equal(encoding.matrix(encoded), matrix)
    np.testing.assert_array_equal(encoding.matrix(table.slice(len(new) - 1)), matrix[-1:])
    category = encoding.categories[0]
    for row, (_, word, _) in zip(matrix, new, strict=True):
        known = word in category.categories if word else category.missing
        code = (category.categories.index(word) if word else len(category.categories)) if known else -1
        block = row[len(encoding.numbers) :]
        expected = np.eye(category.width)[code] * known if category.one_hot else [code]
        np.testing.assert_array_equal(block, expected)
    if style != "codes_nan":
        assert np.isfinite(matrix).all()


def test_tables_of_other_types_are_put_together_as_what_their_features_hold() -> None:
    features = [Feature("age", "number"), Feature("member", "boolean"), Feature("city", "category")]
    before = pa.table({"age": [30, None], "member": [True, False], "city": pa.array(["3", "B"]).dictionary_encode()})
    now = pa.table({"city": [3, None], "age": [2.5, 4.0], "member": [1, None]})
    both = together([before, now], features)
    assert both.to_pydict() == {
        "age": [30.0, None, 2.5, 4.0],
        "member": [1.0, 0.0, 1.0, None],
        "city": ["3", "B", "3", None],
    }
    alike = together([before, before], features)
    assert alike.schema.types == before.schema.types, "nothing is converted where the types agree"
    assert alike.to_pydict() == pa.concat_tables([before, before]).to_pydict()
