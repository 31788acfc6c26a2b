"""A small table with drawn bars for Dagster's metadata table, which shows Markdown of under 1,000 characters inline."""

from __future__ import annotations

from collections.abc import Iterable

from rai_assets.charts.rows import Row, number
from rai_assets.charts.text import count, decimal, interval, markdown

_LIMIT = 1_000
_CELLS = 8
_EIGHTHS = " ▏▎▍▌▋▊▉"


def text_bars(
    rows: Iterable[Row],
    *,
    name: str = "group",
    measure: str = "value",
    maximum: float | None = None,
    note: str = "",
) -> str:
    """Markdown of under 1,000 characters: one line per row with its bar; the rows that do not fit are counted.

    Args:
        rows: Dicts with `label` and `value`; optional `low`, `high`, `n`, `small` and `reason`, as for `interval_bars`.
        name: Heading of the labels.
        measure: Heading of the values.
        maximum: The value of a full bar; by default the largest.
        note: A line under the table.
    """
    every = list(rows)
    values = [number(row.get("value")) for row in every]
    top = maximum or max((abs(value) for value in values if value is not None), default=0.0) or 1.0
    counted = any(row.get("n") is not None for row in every)
    headings = [markdown(name, 30), markdown(measure, 40), "", *(["n"] if counted else [])]
    text = f"| {' | '.join(headings)} |\n|:--|--:|:--{'|--:' if counted else ''}|\n"
    foot = f"\n{markdown(note, 160)}" if note else ""
    shown = 0
    for row, value in zip(every, values, strict=True):
        line = _line(row, value, top, counted=counted)
        rest = len(every) - shown - 1
        if len(text) + len(line) + len(foot) + len(_more(rest)) >= _LIMIT:
            break
        text += line
        shown += 1
    return text + _more(len(every) - shown) + foot


def _line(row: Row, value: float | None, top: float, *, counted: bool) -> str:
    if value is None:
        written, bar = "–", markdown(row.get("reason") or "not shown", 40)
    else:
        written, bar = decimal(value), _bar(abs(value) / top)
        bounds = interval(number(row.get("low")), number(row.get("high")))
        written += f" ({bounds})" if bounds else ""
    n = row.get("n")
    cells = [markdown(row["label"], 28), written, bar + (" small" if row.get("small") else "")]
    if counted:
        cells.append(count(n) if n is not None else "")
    return f"| {' | '.join(cells)} |\n"


def _bar(share: float) -> str:
    eighths = round(max(0.0, min(1.0, share)) * _CELLS * 8)
    full, part = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[part] if part else "")


def _more(rows: int) -> str:
    return f"\n{rows:,} more not shown here.\n" if rows > 0 else ""
