"""Numbers as text: a table, JSON, CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence

from rai_assets.metrics.number import Number
from rai_assets.progress import printable


def render_numbers(numbers: Sequence[Number], form: str) -> str:
    """The numbers as text.

    Args:
        numbers: What to print.
        form: `table`, `json` (a list of objects) or `csv`.
    """
    if form == "json":
        return json.dumps([number.as_json() for number in numbers], indent=1, allow_nan=False) + "\n"
    return _as_csv(numbers) if form == "csv" else as_table(numbers)


def named(values: Mapping[str, object]) -> str:
    """A place as text: `sex=F, age=60+`."""
    return ", ".join(f"{key}={value}" for key, value in values.items())


def _as_csv(numbers: Sequence[Number]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    fields = list(numbers[0].as_json())
    writer.writerow(fields)
    for number in numbers:
        values = number.as_json()
        writer.writerow([_cell(values[field]) for field in fields])
    return text.getvalue()


def _cell(value: object) -> object:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
    # A spreadsheet would take such a text for a formula.
    return "'" + text if isinstance(text, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def as_table(numbers: Sequence[Number]) -> str:
    """The numbers as lines in columns, below one of heads."""
    rows = [("definition", "rows", "value", "interval", "n", ""), *(_row(number) for number in numbers)]
    widths = [min(max(len(row[i]) for row in rows), limit) for i, limit in enumerate((44, 60, 12, 20, 10, 80))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"


def _row(number: Number) -> tuple[str, ...]:
    place = {**number.group, **number.coordinates}
    where = named(place) or "all rows"
    if number.reference:
        where += f" against {named(number.reference)}"
    value = "-" if number.value is None else f"{number.value:.6g}"
    bounds = "" if number.low is None or number.high is None else f"{number.low:.4g} to {number.high:.4g}"
    remark = "; ".join(part for part in ("small" if number.small else "", number.reason or "") if part)
    cells = (number.definition, where, value, bounds, "" if number.n is None else f"{number.n:,}", remark)
    return tuple(printable(cell) for cell in cells)
