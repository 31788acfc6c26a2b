"""The audit as the template shows it: sentences, rows and figures, with no decision left to the template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rai_assets.charts.text import count, cut, interval, measure
from rai_assets.metrics.number import Number
from rai_assets.metrics.requirements import Requirement
from rai_assets.report.audit import Audit, Column, Judged, Section, Table
from rai_assets.report.figures import Figure, cell_text, figure_of
from rai_assets.report.summary import headline
from rai_assets.report.tables import NAME_LIMIT, Grid, grids
from rai_assets.report.words import definition_name, definitions_used

_CHARTS, _COLUMNS, _TABLE_ROWS, _NOTES = 8, 30, 20, 30
_WORDS = {"pass": "Pass", "fail": "Fail", "cannot tell": "Cannot tell", "none": "No verdict"}
_LONG_WORD = 400


@dataclass(frozen=True)
class Line:
    """The value, its interval and the threshold on one line, in units of a 200 x 24 drawing.

    Attributes:
        point: Where the value is.
        low: Where its interval begins.
        high: Where it ends.
        threshold: Where the limit is.
        allowed_from: Where the allowed side begins.
        allowed_to: Where it ends.
    """

    point: float
    low: float
    high: float
    threshold: float
    allowed_from: float
    allowed_to: float


@dataclass(frozen=True)
class Ruling:
    """One requirement as it is shown.

    Attributes:
        id: Its id.
        text: What was agreed.
        verdict: `pass`, `fail` or `cannot tell`, for the style.
        word: The same for people.
        blocking: Whether it is part of the gate.
        sentence: The verdict with its reason.
        measure: Name of what was measured.
        definition: Id of the formula; empty without a number.
        place: Groups and coordinates of the number.
        value: The value; a dash without one.
        interval: Its interval; empty without one.
        threshold: The limit as it was declared.
        line: The drawing; None where there is nothing to draw.
    """

    id: str
    text: str
    verdict: str
    word: str
    blocking: bool
    sentence: str
    measure: str
    definition: str
    place: str
    value: str
    interval: str
    threshold: str
    line: Line | None


@dataclass(frozen=True)
class Part:
    """One section as it is shown.

    Attributes:
        anchor: Its name within the page.
        title: Its heading.
        summary: What it says, in a paragraph.
        figures: Its charts.
        grids: Numbers by group, side by side.
        tables: Further tables.
        notes: Sentences at its end.
        left_out: What is not shown, a sentence each.
    """

    anchor: str
    title: str
    summary: str
    figures: tuple[Figure, ...]
    grids: tuple[Grid, ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    left_out: tuple[str, ...]


def view_of(audit: Audit) -> dict[str, Any]:
    """Everything the template names."""
    wanted = [item.requirement.definition for item in audit.judged]
    parts = [part_of(section, audit.use_case, wanted) for section in audit.sections]
    columns = _columns_first(audit.data.columns)
    shown = {head.definition for part in parts for grid in part.grids for head in _heads(grid) if head.definition}
    shown |= {item.verdict.number.definition for item in audit.judged if item.verdict.number}
    return {
        "audit": audit,
        "purpose": paragraphs(audit.purpose),
        "outcome": audit.outcome,
        "outcome_word": _WORDS[audit.outcome],
        "outcome_sentence": outcome_sentence(audit.judged),
        "tally": _tally(audit.judged),
        "rulings": [_ruling(item) for item in audit.judged],
        "columns": columns[:_COLUMNS],
        "columns_left_out": _more(len(columns), _COLUMNS, "columns"),
        "splits": [(cut(name, NAME_LIMIT), count(rows)) for name, rows in audit.data.splits.items()],
        "files": [(cut(name, NAME_LIMIT), count(rows)) for name, rows in list(audit.data.files.items())[:_COLUMNS]],
        "parameters": _pairs(audit.model.parameters) if audit.model else "",
        "libraries": _pairs(audit.model.libraries) if audit.model else "",
        "parts": parts,
        "definitions": definitions_used(shown),
        "address": _example_address(audit),
        "level": _level(audit),
    }


def outcome_sentence(judged: Sequence[Judged]) -> str:
    """The outcome of the whole audit in one sentence."""
    if not judged:
        return "No requirement is declared, so this report gives numbers and no verdict."
    blocking = [item.verdict.verdict for item in judged if item.requirement.blocking]
    if not blocking:
        return "No requirement is declared as blocking, so the gate has nothing to decide."
    total, failed, open_ = len(blocking), blocking.count("fail"), blocking.count("cannot tell")
    if not failed and not open_:
        return f"{'The one blocking requirement holds' if total == 1 else f'All {total} blocking requirements hold'}."
    said = []
    if failed:
        said.append(f"{failed} of {total} blocking requirements {'does' if failed == 1 else 'do'} not hold")
    if open_:
        on = f"{open_}" if failed else f"{open_} of {total} blocking requirements"
        said.append(f"{on} cannot be told from these data")
    return f"{', and '.join(said)}."


def _tally(judged: Sequence[Judged]) -> list[tuple[str, str, int]]:
    verdicts = [item.verdict.verdict for item in judged]
    return [(kind, _WORDS[kind], verdicts.count(kind)) for kind in ("pass", "fail", "cannot tell") if kind in verdicts]


def _ruling(item: Judged) -> Ruling:
    requirement, verdict = item.requirement, item.verdict
    number = verdict.number
    counted = number is not None and number.unit == "count"
    value = number.value if number else None
    return Ruling(
        id=requirement.id,
        text=requirement.text,
        verdict=verdict.verdict,
        word=_WORDS[verdict.verdict],
        blocking=requirement.blocking,
        sentence=verdict.sentence,
        measure=definition_name(number.definition if number else requirement.definition),
        definition=number.definition if number else "",
        place=_place(requirement, number),
        value=measure(value, counted=counted) if value is not None else "–",
        interval=interval(number.low, number.high, counted=counted) if number else "",
        threshold=_threshold(requirement),
        line=_line(requirement, value, number.low if number else None, number.high if number else None),
    )


def _place(requirement: Requirement, number: Number | None) -> str:
    """Where it was measured: the number's own place, or what the requirement asks for where there is no number."""
    group, coordinates = (number.group, number.coordinates) if number else (requirement.group, requirement.coordinates)
    compared = coordinates.get("sensitive", "" if group else ",".join(requirement.sensitive))
    parts = [compared.replace(",", " × ")]
    parts += [f"{name} = {value}" for name, value in group.items()]
    parts += [f"{name} {value}" for name, value in coordinates.items() if name != "sensitive"]
    parts += [f"cohort {requirement.cohort}"] if requirement.cohort else []
    return ", ".join(cut(part, NAME_LIMIT) for part in parts if part)


