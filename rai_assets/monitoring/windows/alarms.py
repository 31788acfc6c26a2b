"""Alarms of a window: what was found in which batches, whether chance alone explains it, the cause, what to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rai_assets.charts.text import count, cut, decimal, how_many
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.intervals import normal_quantile
from rai_assets.monitoring.batches.questions import MODEL_DECISION, MODEL_SCORE
from rai_assets.monitoring.windows.window import Seen, Window

ANSWERS = (MODEL_DECISION, MODEL_SCORE)
LEVEL = 0.05
"""Share of windows without a change in which an alarm is said to stand."""
_NAMED = 6  # batches or columns named in a sentence
_NAME, _REASON = 80, 300


@dataclass(frozen=True)
class Alarm:
    """One thing that was found in some batches of a window.

    Attributes:
        kind: `requirement`, `column`, `together`, `gap`, `reasons`, `performance`, `quarantine`, `missing` or
            `unanswered`.
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
        *_requirements(window, answers),
        *_performance(window, false_alarms, answers),
        *_gaps(window, false_alarms, answers),
        *_columns(window, importance, false_alarms, answers),
        *_together(window, false_alarms, answers),
        *_reasons(window, false_alarms, answers),
    ]
    return sorted(found, key=lambda item: not item.stands)


def chance_of(alarmed: int, batches: int, rate: float, p_values: Sequence[float] = ()) -> float:
    """How often a window without a change raises as many alarms, or one with as small a p-value.

    Twice the smaller of the binomial tail of the number of alarms and the least adjusted p-value times the number of
    batches (Bonferroni over both questions).

    Args:
        alarmed: Batches with an alarm.
        batches: Batches that were asked.
        rate: Share of unchanged batches with an alarm.
        p_values: Adjusted p-values of the alarms, each over its batch.

    Returns:
        Probability in [0, 1].
    """
    tail = sum(math.comb(batches, k) * rate**k * (1 - rate) ** (batches - k) for k in range(alarmed, batches + 1))
    least = min((p_value * batches for p_value in p_values), default=1.0)
    return min(1.0, 2 * min(tail, least)) if p_values else min(1.0, tail)


def beyond_by_chance(number: Mapping[str, Any], limit: float) -> float | None:
    """How often a value so far beyond a limit comes by chance, by the normal approximation of its interval.

    Args:
        number: `value`, `low`, `high` and their `level`.
        limit: The value that is exceeded, on either side.

    Returns:
        One-sided p-value; None where there is no interval.
    """
    value, level = number.get("value"), number.get("level")
    near = None if value is None else number.get("low" if value > limit else "high")
    if value is None or level is None or near is None or near == value:
        return None
    deviations = abs(value - limit) / abs(value - near) * normal_quantile(level)
    return math.erfc(deviations / math.sqrt(2)) / 2


def _worse_by_chance(batch: Seen) -> float | None:
    """That of the change of the main metric since the audit."""
    for item in batch.results["realized_performance"].numbers:
        if item.definition == "change_from_baseline@1":
            return beyond_by_chance(vars(item), 0.0)
    return None


def _columns(window: Window, importance: Mapping[str, float], rate: float, answers: Collection[str]) -> Iterator[Alarm]:
    """One alarm per column that has changed, the largest effect times importance first."""
    asked = [item for item in window.batches if item.rows_of("drift")]
    by_column: dict[str, list[tuple[Seen, Mapping[str, Any]]]] = {}
    for batch in asked:
        for row in batch.rows_of("drift"):
            if row.get("drifted") and row.get("column") and row.get("rank"):
                by_column.setdefault(row["column"], []).append((batch, row))
    weight = {
        column: max(row["effect"] or 0.0 for _, row in rows) * (importance.get(column, 0.0) or 1e-6)
        for column, rows in by_column.items()
    }
    for column in sorted(by_column, key=lambda name: -weight[name]):
        rows = by_column[column]
        most = max(rows, key=lambda item: item[1]["effect"] or 0.0)
        keys = tuple(dict.fromkeys(batch.key for batch, _ in rows))
        p_values = [row["family_p_value"] for _, row in rows if row.get("family_p_value") is not None]
        name = cut(column, _NAME)
        found = f"Most in {most[0].key}: {most[1]['method']} {decimal(most[1]['statistic'])}, effect "
        found += f"{decimal(most[1]['effect'] or 0.0)}." + (
            f" Shares of rows then -> now: {most[1]['drivers']}." if most[1].get("drivers") else ""
        )
        found += f" Its weight in the model is {decimal(importance[column])}." if column in importance else ""
        answer = column in answers
        causes = _moved([batch for batch in asked if batch.key in keys], answers)
        once = len(keys) == 1 and len(asked) > 1
        yield Alarm(
            "column", column, f"{name} has changed", keys, found, causes if answer else (),
            _of_answers(causes) if answer else _advice(name, once=once),
            chance_of(len(keys), len(asked), rate, p_values),
        )  # fmt: skip


