"""A value from batch to batch: each of them while they are few, stretches of them in a row when they are many."""

from __future__ import annotations

from typing import Any

import pytest
from scipy.stats import binom

from rai_assets.charts import to_svg, trend


def points(rows: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chart(rows, **more)["data"]["values"]
    return found


def chart(rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return trend(rows, title="Change", y_title="effect", **more)


def batches(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"label": f"b{number:05d}", "value": float(number), "n": 10, **more} for number in range(count)]


def test_two_hundred_batches_are_shown_each() -> None:
    found = points(batches(200, low=0.0, high=1.0))
    assert [row["value"] for row in found] == [float(number) for number in range(200)]
    assert {(row["low"], row["high"], row["n"]) for row in found} == {(0.0, 1.0, 10)}


def test_more_are_shown_as_stretches_in_their_order_with_median_and_range() -> None:
    rows = batches(1_000, low=-5.0, high=5_000.0)
    found = points(rows)
    assert len(found) == 100
    assert [row["label"] for row in found[:2]] == ["b00000", "b00010"]
    assert found[-1]["last"] == "b00999"
    third = found[2]  # 20 to 29
    assert (third["value"], third["low"], third["high"], third["n"]) == (24.5, 20.0, 29.0, 100)
    assert third["says"] == "b00020: 24.5, 20.0 to 29.0, n 100"
    assert "median of 10 batches in a row" in chart(rows)["description"]
    assert to_svg(chart(rows)).count("one batch") < 300


def test_the_last_stretch_holds_what_is_left() -> None:
    found = points(batches(201))
    assert len(found) == 67
    assert [row["label"] for row in found] == [f"b{number:05d}" for number in range(0, 201, 3)]
    found = points(batches(202))
    assert (found[-1]["value"], found[-1]["low"], found[-1]["n"]) == (201.0, 201.0, 10)


def test_a_stretch_is_marked_where_more_alarms_are_in_it_than_chance_brings() -> None:
    """Of 50 batches at 5 %, nine or fewer alarms in one of a hundred stretches are chance."""
    assert binom.sf(9, 50, 0.05) < 0.05 / 100 < binom.sf(8, 50, 0.05)
    rows = batches(5_000)
    for stretch, alarms in ((0, 1), (1, 9), (2, 10), (3, 50)):
        for row in rows[50 * stretch : 50 * stretch + alarms]:
            row["alarm"] = True
    found = points(rows)
    assert [row["alarm"] for row in found[:5]] == [False, False, True, True, False]
    assert [row["alarms"] for row in found[:5]] == [1, 9, 10, 50, 0]
    assert found[1]["says"].endswith("9 of 50 batches with an alarm")
    assert [row["alarm"] for row in points(rows, rate=0.5)[:4]] == [False, False, False, True]


def test_batches_without_a_value_count_for_nothing_and_say_why() -> None:
    rows = batches(400)
    for row in rows[:3]:
        row |= {"value": None, "reason": "in quarantine", "n": None}
    for row in rows[4:8]:
        row |= {"value": None, "reason": "not asked", "n": None}
    first, second, third = points(rows)[:3]
    assert (first["value"], first["low"], first["high"], first["n"]) == (3.0, 3.0, 3.0, 10)
    assert first["reason"] == "3 without a value: in quarantine"
    assert (second["value"], second["low"], second["n"]) == (None, None, None)
    assert second["reason"] == "4 without a value: not asked"
    assert third["reason"] == ""


@pytest.mark.parametrize("count", [150, 450])
def test_every_series_has_its_own_points(count: int) -> None:
    rows = [{**row, "group": group} for group in ("estimated", "measured") for row in batches(count)]
    found = points(rows)
    each = count if count <= 200 else 90
    assert [sum(row["group"] == group for row in found) for group in ("estimated", "measured")] == [each, each]
    heads = [text for _, text in chart(rows)["usermeta"]["table"]]
    assert heads[0] == ("Batch" if count <= 200 else "First batch")
    assert "Series" in heads
