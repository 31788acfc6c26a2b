"""Requirements on numbers, and the verdict on each in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rai_assets.errors import UsageError
from rai_assets.metrics.definitions import Definition, definition
from rai_assets.metrics.number import Number

Outcome = Literal["pass", "fail", "cannot tell"]
AUDITED = (None, "all", "test")
"""Splits whose numbers are the audit's; those of the others stand beside them for comparison."""
_WORST_FIRST: tuple[Outcome, ...] = ("fail", "cannot tell", "pass")


@dataclass(frozen=True)
class Requirement:
    """What a number must be.

    Attributes:
        id: Name of the requirement.
        definition: Metric, with or without version.
        text: What it is for, in the words of whoever requires it.
        group: {column: value} of one group; empty for all rows, a gap, or every group of `sensitive`.
        sensitive: Columns whose groups are compared, or of which every group must hold; in any order.
        coordinates: Class, stratifier and the like, exactly as the number carries them.
        cohort: Cohort the number is measured on; None for all rows.
        at_most: Upper limit. Exactly one of the two limits is given.
        at_least: Lower limit.
        blocking: A failure stops a merge into `main` and a promotion.
    """

    id: str
    definition: str
    text: str = ""
    group: Mapping[str, str] = field(default_factory=dict)
    sensitive: Sequence[str] = ()
    coordinates: Mapping[str, str] = field(default_factory=dict)
    cohort: str | None = None
    at_most: float | None = None
    at_least: float | None = None
    blocking: bool = True

    def __post_init__(self) -> None:
        definition(self.definition)
        if (self.at_most is None) == (self.at_least is None):
            raise UsageError(
                f"requirement {self.id!r} needs either `at_most` or `at_least`, and one of them only",
                fix="keep the one that is meant; a range is two requirements",
            )
        if not math.isfinite(self.limit):
            raise UsageError(
                f"the limit of requirement {self.id!r} is not a finite number", fix="write it as a number, e.g. 0.1"
            )

    @property
    def limit(self) -> float:
        """The limit, whichever side it is on."""
        limit = self.at_most if self.at_most is not None else self.at_least
        return float(limit) if limit is not None else math.nan

    def concerns(self, number: Number) -> bool:
        """Whether a number is one that this requirement speaks of; those of rows kept for training are not."""
        others = dict(number.coordinates)
        compared = [column for column in others.pop("sensitive", "").split(",") if column]
        same_groups = (
            dict(number.group) == dict(self.group)
            if self.group or not self.sensitive
            else set(compared or number.group) == set(self.sensitive)
        )
        columns = set(compared or number.group)
        return (
            number.definition == definition(self.definition).id
            and number.split in AUDITED
            and same_groups
            and (not self.sensitive or columns == set(self.sensitive))
            and (bool(self.sensitive) or bool(self.group) or not compared)
            and others == dict(self.coordinates)
            and number.cohort == self.cohort
        )


def measured_by(requirement: Requirement) -> str:
    """The asset that measures a requirement's number."""
    name = requirement.definition.partition("@")[0]
    if name in {"mean_absolute_shap_value", "additivity_residual", "sensitive_association", "permutation_importance"}:
        return "explanations"
    return "fairness_audit" if requirement.sensitive or requirement.group else "evaluation"


@dataclass(frozen=True)
class Verdict:
    """Whether a requirement holds.

    Attributes:
        requirement: Id of the requirement.
        verdict: `pass`, `fail` or `cannot tell`.
        number: The number that decided; None where none was measured.
        sentence: The verdict for a reader without the tables.

    How often verdicts are wrong, by rows and distance from the limit, is simulated in `docs/statistics.md`.
    """

    requirement: str
    verdict: Outcome
    number: Number | None
    sentence: str


def judge(requirement: Requirement, numbers: Iterable[Number]) -> Verdict:
    """Judge a requirement on the numbers of one audit.

    `value <= t` passes when the interval's upper bound is <= t, fails when its lower bound is > t, and cannot be told
    in between; a number without an interval is judged by its value, which the sentence says. Where several numbers are
    concerned (every group, every class), the requirement must hold for all of them and the worst decides.
    """
    concerned = [number for number in numbers if requirement.concerns(number)]
    if not concerned:
        what = definition(requirement.definition).name
        return Verdict(requirement.id, "cannot tell", None, f"No {what} was measured here: cannot tell.")
    worst = min(concerned, key=lambda number: _badness(requirement, number))
    outcome = _outcome(requirement, worst)
    return Verdict(requirement.id, outcome, worst, _sentence(requirement, worst, outcome, len(concerned)))


