"""Charts of a comparison: how large the difference of every column is, and how it went from chunk to chunk."""

from __future__ import annotations

from typing import Any

from rai_assets.charts import horizontal_bars, lines
from rai_assets.monitoring.drift.result import DriftResult, DriftRow

Chart = dict[str, Any]


def by_column(found: DriftResult, chunk: str | None = None) -> Chart:
    """The effect of every column, the largest times importance first.

    Args:
        found: The comparison.
        chunk: Which chunk; the last one if left out.
    """
    label = chunk if chunk is not None else found.rows[-1].chunk
    rows = [row for row in found.rows if row.chunk == label and row.effect is not None]
    ranked = sorted(rows, key=lambda row: row.rank or 0)
    return horizontal_bars(
        [{"label": _name(row), "value": row.effect} for row in ranked],
        title="Drift by column" if label == "all" else f"Drift by column, {label}",
        x_title="Effect",
        note=f"{sum(bool(row.drifted) for row in rows)} of {len(rows)} comparisons raise an alarm",
    )


def over_chunks(found: DriftResult, column: str) -> Chart:
    """The statistics of one column from chunk to chunk, in the order of the chunks, with the limits of the rule.

    Args:
        found: The comparison.
        column: The column.
    """
    places = {label: at for at, label in enumerate(dict.fromkeys(row.chunk for row in found.rows))}
    mine = [row for row in found.rows if row.column == column and row.statistic is not None]
    points = [{"x": places[row.chunk], "y": row.statistic, "group": row.method} for row in mine]
    for name in ("threshold", "lower_threshold"):
        points += [
            {"x": places[row.chunk], "y": getattr(row, name), "group": f"{row.method}, limit"}
            for row in mine
            if row.p_value is None and getattr(row, name) is not None
        ]
    alarms = [row.chunk for row in mine if row.drifted]
    said = f"Alarms: {', '.join(alarms[:5])}{' ...' if len(alarms) > 5 else ''}" if alarms else "No alarm"
    return lines(
        points, title=f"Drift of {column}", x_title="Chunk, counted from 0", y_title="Statistic", domain=None, note=said
    )


def _name(row: DriftRow) -> str:
    return f"{row.column} ({row.method})"
