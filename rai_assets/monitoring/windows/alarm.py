"""One alarm of a window, and the words that alarms of several kinds have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rai_assets.charts.text import cut
from rai_assets.monitoring.windows.window import Seen

LEVEL = 0.05
"""Share of windows without a change in which an alarm is said to stand."""
NAME, REASON = 80, 300  # of them so many characters are shown


@dataclass(frozen=True)
class Alarm:
    """One thing that was found in some batches of a window.

    Attributes:
        kind: `requirement`, `column`, `together`, `gap`, `reasons`, `performance`, `quarantine`, `missing`,
            `unanswered` or `unpredicted`.
        subject: What it is about: a requirement, a column, a gap, an asset.
        title: It in a few words.
        batches: The batches that it was found in, by time.
        found: What was found, in a sentence.
        causes: What moved most in these batches.
        advice: What to do next.
        chance: Share of windows of so many batches without a change that raise as many alarms or as small p-values;
            None where chance plays no part.
    """

    kind: str
    subject: str
    title: str
    batches: tuple[str, ...]
    found: str
    causes: tuple[str, ...]
    advice: str
    chance: float | None = None

    @property
    def stands(self) -> bool:
        """Whether chance alone does not explain it."""
        return self.chance is None or self.chance <= LEVEL

    def as_json(self) -> dict[str, Any]:
        """The alarm as a JSON object."""
        return {**vars(self), "stands": self.stands}


def keys_of(batches: Iterable[Seen]) -> tuple[str, ...]:
    """The keys of batches, each once."""
    return tuple(dict.fromkeys(item.key for item in batches))


def said(hit: Sequence[Seen], asset: str, check: str) -> str:
    """What the check said of the last batch that failed it."""
    last = hit[-1]
    return f"In {last.key}: {cut(last.failed(asset)[check], REASON).rstrip('.')}."


def moved(batches: Sequence[Seen], answers: Collection[str]) -> tuple[str, ...]:
    """The columns that changed in these batches, the largest effect times importance first; not what was decided."""
    ranks: dict[str, list[float]] = {}
    for batch in batches:
        for row in batch.rows_of("drift"):
            if row.get("drifted") and row.get("rank") and row["column"] not in ("", *answers):
                ranks.setdefault(row["column"], []).append(1 / row["rank"])
    first = sorted(ranks, key=lambda column: -sum(ranks[column]))[:3]
    return tuple(
        f"{cut(column, NAME)} changed in {len(ranks[column])} of these {len(batches)} batches"
        if len(batches) > 1
        else f"{cut(column, NAME)} changed in this batch"
        for column in first
    )
