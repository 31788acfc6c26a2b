"""Which of the year's changes the report on production shows, read from nothing but its alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rai_assets.defs.lending_served.year import MONTHS, SHIFTS

_CLAIMS = (
    ("larger_loans", "From April on a campaign brings larger loans", "column", "loan_amount"),
    ("broken_unit", "In July incomes are per year, within what the contract allows", "column", "income"),
    ("refused_unit", "In September debt ratios are in per cent, which the contract refuses", "quarantine", MONTHS[8]),
    ("older", "From October on most applicants are of 60 and more", "column", "age_group"),
)
UNSEEN = "From May on people of equal applications repay differently"


@dataclass(frozen=True)
class Changed:
    """One row of the table *planted -> found*.

    Attributes:
        name: Name of the change in `SHIFTS`.
        planted: What was planted, in words.
        found: Whether an alarm stands about it, in months that have it and in no other.
        evidence: The alarm.
    """

    name: str
    planted: str
    found: bool
    evidence: str


def changes_found(alarms: Sequence[Mapping[str, Any]]) -> list[Changed]:
    """The changes, and whether the alarms of a report show them.

    Args:
        alarms: Objects with the fields of an alarm, as the report keeps them.
    """
    standing = {(item["kind"], item["subject"]): item for item in alarms if item["stands"]}
    found = []
    for name, planted, kind, subject in _CLAIMS:
        alarm = standing.get((kind, subject))
        if alarm is None:
            found.append(Changed(name, planted, False, "no alarm stands about it"))
            continue
        hit, there = set(alarm["batches"]), set(SHIFTS[name])
        # A batch in quarantine is asked nothing else.
        asked = there if kind == "quarantine" else there - set(SHIFTS["refused_unit"])
        where = f"{alarm['title']}: in {len(hit & there)} of the {len(asked)} months that have it"
        others = sorted(hit - there)
        said = f"{where}, and in {', '.join(others)}" if others else f"{where}, in no other"
        found.append(Changed(name, planted, not others, said))
    return found
