"""The rules that an audit asks of every batch: those of its contract, and those that every batch has."""

from __future__ import annotations

from rai_assets.data.rules import rules_of
from rai_assets.data.settings import DatasetSettings
from rai_assets.monitoring.batches.contracts import for_batches

READABLE, VALUES, TIME = "readable", "has_values", "event_time"
LATENESS, SIZE = "lateness", "usual_size"
ALWAYS = {
    READABLE: "The files can be read as the contract says, and have rows.",
    VALUES: "Every column has values; what is not known yet, like labels, may be missing.",
    TIME: "Every time is a known instant, and none is later than the file that tells of it.",
    LATENESS: "No rows of a further file come too late for a batch that was accepted already.",
    SIZE: "The batch is not ten times bigger or smaller than usual.",
}
_ADVICE = frozenset({SIZE})  # a batch is not refused for these


def rule_descriptions(declared: DatasetSettings) -> dict[str, str]:
    """{rule: what holds when it passes} of the batches of a declared data set."""
    of_contract = rules_of(for_batches(declared, ()))
    return {**ALWAYS, **{rule.name: rule.description for rule in of_contract}}


def blocking(rule: str) -> bool:
    """Whether a batch is refused when this rule does not hold."""
    return rule not in _ADVICE
