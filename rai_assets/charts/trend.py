"""A value from batch to batch, with its intervals and alarms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rai_assets.charts import theme
from rai_assets.charts.reference import Reference, reference_line, reference_note
from rai_assets.charts.rows import Names, Row, number
from rai_assets.charts.text import count, cut, decimal, interval

_POINTS = 200


def trend(
    rows: Iterable[Row],
    *,
    title: str,
    y_title: str,
    reference: Reference | None = None,
    note: str = "",
) -> dict[str, Any]:
    """One value per batch in the order of time, joined by a line; where a batch has none, the line breaks off.

    Args:
        rows: Dicts with `label` (the batch) and `value` (None where there is none); optional `low`, `high`, `n`,
            `alarm` (True: marked as one), `reason` (why there is no value) and `group` (the series; at most five are
            shown). Of more than 200 batches some are left out at equal steps, never one with an alarm.
        title: Title of the chart.
        y_title: What the value is.
        reference: (name, value) of a horizontal line.
        note: Sentence under the title.
    """
    every = list(rows)
    series = list(dict.fromkeys(str(row.get("group", "")) for row in every))
    kept = series[: len(theme.SERIES)]
    batches = list(dict.fromkeys(str(row["label"]) for row in every))
    shown = _thinned(batches, {str(row["label"]) for row in every if row.get("alarm")})
    names, groups = Names(), Names()
    places = {batch: order for order, batch in enumerate(shown)}
    values: list[dict[str, Any]] = [
        {**_row(row, names), "group": groups(row.get("group", "")), "order": places[str(row["label"])]}
        for row in every
        if str(row["label"]) in places and str(row.get("group", "")) in kept
    ]
    values.sort(key=lambda row: row["order"])  # the axis has the order of the data
    several = len(kept) > 1
    notes = [
        note,
        theme.left_out(len(kept), len(series), "series"),
        theme.left_out(len(shown), len(batches), "batches"),
        "Square in red: an alarm" if any(row["alarm"] for row in values) else "",
        reference_note(reference),
    ]
    spec = theme.frame(title, values, _table(y_title, several=several), notes=notes)
    spec["width"], spec["height"] = 410, 180
    spec["encoding"] = {
        "x": {
            "field": "label", "type": "nominal", "sort": None,
            "axis": {"title": None, "grid": False, "labelAngle": -35, "labelLimit": 110, "ticks": False,
                     "labelOverlap": True},
        },
        "y": {"field": "value", "type": "quantitative", "scale": {"zero": False, "nice": True},
              "axis": theme.quantity_axis(y_title, tickCount=5)},
    }  # fmt: skip
    group = {"field": "group", "type": "nominal", "sort": None}
    spec["layer"] = [*reference_line(reference, "y"), *_marks({"color": group} if several else {})]
    return spec


def _marks(colour: dict[str, Any]) -> list[dict[str, Any]]:
    plain = colour or {"color": {"value": theme.BLUE}}
    says = {"description": {"field": "says", "type": "nominal"}}
    there = {"filter": {"field": "value", "valid": True}}
    bounded = [{"filter": {"field": name, "valid": True}} for name in ("low", "high")]
    return [
        {
            "mark": {"type": "line", "strokeWidth": 1.8, "invalid": "break-paths-filter-domains",
                     "description": "one series"},
            "encoding": {**plain, "order": {"field": "order", "type": "quantitative"}},
        },
        {
            "transform": bounded,
            "mark": {"type": "rule", "strokeWidth": 2.5, "opacity": 0.45, "description": "interval of one batch"},
            "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}, **plain, **says},
        },
        {
            "transform": [there, {"filter": {"field": "alarm", "equal": False}}],
            "mark": {"type": "point", "filled": True, "size": 42, "opacity": 1, "description": "one batch"},
            "encoding": {**plain, **says},
        },
        {
            "transform": [there, {"filter": {"field": "alarm", "equal": True}}],
            "mark": {"type": "point", "filled": True, "shape": "square", "size": 95, "opacity": 1,
                     "color": theme.ALARM, "description": "one batch with an alarm"},
            "encoding": says,
        },
    ]  # fmt: skip


def _row(row: Row, names: Names) -> dict[str, Any]:
    value, low, high = number(row.get("value")), number(row.get("low")), number(row.get("high"))
    text = decimal(value) if value is not None else cut(row.get("reason") or "no value", 60)
    rows = f"n {count(row['n'])}" if row.get("n") is not None else ""
    alarm = bool(row.get("alarm"))
    spoken = [text, interval(low, high), rows, "alarm" if alarm else ""]
    return {
        "label": names(row["label"]), "value": value, "low": low, "high": high, "n": row.get("n"), "alarm": alarm,
        "says": f"{names(row['label'])}: " + ", ".join(part for part in spoken if part),
        "reason": text if value is None else "",
    }  # fmt: skip


def _table(value: str, *, several: bool) -> list[theme.Column]:
    columns = [("value", value), ("low", "Low"), ("high", "High"), ("n", "n"), ("alarm", "Alarm"), ("reason", "Remark")]
    return [("label", "Batch"), *([("group", "Series")] if several else []), *columns]


def _thinned(batches: Sequence[str], wanted: set[str]) -> list[str]:
    step = max(1, -(-len(batches) // _POINTS))
    return [batch for order, batch in enumerate(batches) if order % step == 0 or batch in wanted]