def _threshold(requirement: Requirement) -> str:
    """The bound as it was declared, not rounded."""
    if requirement.at_most is not None:
        return f"at most {requirement.at_most:,.12g}"
    return f"at least {requirement.at_least:,.12g}"


def _line(requirement: Requirement, value: float | None, low: float | None, high: float | None) -> Line | None:
    bound = requirement.at_most if requirement.at_most is not None else requirement.at_least
    if value is None or bound is None:
        return None
    known = [each for each in (0.0, value, bound, low, high) if each is not None]
    left, right = min(known), max(known)
    margin = (right - left or 1.0) * 0.12
    left, right = (0.0 if left == 0 else left - margin), right + margin

    def at(each: float) -> float:
        return round(4 + 192 * (each - left) / (right - left), 1)

    # A bound that is not given runs to the end of the line.
    ends = (at(low if low is not None else value), at(high if high is not None else value))
    if low is not None and high is None:
        ends = (ends[0], 200.0)
    if high is not None and low is None:
        ends = (0.0, ends[1])
    allowed = (0.0, at(bound)) if requirement.at_most is not None else (at(bound), 200.0)
    return Line(at(value), *ends, at(bound), *allowed)


def _columns_first(columns: Sequence[Column]) -> list[Column]:
    """Sensitive columns and the target before the others."""
    order = {"sensitive": 0, "target": 1}
    return sorted(columns, key=lambda column: min((order.get(role, 2) for role in column.roles), default=2))


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, which empty lines keep apart."""
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def part_of(section: Section, use_case: str, wanted: Sequence[str] = ()) -> Part:
    """A section as it is shown.

    Args:
        section: What one asset found.
        use_case: Name of the use case, for the commands that print all of it.
        wanted: Definitions that are shown first.
    """
    related = [name.partition("@")[0].removesuffix("_difference").removesuffix("_ratio") for name in wanted]
    figures = [figure_of(spec, name) for name, spec in list(section.charts.items())[:_CHARTS]]
    rest = [_more(len(section.charts), _CHARTS, "charts"), _more(len(section.notes), _NOTES, "notes")]
    return Part(
        anchor=re.sub(r"[^a-z0-9]+", "-", section.asset.lower()).strip("-") or "section",
        title=section.title,
        summary=section.summary or headline(section.numbers),
        figures=tuple(figures),
        grids=tuple(grids(section.numbers, use_case, [*wanted, *related])),
        tables=tuple(_table(table) for table in section.tables),
        notes=tuple(section.notes[:_NOTES]),
        left_out=tuple(line for line in rest if line),
    )


def _heads(grid: Grid) -> list[Any]:
    return [*grid.columns, *(head for head, _ in grid.rows)]


def _table(table: Table) -> Table:
    rows = tuple(tuple(cell_text(value) for value in row) for row in table.rows[:_TABLE_ROWS])
    return Table(table.title, table.columns, rows, table.total or len(table.rows))


def _pairs(values: Mapping[str, Any]) -> str:
    return cut(", ".join(f"{name} {value}" for name, value in values.items()), _LONG_WORD)


def _more(total: int, shown: int, things: str) -> str:
    return f"{count(shown)} of {count(total)} {things} shown" if total > shown else ""


def _numbers(audit: Audit) -> list[Number]:
    judged = [item.verdict.number for item in audit.judged if item.verdict.number]
    return judged + [number for section in audit.sections for number in section.numbers]


def _example_address(audit: Audit) -> str:
    return next((number.address for number in _numbers(audit) if number.address), "")


def _level(audit: Audit) -> str:
    """The level of the intervals in words; empty where there is none."""
    levels = sorted({number.level for number in _numbers(audit) if number.level is not None})
    return " and ".join(f"{100 * level:.4g} %" for level in levels)