def _outcome(requirement: Requirement, number: Number) -> Outcome:
    if number.value is None:
        return "cannot tell"
    low, high = _bounds(number)
    if requirement.at_most is not None:
        return "pass" if high <= requirement.at_most else "fail" if low > requirement.at_most else "cannot tell"
    return "pass" if low >= requirement.limit else "fail" if high < requirement.limit else "cannot tell"


def _bounds(number: Number) -> tuple[float, float]:
    """The interval; the value alone where there is none, without end where a bound is missing."""
    value = math.nan if number.value is None else number.value
    if number.low is None and number.high is None:
        return value, value
    return (
        -math.inf if number.low is None else number.low,
        math.inf if number.high is None else number.high,
    )


def _badness(requirement: Requirement, number: Number) -> tuple[int, float]:
    """Sort key: the worst outcome first, then the value nearest to, or farthest beyond, the limit."""
    room = math.inf
    if number.value is not None:
        sign = 1 if requirement.at_most is not None else -1
        room = sign * (requirement.limit - number.value)
    return _WORST_FIRST.index(_outcome(requirement, number)), room


def _sentence(requirement: Requirement, number: Number, outcome: Outcome, concerned: int) -> str:
    subject = describe(number)
    if number.value is None:
        return f"{subject} cannot be given ({number.reason}): cannot tell."
    digits = 0 if number.unit == "count" else _digits(number.value, requirement.limit, number.low, number.high)
    words = [f"{subject} is {number.value:,.{digits}f}"]
    if number.low is None and number.high is None:
        words.append(" (judged by the value alone, without an interval)")
    else:
        low = "no lower bound" if number.low is None else f"{number.low:,.{digits}f}"
        high = "no upper bound" if number.high is None else f"{number.high:,.{digits}f}"
        words.append(f" ({100 * (number.level or 0):.3g} % interval {low} to {high})")
    limit = f"{requirement.limit:,.{digits}f}"
    at_most = requirement.at_most is not None
    if outcome == "cannot tell":
        words.append(f", and the interval reaches {'above' if at_most else 'below'} the limit {limit}: cannot tell")
    elif outcome == "pass":
        words.append(f", {'not above' if at_most else 'not below'} the limit {limit}: passes")
    else:
        words.append(f", {'above' if at_most else 'below'} the limit {limit}: fails")
    words.append(".")
    if number.small:
        words.append(f" It rests on few rows (n = {number.n}).")
    if concerned > 1:
        words.append(f" Of {concerned} numbers that must hold, this is the furthest from it.")
    return "".join(words)


def _digits(*values: float | None) -> int:
    """Decimals, 2 to 6, that tell the limit from the value and the bounds wherever they differ."""
    value, limit, *bounds = values
    known = [item for item in (value, *bounds) if item is not None and item != limit]
    for digits in range(2, 6):
        if all(f"{item:.{digits}f}" != f"{limit:.{digits}f}" for item in known):
            return digits
    return 6


def describe(number: Number) -> str:
    """What a number is, as the subject of a sentence: `The largest gap in selection rate between groups of sex`."""
    item = definition(number.definition)
    compared = number.coordinates.get("sensitive", "").replace(",", " and ")
    words = _gap_words(item, number, compared) if item.of else item.name
    if compared and item.of is None:
        words += f" between groups of {compared}"
    if number.group and not number.reference:
        words += f" for {_named(number.group)}"
    if number.reference and item.of is None:
        words += f", all others against {_named(number.reference)}"
    others = {name: value for name, value in number.coordinates.items() if name not in ("sensitive", "stratifier")}
    words += "".join(f", {name} {value}" for name, value in others.items())
    if number.cohort:
        words += f", cohort {number.cohort}"
    return f"The {words}"


def _gap_words(item: Definition, number: Number, compared: str) -> str:
    metric = definition(item.of or "").name
    kind = item.id.partition("@")[0].removeprefix(f"{item.of}_")
    if kind == "conditional_difference":
        stratifier = number.coordinates.get("stratifier", "")
        return f"largest gap in {metric} between groups of {compared} at equal {stratifier}"
    if kind == "difference":
        return f"largest gap in {metric} between groups of {compared}"
    if kind == "ratio":
        return f"lowest {metric} as a share of the highest between groups of {compared}"
    how = "difference in" if kind == "difference_to_reference" else "ratio of"
    return f"{how} {metric} of {_named(number.group)} to {_named(number.reference or {})}"


def _named(group: Mapping[str, str]) -> str:
    return ", ".join(f"{column}={value}" for column, value in group.items())
