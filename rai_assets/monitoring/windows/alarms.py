"""Alarms of a window: what was found in which batches, whether chance alone explains it, the cause, what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from rai_assets.charts.text import count, cut, how_many
from rai_assets.monitoring.batches.settings import MODEL_DECISION, MODEL_SCORE
from rai_assets.monitoring.checks import EVERY_ROW_PREDICTED
from rai_assets.monitoring.windows import changes, outcomes
from rai_assets.monitoring.windows.alarm import NAME, REASON, Alarm, keys_of, said
from rai_assets.monitoring.windows.window import PREDICTIONS, Window

ANSWERS = (MODEL_DECISION, MODEL_SCORE)
_NAMED = 6  # batches named in a sentence
_APART = 6  # batches in quarantine that have an alarm each; more of them have one together


def alarms(
    window: Window, importance: Mapping[str, float], false_alarms: float, answers: Collection[str] = ANSWERS
) -> list[Alarm]:
    """Every alarm of a window: first those that stand, each kind in the order of its weight.

    Args:
        window: The window.
        importance: Weight of each column in the model.
        false_alarms: Share of the batches without a change in which one comparison raises an alarm.
        answers: Columns of drift that hold what was decided, so that they are no cause of anything.
    """
    found = [
        *_arrivals(window),
        *_unpredicted(window),
        *outcomes.requirements(window, answers),
        *outcomes.performance(window, false_alarms, answers),
        *outcomes.gaps(window, false_alarms, answers),
        *changes.columns(window, importance, false_alarms, answers),
        *changes.together(window, false_alarms, answers),
        *changes.reasons(window, false_alarms, answers),
    ]
    return sorted(found, key=lambda item: not item.stands)


def _arrivals(window: Window) -> Iterator[Alarm]:
    refused = window.quarantined
    # Of many the alarms about the others would not be seen.
    for items in [refused] if len(refused) > _APART else [(item,) for item in refused]:
        last, many = items[-1], len(items) > 1
        yield Alarm(
            "quarantine", "arrivals" if many else last.key,
            f"{how_many(len(items), 'batch')} are in quarantine" if many
            else f"Batch {cut(last.key, NAME)} is in quarantine",
            tuple(item.key for item in items),
            f"In {cut(last.key, NAME)}: {_why(last.reason)}" if many else _why(last.reason), (),
            "Have a corrected file sent: it makes the batch again. If the change is meant, "
            "rai contract accept makes it the contract from then on; a range is widened in the declaration first.",
        )  # fmt: skip
    if window.missing:
        yield Alarm(
            "missing", "arrivals", f"{how_many(len(window.missing), 'batch')} never arrived", window.missing,
            f"Nothing arrived for {_listed(window.missing)}.", (), "Ask the source; rai doctor says whether the "
            "daemon that watches the inbox lives.",
        )  # fmt: skip
    for asset, keys in window.unanswered.items():
        thing = asset.replace("_", " ").capitalize()
        yield Alarm(
            "unanswered", asset, f"{thing} is not known of {how_many(len(keys), 'batch')}",
            keys, f"There is no result for {_listed(keys)}.", (), "Look at the runs of these batches in Dagster, then "
            "materialize them again, or rai backfill --again.",
        )  # fmt: skip


def _unpredicted(window: Window) -> Iterator[Alarm]:
    hit = [item for item in window.batches if EVERY_ROW_PREDICTED in item.failed(PREDICTIONS)]
    if hit:
        yield Alarm(
            "unpredicted", PREDICTIONS, f"{how_many(len(hit), 'batch')} could not be scored by what serves",
            keys_of(hit), said(hit, PREDICTIONS, EVERY_ROW_PREDICTED), (),
            "Nothing that needs predictions is known of rows without one: have the column sent again, or put a model "
            "into service that does not read it.",
        )  # fmt: skip


def _why(reason: str) -> str:
    """The first reason, and how many lines more there are."""
    lines = [line for line in reason.splitlines() if line.strip()]
    rest = f" ({how_many(len(lines) - 1, 'more line')}: rai batches)" if len(lines) > 1 else ""
    return cut(lines[0], REASON) + rest if lines else "It breaks its contract."


def _listed(keys: Sequence[str]) -> str:
    shown = ", ".join(cut(key, NAME) for key in keys[:_NAMED])
    return shown + (f" and {count(len(keys) - _NAMED)} more" if len(keys) > _NAMED else "")