def _of_answers(causes: Sequence[str]) -> str:
    if causes:
        return (
            "What is decided changed along with what it is decided from: see the columns above. Tell those who work "
            "with the decisions."
        )
    return (
        "No column that it is decided from changed in the same batches: ask whether the model, its threshold or the "
        "rule that decides was changed, and tell those who work with the decisions."
    )


def _advice(column: str, *, once: bool) -> str:
    asked = f"Ask who writes {column} whether its unit, its source, or the people whom it is about changed"
    if once:
        return f"{asked} in this one file; if something broke, have a corrected file sent."
    return f"{asked}. If the change is real and lasts, audit the model on recent rows before it is relied on further."


def _together(window: Window, rate: float, answers: Collection[str]) -> Iterator[Alarm]:
    asked = [item for item in window.batches if item.rows_of("drift")]
    hit = [item for item in asked if "columns_together_unchanged" in item.failed("drift")]
    if hit:
        p_values = [
            row["p_value"] * 2
            for item in hit for row in item.rows_of("drift")
            if row.get("drifted") and not row.get("rank") and row.get("p_value") is not None
        ]  # fmt: skip
        yield Alarm(
            "together", "drift", "The columns together have changed", _keys(hit),
            _said(hit, "drift", "columns_together_unchanged"), _moved(hit, answers),
            "Look at the columns named first. If none of them changed by itself, it is how they go together that "
            "changed: compare their pairs.",
            chance_of(len(hit), len(asked), rate, p_values),
        )  # fmt: skip


def _gaps(window: Window, rate: float, answers: Collection[str]) -> Iterator[Alarm]:
    """One alarm per gap between groups that has grown."""
    asked = [item for item in window.batches if item.rows_of("fairness_drift")]
    grown: dict[tuple[str, str], list[tuple[Seen, Mapping[str, Any]]]] = {}
    for batch in asked:
        for row in batch.rows_of("fairness_drift"):
            if row["verdict"] == "grew":
                grown.setdefault((row["sensitive"], row["definition"]), []).append((batch, row))
    for (sensitive, identifier), rows in grown.items():
        most = max(rows, key=lambda item: item[1]["change"])
        hit = [batch for batch, _ in rows]
        beyond = [
            p_value * len(batch.rows_of("fairness_drift"))
            for batch in hit
            if (number := batch.number("fairness_drift", "change_from_baseline@1", sensitive=sensitive, of=identifier))
            and (p_value := beyond_by_chance(vars(number), 0.0)) is not None
        ]
        row = most[1]
        groups = cut(sensitive, _NAME)
        found = f"In {most[0].key} {decimal(row['current'])}, {decimal(row['baseline'])} in the audit."
        yield Alarm(
            "gap", f"{identifier} by {sensitive}",
            f"Groups of {groups} are farther apart: {definition(identifier).name}",
            _keys(hit), found, _moved(hit, answers),
            f"Have a person look at recent decisions about the groups of {groups} before more are made, and audit the "
            "model on these rows.",
            chance_of(len(hit), len(asked), rate, beyond),
        )  # fmt: skip


def _requirements(window: Window, answers: Collection[str]) -> Iterator[Alarm]:
    """One alarm per requirement that does not hold on the labels of some batches."""
    judged: dict[str, list[tuple[Seen, Mapping[str, Any]]]] = {}
    for batch in window.batches:
        for item in batch.verdicts:
            if item["verdict"] != "cannot tell":
                judged.setdefault(item["id"], []).append((batch, item))
    for name, items in judged.items():
        hit = [batch for batch, item in items if item["verdict"] == "fail"]
        if hit:
            last = next(item for batch, item in reversed(items) if batch is hit[-1])
            rate = (1 - (last["level"] or 1.0)) / 2
            beyond = [beyond_by_chance(item, item.get("limit", 0.0)) for _, item in items if item["verdict"] == "fail"]
            yield Alarm(
                "requirement", name, f"Requirement {name} does not hold", _keys(hit),
                f"In {hit[-1].key}: {cut(last['sentence'], _REASON)}", _moved(hit, answers),
                "It was required of what serves: decide with its owners whether it may go on, and audit it again on "
                "rows with the new labels.",
                chance_of(len(hit), len(items), rate, [p_value for p_value in beyond if p_value is not None]),
            )  # fmt: skip


