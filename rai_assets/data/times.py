"""How a declaration says when and how long: time zones, spans of time, and times that come again (cron)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days of the months
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_CRON = 'five fields: minute, hour, day of the month, month, weekday; every night at three is "0 3 * * *"'


def span(text: str) -> timedelta:
    """A span of time from days, hours or minutes: 90d, 12h, 30m.

    Raises:
        ValueError: It is not written so.
    """
    match = re.fullmatch(r"([0-9]{1,6})([dhm])", text)
    if match is None:
        raise ValueError(f"{text[:20]!r} is no span of time, as 14d, 12h or 30m are")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def spoken(length: timedelta) -> str:
    """A span of time for people, in its largest unit: `2 days`, `3 hours`, `40 s`."""
    seconds = length.total_seconds()
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count:,} {unit}{'s' if count > 1 else ''}"
    return f"{max(seconds, 0):.0f} s"


def _check_span(text: str) -> str:
    if not span(text):
        raise ValueError(f"{text!r} is no time at all; 14d, 12h or 30m would be")
    return text


def _check_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{text!r} is no IANA time zone; write it as Europe/Berlin or UTC") from error
    return text


def check_cron(text: str) -> str:
    """Refuse what is no time that comes again.

    What is taken is taken by Dagster, too; beyond that there are no seconds, no names like `@daily`, no `L`, `W`, `#`.

    Raises:
        ValueError: It is none, or a day that no year has; with the field that is wrong.
    """
    parts = text.lower().split(" ")
    if len(parts) != len(_FIELDS):
        raise ValueError(f"{text[:60]!r} does not say when; it has {_CRON}")
    names: tuple[tuple[str, ...], ...] = ((), (), (), _MONTHS, _DAYS)
    values = [
        _values(part, field, known, low, high)
        for part, (field, low, high), known in zip(parts, _FIELDS, names, strict=True)
    ]
    days, months = values[2], values[3]
    if not any(min(days) <= _LONGEST[month - 1] for month in months):
        raise ValueError(f"{text!r} names a day that no year has")
    return text


def _values(part: str, field: str, names: tuple[str, ...], low: int, high: int) -> set[int]:
    """The values that one field of a cron text stands for."""
    found: set[int] = set()
    for item in part.split(","):
        whole, slash, step = item.partition("/")
        first, dash, last = whole.partition("-")
        start = low if whole == "*" else _number(first, names, low)
        end = high if whole == "*" else _number(last, names, low) if dash else start
        steps = not slash or (step.isdecimal() and 0 < int(step) <= high and (whole == "*" or bool(dash)))
        if start is None or end is None or not low <= start <= end <= high or not steps:
            raise ValueError(f"{item[:40]!r} is no {field} of {low} to {high}; a cron text has {_CRON}")
        assert start is not None and end is not None  # noqa: S101
        found.update(range(start, end + 1, int(step) if slash else 1))
    return found


def _number(text: str, names: tuple[str, ...], low: int) -> int | None:
    if text in names:
        return names.index(text) + low
    return int(text) if re.fullmatch(r"[0-9]{1,2}", text) else None


Zone = Annotated[str, AfterValidator(_check_zone)]
"""IANA name of a time zone."""
Span = Annotated[str, AfterValidator(_check_span)]
"""How long: 90d, 12h or 30m."""
Cron = Annotated[str, AfterValidator(check_cron)]
"""When, again and again."""
