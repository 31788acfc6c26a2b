"""Charts of a report: the image, its narrow form for phones, and its numbers as a table."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from rai_assets.charts import theme
from rai_assets.charts.svg import to_svg
from rai_assets.charts.text import count, cut, decimal
from rai_assets.errors import InputRefused

_ROWS = 40
_TEXT = 400
_NAME = 80


@dataclass(frozen=True)
class Figure:
    """A chart as an image, with a narrow form for phones, and its numbers as a table.

    Attributes:
        title: Its title, which stands as text beside it.
        notes: The sentences under the title.
        alt: What a screen reader says.
        image: The SVG as a data URI.
        narrow: The same for about 360 pixels; None where there is no narrower form.
        width: Of the image, pixels.
        height: Of the image, pixels.
        square: Whether it is about as high as wide.
        headings: Of the table.
        rows: Of the table, cells as text.
        left_out: How many rows of the table are shown; empty for all.
    """

    title: str
    notes: str
    alt: str
    image: Markup
    narrow: Markup | None
    width: int
    height: int
    square: bool
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: str


def figure_of(spec: Mapping[str, Any], name: str) -> Figure:
    """The chart drawn without its title, which becomes text beside it.

    Raises:
        InputRefused: The specification cannot be drawn.
    """
    title, notes = _title(spec, name)
    bare = {key: value for key, value in spec.items() if key not in ("title", "usermeta")}
    slim = theme.narrow(bare)
    try:
        svg = to_svg(bare)
        narrow = _image(to_svg(slim)) if slim else None
    except InputRefused as error:
        raise InputRefused(error.what, where=f"chart {cut(name, _NAME)}", fix=error.fix) from error
    width, height = (float(size) for size in re.findall(r'\b(?:width|height)="([\d.]+)"', svg[:400])[:2])
    headings, rows, total = _chart_table(spec)
    return Figure(
        title=title,
        notes=notes,
        alt=cut(f"Chart: {'. '.join(part for part in (title, notes) if part)}", _TEXT),
        image=_image(svg),
        narrow=narrow,
        width=round(width),
        height=round(height),
        square=height > 0.5 * width,
        headings=headings,
        rows=rows,
        left_out=f"{count(len(rows))} of {count(total)} rows shown, at equal steps" if len(rows) < total else "",
    )


def _image(svg: str) -> Markup:
    return Markup("data:image/svg+xml;base64,") + base64.b64encode(svg.encode()).decode()


def _title(spec: Mapping[str, Any], name: str) -> tuple[str, str]:
    title = spec.get("title") or name
    if not isinstance(title, Mapping):
        return cut(title, 120), ""
    under = title.get("subtitle") or ""
    return cut(title.get("text", name), 120), under if isinstance(under, str) else " ".join(under)


def _chart_table(spec: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], int]:
    """Headings and rows of the chart's own values, at most 40 of them at equal steps, and how many there are."""
    values = spec.get("data", {}).get("values", [])
    columns = [(name, text) for name, text in spec.get("usermeta", {}).get("table", [])]
    used = [(name, text) for name, text in columns if any(row.get(name) not in (None, "") for row in values)]
    step = max(1, -(-len(values) // _ROWS))
    rows = tuple(tuple(cell_text(row.get(name), name) for name, _ in used) for row in values[::step])
    return tuple(text for _, text in used), rows, len(values)


def cell_text(value: Any, name: str = "") -> str:
    """A value of a table as text: a count, a measure, or a string that is cut."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or name == "n":
        return count(value)
    return decimal(value) if isinstance(value, float) else cut(value, _TEXT)
