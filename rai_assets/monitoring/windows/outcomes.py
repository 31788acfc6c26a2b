"""Alarms of a window about what came of the decisions: requirements, performance, gaps between groups."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rai_assets.charts.text import cut, decimal
from rai_assets.metrics.definitions import definition
from rai_assets.monitoring.checks import AS_AUDITED, ESTIMATES_HELD, NOT_LOWER
from rai_assets.monitoring.windows.alarm import NAME, REASON, Alarm, keys_of, moved, said
from rai_assets.monitoring.windows.chance import beyond_by_chance, chance_of
from rai_assets.monitoring.windows.kept import CHANGE
from rai_assets.monitoring.windows.window import Seen, Window


def requirements(window: Window, answers: Collection[str]) -> Iterator[Alarm]:
    """One alarm per requirement that does not hold on the labels of some batches."""
    judged: dict[str, list[tuple[Seen, Mapping[str, Any]]]] = {}
    for batch in window.batches:
        for item in batch.verdicts:
            # One whose interval lies on both sides of the limit was asked, too: failures are not to stand alone.
            if item["verdict"] != "cannot tell" or item.get("value") is not None:
                judged.setdefault(item["id"], []).append((batch, item))
    for name, items in judged.items():
        hit = [batch for batch, item in items if item["verdict"] == "fail"]
        if hit:
            last = next(item for batch, item in reversed(items) if batch is hit[-1])
            rate = (1 - (last["level"] or 1.0)) / 2
            beyond = [beyond_by_chance(item, item.get("limit", 0.0)) for _, item in items if item["verdict"] == "fail"]
            yield Alarm(
                "requirement", name, f"Requirement {name} does not hold", keys_of(hit),
                f"In {hit[-1].key}: {cut(last['sentence'], REASON)}", moved(hit, answers),
                "It was required of what serves: decide with its owners whether it may go on, and audit it again on "
                "rows with the new labels.",
                chance_of(len(hit), len(items), rate, [p_value for p_value in beyond if p_value is not None]),
            )  # fmt: skip


_PERFORMANCE = (
    (
        "realized_performance",
        AS_AUDITED,
        "Performance is below that in the audit",
        "Do not wait: audit on rows with the new labels, train again if there is a model, and decide with the owners "
        "whether it may go on meanwhile.",
    ),
    (
        "realized_performance",
        ESTIMATES_HELD,
        "Estimates made without labels did not hold",
        "A score does not mean any more what it meant in the audit: do not rely on estimates of batches without labels "
        "until the model or its calibration is renewed.",
    ),
    (
        "estimated_performance",
        NOT_LOWER,
        "Performance is likely to be lower",
        "Have some of these rows labelled and measure. An estimate follows who is scored, not their outcomes.",
    ),
)


def performance(window: Window, rate: float, answers: Collection[str]) -> Iterator[Alarm]:
    """One alarm per check of performance, measured or estimated, that some batches fail."""
    for asset, check, title, advice in _PERFORMANCE:
        asked = [item for item in window.batches if item.told(asset, check)]
        hit = [item for item in asked if check in item.failed(asset)]
        if hit:
            beyond = [_worse_by_chance(item) for item in hit] if check == AS_AUDITED else []
            chance = chance_of(len(hit), len(asked), rate, [p_value for p_value in beyond if p_value is not None])
            found, causes = said(hit, asset, check), moved(hit, answers)
            yield Alarm("performance", asset, title, keys_of(hit), found, causes, advice, chance)


def _worse_by_chance(batch: Seen) -> float | None:
    """That of the change of the main metric since the audit."""
    for item in batch.results["realized_performance"].numbers:
        if item.definition == CHANGE:
            return beyond_by_chance(vars(item), 0.0)
    return None


def gaps(window: Window, rate: float, answers: Collection[str]) -> Iterator[Alarm]:
    """One alarm per gap between groups that has grown."""
    asked = [item for item in window.batches if item.rows_of("fairness_drift")]
    grown: dict[tuple[str, str], list[tuple[Seen, Mapping[str, Any]]]] = {}
    for batch in asked:
        for row in batch.rows_of("fairness_drift"):
            if row["verdict"] == "grew":
                grown.setdefault((row["sensitive"], row["definition"]), []).append((batch, row))
    for (sensitive, identifier), rows in grown.items():
        worst, most = max(rows, key=lambda item: item[1]["change"])
        hit = [batch for batch, _ in rows]
        beyond = [
            p_value * len(batch.rows_of("fairness_drift"))
            for batch in hit
            if (number := batch.number("fairness_drift", CHANGE, sensitive=sensitive, of=identifier))
            and (p_value := beyond_by_chance(vars(number), 0.0)) is not None
        ]
        groups = cut(sensitive, NAME)
        found = f"In {worst.key} {decimal(most['current'])}, {decimal(most['baseline'])} in the audit."
        yield Alarm(
            "gap", f"{identifier} by {sensitive}",
            f"Groups of {groups} are farther apart: {definition(identifier).name}",
            keys_of(hit), found, moved(hit, answers),
            f"Have a person look at recent decisions about the groups of {groups} before more are made, and audit the "
            "model on these rows.",
            chance_of(len(hit), len(asked), rate, beyond),
        )  # fmt: skip
