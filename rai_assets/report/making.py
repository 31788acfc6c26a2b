"""Making the report on a window of production, and storing it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from rai_assets.errors import RaiError
from rai_assets.keys import PRODUCTION, WINDOWS, results_branch
from rai_assets.monitoring.batches.production import Production
from rai_assets.monitoring.batches.reference import Reference, reference_of
from rai_assets.monitoring.profiles.profile import window_profile
from rai_assets.monitoring.profiles.whylogs_file import FILE as WHYLOGS
from rai_assets.monitoring.windows.alarms import ANSWERS
from rai_assets.monitoring.windows.kept import LEADING, MEASURED, NDCG, TOGETHER
from rai_assets.monitoring.windows.window import Seen, read_window
from rai_assets.provenance import Provenance, digest_of
from rai_assets.report.html import render_production
from rai_assets.report.production import production_report_of
from rai_assets.report.production_view import outcome_sentence, window_sentence
from rai_assets.store import results
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets.store.results import Result

_NEWEST = (
    ("realized_performance", MEASURED[0]),
    ("estimated_performance", LEADING[0]),
    ("attribution_drift", NDCG),
    ("drift", TOGETHER),
)


@dataclass(frozen=True)
class Made:
    """A report on a window.

    Attributes:
        result: The report as `report.html`, its alarms and counts as facts; and what whylogs reads as `profile.bin`,
            if every batch has a profile of whylogs.
        window: Name of the window.
        digest: Over everything that it was made from.
    """

    result: Result
    window: str
    digest: str


def make_report(
    production: Production,
    repository: VersionedRepository,
    title: str,
    purpose: str,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Made:
    """Make the report on a window from the stored results of its batches.

    Args:
        production: What watches the use case.
        repository: Its repository.
        title: Its name for people.
        purpose: Its description.
        start: Batches from this time on; a year before the end when None.
        end: Batches before this time; until the newest batch when None.

    Raises:
        UsageError: No batch is in the window.
        RaiError: The store or the ledger cannot be reached.
    """
    settings, keys = production.settings, production.keys
    with production.arrivals(repository) as arrivals:
        window = read_window(repository, arrivals, settings.batch, start, end)
    profile, unprofiled = window_profile(repository, window.commit, [item.key for item in window.batches])
    reference = _reference(repository, keys.name)
    importance = settings.drift.importance or ({} if reference is None else reference.importance)
    report = production_report_of(
        window,
        importance,
        settings.drift.level,
        answers=(*ANSWERS, *production.dataset.with_role("prediction"), *production.dataset.with_role("score")),
        use_case=keys.name,
        title=title,
        purpose=purpose,
        owners=keys.owners,
        reference=_in_words(reference),
        profile=profile.tally,
        unprofiled=unprofiled,
    )
    held = [[cell, found.as_json()] for cell, found in profile.tally.statistics()], profile.whylogs is None
    away = [[item.key, item.reason] for item in window.quarantined], window.waiting, window.missing, window.early_labels
    named = title, purpose, report.reference
    name, digest = window.name, digest_of([window.name, window.outside, window.digest, *held, *away, *named])
    facts = {
        "batches of": window_sentence(report),
        "outcome": outcome_sentence(report),
        "alarms": [item.as_json() for item in report.alarms],
        "alarms that stand": len(report.standing),
        "batches": len(window.batches),
        "rows": window.rows,
        "quarantined": len(window.quarantined),
        "missing": len(window.missing or ()),
        "newest": dict(_newest(window.batches[-1])) if window.batches else {},
    }
    del window  # to draw takes memory of its own
    whylogs = {} if profile.whylogs is None else {WHYLOGS: profile.whylogs}
    commit = repository.branches(PRODUCTION).get(PRODUCTION, "")
    result = Result(
        asset="monitoring_report",
        provenance=Provenance(keys.name, PRODUCTION, commit),
        notes=list(report.notes),
        files={"report.html": render_production(report).encode(), **whylogs},
        facts=facts,
    )
    return Made(result, name, digest)


def store_report(made: Made, repository: VersionedRepository, run_id: str) -> str:
    """Store a report unless one of the same inputs is there; returns the commit that holds it."""
    branch, folder = results_branch(PRODUCTION), f"{WINDOWS}{made.window}/"
    found = results.find(repository, branch, made.result.asset, made.digest, folder)
    if found is not None:
        return found.id
    message = f"monitoring_report of {made.window}"
    metadata = {"run_id": run_id, "use_case": made.result.provenance.use_case}
    return results.save(
        repository, branch, made.result, made.digest, message=message, metadata=metadata, folder=folder
    ).id


def _newest(batch: Seen) -> Mapping[str, float]:
    """The leading numbers of one batch, by their names without version."""
    numbers = [(name, batch.number(asset, name)) for asset, name in _NEWEST]
    return {
        f"{name.partition('@')[0]} of the newest batch": number.value
        for name, number in numbers
        if number is not None and number.value is not None
    }


def _reference(repository: VersionedRepository, use_case: str) -> Reference | None:
    """What batches are compared with now; None before there is anything."""
    for has_model in (True, False):
        with suppress(RaiError, NotFound):
            return reference_of(repository, use_case, has_model=has_model)
    return None


def _in_words(reference: Reference | None) -> str:
    if reference is None:
        return "nothing yet"
    rows = "all rows" if reference.champion is None else f"the {reference.split} rows of the serving model's data"
    return f"{rows}, commit {reference.dataset.commit[:12]}"
