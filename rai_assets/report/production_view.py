"""The report on production as the template shows it, with no decision left to the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rai_assets.charts.text import count, cut, decimal, how_many
from rai_assets.monitoring.windows.alarm import LEVEL, Alarm
from rai_assets.report.production import ProductionReport
from rai_assets.report.view import paragraphs, part_of
from rai_assets.report.words import definitions_used

_ALARMS, _CHANCE, _NAMED = 30, 20, 3
_WORDS = {"quarantine": "Refused", "missing": "Missing", "unanswered": "Not known", "unpredicted": "Not known"}


@dataclass(frozen=True)
class Shown:
    """One alarm as it is shown.

    Attributes:
        shape: `fail` or `cannot tell`, for the style.
        word: What kind it is, for people.
        title: What it is about.
        found: What was seen.
        causes: What is suspected.
        advice: What to do about it.
        count: How many batches raised it.
        batches: The first of them by name, and the last.
        chance: How often chance alone would raise as many; empty where that is not the question.
    """

    shape: str
    word: str
    title: str
    found: str
    causes: str
    advice: str
    count: str
    batches: str
    chance: str


def production_view_of(report: ProductionReport) -> dict[str, Any]:
    """Everything the template names."""
    standing = report.standing
    doubtful = [item for item in report.alarms if not item.stands]
    outcome = "fail" if standing else "pass" if report.asked else "cannot tell"
    return {
        "report": report,
        "purpose": paragraphs(report.purpose),
        "window": window_sentence(report),
        "rows_of": "" if report.span is None else _days(*report.span),
        "watched": f"{how_many(report.batches, 'batch')}, {how_many(report.rows, 'row')}",
        "compared": report.reference,
        "outcome": outcome,
        "outcome_word": {"fail": "Alarms", "pass": "Quiet", "cannot tell": "Cannot tell"}[outcome],
        "outcome_sentence": outcome_sentence(report),
        "alarms": [_shown(item) for item in standing[:_ALARMS]],
        "chance": [(item.title, _some(item.batches), item.found) for item in doubtful[:_CHANCE]],
        "level": f"{LEVEL:.0%}",
        "parts": [part_of(section, report.use_case) for section in report.sections],
        "definitions": definitions_used(set(report.definitions)),
    }


def _days(first: datetime, last: datetime) -> str:
    return f"{first.astimezone(UTC):%Y-%m-%d} to {last.astimezone(UTC):%Y-%m-%d}, UTC"


def window_sentence(report: ProductionReport) -> str:
    """Which batches the report is about, and how many it is not about."""
    said = f"{_days(report.start, report.end - timedelta(microseconds=1))}, by {report.dated}"
    if report.outside:
        said += f"; {how_many(report.outside, 'other batch lies', 'other batches lie')} before or after"
    return said


def outcome_sentence(report: ProductionReport) -> str:
    """The window in one sentence."""
    if not report.asked and not report.standing:
        return "No question was answered of any batch yet."
    refused = sum(len(item.batches) for item in report.standing if item.kind == "quarantine")
    missing = sum(len(item.batches) for item in report.standing if item.kind == "missing")
    changes = [item for item in report.standing if item.kind not in ("quarantine", "missing")]
    if not report.standing:
        return f"Nothing was found in {how_many(report.batches, 'batch')} that chance does not explain."
    hit = {key for item in changes for key in item.batches}
    said = [f"{count(len(hit))} of {how_many(report.batches, 'batch')} raised alarms that chance does not explain"]
    if not changes:
        said = [f"the {how_many(report.batches, 'accepted batch')} raised no alarm that chance does not explain"]
    if refused:
        said.append(f"{how_many(refused, 'is', 'are')} in quarantine")
    if missing:
        said.append(f"{count(missing)} never arrived")
    text = f"{', '.join(said[:-1])} and {said[-1]}." if len(said) > 1 else f"{said[0]}."
    return text[:1].upper() + text[1:]


def _shown(item: Alarm) -> Shown:
    plain = item.kind in _WORDS
    return Shown(
        shape="cannot tell" if plain else "fail",
        word=_WORDS.get(item.kind, "Alarm"),
        title=item.title,
        found=item.found,
        causes="; ".join(item.causes),
        advice=item.advice,
        count=how_many(len(item.batches), "batch"),
        batches=_some(item.batches),
        chance="" if item.chance is None else _by_chance(item.chance),
    )


def _some(batches: Sequence[str]) -> str:
    """The first batches by name, and the last."""
    first = ", ".join(cut(key, 60) for key in batches[:_NAMED])
    return first + (f" … {cut(batches[-1], 60)}" if len(batches) > _NAMED else "")


def _by_chance(chance: float) -> str:
    return "by chance: less than 1 in 10,000" if chance < 1e-4 else f"by chance: {decimal(100 * chance)} %"
