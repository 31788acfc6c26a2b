"""The difference between two versions of a table as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rai_assets.charts.text import how_many
from rai_assets.data.difference import ColumnDifference, Difference, Spread

_SHOWN_SHARES = 3
_WIDEST = 48  # characters of a cell
_HEAD = ("column", "n", "missing", "values", "distance", "rows changed")
_SHORT_NAMES = {"Kolmogorov-Smirnov": "KS", "total variation": "TV"}


def as_lines(found: Difference) -> Iterator[str]:
    """What changed, the rows first; columns in which nothing did are counted only."""
    rows = found.rows
    how = f"by {', '.join(rows.identifiers)}" if rows.identifiers else "whole rows compared: no identifier is declared"
    changed = "" if rows.changed is None else f", {rows.changed:,} changed"
    yield f"rows     {rows.before:,} -> {rows.after:,}: {rows.added:,} added, {rows.removed:,} removed{changed} ({how})"
    for column in found.columns:
        if column.kind in ("added", "removed", "retyped"):
            types = " -> ".join(kind for kind in column.dtypes if kind)
            yield f"column   {column.name}: {column.kind} ({types})"
    for name, (before, after) in found.contract.items():
        yield f"contract {name}: {_short(before)} -> {_short(after)}"
    for column in found.columns:
        for name, (before, after) in column.settings.items():
            yield f"contract {column.name}.{name}: {_short(before)} -> {_short(after)}"
    moved = [column for column in found.columns if column.kind in ("changed", "retyped")]
    moved.sort(key=lambda column: -(column.distance or 0.0))
    if moved:
        yield ""
        yield from _table([_HEAD, *map(_row, moved)])
    same = sum(column.kind == "same" for column in found.columns)
    if same:
        yield f"{how_many(same, 'column is', 'columns are')} the same"


def _row(column: ColumnDifference) -> tuple[str, ...]:
    before, after = column.before, column.after
    if before is None or after is None:
        return (column.name, "", "", "", "", "")
    apart = column.reason or f"{column.distance:.4f} ({_SHORT_NAMES[str(column.measure)]})"
    return (
        column.name,
        _arrow(f"{before.n:,}", f"{after.n:,}"),
        _arrow(_percent(before.missing), _percent(after.missing)),
        _values(before, after),
        apart,
        "" if column.changed_rows is None else f"{column.changed_rows:,}",
    )


def _values(before: Spread, after: Spread) -> str:
    if before.quantiles and after.quantiles:
        median = _arrow(_number(before.quantiles["0.5"]), _number(after.quantiles["0.5"]))
        return f"mean {_arrow(_number(before.mean), _number(after.mean))}; median {median}"
    if before.shares and after.shares:
        values = [value for value in after.shares if value in before.shares][:_SHOWN_SHARES]
        return "; ".join(
            f"{value} {_arrow(_percent(before.shares[value]), _percent(after.shares[value]))}" for value in values
        )
    if before.least is not None and after.least is not None:
        return _arrow(*(f"{_time(side.least)} to {_time(side.greatest)}" for side in (before, after)))
    return ""


def _arrow(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


def _time(text: float | str | None) -> str:
    return str(text).removesuffix("T00:00:00")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.4g} %"


def _short(value: Any) -> str:
    text = "none" if value is None else ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
