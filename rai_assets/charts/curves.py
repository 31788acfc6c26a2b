"""Curves (ROC, precision-recall, calibration) and histograms."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rai_assets.charts import theme
from rai_assets.charts.reference import Reference, reference_note
from rai_assets.charts.rows import Names, Row, number
from rai_assets.charts.text import count, cut, decimal, interval

_POINTS = 200


def lines(
    rows: Iterable[Row],
    *,
    title: str,
    x_title: str,
    y_title: str,
    diagonal: bool = False,
    points: bool = False,
    domain: tuple[float, float] | None = (0.0, 1.0),
    note: str = "",
) -> dict[str, Any]:
    """One line per series, its points joined in the given order.

    Args:
        rows: Dicts with `x` and `y`; optional `group` (the series; at most five are shown), and `low`, `high`, the
            interval of y. A series of more than 200 points is thinned to 200 at equal steps along the curve.
        title: Title of the chart.
        x_title: What x is.
        y_title: What y is.
        diagonal: Also draw y = x: chance for ROC, perfect calibration.
        points: Also mark the points, for few of them (calibration bins).
        domain: Ends of both axes; None for those of the data.
        note: Sentence under the title.
    """
    series: dict[str, list[dict[str, float]]] = {}
    for row in rows:
        point = {key: number(row.get(key)) for key in ("x", "y", "low", "high")}
        if point["x"] is not None and point["y"] is not None:
            whole = {key: value for key, value in point.items() if value is not None}
            series.setdefault(str(row.get("group", "")), []).append(whole)
    kept = list(series)[: len(theme.SERIES)]
    several = len(series) > 1
    values = _values({name: series[name] for name in kept})
    notes = [note, theme.left_out(len(kept), len(series), "series")]
    if diagonal:
        notes.append("Dotted line: both axes equal")
    bounded = any("low" in value for value in values)
    table = [("x", x_title), ("y", y_title), *([("low", "Low"), ("high", "High")] if bounded else [])]
    spec = theme.frame(title, values, [*([("group", "Series")] if several else []), *table], notes=notes)
    scale: dict[str, Any] = {"domain": list(domain)} if domain else {"zero": False, "nice": True}
    spec["width"], spec["height"] = 420, 320
    spec["encoding"] = {
        "x": {"field": "x", "type": "quantitative", "scale": scale, "axis": theme.quantity_axis(x_title)},
        "y": {"field": "y", "type": "quantitative", "scale": scale, "axis": theme.quantity_axis(y_title)},
    }
    group_by = {"field": "group", "type": "nominal", "sort": None}
    dashes = {**group_by, "scale": {"range": [list(dash) for dash in theme.DASHES]}}
    colour: dict[str, Any] = {"color": group_by} if several else {"color": {"value": theme.BLUE}}
    spec["layer"] = [
        *([_diagonal(domain or (0.0, 1.0))] if diagonal else []),
        {
            "mark": {"type": "line", "strokeWidth": 2.2, "description": "one series"},
            "encoding": {
                **colour,
                **({"strokeDash": dashes} if several else {"detail": group_by}),
                "order": {"field": "order", "type": "quantitative"},
            },
        },
        *([_intervals(colour)] if bounded else []),
        *([_marks({**colour, "shape": group_by} if several else colour)] if points else []),
    ]
    return spec


def histogram(
    rows: Iterable[Row],
    *,
    title: str,
    x_title: str,
    reference: Reference | None = None,
) -> dict[str, Any]:
    """Bars over adjoining bins.

    Args:
        rows: Dicts with `low` and `high` (finite ends of the bin) and `value` (its rows or its share).
        title: Title of the chart.
        x_title: What is binned.
        reference: (name, x) of a vertical line, e.g. ("threshold", 0.5).
    """
    values = []
    for row in rows:
        low, high, value = number(row["low"]), number(row["high"]), number(row["value"])
        if low is not None and high is not None and value is not None:
            written = count(value) if isinstance(row["value"], int) else decimal(value)
            says = f"{decimal(low)} to {decimal(high)}: {written}"
            values.append({"low": low, "high": high, "value": row["value"], "says": says})
    columns = [("low", "From"), ("high", "To"), ("value", "Rows")]
    spec = theme.frame(title, values, columns, notes=[reference_note(reference)])
    ends = [end for bin_ in values for end in (bin_["low"], bin_["high"])] or [0.0, 1.0]
    x = {"field": "low", "type": "quantitative", "scale": {"domain": [min(ends), max(ends)], "nice": False},
         "axis": theme.quantity_axis(x_title, grid=False, domain=True)}  # fmt: skip
    spec["width"], spec["height"] = 540, 200
    bars = {
        "mark": {"type": "bar", "stroke": "white", "strokeWidth": 1, "description": "one bin"},
        "encoding": {
            "x": x, "x2": {"field": "high"},
            "y": {"field": "value", "type": "quantitative", "axis": theme.quantity_axis("Rows", tickCount=4)},
            "y2": {"datum": 0},
            "description": {"field": "says", "type": "nominal"},
        },
    }  # fmt: skip
    spec["layer"] = [bars]
    if reference is not None:
        spec["layer"].append(
            {
                "data": {"values": [{"low": number(reference[1])}]},
                "mark": {"type": "rule", "strokeDash": [4, 3], "color": theme.INK, "strokeWidth": 1.4,
                         "description": cut(f"{reference[0]}: {decimal(reference[1])}", 120)},
                "encoding": {"x": {"field": "low", "type": "quantitative"}},
            }
        )  # fmt: skip
    return spec


def _thinned(points: Sequence[Mapping[str, float]]) -> list[Mapping[str, float]]:
    """At most 200 of the points, at equal steps along the curve, with both ends."""
    if len(points) <= _POINTS:
        return list(points)
    along = [0.0]
    for before, after in itertools.pairwise(points):
        along.append(along[-1] + math.hypot(after["x"] - before["x"], after["y"] - before["y"]))
    step = along[-1] / (_POINTS - 1)
    kept, due = [], 0.0
    for point, distance in zip(points, along, strict=True):
        if distance >= due:
            kept.append(point)
            due = max(due + step, distance)
    if kept[-1] is not points[-1]:
        kept[-1] = points[-1]
    return kept[: _POINTS - 1] + kept[-1:] if len(kept) > _POINTS else kept


def _values(series: Mapping[str, Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    names = Names()
    values = []
    for name, points in series.items():
        label = names(name) if name else "all rows"
        for order, point in enumerate(_thinned(points)):
            bounds = interval(point.get("low"), point.get("high"))
            says = f"{label}: {decimal(point['x'])}, {decimal(point['y'])}" + (f" ({bounds})" if bounds else "")
            values.append({"group": label, "order": order, **point, "says": says})
    return values


def _intervals(colour: dict[str, Any]) -> dict[str, Any]:
    """A line from low to high at every point that has both."""
    return {
        "transform": [{"filter": {"field": "low", "valid": True}}, {"filter": {"field": "high", "valid": True}}],
        "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.45, "description": "interval of one point"},
        "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}, **colour,
                     "description": {"field": "says", "type": "nominal"}},
    }  # fmt: skip


def _marks(look: dict[str, Any]) -> dict[str, Any]:
    return {
        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1, "description": "one point"},
        "encoding": {**look, "description": {"field": "says", "type": "nominal"}},
    }


def _diagonal(domain: tuple[float, float]) -> dict[str, Any]:
    return {
        "data": {"values": [{"x": end, "y": end} for end in domain]},
        "mark": {"type": "line", "color": theme.QUIET, "strokeDash": [1, 3], "strokeWidth": 1.3,
                 "description": "line where both axes are equal"},
    }  # fmt: skip
