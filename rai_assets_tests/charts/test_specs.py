"""Every helper returns a specification that draws, holds its numbers, and keeps foreign strings out of its syntax."""

from __future__ import annotations

import itertools
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from rai_assets.charts import (
    grouped_interval_bars,
    heat_map,
    histogram,
    horizontal_bars,
    interval_bars,
    lines,
    theme,
    to_svg,
    trend,
)

HOSTILE = "a.b[0]</script><img src=x onerror=alert(1)>'\"\\datum.value{{7*7}}\u202e![](http://example.invalid/x.png)"
FIELDS = {"label", "value", "low", "high", "n", "small", "group", "x", "y", "share", "depth", "text", "says", "second",
          "value_text", "second_text", "order", "alarm"}  # fmt: skip

Helper = Callable[[str], dict[str, Any]]


def _interval_bars(name: str) -> dict[str, Any]:
    rows = [
        {"label": name, "value": 0.3, "low": 0.2, "high": 0.4, "n": 1200},
        {"label": "few", "value": 0.5, "low": 0.1, "high": 0.9, "n": 12, "small": True},
        {"label": "fewer", "value": None, "n": 3, "reason": f"fewer than 5 rows {name}"},
    ]
    return interval_bars(rows, title=name, x_title=name, reference=(name, 0.35), note=name)


def _grouped(name: str) -> dict[str, Any]:
    rows = [
        {"label": label, "group": group, "value": 0.3, "low": 0.2, "high": 0.4, "n": 50, "small": label == "few"}
        for label in (name, "few")
        for group in (name, "other")
    ]
    return grouped_interval_bars(rows, title=name, x_title=name)


def _heat_map(name: str) -> dict[str, Any]:
    rows = [{"x": x, "y": y, "value": 10, "share": 0.5} for x in (name, "b") for y in (name, "b")]
    return heat_map(rows, title=name, x_title=name, y_title=name)


def _lines(name: str) -> dict[str, Any]:
    rows = [{"group": g, "x": i / 9, "y": i / 9, "low": 0.0, "high": 1.0} for g in (name, "b") for i in range(10)]
    return lines(rows, title=name, x_title=name, y_title=name, diagonal=True, points=True)


def _histogram(name: str) -> dict[str, Any]:
    rows = [{"low": i, "high": i + 1, "value": 3 * i} for i in range(5)]
    return histogram(rows, title=name, x_title=name, reference=(name, 2.5))


def _bars(name: str) -> dict[str, Any]:
    rows = [{"label": name, "value": 0.5, "low": 0.4, "high": 0.6, "second": 0.2}, {"label": "b", "value": 0.1}]
    return horizontal_bars(rows, title=name, x_title=name, second_title=name)


