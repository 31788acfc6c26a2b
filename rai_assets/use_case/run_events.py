"""What is told to people: failed checks, quarantine, drift, crossed limits and errors of a run; late results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets.charts.text import how_many
from rai_assets.errors import InputRefused
from rai_assets.keys import UseCaseKeys
from rai_assets.monitoring.alerts.settings import DRIFT_ASSETS
from rai_assets.use_case.ended_runs import EndedRun

if TYPE_CHECKING:
    from rai_assets.monitoring.alerts.events import Event
    from rai_assets.monitoring.alerts.outbox import Outbox
    from rai_assets.monitoring.alerts.settings import AlertSettings, Kind, Severity

_BATCH = "batch"


def run_events(ended: EndedRun, settings: AlertSettings, outbox: Outbox) -> list[Event]:
    """What a run found that people are told of; what it found over is told to the outbox."""
    failure = [_failure(ended)] if ended.failed else []
    return [*_checks(ended, outbox), *_crossed(ended, settings, outbox), *failure]


def _checks(ended: EndedRun, outbox: Outbox) -> Iterator[Event]:
    """Failed checks; those of a batch are one event, its quarantine."""
    refused: dict[str, list[Any]] = {}
    for check in ended.checks:
        thing, partition = check.asset_key.path[-1], check.partition or ""
        said = _said(check)
        severe = check.severity == dg.AssetCheckSeverity.ERROR
        if thing == _BATCH and severe:
            refused.setdefault(partition, []).extend([] if check.passed else [check])
            continue
        kind: Kind = "drift" if thing in DRIFT_ASSETS else "check_failed"
        title = f"{ended.use_case}: {check.check_name} of {thing} failed{_on(partition)}"
        severity: Severity = "error" if severe else "warning"
        event = ended.event(kind, thing, check.check_name, partition, title, said, severity)
        if check.passed:
            outbox.over(event.thing, ended.at)
        else:
            yield event
    for partition, broken in refused.items():
        title = f"{ended.use_case}: batch {partition} is quarantined"
        event = ended.event("quarantine", _BATCH, "", partition, title, "\n".join(_said(check) for check in broken))
        event = replace(event, content=_content(broken))
        if broken:
            yield event
        else:
            outbox.over(event.thing, ended.at)


def _content(broken: Sequence[Any]) -> str:
    """What a batch is quarantined for: other files, or other rules that they break, are another quarantine."""
    files = {check.metadata["files_digest"].value for check in broken if "files_digest" in check.metadata}
    return " ".join([*sorted(files), *sorted(check.check_name for check in broken)])


def _said(check: Any) -> str:
    """What a check found, without a value of a row: those are on Dagster's pages only."""
    outward = check.metadata.get("outward")
    if outward is not None:
        return str(outward.value)
    violations, columns = (check.metadata.get(name) for name in ("violations", "columns"))
    if violations is None or columns is None:
        return str(check.description or check.check_name)
    found = how_many(int(violations.value), "violation")
    return f"{check.check_name}: {found}" + (f" in {columns.value}" if columns.value else "")


def _crossed(ended: EndedRun, settings: AlertSettings, outbox: Outbox) -> Iterator[Event]:
    """Numbers of the results of a run that are beyond the limit of a rule."""
    from rai_assets.monitoring.alerts.events import judged
    from rai_assets.store import results
    from rai_assets.store.errors import NotFound

    keys = UseCaseKeys(ended.use_case)
    for rule in settings.rules:
        for made in ended.made:
            thing, partition = made.asset_key.path[-1], made.partition or ""
            if rule.when != "metric_crossed" or rule.asset != thing or "results_commit" not in made.metadata:
                continue
            commit, folder = (
                str(made.metadata[name].value) if name in made.metadata else ""
                for name in ("results_commit", "results_folder")
            )
            try:
                numbers = results.load(ended.lake.repository(keys), commit, thing, parts=(), folder=folder).numbers
            except NotFound:
                continue  # erased since
            title = f"{keys.name}: {rule.definition} of {rule.asset} is beyond its limit{_on(partition)}"
            beyond, sentence, place = judged(rule, numbers)
            event = ended.event(rule.when, thing, place, partition, title, sentence)
            if beyond:
                yield event
            else:
                outbox.over(event.thing, ended.at)


def _failure(ended: EndedRun) -> Event:
    """The end of a run with an error: in our own words where a step was refused, else the kind of error only.

    What is said of data that were refused may show a value of a row, and stays on Dagster's pages.
    """
    failed = [item for item in ended.checks if not item.passed and item.severity == dg.AssetCheckSeverity.ERROR]
    fault = ended.faults[0] if ended.faults else None
    refusal = None if fault is None else fault.user_failure_data
    if fault is not None and refusal is not None:
        code, where = (
            refusal.metadata[name].value if name in refusal.metadata else "" for name in ("exit_code", "where")
        )
        said = str(refusal.description)
        if code == InputRefused.exit_code:
            said = f"an input was refused{f', at {where}' if where else ''}; the page of the run says why"
    elif failed:
        said = "failed checks: " + ", ".join(f"{item.check_name} of {item.asset_key.path[-1]}" for item in failed)
    elif fault is not None and fault.error is not None:
        said = f"an unexpected {(fault.error.cause or fault.error).cls_name}; the page of the run has the trace"
    else:
        said = "the run ended without a failed step, e.g. with its process; the page of the run says more"
    partition = ended.run.tags.get("dagster/partition", "")
    title = f"{ended.use_case}: the run {ended.run.run_id[:8]} failed{_on(partition)}"
    return ended.event("run_failed", "", "", partition, title, said)


def late_events(name: str, instance: dg.DagsterInstance, outbox: Outbox) -> Iterator[Event]:
    """Assets that are later than their freshness policy allows."""
    from rai_assets.monitoring.alerts.events import Event

    for key, record in instance.get_freshness_state_records(instance.get_asset_keys([name])).items():
        thing, state = key.path[-1], record.freshness_state.name
        title = f"{name}: {thing} is later than it should be"
        text = f"{thing} was not made anew in the time that its freshness policy allows."
        severity: Severity = "error" if state == "FAIL" else "warning"
        event = Event("not_fresh", name, thing, "", "", "", record.updated_at.timestamp(), severity, title, text)
        if state in ("FAIL", "WARN"):
            yield event
        elif state == "PASS":
            outbox.over(event.thing, event.at)


def _on(partition: str) -> str:
    return f" ({partition})" if partition else ""
