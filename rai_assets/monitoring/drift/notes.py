"""What is said of all comparisons of a run: what raises an alarm, where p-values are from, how far both hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rai_assets.monitoring.drift.order import least_blocks, unlucky_rate
from rai_assets.monitoring.drift.result import DriftRow
from rai_assets.monitoring.drift.settings import DriftSettings

_RULES = {
    "calibrated": "An alarm is a p-value of at most {level:g}, adjusted for all columns of a chunk.",
    "textbook": "An alarm is a p-value of the textbook of at most {level:g}, adjusted for all columns of a chunk; with "
    "expected counts under 5 it does not hold its level.",
    "reference_chunks": "An alarm is a value outside mean ± {deviations:g} standard deviations of the reference's "
    "chunks.",
    "evidently": "An alarm is what Evidently's defaults call drift: p < 0.05 up to 1,000 reference rows, else a "
    "distance of at least 0.1.",
    "fixed": "An alarm is a value above the limit.",
}


def rule_notes(asked: DriftSettings, blocks: int, rows: Sequence[DriftRow]) -> list[str]:
    """Notes on the rule, on p-values in an order, on false alarms of rules without a level, and on sketched values.

    Args:
        asked: The rule and the order.
        blocks: Blocks of the reference that chunks were compared with.
        rows: Every comparison.
    """
    said = [_RULES[asked.rule].format(level=asked.level, deviations=asked.deviations)]
    if asked.rule == "calibrated" and (asked.chunks or asked.timestamp):
        said.append(_of_blocks(blocks, asked.level) if blocks else _of_rows(least_blocks(asked.level)))
    rates = [row.false_alarm_rate for row in rows if row.false_alarm_rate is not None]
    if rates:
        source = (
            "the reference's chunks alarm by the limits of the others"
            if asked.rule == "reference_chunks"
            else "the comparisons alarm if nothing has changed"
        )
        said.append(f"Up to {100 * max(rates):.0f} % of {source}, on average {100 * np.mean(rates):.0f} %.")
    largest = max((row.error for row in rows), default=0.0)
    if largest:
        said.append(f"Over a million values were sketched: shares are off by at most {largest:.2g}.")
    return said


def _of_blocks(blocks: int, level: float) -> str:
    return (
        f"Rows have an order: a change has to show against {blocks} contiguous blocks of the reference and also with "
        "rows taken as interchangeable; the larger p-value counts. Where rows that follow each other resemble each "
        "other, only the blocks guard: they hold over references, but by one in twenty of these at least "
        f"{100 * unlucky_rate(blocks, level):.0f} % of unchanged chunks alarm."
    )


def _of_rows(least: int) -> str:
    return (
        f"P-values take rows as interchangeable: the reference has fewer than {least} blocks to show how much "
        "contiguous rows differ anyway."
    )
