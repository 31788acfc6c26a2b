"""The values of a column of classes: which the user means, and which is positive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rai_assets.data.evidence import Evidence
from rai_assets.data.rules import shown
from rai_assets.errors import UsageError

TRUE = ("1", "1.0", "true", "yes", "y", "t")
FALSE = ("0", "0.0", "false", "no", "n", "f")


def say_constant(column: Evidence) -> None:
    """Say that a column has one value only."""
    if len(column.labels) == 1 and not column.many:
        column.found.say(f"{column.name} is {shown(column.labels[0])} in every row")


def labelled(column: Evidence, labels: Sequence[str], positive: str) -> dict[str, Any]:
    """A binary column: its type, its values with the positive one last, and the positive one."""
    if column.kind == "boolean":
        return {"dtype": "boolean", "positive": positive.lower()}
    ordered = [*(label for label in labels if label != positive), positive]
    return {"dtype": "integer" if column.kind == "integer" else "category", "allowed": ordered, "positive": positive}


def match(wanted: str, column: Evidence) -> str:
    """The label of a column that the user means.

    Raises:
        UsageError: It has no such label.
    """
    found = same_label(column.found.aliases.get(column.name, {}).get(wanted, wanted), column.labels)
    if found is not None:
        return found
    raise UsageError(f"{column.name!r} never is {wanted!r}", fix=f"its values are {some_labels(column)}")


def same_label(wanted: str, labels: Sequence[str]) -> str | None:
    """The label that is spelled so, or the only one that is equal but for case, blanks, or a number's spelling."""
    if wanted in labels:
        return wanted
    for same in (_equal_text, _equal_number):
        close = [label for label in labels if same(wanted, label)]
        if len(close) == 1:
            return close[0]
    return None


def some_labels(column: Evidence) -> str:
    """The first values of a column, for a message."""
    labels = column.labels
    return ", ".join(map(shown, labels[:20])) + (", ..." if len(labels) > 20 else "")


def _equal_text(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _equal_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def likely_positive(column: Evidence, labels: Sequence[str]) -> str:
    """`1`, `yes`, `true` if it is one of the two; else the rarer value."""
    usual = [label for label in labels if label.strip().casefold() in TRUE]
    if len(usual) == 1:
        return usual[0]
    aliases = column.found.aliases.get(column.name, {})
    rows = dict.fromkeys(labels, 0)
    for text, count in column.profile.values.items():
        rows[aliases.get(text, text)] += count
    return min(labels, key=lambda label: (rows[label], label))
