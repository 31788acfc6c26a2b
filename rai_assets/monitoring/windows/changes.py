"""Alarms of a window about the rows that came: columns that changed, and what the model goes by in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from rai_assets.charts.text import cut, decimal
from rai_assets.monitoring.checks import COLUMNS_TOGETHER, SAME_REASONS
from rai_assets.monitoring.drift.order import blocks_of
from rai_assets.monitoring.windows.alarm import NAME, Alarm, keys_of, moved, said
from rai_assets.monitoring.windows.chance import chance_of
from rai_assets.monitoring.windows.window import Seen, Window


def columns(window: Window, importance: Mapping[str, float], rate: float, answers: Collection[str]) -> Iterator[Alarm]:
    """One alarm per column that has changed, the largest effect times importance first."""
    asked = [item for item in window.batches if item.rows_of("drift")]
    by_column: dict[str, list[tuple[Seen, Mapping[str, Any]]]] = {}
    for batch in asked:
        for row in batch.rows_of("drift"):
            if row.get("drifted") and row.get("column") and row.get("rank"):
                by_column.setdefault(row["column"], []).append((batch, row))
    weight = {
        column: max(row["effect"] or 0.0 for _, row in rows) * (importance.get(column, 0.0) or 1e-6)
        for column, rows in by_column.items()
    }
    for column in sorted(by_column, key=lambda name: -weight[name]):
        rows = by_column[column]
        keys = keys_of(batch for batch, _ in rows)
        p_values = [row["family_p_value"] for _, row in rows if row.get("family_p_value") is not None]
        name = cut(column, NAME)
        causes: tuple[str, ...] = ()
        advice = _advice(name, once=len(keys) == 1 and len(asked) > 1)
        if column in answers:
            causes = moved([batch for batch in asked if batch.key in keys], answers)
            advice = _advice_on_answers(causes)
        yield Alarm(
            "column", column, f"{name} has changed", keys, _most(rows, importance.get(column)), causes, advice,
            chance_of(len(keys), len(asked), rate, p_values, _blocks(asked, alone=True)),
        )  # fmt: skip


def _blocks(asked: Collection[Seen], *, alone: bool) -> int | None:
    """The fewest blocks of the reference that a batch's columns, or all of them together, were compared with."""
    nulls = (row.get("null") or "" for item in asked for row in item.rows_of("drift") if bool(row["column"]) is alone)
    return min((blocks for null in nulls if (blocks := blocks_of(null))), default=None)


def _most(rows: Sequence[tuple[Seen, Mapping[str, Any]]], weight: float | None) -> str:
    """How far a column moved in the batch in which it moved most, and its weight in the model."""
    batch, row = max(rows, key=lambda item: item[1]["effect"] or 0.0)
    told = f"Most in {batch.key}: {row['method']} {decimal(row['statistic'])}, effect {decimal(row['effect'] or 0.0)}."
    if row.get("drivers"):
        told += f" Shares of rows then -> now: {row['drivers']}."
    return told if weight is None else f"{told} Its weight in the model is {decimal(weight)}."


def _advice_on_answers(causes: Sequence[str]) -> str:
    if causes:
        return (
            "What is decided changed along with what it is decided from: see the columns above. Tell those who work "
            "with the decisions."
        )
    return (
        "No column that it is decided from changed in the same batches: ask whether the model, its threshold or the "
        "rule that decides was changed, and tell those who work with the decisions."
    )


def _advice(column: str, *, once: bool) -> str:
    asked = f"Ask who writes {column} whether its unit, its source, or the people whom it is about changed"
    if once:
        return f"{asked} in this one file; if something broke, have a corrected file sent."
    return f"{asked}. If the change is real and lasts, audit the model on recent rows before it is relied on further."


def together(window: Window, rate: float, answers: Collection[str]) -> Iterator[Alarm]:
    """The alarm of the columns together, as a model tells their rows from those of the reference."""
    asked = [item for item in window.batches if item.rows_of("drift")]
    hit = [item for item in asked if COLUMNS_TOGETHER in item.failed("drift")]
    if hit:
        p_values = [
            row["family_p_value"]
            for item in hit for row in item.rows_of("drift")
            if row.get("drifted") and not row.get("rank") and row.get("family_p_value") is not None
        ]  # fmt: skip
        yield Alarm(
            "together", "drift", "The columns together have changed", keys_of(hit),
            said(hit, "drift", COLUMNS_TOGETHER), moved(hit, answers),
            "Look at the columns named first. If none of them changed by itself, it is how they go together that "
            "changed: compare their pairs.",
            chance_of(len(hit), len(asked), rate, p_values, _blocks(asked, alone=False)),
        )  # fmt: skip


def reasons(window: Window, rate: float, answers: Collection[str]) -> Iterator[Alarm]:
    """The alarm of what the model goes by."""
    asked = [item for item in window.batches if "attribution_drift" in item.results]
    hit = [item for item in asked if item.failed("attribution_drift")]
    if hit:
        yield Alarm(
            "reasons", "attribution_drift", "The model goes by other columns than in its audit", keys_of(hit),
            said(hit, "attribution_drift", SAME_REASONS), moved(hit, answers),
            "Read which columns it goes by now. If one of them stands in for a sensitive column, stop and audit.",
            chance_of(len(hit), len(asked), rate),
        )  # fmt: skip
