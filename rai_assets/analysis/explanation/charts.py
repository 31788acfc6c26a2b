"""Charts of the explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rai_assets.charts import horizontal_bars
from rai_assets.metrics.number import Number

Charts = dict[str, dict[str, Any]]

_LOCAL_LIMIT = 12
_UNITS = {"rate": "probability", "log-odds": "log-odds", "target": "units of the target"}


def importance(ranked: Sequence[Number], associated: Mapping[str, Number], unit: str, title: str) -> dict[str, Any]:
    """Mean absolute value per column, most important first; beside it the closest association with a sensitive one."""
    rows = []
    for number in ranked:
        feature = number.coordinates["feature"]
        beside = associated.get(feature)
        rows.append(
            {
                "label": feature,
                "value": number.value,
                "low": number.low,
                "high": number.high,
                "second": beside.value if beside is not None else None,
            }
        )
    second = "Association with a sensitive column" if associated else ""
    return horizontal_bars(rows, title=title, x_title=f"Mean |effect| ({_UNITS[unit]})", second_title=second)


def local(features: Sequence[str], values: Sequence[float], title: str, note: str, unit: str) -> dict[str, Any]:
    """How the columns move the score of one row, largest effect first.

    Args:
        features: Columns that the model reads.
        values: Their Shapley values, in the unit of the explained score.
        title: Title of the chart.
        note: Sentence under the title.
        unit: Id of the unit.
    """
    order = sorted(range(len(values)), key=lambda index: -abs(values[index]))
    rows = [{"label": features[index], "value": float(values[index])} for index in order]
    return horizontal_bars(
        rows, title=title, x_title=f"Effect on the score ({_UNITS[unit]})", note=note, limit=_LOCAL_LIMIT
    )
