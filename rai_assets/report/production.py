"""From the batches of a window to the report on production."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rai_assets import __version__
from rai_assets.charts.text import count, cut, decimal, how_many
from rai_assets.monitoring.profiles.statistics import TableTally
from rai_assets.monitoring.windows.alarm import Alarm
from rai_assets.monitoring.windows.alarms import ANSWERS, alarms
from rai_assets.monitoring.windows.kept import LABELLED
from rai_assets.monitoring.windows.trends import (
    arrivals_chart,
    charted,
    drift_charts,
    gap_charts,
    performance_charts,
    reasons_charts,
)
from rai_assets.monitoring.windows.window import QUESTIONS, Window
from rai_assets.report.audit import Section, Table

_BATCHES = 400  # rows of the table of all batches
_SAID, _NAME = 160, 40


@dataclass(frozen=True)
class ProductionReport:
    """What a report on production is made from.

    Attributes:
        use_case: Name of the use case, as the commands take it.
        title: Its name for people.
        purpose: What is decided, about whom, and what for.
        owners: E-mail addresses or `team:name`.
        start: First instant of the window, UTC.
        end: The first instant after it.
        dated: What says when a batch was.
        outside: Accepted batches before and after it.
        span: First and last instant of the accepted rows, UTC; None where they have no times.
        batches: Accepted batches in it.
        rows: Their rows.
        asked: Batches of which at least one question was answered.
        alarms: What was found, those first that chance does not explain.
        sections: Every measure over the batches.
        reference: What the batches are compared with, in words.
        definitions: Of the numbers that are shown.
        results_commit: Commit of the results that were read; empty where there is none.
        notes: Limits.
        code_version: Version of the code that made it.
    """

    use_case: str
    title: str
    purpose: str
    owners: tuple[str, ...]
    start: datetime
    end: datetime
    dated: str
    outside: int
    span: tuple[datetime, datetime] | None
    batches: int
    rows: int
    asked: int
    alarms: tuple[Alarm, ...]
    sections: tuple[Section, ...]
    reference: str
    definitions: tuple[str, ...] = ()
    results_commit: str = ""
    notes: tuple[str, ...] = ()
    code_version: str = __version__

    @property
    def standing(self) -> tuple[Alarm, ...]:
        """The alarms that chance alone does not explain."""
        return tuple(item for item in self.alarms if item.stands)


def production_report_of(
    window: Window,
    importance: Mapping[str, float],
    false_alarms: float,
    *,
    answers: Collection[str] = ANSWERS,
    use_case: str,
    title: str,
    purpose: str,
    owners: Sequence[str],
    reference: str,
    profile: TableTally,
    unprofiled: Sequence[str] = (),
) -> ProductionReport:
    """The report on a window.

    Args:
        window: What was read.
        importance: Weight of each column in the model.
        false_alarms: Share of unchanged batches in which one comparison raises an alarm.
        answers: Columns of drift that hold what was decided.
        use_case: Name of the use case.
        title: Its name for people.
        purpose: Its description.
        owners: Its owners.
        reference: What the batches are compared with, in words.
        profile: What the columns of all its batches hold together.
        unprofiled: Batches that have no profile.
    """
    found = tuple(alarms(window, importance, false_alarms, answers))
    return ProductionReport(
        use_case=use_case,
        title=title,
        purpose=purpose,
        owners=tuple(owners),
        start=window.start,
        end=window.end,
        dated=window.dated,
        outside=window.outside,
        span=window.span,
        batches=len(window.batches),
        rows=window.rows,
        asked=sum(item.answered for item in window.batches),
        alarms=found,
        sections=tuple(item for item in _sections(window, found, profile, false_alarms) if item.charts or item.tables),
        reference=reference,
        definitions=tuple(charted(window)),
        results_commit=window.commit,
        notes=(*_notes(window), *_without_profile(unprofiled)),
    )


def _sections(window: Window, found: Sequence[Alarm], profile: TableTally, rate: float) -> list[Section]:
    held = [_held(profile)] if profile.cells else []
    return [
        Section("arrivals", "Batches", _arrived(window), (), {"rows": arrivals_chart(window)}, [_table(window, found)]),
        Section("data_profile", "What the columns held", tables=held),
        Section("requirements", "Requirements", tables=_judged(window)),
        Section("drift", "What changed", charts=drift_charts(window, found, rate)),
        Section("fairness_drift", "Groups of people", charts=gap_charts(window, rate)),
        Section("performance", "Performance", charts=performance_charts(window, rate)),
        Section("batch_predictions", "What was logged", tables=_logged(window)),
        Section("attribution_drift", "What the model goes by", charts=reasons_charts(window, rate)),
    ]


def _arrived(window: Window) -> str:
    said = [f"{how_many(len(window.batches), 'batch')} with {how_many(window.rows, 'row')} accepted"]
    if window.quarantined:
        said.append(f"{count(len(window.quarantined))} in quarantine")
    if window.waiting:
        said.append(f"{count(len(window.waiting))} waiting")
    if window.missing is not None:
        said.append(f"{count(len(window.missing))} missing")
    return f"{', '.join(said)}."


def _table(window: Window, found: Sequence[Alarm]) -> Table:
    """One row per batch, by time: what was found of it."""
    said: dict[str, list[str]] = {}
    for item in found:
        if item.kind not in ("quarantine", "missing"):
            for key in item.batches:
                said.setdefault(key, []).append(item.title if item.stands else f"{item.title} (may be chance)")
    rows: list[tuple[str, tuple[Any, ...]]] = [
        (item.record.time, (item.key, item.record.rows, "accepted", _line(said.get(item.key, ()))))
        for item in window.batches
    ]
    rows += [
        (item.time.isoformat(), (item.key, None, "in quarantine", cut(item.reason.split("\n")[0], _SAID)))
        for item in window.quarantined
    ]
    ordered = tuple(row for _, row in sorted(rows, key=lambda item: item[0]))
    return Table("All batches", ("Batch", "Rows", "State", "Found"), ordered[:_BATCHES], len(ordered))


def _judged(window: Window) -> list[Table]:
    """What became of every requirement on the labels of the batches."""
    verdicts: dict[str, list[Mapping[str, Any]]] = {}
    for batch in window.batches:
        for item in batch.verdicts:
            verdicts.setdefault(item["id"], []).append(item)
    rows = []
    for name, items in verdicts.items():
        said = [sum(item["verdict"] == verdict for item in items) for verdict in ("pass", "fail", "cannot tell")]
        told = [item for item in items if item["verdict"] != "cannot tell"] or items
        rows.append((name, *said, told[-1]["sentence"]))
    header = ("Requirement", "Holds", "Fails", "Cannot tell", "The newest batch that can tell")
    return [Table("On the labels that have arrived, in batches", header, tuple(rows), len(rows))] if rows else []


def _held(profile: TableTally) -> Table:
    """One row per column, over the rows of all batches together."""
    rows: list[tuple[Any, ...]] = []
    for cell, found in profile.statistics():
        if not cell.by:
            share = f"{found.missing / found.count:.1%}" if found.count else None
            middle = found.quantiles.get("0.5"), found.mean
            shown = (found.distinct, found.minimum, *middle, found.maximum)
            rows.append((cut(cell.column, _NAME), cell.dtype, found.count, share, *shown))
    heads = ("Column", "Holds", "Rows", "Missing", "Distinct", "Least", "Median", "Mean", "Greatest")
    return Table("All rows of the window, from the batches' profiles", heads, tuple(rows[:_BATCHES]), len(rows))


def _without_profile(keys: Sequence[str]) -> list[str]:
    if not keys:
        return []
    some = ", ".join(keys[:5]) + (f" and {count(len(keys) - 5)} more" if len(keys) > 5 else "")
    return [f"What the columns held is without the batches that have no profile: {some}."]


def _logged(window: Window) -> list[Table]:
    """How far predictions that were logged, by which batches are measured, are from those of the champion."""
    rows = tuple(
        (batch.key, item["column"], item["rows"], f"{item['share']:.2%}", decimal(item["largest"]))
        for batch in window.batches
        for item in batch.logged
    )
    header = ("Batch", "Column", "Rows", "Differ from the champion's", "Largest difference")
    return (
        [Table("Logged predictions, by which batches are measured", header, rows[:_BATCHES], len(rows))] if rows else []
    )


def _line(found: Sequence[str]) -> str:
    shown = "; ".join(found[:4])
    return shown + (f"; {len(found) - 4} more" if len(found) > 4 else "")


def _epochs(window: Window) -> list[str]:
    """The references, where batches were compared with several: a promotion begins another."""
    epochs: dict[str, list[str]] = {}
    for item in window.batches:
        if item.reference:
            epochs.setdefault(item.reference, []).append(item.key)
    if len(epochs) < 2:
        return []
    said = [
        f"{cut(keys[0], 60)}" + (f" to {cut(keys[-1], 60)}" if len(keys) > 1 else "") + f" with {reference}"
        for reference, keys in epochs.items()
    ]
    return [
        f"What serves, or its reference, was replaced in this time: {'; '.join(said)}. Each batch is compared with the "
        'reference of its time, so a step in a chart between them may be that of the reference. Lines "in the audit" '
        "are those of the newest."
    ]


def _notes(window: Window) -> list[str]:
    shown = [item.results["realized_performance"] for item in window.batches if "realized_performance" in item.results]
    measured = any(number.definition == LABELLED and number.value for item in shown for number in item.numbers)
    notes = [
        "Everything here was computed when each batch was audited; the rows of the batches were not read again.",
        "A change is a finding about rows. Whether it matters is for people and for the other measures to say; that "
        "none is seen does not show that there is none.",
        "A chart of effects has no intervals: the effect is the size of the difference in these rows, and whether "
        "chance explains it is tested beside it.",
    ]
    if not measured:
        notes.insert(
            0,
            "No labels have arrived. A change in what becomes of people whose records look the same cannot be seen "
            "without them: estimated performance stays as it is while the model goes wrong.",
        )
    if window.early_labels:
        notes.append(
            f"{how_many(window.early_labels, 'label has', 'labels have')} come for rows that have not, or "
            "whose identifier is wrong: what waits counts for nothing yet. rai batches names the files."
        )
    notes.extend(_epochs(window))
    missing = [name for name in QUESTIONS if not any(name in item.results for item in window.batches)]
    if missing:
        notes.append(f"Not asked of any batch: {', '.join(name.replace('_', ' ') for name in missing)}.")
    if window.missing is None:
        notes.append("Batches are files, which are not expected at any time: a file that never came is not noticed.")
    return notes
