"""The dashed line at a value that others are compared with, and the sentence that names it."""

from __future__ import annotations

from typing import Any, Literal

from rai_assets.charts import theme
from rai_assets.charts.rows import number
from rai_assets.charts.text import cut, decimal

Reference = tuple[str, float]


def reference_line(reference: Reference | None, axis: Literal["x", "y"]) -> list[dict[str, Any]]:
    """The layer of the line, through the whole plot; none without a reference.

    Args:
        reference: (name, value) of the line.
        axis: The axis that the value is measured on: upright on `x`, level on `y`.
    """
    if reference is None:
        return []
    at = {"field": "value", "type": "quantitative"}
    upright = {"x": at, "y": {"value": 0}, "y2": {"value": "height"}}
    level = {"x": {"value": 0}, "x2": {"value": "width"}, "y": at}
    return [
        {
            "data": {"values": [{"value": number(reference[1])}]},
            "mark": {"type": "rule", "strokeDash": [4, 3], "color": theme.QUIET, "strokeWidth": 1.2,
                     "description": cut(f"{reference[0]}: {decimal(reference[1])}", 120)},
            "encoding": upright if axis == "x" else level,
        }
    ]  # fmt: skip


def reference_note(reference: Reference | None) -> str:
    """What stands under the title about the line; nothing without a reference."""
    return f"Dashed line: {reference[0]}, {decimal(reference[1])}" if reference else ""
