"""Counts or values over two categorical axes, e.g. a confusion matrix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rai_assets.charts import theme
from rai_assets.charts.rows import Names, Row, number
from rai_assets.charts.text import count, cut, decimal

# Where white text becomes the more legible one on the ramp; both then have 4.5:1 or more.
_TURN = 0.78


def heat_map(
    rows: Iterable[Row],
    *,
    title: str,
    x_title: str,
    y_title: str,
    value_title: str = "Rows",
    note: str = "",
    limit: int = 12,
) -> dict[str, Any]:
    """Coloured cells with their values; what stands for a confusion matrix: x predicted, y actual, value the count.

    Args:
        rows: Dicts with `x`, `y` (names) and `value` (an int is written as a count, a float as a measure; None leaves
            the cell empty); optional `share` in [0, 1], which then is the colour (e.g. the share of the actual class).
        title: Title of the chart.
        x_title: What the columns are.
        y_title: What the rows are.
        value_title: What the values are, for the table beside the chart.
        note: Sentence under the title.
        limit: Most names shown on one axis, the first ones.
    """
    every = list(rows)
    columns = list(dict.fromkeys(str(row["x"]) for row in every))
    lines = list(dict.fromkeys(str(row["y"]) for row in every))
    x_names, y_names = Names(), Names()
    values = [
        _cell(row, x_names(row["x"]), y_names(row["y"]))
        for row in every
        if str(row["x"]) in columns[:limit] and str(row["y"]) in lines[:limit]
    ]
    width, height = min(limit, max(1, len(columns))), min(limit, max(1, len(lines)))
    notes = [
        note,
        theme.left_out(width, len(columns), "columns") if columns else "",
        theme.left_out(height, len(lines), "rows") if lines else "",
    ]
    shares = [value["share"] for value in values if value["share"] is not None]
    table = [("y", y_title), ("x", x_title), ("value", value_title), *([("share", "Share")] if shares else [])]
    spec = theme.frame(title, values, table, notes=notes)
    _colour(values)
    cell = max(42, min(130, 440 // width))
    says = {"field": "says", "type": "nominal"}
    spec["width"], spec["height"] = cell * width, max(30, min(56, cell)) * height
    spec["encoding"] = {
        "x": {
            "field": "x", "type": "nominal", "sort": None,
            "axis": {"title": cut(x_title, 70), "orient": "top", "labelAngle": 0 if width <= 4 else -40,
                     "labelLimit": cell + 20 if width <= 4 else 120, "domain": False, "ticks": False},
        },
        "y": {
            "field": "y", "type": "nominal", "sort": None,
            "axis": {"title": cut(y_title, 70), "labelLimit": 150, "domain": False, "ticks": False},
        },
        "description": says,
    }  # fmt: skip
    spec["layer"] = _layers(13 if width <= 6 else 11)
    return spec


def _layers(font_size: int) -> list[dict[str, Any]]:
    """The coloured cells, and the values on them."""
    return [
        {
            "mark": {"type": "rect", "stroke": "white", "strokeWidth": 2, "description": "one cell"},
            "encoding": {
                "color": {
                    "field": "depth", "type": "quantitative", "legend": None,
                    "scale": {"domain": [0, 1], "range": list(theme.RAMP)},
                }
            },
        },
        {
            "mark": {"type": "text", "fontSize": font_size, "description": "value of one cell"},
            "encoding": {
                "text": {"field": "text", "type": "nominal"},
                "color": {"condition": {"test": {"field": "depth", "gt": _TURN}, "value": "white"}, "value": "black"},
            },
        },
    ]  # fmt: skip


def _cell(row: Row, x: str, y: str) -> dict[str, Any]:
    value = number(row.get("value"))
    share = number(row.get("share"))
    written = "" if value is None else count(value) if isinstance(row["value"], int) else decimal(value)
    shared = f", {share:.0%}" if share is not None else ""
    return {
        "x": x, "y": y, "value": row["value"] if value is not None else None, "share": share,
        "text": written, "says": f"{y}, {x}: {written or 'no value'}{shared}",
    }  # fmt: skip


def _colour(values: list[dict[str, Any]]) -> None:
    """Depth of the colour in [0, 1]: the share, or the value within the range from zero to the largest."""
    top = max((abs(value["value"]) for value in values if value["value"] is not None), default=0) or 1
    for value in values:
        if value["share"] is not None:
            value["depth"] = value["share"]
        else:
            value["depth"] = abs(value["value"]) / top if value["value"] is not None else 0.0