_PERFORMANCE = (
    (
        "realized_performance",
        "not_below_audit",
        "Performance is below that in the audit",
        "Do not wait: audit on rows with the new labels, train again if there is a model, and decide with the owners "
        "whether it may go on meanwhile.",
    ),
    (
        "realized_performance",
        "estimates_held",
        "Estimates made without labels did not hold",
        "A score does not mean any more what it meant in the audit: do not rely on estimates of batches without labels "
        "until the model or its calibration is renewed.",
    ),
    (
        "estimated_performance",
        "performance_not_lower",
        "Performance is likely to be lower",
        "Have some of these rows labelled and measure. An estimate follows who is scored, not their outcomes.",
    ),
)


def _performance(window: Window, rate: float, answers: Collection[str]) -> Iterator[Alarm]:
    for asset, check, title, advice in _PERFORMANCE:
        asked = [item for item in window.batches if item.told(asset, check)]
        hit = [item for item in asked if check in item.failed(asset)]
        if hit:
            beyond = [_worse_by_chance(item) for item in hit] if check == "not_below_audit" else []
            chance = chance_of(len(hit), len(asked), rate, [p_value for p_value in beyond if p_value is not None])
            found, moved = _said(hit, asset, check), _moved(hit, answers)
            yield Alarm("performance", asset, title, _keys(hit), found, moved, advice, chance)


def _reasons(window: Window, rate: float, answers: Collection[str]) -> Iterator[Alarm]:
    asked = [item for item in window.batches if "attribution_drift" in item.results]
    hit = [item for item in asked if item.failed("attribution_drift")]
    if hit:
        yield Alarm(
            "reasons", "attribution_drift", "The model goes by other columns than in its audit", _keys(hit),
            _said(hit, "attribution_drift", "same_reasons"), _moved(hit, answers),
            "Read which columns it goes by now. If one of them stands in for a sensitive column, stop and audit.",
            chance_of(len(hit), len(asked), rate),
        )  # fmt: skip


def _arrivals(window: Window) -> Iterator[Alarm]:
    for item in window.quarantined:
        yield Alarm(
            "quarantine", item.key, f"Batch {cut(item.key, _NAME)} is in quarantine", (item.key,),
            _why(item.reason), (),
            "Have a corrected file sent: it makes the batch again. If the change is meant, "
            "rai contract accept makes it the contract from then on.",
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


def _why(reason: str) -> str:
    """The first reason, and how many lines more there are."""
    lines = [line for line in reason.splitlines() if line.strip()]
    rest = f" ({how_many(len(lines) - 1, 'more line')}: rai batches)" if len(lines) > 1 else ""
    return cut(lines[0], _REASON) + rest if lines else "It breaks its contract."


def _keys(batches: Iterable[Seen]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.key for item in batches))


def _said(hit: Sequence[Seen], asset: str, check: str) -> str:
    """What the check said of the last batch that failed it."""
    last = hit[-1]
    return f"In {last.key}: {cut(last.failed(asset)[check], _REASON).rstrip('.')}."


def _moved(batches: Sequence[Seen], answers: Collection[str]) -> tuple[str, ...]:
    """The columns that changed in these batches, the largest effect times importance first; not what was decided."""
    ranks: dict[str, list[float]] = {}
    for batch in batches:
        for row in batch.rows_of("drift"):
            if row.get("drifted") and row.get("rank") and row["column"] not in ("", *answers):
                ranks.setdefault(row["column"], []).append(1 / row["rank"])
    order: Callable[[str], float] = lambda column: -sum(ranks[column])  # noqa: E731
    return tuple(
        f"{cut(column, _NAME)} changed in {len(ranks[column])} of these {len(batches)} batches"
        if len(batches) > 1
        else f"{cut(column, _NAME)} changed in this batch"
        for column in sorted(ranks, key=order)[:3]
    )


def _listed(keys: Sequence[str]) -> str:
    shown = ", ".join(cut(key, _NAME) for key in keys[:_NAMED])
    return shown + (f" and {count(len(keys) - _NAMED)} more" if len(keys) > _NAMED else "")
