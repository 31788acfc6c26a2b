"""Errors that a user can act on: what is wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

_NAMED = 20  # of what there is, where all would be too many


class RaiError(Exception):
    """A fault of the product or its surroundings (exit code 4).

    Args:
        what: One sentence in the user's words.
        where: The place: `file:line`, a row and a column, a branch, an endpoint.
        fix: What the user can do about it.
    """

    exit_code = 4

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(what, where, fix)

    def __reduce__(self) -> tuple[Any, ...]:
        """What another process makes it of again, whatever a kind of error takes by name."""
        return _again, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f"\n  Fix: {self.fix}" if self.fix else ""
        return f"{place}{self.what}{remedy}"


def _again(kind: type[RaiError], words: tuple[str, ...], attributes: dict[str, Any]) -> RaiError:
    made = kind.__new__(kind, *words)
    made.__dict__.update(attributes)
    return made


class UsageError(RaiError):
    """The command was called with words that do not fit (exit code 2)."""

    exit_code = 2


class InputRefused(RaiError):
    """A file, a table, a model or a declaration that cannot be accepted (exit code 3)."""

    exit_code = 3


class DeclarationError(InputRefused):
    """A use case whose declaration cannot be loaded."""


class Undefined(RaiError):
    """An analysis has no answer on these rows, and `what` says why."""


def near_names(name: str, known: Sequence[str], lead: str = "there are", separator: str = ", ") -> str:
    """The fix for a name that is not known: those that look like it, and what there is.

    Args:
        name: What was asked for.
        known: What there is, at least one.
        lead: What comes before the list.
        separator: What comes between two of them.
    """
    folded = {item.casefold(): item for item in known}
    near = [folded[item] for item in get_close_matches(name.casefold(), folded, 3, 0.5)]
    asked = f"did you mean {separator.join(near)}? " if near else ""
    more = separator + "..." if len(known) > _NAMED else ""
    return f"{asked}{lead} {separator.join(known[:_NAMED])}{more}"
