"""From many numbers to few tables: which, in what order, and what is said of the rest."""

from __future__ import annotations

from typing import Any

from rai_assets.metrics.number import Number
from rai_assets.report.tables import Cell, cell, grids


def number(definition: str = "selection_rate", **fields: Any) -> Number:
    values: dict[str, Any] = {"value": 0.25, "low": 0.2, "high": 0.3, "level": 0.95, "n": 400, "split": "test"}
    return Number(f"{definition}@1", **(values | fields))


def test_a_cell_has_the_value_the_interval_and_n() -> None:
    assert cell(number()) == Cell("0.250", "0.200 to 0.300", "n 400")
    assert cell(number(n=12, small=True)) == Cell("0.250", "0.200 to 0.300", "n 12", small=True)
    assert cell(number("count", value=1234, low=None, high=None, n=1234, unit="count")) == Cell("1,234")


def test_a_cell_without_a_value_has_its_reason() -> None:
    hidden = number(value=None, low=None, high=None, n=3, reason="3 rows, fewer than 5")
    assert cell(hidden) == Cell("–", "3 rows, fewer than 5", missing=True)


def test_tables_come_from_the_whole_to_the_parts() -> None:
    numbers = [
        number(coordinates={"feature": "age"}),
        number(group={"sex": "F", "race": "A"}),
        number(group={"sex": "F"}),
        number("selection_rate_difference_to_reference", group={"sex": "F"}, reference={"sex": "M"}),
        number("selection_rate_conditional_difference", coordinates={"sensitive": "sex", "stratifier": "income"}),
        number("four_fifths", coordinates={"sensitive": "sex"}),
        number(coordinates={"class": "cat"}),
        number(),
    ]
    assert [table.title for table in grids(numbers, "lending")] == [
        "All rows together",
        "By class, test rows",
        "Gaps between groups, test rows",
        "Gaps among comparable rows, test rows",
        "By sex, test rows",
        "By sex × race, test rows",
        "By sex, against a reference group, test rows",
        "Features, test rows",
    ]


def test_all_rows_stand_with_interval_and_n_in_columns_of_their_own() -> None:
    numbers = [number("accuracy", n=400), number("accuracy", n=900, split="train"), number("roc_auc", n=400)]
    (table,) = grids(numbers, "lending")
    assert [head.text for head in table.columns] == ["test rows", "Interval", "n", "train rows"]
    accuracy, auc = table.rows
    assert [(item.text, item.detail) for item in accuracy[1][:3]] == [
        ("0.250", ""),
        ("", "0.200 to 0.300"),
        ("", "400"),
    ]
    assert accuracy[1][3] == Cell("0.250", "0.200 to 0.300", "n 900")
    assert auc[1][3] == Cell()


def test_the_measures_of_the_requirements_come_first() -> None:
    numbers = [number(name) for name in ("accuracy", "f1", "precision")]
    (table,) = grids(numbers, "lending", wanted=["f1@1"])
    assert [row[0].definition for row in table.rows] == ["f1@1", "accuracy@1", "precision@1"]


def test_n_is_said_once_where_it_is_the_same() -> None:
    numbers = [number(name, coordinates={"sensitive": "sex"}) for name in ("four_fifths", "equalized_odds_difference")]
    (table,) = grids(numbers, "lending")
    assert table.title == "Gaps between groups, test rows, n 400"
    assert all(item.rows == "" for _, cells in table.rows for item in cells)


def test_features_are_ranked_by_importance_and_name_the_column_they_are_associated_with() -> None:
    numbers = [
        item
        for feature, value in (("a", 0.1), ("b", 0.9))
        for item in (
            number("mean_absolute_shap_value", value=value, coordinates={"feature": feature}),
            number("sensitive_association", coordinates={"feature": feature, "sensitive": "sex"}),
        )
    ]
    (table,) = grids(numbers, "lending")
    assert [row[0].text for row in table.rows] == ["b", "a"]
    assert [head.text for head in table.columns][1].endswith(": sex")


def test_numbers_of_another_split_stay_out_of_the_tables_of_groups() -> None:
    numbers = [number(group={"sex": sex}) for sex in "FM"] + [number(group={"sex": "F"}, split="train", value=0.9)]
    (table,) = grids(numbers, "lending")
    assert [cells[0].text for _, cells in table.rows] == ["0.250", "0.250"]


def test_a_long_table_keeps_the_largest_groups_and_says_how_to_get_the_others() -> None:
    numbers = [number(group={"zip code": str(code)}, n=code) for code in range(100)]
    (table,) = grids(numbers, "lending")
    assert [row[0].text for row in table.rows] == [str(code) for code in range(99, 79, -1)]
    assert table.left_out == "20 of 100 groups shown, the largest first"
    assert table.command == "rai metrics lending --by 'zip code' --format csv"
