"""The kinds of rules that a contract has, and what came of each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rai_assets.data.contract import Column, Contract
from rai_assets.data.settings import DatasetSettings

SHOWN = 5  # violations of a rule that are listed; all are counted
SHOWN_CHARACTERS = 80  # of a value

_DESCRIPTIONS = {
    "columns": "Every file has exactly the declared columns.",
    "dtypes": "Every value is of the declared type.",
    "missing": "No value is missing where the contract refuses it.",
    "allowed_values": "Every value is among the declared ones.",
    "ranges": "Every number is within its declared bounds, and no weight is negative.",
    "target": "The target has the declared positive value, and predictions take the target's values.",
    "identifiers": "No two rows have the same identifier.",
    "media_files": "Every row names a file of its own in the media folder.",
    "media_readable": "Every media file can be read as what its content and its name say it is.",
}
_CHECKED_TYPES = ("integer", "number", "boolean", "timestamp")


@dataclass(frozen=True)
class Rule:
    """One kind of rule of a contract.

    Attributes:
        name: Short name, also of the check that shows it.
        description: What holds when it passes.
        columns: The columns it is about; empty for the columns rule.
    """

    name: str
    description: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Violation:
    """One place where a rule does not hold.

    Attributes:
        problem: What is wrong there.
        column: The column, or None where the rule is not about one.
        place: File, row and line, as far as they are known.
        value: The value as it stands in the file, escaped and cut.
    """

    problem: str
    column: str | None = None
    place: str = ""
    value: str | None = None

    def __str__(self) -> str:
        column = "" if self.column is None else f"column {self.column!r}"
        where = ", ".join(part for part in (self.place, column) if part)
        value = "" if self.value is None else f"{self.value} "
        return f"{where}: {value}{self.problem}" if where else f"{value}{self.problem}"


@dataclass(frozen=True)
class RuleResult:
    """What came of one rule.

    Attributes:
        rule: Its name.
        columns: The columns it is about.
        violations: The first few places where it does not hold.
        count: All places.
    """

    rule: str
    columns: tuple[str, ...]
    violations: tuple[Violation, ...]
    count: int

    @property
    def passed(self) -> bool:
        """Whether it holds everywhere."""
        return self.count == 0

    @property
    def sentence(self) -> str:
        """The outcome in words, the first violations one a line."""
        if self.passed:
            return _DESCRIPTIONS[self.rule]
        more = [f"and {self.count - len(self.violations):,} more"] if self.count > len(self.violations) else []
        return "\n".join([*(str(violation) for violation in self.violations), *more])


def rules_of(settings: DatasetSettings) -> list[Rule]:
    """The kinds of rules that a declaration has, each with its columns."""
    contract = Contract.of(settings)
    columns = {
        "columns": (),
        "dtypes": tuple(column.name for column in contract if column.dtype in _CHECKED_TYPES),
        "missing": tuple(column.name for column in contract if not column.missing_allowed),
        "allowed_values": tuple(column.name for column in contract if column.settings.allowed is not None),
        "ranges": tuple(column.name for column in contract if _has_range(column)),
        "target": tuple(name for name in (contract.target, contract.prediction) if name is not None),
        "identifiers": contract.identifiers,
        **({"media_files": about, "media_readable": about} if (about := _media_columns(settings)) else {}),
    }
    return [Rule(name, _DESCRIPTIONS[name], about) for name, about in columns.items() if about or name == "columns"]


def _media_columns(settings: DatasetSettings) -> tuple[str, ...]:
    return () if settings.media is None else (settings.media.path,)


def _has_range(column: Column) -> bool:
    return (column.settings.minimum, column.settings.maximum) != (None, None) or "weight" in column.roles


def shown(value: object) -> str:
    """A value as people see it in a message: quoted, escaped, and cut."""
    text = str(value)
    return repr(text[:SHOWN_CHARACTERS]) + ("…" if len(text) > SHOWN_CHARACTERS else "")


def label_order(label: str) -> tuple[float, str]:
    """Sorts labels as people expect: numbers by size, then texts by letter."""
    try:
        number = float(label)
    except ValueError:
        number = math.inf
    return (number if math.isfinite(number) else math.inf), label