def _trend(name: str) -> dict[str, Any]:
    rows = [
        {"label": batch, "group": group, "value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "alarm": batch == "b"}
        for group in (name, "other")
        for batch in (name, "b")
    ]
    rows.append({"label": "c", "group": name, "value": None, "reason": f"no label {name}"})
    return trend(rows, title=name, y_title=name, reference=(name, 0.3), note=name)


HELPERS: list[Helper] = [_interval_bars, _grouped, _heat_map, _lines, _histogram, _bars, _trend]


def parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Every (key, value) of a specification outside its data and its table of headings."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("values", "usermeta"):
                yield key, inner
                yield from parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from parts(inner)


@pytest.mark.parametrize("helper", HELPERS)
def test_it_draws_as_well_formed_svg(helper: Helper) -> None:
    root = ET.fromstring(to_svg(helper("plain")))
    assert root.tag.endswith("svg")
    assert any(element.tag.endswith("path") for element in root.iter())


@pytest.mark.parametrize("helper", HELPERS)
def test_a_phone_gets_a_narrow_form(helper: Helper) -> None:
    narrow = theme.narrow(helper("plain"))
    if narrow is None:
        assert helper in (_heat_map, _bars)
    else:
        assert float(ET.fromstring(to_svg(narrow)).attrib["width"]) <= 400


@pytest.mark.parametrize("helper", HELPERS)
def test_foreign_strings_are_values_and_titles_only(helper: Helper) -> None:
    spec = helper(HOSTILE)
    fields = {inner for key, inner in parts(spec) if key == "field"}
    assert fields <= FIELDS
    expressions = [inner for key, inner in parts(spec) if key in ("expr", "calculate", "labelExpr", "signal")]
    assert all(expression == "width + 10" for expression in expressions)
    assert not [key for key, _ in parts(spec) if key in ("url", "href")]
    tests = [inner for key, inner in parts(spec) if key in ("test", "filter")]
    assert all(isinstance(inner, dict) for inner in tests)


@pytest.mark.parametrize("helper", HELPERS)
def test_hostile_names_come_out_as_text(helper: Helper) -> None:
    svg = to_svg(helper(HOSTILE))
    elements = list(ET.fromstring(svg).iter())
    tags = {element.tag.rpartition("}")[2] for element in elements}
    assert tags <= {"svg", "g", "path", "text", "tspan", "rect", "line", "defs", "clipPath", "style", "title"}
    assert not any("href" in key or key.startswith("on") for element in elements for key in element.attrib)
    assert "\u202e" not in svg


@pytest.mark.parametrize("helper", HELPERS)
def test_every_mark_is_described(helper: Helper) -> None:
    marks = [inner for key, inner in parts(helper("plain")) if key == "mark"]
    assert marks
    assert all(mark["description"] for mark in marks)


@pytest.mark.parametrize("helper", HELPERS)
def test_it_is_json_and_names_the_columns_of_its_table(helper: Helper) -> None:
    spec = json.loads(json.dumps(helper("plain"), allow_nan=False))
    assert spec["$schema"].endswith("v6.4.0.json")
    headings = dict(spec["usermeta"]["table"])
    assert set(headings) <= {key for row in spec["data"]["values"] for key in row}


def test_the_numbers_are_the_ones_that_were_given() -> None:
    first, small, missing = _interval_bars("sex")["data"]["values"]
    assert (first["value"], first["low"], first["high"], first["n"]) == (0.3, 0.2, 0.4, 1200)
    assert first["text"] == "0.300 · n 1,200"
    assert small["small"] is True
    assert missing["value"] is None
    assert missing["text"] == "not shown · n 3"
    assert missing["says"] == "fewer: fewer than 5 rows sex, n 3"


def test_what_is_not_finite_is_not_drawn() -> None:
    rows = [{"label": "a", "value": float("nan"), "low": float("-inf"), "high": 1.0}]
    value = interval_bars(rows, title="t", x_title="x")["data"]["values"][0]
    assert (value["value"], value["low"]) == (None, None)


def test_of_many_groups_the_largest_are_shown_and_the_rest_is_said() -> None:
    rows = [{"label": f"g{i}", "value": 0.5, "n": i} for i in range(60)]
    spec = interval_bars(rows, title="t", x_title="x")
    assert [row["label"] for row in spec["data"]["values"]] == [f"g{i}" for i in range(35, 60)]
    assert "25 of 60 groups shown" in spec["title"]["subtitle"][0]


def test_long_names_are_cut_and_stay_apart() -> None:
    rows = [{"label": "x" * 10_000 + end, "value": 0.5} for end in "ab"]
    first, second = (row["label"] for row in interval_bars(rows, title="t", x_title="x")["data"]["values"])
    assert first != second
    assert first.endswith("(10,001 characters)")
    assert max(len(first), len(second)) < 160


def test_a_curve_is_thinned_to_both_its_ends() -> None:
    rows = [{"x": i / 5000, "y": (i / 5000) ** 0.2} for i in range(5001)]
    values = lines(rows, title="t", x_title="x", y_title="y")["data"]["values"]
    assert 150 <= len(values) <= 200
    assert (values[0]["x"], values[-1]["x"], values[-1]["y"]) == (0.0, 1.0, 1.0)
    steps = [b["y"] - a["y"] for a, b in itertools.pairwise(values)]
    # The first rise is one step of the data itself; every other step is short.
    assert max(steps[1:]) < 0.03


def test_a_confusion_matrix_of_many_classes_says_what_it_leaves_out() -> None:
    rows = [{"x": f"c{i}", "y": f"c{j}", "value": i * j} for i in range(15) for j in range(15)]
    spec = heat_map(rows, title="t", x_title="x", y_title="y")
    assert len(spec["data"]["values"]) == 144
    assert "12 of 15 columns shown" in spec["title"]["subtitle"][0]


@pytest.mark.parametrize(
    "spec",
    [
        interval_bars([], title="t", x_title="x"),
        grouped_interval_bars([], title="t", x_title="x"),
        heat_map([], title="t", x_title="x", y_title="y"),
        lines([], title="t", x_title="x", y_title="y"),
        histogram([], title="t", x_title="x"),
        horizontal_bars([], title="t", x_title="x"),
    ],
)
def test_nothing_to_show_still_draws(spec: dict[str, Any]) -> None:
    assert "<svg" in to_svg(spec)


@pytest.mark.parametrize("helper", [interval_bars, grouped_interval_bars, horizontal_bars])
def test_a_chart_of_groups_that_are_all_too_small_is_drawn(helper: Callable[..., dict[str, Any]]) -> None:
    rows = [{"label": label, "group": "a", "value": None, "reason": "fewer than 5 rows"} for label in "xy"]
    svg = ET.fromstring(to_svg(helper(rows, title="Rates", x_title="Rate")))
    assert 0 < float(svg.attrib["width"]) < 2000
    assert 0 < float(svg.attrib["height"]) < 2000


def test_a_trend_without_any_value_says_so_and_why() -> None:
    why = "fewer than two groups can be compared"
    rows = [{"label": str(batch), "value": None, "reason": why} for batch in range(3)]
    rows.append({"label": "3", "value": None, "reason": "not asked"})
    gap = partial(trend, title="Gap", y_title="gap")
    assert gap(rows)["title"]["subtitle"] == [f"No batch has a value: {why}"]
    assert gap([])["title"]["subtitle"] == ["No batch has a value"]
    assert "subtitle" not in gap([*rows, {"label": "4", "value": 0.5}])["title"]
