"""What an audit says of a batch: the rules of its contract, and those that every batch has."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rai_assets.charts.text import how_many
from rai_assets.data.rules import RuleResult
from rai_assets.errors import InputRefused
from rai_assets.monitoring.batches.rules import ALWAYS, LATENESS, READABLE, SIZE, TIME, VALUES
from rai_assets.monitoring.batches.settings import BatchSettings
from rai_assets.monitoring.batches.slicing import in_utc, slot_of

_TIMES = 10
_SKEW = timedelta(minutes=5)  # between the clocks of those who write rows and files
_FEWEST_BATCHES = 5  # before anything is usual


@dataclass(frozen=True)
class Finding:
    """The outcome of one rule.

    Attributes:
        rule: Its name.
        passed: Whether it holds.
        blocking: Whether the batch is refused if it does not.
        sentence: The outcome in words.
        count: Places where it does not hold.
        columns: The columns that it is about.
    """

    rule: str
    passed: bool
    blocking: bool
    sentence: str
    count: int = 0
    columns: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def of_rules(results: Sequence[RuleResult]) -> list[Finding]:
    """The rules of the contract."""
    return [Finding(item.rule, item.passed, True, item.sentence, item.count, item.columns) for item in results]


def readable() -> Finding:
    """The files could be read."""
    return Finding(READABLE, True, True, ALWAYS[READABLE])


def unreadable(refusal: InputRefused, rules: Sequence[str]) -> list[Finding]:
    """The files could not be read, and so no other rule was asked."""
    others = [Finding(rule, False, False, "Not checked: the files cannot be read.") for rule in rules]
    return [Finding(READABLE, False, True, str(refusal), 1), *others]


def usual_size(rows: int, former: Sequence[int]) -> Finding:
    """Whether a batch is about as big as those before it.

    Args:
        rows: Of this batch.
        former: Rows of accepted batches.
    """
    if len(former) < _FEWEST_BATCHES:
        return Finding(
            SIZE, True, False, f"{how_many(rows, 'row')}; fewer than {_FEWEST_BATCHES} batches to compare with."
        )
    usual = median(former)
    fits = usual / _TIMES < rows < usual * _TIMES
    return Finding(
        SIZE, fits, False, f"{how_many(rows, 'row')}; the middle of {len(former)} batches has {usual:,.0f}.", not fits
    )


def has_values(missing: Mapping[str, int], rows: int, optional: Collection[str]) -> Finding:
    """Whether the columns hold anything: one that is empty is a remark, a batch of empty columns is refused.

    Args:
        missing: Missing values of every column.
        rows: Of the batch.
        optional: Columns that may be empty.
    """
    asked = [name for name in missing if name not in optional]
    empty = [name for name in asked if missing[name] == rows]
    if not empty:
        return Finding(VALUES, True, True, ALWAYS[VALUES])
    if len(empty) == len(asked):
        return Finding(
            VALUES, False, True, f"Every value of the {how_many(rows, 'row')} is missing.", len(empty), tuple(empty)
        )
    names = ", ".join(map(repr, empty[:20]))
    return Finding(VALUES, False, False, f"No row of this batch has a value of {names}.", len(empty), tuple(empty))


def event_time(column: str, times: pa.ChunkedArray, rule: BatchSettings, arrived: datetime) -> Finding:
    """Whether the rows' times can be.

    Args:
        column: The column of the times.
        times: Of every row; timestamp, in UTC if it has a zone.
        rule: What one batch is.
        arrived: When the newest file of the batch was changed last.
    """
    known = times.drop_null().combine_chunks()
    problems: list[tuple[str, int]] = []
    if known.type.tz is None and rule.time_zone is None:
        if rule.by_event and len(known):
            return Finding(
                TIME,
                False,
                True,
                f"The times in column {column!r} have no offset, e.g. {known[0]}; declare `batch: {{time_zone: ...}}`.",
                len(known),
                (column,),
            )
        instants = known.cast(pa.timestamp("us", tz="UTC"))
        limit = arrived + timedelta(days=1)  # wherever its clock stands
    else:
        instants = in_utc(known, rule.time_zone)
        limit = arrived + _SKEW
        if instants.null_count:
            gone = known.filter(instants.is_null())
            problems.append((f"{gone[0]} is left out by the clocks of {rule.time_zone}", len(gone)))
    late = instants.drop_null()
    late = late.filter(pc.greater(late, pa.scalar(limit, late.type)))
    if len(late):
        said = f"{pc.max(late).as_py():%Y-%m-%d %H:%M} UTC is later than its file, of {arrived:%Y-%m-%d %H:%M} UTC"
        problems.append((said, len(late)))
    if not problems:
        return Finding(TIME, True, True, ALWAYS[TIME], columns=(column,))
    sentence = "\n".join(f"column {column!r}: {said} ({how_many(count, 'row')})" for said, count in problems)
    return Finding(TIME, False, True, sentence, sum(count for _, count in problems), (column,))


def lateness(key: str, rule: BatchSettings, further: Sequence[datetime]) -> Finding:
    """Whether files bring rows of an accepted batch while it may still change.

    Args:
        key: The batch.
        rule: What one batch is.
        further: When the files arrived that the accepted batch has no rows of yet.
    """
    slot = slot_of(rule, key)
    if slot is not None and further:
        end = slot[1] + timedelta(hours=rule.lateness)
        late = [time for time in further if time > end]
        if late:
            sentence = (
                f"The batch was accepted without these rows, and they arrived on {max(late):%Y-%m-%d %H:%M} UTC, after "
                f"{end:%Y-%m-%d %H:%M} UTC; a longer `lateness` lets them in."
            )
            return Finding(LATENESS, False, True, sentence, len(late))
    return Finding(LATENESS, True, True, ALWAYS[LATENESS])
