"""How closely two columns go along: against scipy, closed forms, and what an association may never do."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_assets.analysis.explanation.association import associations


def value(table: pa.Table, feature: str = "a", sensitive: str = "b") -> float | None:
    (number,) = associations(table, [feature], [sensitive], split="test")
    return number.value


def test_cramers_v_is_scipys_with_bergsmas_correction() -> None:
    from scipy.stats import chi2_contingency

    draw = np.random.default_rng(0)
    a = draw.integers(0, 3, 500)
    b = np.where(draw.random(500) < 0.5, a, draw.integers(0, 4, 500))
    found = value(pa.table({"a": a.astype(str), "b": b.astype(str)}))
    counts = np.zeros((3, 4))
    np.add.at(counts, (a, b), 1)
    phi = chi2_contingency(counts, correction=False).statistic / 500
    phi = max(0, phi - 2 * 3 / 499)
    assert found == pytest.approx(math.sqrt(phi / min(3 - 4 / 499 - 1, 4 - 9 / 499 - 1)), abs=1e-12)


def test_two_numbers_have_spearmans_rho() -> None:
    from scipy.stats import spearmanr

    draw = np.random.default_rng(1)
    a = draw.normal(size=300).round(1)
    b = (-a + draw.normal(size=300)).round(1)
    assert value(pa.table({"a": a, "b": b})) == pytest.approx(abs(spearmanr(a, b).statistic), abs=1e-12)


def test_a_number_and_a_category_have_the_correlation_ratio() -> None:
    draw = np.random.default_rng(2)
    groups = draw.integers(0, 3, 400)
    values = groups + draw.normal(size=400)
    found = value(pa.table({"a": values, "b": groups.astype(str)}))
    within = sum(((values[groups == g] - values[groups == g].mean()) ** 2).sum() for g in range(3)) / 397
    assert found == pytest.approx(math.sqrt(1 - within / values.var(ddof=1)), abs=1e-12)


# Populations to draw from: 4,000 rows of two columns each, skewed, with ties, near 0 and far from it.
def population(kind: str) -> pa.Table:
    draw = np.random.default_rng(4)
    a = draw.integers(0, 4, 4000)
    skewed = np.minimum(draw.geometric(0.3, 4000), 9)
    other = {
        "even": np.where(draw.random(4000) < 0.4, a, draw.integers(0, 3, 4000)),
        "rare": np.where(draw.random(4000) < 0.1, a, np.where(draw.random(4000) < 0.05, 1, 0)),
        "none": draw.integers(0, 3, 4000),
    }
    return {
        "categories": pa.table({"a": a.astype(str), "b": other["even"].astype(str)}),
        "rare categories": pa.table({"a": a.astype(str), "b": other["rare"].astype(str)}),
        "nothing among categories": pa.table({"a": a.astype(str), "b": other["none"].astype(str)}),
        "number and category": pa.table({"a": skewed**2.0 + 10 * other["even"], "b": other["even"].astype(str)}),
        "heavy tails": pa.table({"a": np.exp(2 * draw.normal(size=4000) + (a == 1)), "b": a.astype(str)}),
        "nothing in a number": pa.table({"a": skewed.astype(float), "b": a.astype(str)}),
        "numbers": pa.table({"a": skewed.astype(float), "b": skewed + draw.normal(size=4000).round(1) * 4}),
        "uneven numbers": pa.table({"a": skewed.astype(float), "b": skewed * draw.normal(size=4000) + skewed / 4}),
    }[kind]


@pytest.mark.parametrize("n", [100, 400])
@pytest.mark.parametrize(
    "kind",
    [
        "categories", "rare categories", "nothing among categories", "number and category", "heavy tails",
        "nothing in a number", "numbers", "uneven numbers",
    ],
)  # fmt: skip
def test_the_interval_covers_what_the_population_has(kind: str, n: int) -> None:
    """At least 95 % less 3 points, of 400 draws; the hull of two methods may be wider than it must be."""
    drawn_from, draw = population(kind), np.random.default_rng(5)
    true = value(drawn_from)
    assert true is not None
    covered, judged = 0, 0
    for _ in range(400):
        table = drawn_from.take(pa.array(draw.integers(0, 4000, n)))
        (number,) = associations(table, ["a"], ["b"], split="test")
        if number.low is not None and number.high is not None:
            judged += 1
            covered += number.low - 1e-12 <= true <= number.high + 1e-12
    assert judged > 390
    assert covered / judged >= 0.92


def test_too_few_rows_for_the_categories_give_a_value_without_an_interval() -> None:
    draw = np.random.default_rng(6)
    table = pa.table({"a": draw.integers(0, 10, 100).astype(str), "b": draw.integers(0, 10, 100).astype(str)})
    (number,) = associations(table, ["a"], ["b"], split="test")
    assert number.value is not None
    assert number.low is None
    assert "too few rows for the number of categories" in (number.reason or "")


def test_a_million_rows_have_narrow_intervals() -> None:
    """Noncentralities beyond where scipy's inverse of the noncentral F ends."""
    draw = np.random.default_rng(7)
    groups = draw.integers(0, 3, 1_000_000)
    table = pa.table({"a": groups + draw.normal(size=1_000_000), "b": groups.astype(str), "c": groups.astype(str)})
    number, same = associations(table, ["a", "c"], ["b"], split="test")
    eta = math.sqrt((2 / 3) / (2 / 3 + 1))
    assert number.low is not None and number.high is not None
    assert number.low < eta < number.high
    assert number.high - number.low < 0.004
    assert (same.value, same.high) == (1.0, 1.0)
    assert same.low is not None and same.low > 0.998


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (pa.table({"a": ["x"] * 9, "b": ["p", "q", "r"] * 3}), "single value"),
        (pa.table({"a": pa.nulls(9, pa.float64()), "b": ["p", "q", "r"] * 3}), "only 0 rows"),
        (pa.table({"a": [1.0, 2.0], "b": ["p", "q"]}), "only 2 rows"),
    ],
)
def test_where_there_is_no_answer_it_says_why(table: pa.Table, reason: str) -> None:
    (number,) = associations(table, ["a"], ["b"], split="test")
    assert number.value is None
    assert reason in (number.reason or "")


def test_a_column_is_not_compared_with_itself() -> None:
    table = pa.table({"a": ["x", "y"] * 5, "b": ["x", "y"] * 5})
    assert len(associations(table, ["a", "b"], ["b"], split="test")) == 1


column = st.one_of(
    st.lists(st.one_of(st.none(), st.sampled_from(["x", "y", "z"])), min_size=30, max_size=30),
    st.lists(st.one_of(st.none(), st.floats(-10, 10).map(lambda x: round(x, 1))), min_size=30, max_size=30),
)


@settings(max_examples=60)
@given(column, column, st.randoms(use_true_random=False))
def test_it_lies_between_0_and_1_is_symmetric_and_blind_to_the_order_of_rows(a: list, b: list, shuffle) -> None:  # type: ignore[no-untyped-def]
    table = pa.table({"a": a, "b": b})
    order = list(range(30))
    shuffle.shuffle(order)
    found = value(table)
    turned = value(table, "b", "a")
    assert (found is None) == (turned is None) == (value(table.take(order)) is None)
    if found is not None and turned is not None:
        assert 0 <= found <= 1
        # Squares: a root of rounding errors near 0 is not small.
        assert found**2 == pytest.approx(turned**2, abs=1e-12)
        assert found**2 == pytest.approx(value(table.take(order)) ** 2, abs=1e-12)
