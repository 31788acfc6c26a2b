"""What a comparison found: flat rows, for JSON and for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rai_assets.charts.text import chance, count, cut, decimal, how_many

_SHOWN_NAME, _SHOWN_REASON, _ALL = 40, 120, "(all columns)"


@dataclass(frozen=True)
class DriftRow:
    """One column of one chunk compared by one method.

    Attributes:
        column: The column; empty where all are compared at once.
        chunk: Which current rows; `all` where they are not cut.
        method: Name of the method; empty where none compares the column.
        definition: Id of the statistic's formula.
        statistic: Its value; None where there is none, then `reason` says why.
        p_value: Probability of such a value if nothing has changed; None for a rule that takes none.
        family_p_value: The p-value adjusted for all tests of the chunk; an alarm if it is at most the level.
        threshold: What the rule compares with: the level of a p-value, else the upper limit of the statistic.
        lower_threshold: The lower limit of the statistic, of rules that have one.
        effect: Size of the difference whatever the number of rows (`docs/definitions.md`); None without a value.
        drifted: Whether the rule raises an alarm; None where it cannot tell.
        n_reference: Reference rows with a value.
        n_current: Current rows with a value.
        rule: The rule.
        null: Where the p-value is from: a closed form, redrawn rows, or the larger of that and of contiguous blocks of
            the reference.
        false_alarm_rate: How often a rule without a level raises an alarm of this column if nothing has changed: in
            draws from the reference; of limits from its chunks, how often one alarms by those of the others.
        error: Bound of the error of the statistic's shares where a sketch was compared; 0 where all values were.
        rank: 1 for the largest effect times importance of the chunk.
        drivers: The values that make most of the difference, with their shares before and now.
        reason: Why there is no value, or what limits it.
    """

    column: str
    chunk: str
    method: str = ""
    definition: str = ""
    statistic: float | None = None
    p_value: float | None = None
    family_p_value: float | None = None
    threshold: float | None = None
    lower_threshold: float | None = None
    effect: float | None = None
    drifted: bool | None = None
    n_reference: int = 0
    n_current: int = 0
    rule: str = ""
    null: str = ""
    false_alarm_rate: float | None = None
    error: float = 0.0
    rank: int | None = None
    drivers: str = ""
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields as a flat JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class DriftResult:
    """What a comparison found.

    Attributes:
        rows: Every test, chunk by chunk in the order of the columns; a column that is not compared has one row.
        notes: What applies to all rows, and what was noticed about their order.
        facts: Names and rows of both sides, settings and seed.
    """

    rows: tuple[DriftRow, ...]
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def drifted(self) -> tuple[DriftRow, ...]:
        """The alarms, the largest effect times importance first."""
        return tuple(sorted((row for row in self.rows if row.drifted), key=lambda row: row.rank or 0))

    def as_json(self) -> dict[str, Any]:
        """Rows, notes and facts as a JSON object."""
        return {"facts": self.facts, "notes": list(self.notes), "rows": [row.as_json() for row in self.rows]}

    def lines(self) -> Iterator[str]:
        """A table for people, alarms first and the largest effect times importance first among them, then notes."""
        several = len({row.chunk for row in self.rows}) > 1
        heads = [
            "column",
            *(["chunk"] if several else []),
            "method",
            "statistic",
            "p",
            "adjusted p",
            "limit",
            "effect",
            "drifted",
            "",
        ]
        shown = sorted(self.rows, key=lambda row: (not row.drifted, row.rank is None, row.rank))
        if several:
            shown = [row for row in self.rows if row.drifted or row.drifted is None]
        table = [heads, *(_cells(row, several=several) for row in shown)]
        widths = [max(len(line[at]) for line in table) for at in range(len(heads) - 1)]
        for line in table:
            padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
            yield "  ".join([*padded, line[-1]]).rstrip()
        quiet = len(self.rows) - len(shown)
        if quiet:
            yield f"and {how_many(quiet, 'comparison')} without an alarm; --format json has them all"
        yield f"Drifted: {_alarms(self.rows)}"
        yield from self.notes


def _alarms(rows: Sequence[DriftRow]) -> str:
    alarms = [row for row in rows if row.drifted]
    tests = [row for row in rows if row.drifted is not None]
    if not alarms:
        return f"nothing, of {how_many(len(tests), 'comparison')}"
    columns = dict.fromkeys(cut(row.column, _SHOWN_NAME) or _ALL for row in alarms)
    named = ", ".join(list(columns)[:10]) + (f" and {len(columns) - 10} more" if len(columns) > 10 else "")
    return f"{named} ({count(len(alarms))} of {how_many(len(tests), 'comparison')})"


def _cells(row: DriftRow, *, several: bool) -> list[str]:
    limits = [limit for limit in (row.lower_threshold, row.threshold) if limit is not None]
    limit = " to ".join(decimal(value) for value in limits)
    said = row.reason if row.statistic is None else row.drivers or row.reason or ""
    return [
        cut(row.column, _SHOWN_NAME) or _ALL,
        *([row.chunk] if several else []),
        row.method or "-",
        "" if row.statistic is None else decimal(row.statistic),
        "" if row.p_value is None else chance(row.p_value),
        "" if row.family_p_value is None else chance(row.family_p_value),
        f"<= {limit}" if row.p_value is not None and limit else limit,
        "" if row.effect is None else decimal(row.effect),
        {True: "yes", False: "no", None: "-"}[row.drifted],
        cut(said, _SHOWN_REASON) if said else "",
    ]
