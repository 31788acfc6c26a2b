"""What an audit says of a batch: the rules of its contract, and those that every batch has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rai_assets.data.rules import RuleResult, rules_of
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import InputRefused

READABLE, SIZE = "readable", "usual_size"
_ALWAYS = {
    READABLE: "The files can be read as the contract says, and have rows.",
    SIZE: "The batch is not ten times bigger or smaller than usual.",
}
_ADVICE = frozenset({SIZE})  # a batch is not refused for these
_TIMES = 10
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


def rule_descriptions(settings: DatasetSettings) -> dict[str, str]:
    """{rule: what holds when it passes} of a batch under this contract."""
    return {**_ALWAYS, **{rule.name: rule.description for rule in rules_of(settings)}}


def blocking(rule: str) -> bool:
    """Whether a batch is refused when this rule does not hold."""
    return rule not in _ADVICE


def of_rules(results: Sequence[RuleResult]) -> list[Finding]:
    """The rules of the contract."""
    return [Finding(item.rule, item.passed, True, item.sentence, item.count, item.columns) for item in results]


def readable() -> Finding:
    """The files could be read."""
    return Finding(READABLE, True, True, _ALWAYS[READABLE])


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
        return Finding(SIZE, True, False, f"{rows:,} rows; fewer than {_FEWEST_BATCHES} batches to compare with.")
    usual = median(former)
    fits = usual / _TIMES < rows < usual * _TIMES
    return Finding(SIZE, fits, False, f"{rows:,} rows; the middle of {len(former)} batches has {usual:,.0f}.", not fits)
