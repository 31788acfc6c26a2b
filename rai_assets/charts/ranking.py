"""Ranked bars: importance of features, and beside it a second value of the same feature."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rai_assets.charts import theme
from rai_assets.charts.rows import Names, Row, number
from rai_assets.charts.text import cut, decimal, interval


def horizontal_bars(
    rows: Iterable[Row],
    *,
    title: str,
    x_title: str,
    second_title: str = "",
    note: str = "",
    limit: int = 20,
) -> dict[str, Any]:
    """One bar per name, in the given order (the caller ranks).

    Args:
        rows: Dicts with `label` and `value`; optional `low`, `high` (the interval of the value) and `second`, a value
            on a scale of its own, drawn in a second panel, e.g. the association with a sensitive column.
        title: Title of the chart.
        x_title: What the value is.
        second_title: What the second value is; the second panel is drawn only with it.
        note: Sentence under the title.
        limit: Most names shown, the first ones.
    """
    every = list(rows)
    names = Names()
    values = [_row(row, names(row["label"])) for row in every[:limit]]
    table = [("label", "Name"), ("value", x_title)]
    if any(value["low"] is not None for value in values):
        table += [("low", "Low"), ("high", "High")]
    if second_title:
        table.append(("second", second_title))
    notes = [note, theme.left_out(len(values), len(every), "names")]
    spec = theme.frame(title, values, table, notes=notes)
    height = 22 * max(1, len(values))
    axis = theme.names_axis(value["label"] for value in values)
    if not second_title:
        return spec | _panel("value", x_title, theme.PLOT_WIDTH, height, axis)
    panels = [_panel("value", x_title, 210, height, axis), _panel("second", second_title, 110, height, None)]
    return spec | {"hconcat": panels, "spacing": 56}


def _row(row: Row, label: str) -> dict[str, Any]:
    value, second = number(row.get("value")), number(row.get("second"))
    low, high = number(row.get("low")), number(row.get("high"))
    bounds = interval(low, high)
    written = "not shown" if value is None else decimal(value)
    return {
        "label": label, "value": value, "low": low, "high": high, "second": second,
        "value_text": written, "second_text": "" if second is None else decimal(second),
        "says": f"{label}: {written}" + (f" ({bounds})" if bounds else ""),
    }  # fmt: skip


def _panel(field: str, title: str, width: int, height: int, axis: dict[str, Any] | None) -> dict[str, Any]:
    """The bars of one value, their figures to the right; the panel without an axis of names is the second one."""
    colour = theme.BLUE if axis else theme.SERIES[1]
    x = {"field": field, "type": "quantitative", "axis": theme.quantity_axis(title, tickCount=4 if axis else 3)}
    # Several plots have several widths, so only a single one can be made narrower by changing its width alone.
    beside = theme.BESIDE if width == theme.PLOT_WIDTH else width + 8
    says = {"field": "says", "type": "nominal"}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "bar", "height": {"band": 0.62}, "color": colour,
                     "description": cut(f"{title} of one name", 100)},
            "encoding": {"x": x, "description": says},
        },
        {
            "mark": {"type": "text", "align": "left", "x": beside, "color": theme.QUIET,
                     "description": cut(f"{title} of one name, as text", 100)},
            "encoding": {"text": {"field": f"{field}_text", "type": "nominal"}, "description": says},
        },
    ]  # fmt: skip
    if axis:
        layers.insert(
            1,
            {
                "transform": [
                    {"filter": {"field": "low", "valid": True}},
                    {"filter": {"field": "high", "valid": True}},
                ],
                "mark": {"type": "rule", "color": theme.INK, "strokeWidth": 1.6, "description": "interval of the bar"},
                "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"},
                             "description": says},
            },
        )  # fmt: skip
    y = {"field": "label", "type": "nominal", "sort": None, "axis": axis}
    return {"width": width, "height": height, "encoding": {"y": y}, "layer": layers}
