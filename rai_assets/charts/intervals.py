"""Values with their intervals, one line per group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rai_assets.charts import theme
from rai_assets.charts.reference import Reference, reference_line, reference_note
from rai_assets.charts.rows import Names, Row, largest, number
from rai_assets.charts.text import count, cut, decimal, interval

_STEP = 26
_GROUPS, _GROUPS_OF_SERIES = 25, 15  # that are shown at most
_FULL = {"field": "value", "valid": True}


def interval_bars(
    rows: Iterable[Row],
    *,
    title: str,
    x_title: str,
    reference: Reference | None = None,
    note: str = "",
) -> dict[str, Any]:
    """One value with its interval per group, drawn as a point and a line; of many groups the largest by `n`.

    Args:
        rows: Dicts with `label` (the group) and `value` (None where there is none); optional `low`, `high`, `n`,
            `small` (True: drawn hollow) and `reason` (why there is no value).
        title: Title of the chart.
        x_title: What the value is.
        reference: (name, value) of a vertical line, e.g. ("all rows", 0.24).
        note: Sentence under the title.
    """
    names = Names()
    shown, total = largest(rows, _GROUPS)
    values = [_row(row, names) for row in shown]
    notes = [note, theme.left_out(len(values), total, "groups"), _legend_of_marks(values), reference_note(reference)]
    spec = theme.frame(title, values, _table("Group", x_title), notes=notes)
    y = {"field": "label", "type": "nominal", "sort": None, "axis": theme.names_axis(row["label"] for row in values)}
    spec["width"] = theme.PLOT_WIDTH
    spec["height"] = _STEP * max(1, len(values))
    spec["encoding"] = {"y": y}
    spec["layer"] = [*reference_line(reference, "x"), *_marks(x_title, _ends(values), {}), _figures()]
    return spec


def grouped_interval_bars(
    rows: Iterable[Row],
    *,
    title: str,
    x_title: str,
    note: str = "",
) -> dict[str, Any]:
    """Several values with intervals per group, a series for each metric, model or split; of many groups the largest.

    Args:
        rows: As for `interval_bars`, with `group` naming the series (at most five are shown).
        title: Title of the chart.
        x_title: What the values are.
        note: Sentence under the title.
    """
    names, series_names = Names(), Names()
    every = list(rows)
    series = list(dict.fromkeys(str(row["group"]) for row in every))
    first_of_label = {str(row["label"]): row for row in reversed(every)}
    labels, total = largest(
        [first_of_label[label] for label in dict.fromkeys(str(r["label"]) for r in every)], _GROUPS_OF_SERIES
    )
    kept_labels = {str(row["label"]) for row in labels}
    kept_series = series[: len(theme.SERIES)]
    values = [
        {**_row(row, names), "group": series_names(row["group"])}
        for row in every
        if str(row["label"]) in kept_labels and str(row["group"]) in kept_series
    ]
    notes = [
        note,
        theme.left_out(len(labels), total, "groups"),
        theme.left_out(len(kept_series), len(series), "series"),
        _legend_of_marks(values),
    ]
    spec = theme.frame(title, values, [("label", "Group"), ("group", "Series"), *_table("", x_title)[1:]], notes=notes)
    group = {"field": "group", "type": "nominal", "sort": None}
    spec["width"] = theme.PLOT_WIDTH
    spec["height"] = (14 * max(1, len(kept_series)) + 12) * max(1, len(labels))
    spec["encoding"] = {
        "y": {
            "field": "label", "type": "nominal", "sort": None, "axis": theme.names_axis(row["label"] for row in values),
            "scale": {"paddingInner": 0.15, "paddingOuter": 0.08},
        },
        "yOffset": {**group, "scale": {"padding": 0.3}},
    }  # fmt: skip
    # Named, because a legend of values that are all missing would have no end.
    coded = {**group, "scale": {"domain": list(dict.fromkeys(row["group"] for row in values))}}
    marks = _marks(x_title, _ends(values), {"color": coded, "shape": coded})
    spec["layer"] = [*marks, _figures()]
    return spec


def _ends(values: Sequence[Row]) -> tuple[float, float] | None:
    """Ends of an axis on which there is nothing to show, which cannot be found from the values."""
    return None if any(row["value"] is not None for row in values) else (0.0, 1.0)


def _row(row: Row, names: Names) -> dict[str, Any]:
    value, low, high = number(row.get("value")), number(row.get("low")), number(row.get("high"))
    n, small = row.get("n"), bool(row.get("small"))
    rows_said = f"n {count(n)}" if n is not None else ""
    if value is None:
        text = cut(row.get("reason") or "not shown", 60)
        shown = "not shown"
    else:
        text = shown = decimal(value)
    spoken = [text, interval(low, high), rows_said, "small" if small else ""]
    return {
        "label": names(row["label"]), "value": value, "low": low, "high": high, "n": n, "small": small,
        "text": " · ".join(part for part in (shown, rows_said) if part),
        "says": f"{names(row['label'])}: " + ", ".join(part for part in spoken if part),
        "reason": text if value is None else "",
    }  # fmt: skip


def _table(label: str, value: str) -> list[theme.Column]:
    return [("label", label), ("value", value), ("low", "Low"), ("high", "High"), ("n", "n"), ("reason", "Remark")]


def _legend_of_marks(values: Sequence[Row]) -> str:
    return "Hollow: fewer than 30 rows" if any(row["small"] for row in values) else ""


def _marks(x_title: str, domain: tuple[float, float] | None, series: dict[str, Any]) -> list[dict[str, Any]]:
    scale: dict[str, Any] = {"domain": list(domain), "clamp": True} if domain else {"zero": True, "nice": True}
    x = {"field": "value", "type": "quantitative", "scale": scale, "axis": theme.quantity_axis(x_title)}
    says = {"field": "says", "type": "nominal"}
    # Not `color`: a layer that has it without `shape` gives the shapes a legend of their own.
    stroke = {"stroke": {**series["color"], "legend": None}} if series else {}
    point = {"type": "point", "filled": True, "opacity": 1, "color": theme.BLUE}
    return [
        {
            "transform": [{"filter": {"field": "low", "valid": True}}, {"filter": {"field": "high", "valid": True}}],
            "mark": {"type": "rule", "strokeWidth": 2.5, "opacity": 0.55, "color": theme.BLUE,
                     "description": "interval of one group"},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "description": says, **stroke},
        },
        {
            "transform": [{"filter": _FULL}],
            "mark": {**point, "size": 95, "description": "value of one group"},
            "encoding": {"x": x, "description": says, **series},
        },
        {
            "transform": [{"filter": _FULL}, {"filter": {"field": "small", "equal": True}}],
            "mark": {**point, "size": 34, "color": "white", "description": "mark of a small group"},
            "encoding": {"x": x, "description": says},
        },
    ]  # fmt: skip


def _figures() -> dict[str, Any]:
    """The value and n as text, to the right of the plot."""
    return {
        "mark": {"type": "text", "align": "left", "x": theme.BESIDE, "color": theme.QUIET,
                 "description": "value and number of rows of one group"},
        "encoding": {"text": {"field": "text", "type": "nominal"}, "description": {"field": "says", "type": "nominal"}},
    }  # fmt: skip
