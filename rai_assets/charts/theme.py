"""The one look of every chart: colours, type, and the frame that a specification starts from."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rai_assets.charts.text import cut

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.4.0.json"

INK = "#1f2933"
QUIET = "#52606d"
RULE = "#cbd2d9"
BLUE = "#2468a2"
ALARM = "#a3262f"
# Every colour has 3:1 against white, and any two stay apart (CIE76 >= 15) for the three kinds of colour blindness.
SERIES = (BLUE, "#d4691e", "#2b2140", "#2a9d8f", "#9b2f4f")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4])
RAMP = ("#f3f7fb", "#c5d9ea", "#7fb0d6", "#3a7fb8", "#174a78")

FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
LABEL_WIDTH = 190
PLOT_WIDTH = 330
# Where a text stands that is written to the right of the only plot of a chart.
BESIDE = {"expr": "width + 10"}

CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": "white",
    "padding": 6,
    "view": {"stroke": None},
    "title": {
        "anchor": "start", "frame": "bounds", "color": INK, "fontSize": 14, "fontWeight": 600, "offset": 12,
        "subtitleColor": QUIET, "subtitleFontSize": 11.5, "subtitlePadding": 4,
    },
    "axis": {
        "labelColor": INK, "labelFontSize": 11.5, "titleColor": QUIET, "titleFontSize": 11.5, "titleFontWeight": 400,
        "titlePadding": 8, "tickCount": 6, "gridColor": "#e4e7eb", "domainColor": RULE,
        "tickColor": RULE, "tickSize": 4,
    },
    "legend": {
        "orient": "top", "direction": "horizontal", "title": None, "labelColor": INK, "labelFontSize": 11.5,
        "labelLimit": 150, "symbolSize": 70, "columns": 3, "offset": 8,
    },
    "bar": {"color": BLUE},
    "text": {"color": INK, "fontSize": 11.5},
    "range": {"category": list(SERIES), "symbol": list(SHAPES)},
}  # fmt: skip

Column = tuple[str, str]


def frame(
    title: str, rows: Sequence[Mapping[str, Any]], table: Sequence[Column], *, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """The parts that all specifications share.

    Args:
        title: Title of the chart; a user string may stand in it.
        rows: Data values with fixed field names.
        table: (field, heading) of the columns of the table that stands beside the chart.
        notes: Short sentences under the title.
    """
    heading: dict[str, Any] = {"text": cut(title, 90)}
    shown = textwrap.wrap(". ".join(cut(note, 160) for note in notes if note), 96)
    if shown:
        heading["subtitle"] = shown
    return {
        "$schema": SCHEMA,
        "title": heading,
        "description": cut(". ".join([title, *filter(None, notes)]), 300),
        "data": {"values": list(rows)},
        "config": copy.deepcopy(CONFIG),
        "usermeta": {"table": [[name, cut(text, 60)] for name, text in table]},
    }


def quantity_axis(title: str, **more: Any) -> dict[str, Any]:
    """A horizontal axis of a measure."""
    return {"title": cut(title, 70), "domain": False, **more}


def names_axis(names: Iterable[str], **more: Any) -> dict[str, Any]:
    """A vertical axis of names, as wide as the longest of them and no wider than `LABEL_WIDTH`."""
    width = min(LABEL_WIDTH, max((round(6.6 * len(name)) for name in names), default=0))
    return {
        "title": None, "labelLimit": width, "minExtent": width + 8, "maxExtent": width + 8,
        "ticks": False, "domain": False, "grid": False, "labelPadding": 8, **more,
    }  # fmt: skip


def narrow(spec: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same chart for the width of a phone (about 360 px), or None where it is as narrow or has several panels."""
    if not isinstance(spec.get("width"), int) or spec["width"] < PLOT_WIDTH:
        return None
    slim = copy.deepcopy(dict(spec))
    y = slim["encoding"].get("y", {}) if "encoding" in slim else {}
    if y.get("type") == "nominal" and "minExtent" not in y["axis"]:
        return None
    if y.get("type") == "nominal":
        labels = min(104, y["axis"]["labelLimit"])
        slim["width"] = 234 - labels
        y["axis"] |= {"labelLimit": labels, "minExtent": labels + 8, "maxExtent": labels + 8}
    else:
        slim |= {"width": 268, "height": min(slim["height"], 240)}
    slim["config"]["axis"]["tickCount"] = 3
    return slim


def left_out(shown: int, of: int, what: str) -> str:
    """The sentence that says how many of the rows a chart shows; empty when it shows all."""
    return f"{shown:,} of {of:,} {what} shown; the others are in the numbers" if shown < of else ""
