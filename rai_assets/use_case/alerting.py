"""The sensor that tells people: what Dagster's runs found becomes events of the outbox, and what is due is sent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets.home import home
from rai_assets.keys import UseCaseKeys
from rai_assets.provenance import run_page
from rai_assets.store.resource import Lake
from rai_assets.use_case.declaration import Declared

if TYPE_CHECKING:
    from rai_assets.monitoring.alerts.events import Event
    from rai_assets.monitoring.alerts.outbox import Outbox
    from rai_assets.monitoring.alerts.settings import AlertSettings, Kind, Severity

SENSOR_SECONDS = 30
_OVERLAP = 10.0  # seconds that are looked at again: a run that ended then may be seen late
_AT_ONCE = 1000  # runs of one tick
_SEND_SECONDS = 20.0
_DRIFT = frozenset({"drift", "attribution_drift", "fairness_drift", "estimated_performance"})
_BATCH = "batch"


def alert_sensor(declared: Sequence[Declared]) -> dg.SensorDefinition:
    """The sensor for all use cases of a code location.

    Args:
        declared: The use cases.
    """

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people what the declarations ask for: failed checks, quarantined batches, drift, metrics "
        "beyond their limits, results that are late, failed runs. What cannot be sent waits in the outbox.",
    )
    def alerts(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SkipReason:
        from rai_assets.monitoring.alerts.delivery import deliver
        from rai_assets.monitoring.alerts.outbox import open_outbox

        outbox = open_outbox(home())
        settings = {item.use_case.name: item.use_case.alerts for item in declared}
        new = gather(outbox, settings, context.instance, lake)
        sent, faults = deliver(outbox, settings, seconds=_SEND_SECONDS)
        outbox.forget(time.time())
        for fault in faults:
            context.log.warning(fault)
        return dg.SkipReason(f"{new} new, {sent} sent, {len(faults)} not taken and tried again later")

    return alerts


def gather(outbox: Outbox, settings: Mapping[str, AlertSettings], instance: dg.DagsterInstance, lake: Lake) -> int:
    """Put what happened since the last look into the outbox; what is there already stays as it is.

    The first look begins with the runs that end after it.

    Args:
        outbox: Where to.
        settings: {use case: its alerts}.
        instance: Dagster's records.
        lake: The store, for the numbers of results.

    Returns:
        How many events are new.
    """
    from rai_assets.monitoring.alerts.delivery import keep

    now = time.time()
    since = float(outbox.mark("runs") or outbox.mark("runs", str(now)))
    ended = instance.get_run_records(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE],
            updated_after=datetime.fromtimestamp(since - _OVERLAP, UTC),
        ),
        limit=_AT_ONCE,
        order_by="update_timestamp",
        ascending=True,
    )
    new = 0
    for record in ended:
        run = _Ended(instance, record, lake)
        if run.use_case in settings:
            mine = settings[run.use_case]
            new += keep(outbox, mine, _found(run, mine, outbox), now)
        outbox.mark("runs", str(max(since, record.update_timestamp.replace(tzinfo=UTC).timestamp())))
    for name, mine in settings.items():
        new += keep(outbox, mine, list(_late(name, instance, outbox)), now)
    return new


class _Ended:
    """A run that ended, with what its event log says."""

    def __init__(self, instance: dg.DagsterInstance, record: Any, lake: Lake) -> None:
        self.run = record.dagster_run
        self.id = record.dagster_run.run_id
        self.at = record.end_time or record.update_timestamp.replace(tzinfo=UTC).timestamp()
        self.failed = record.dagster_run.status == dg.DagsterRunStatus.FAILURE
        self.lake = lake
        kinds = dg.DagsterEventType
        asked = {kinds.ASSET_CHECK_EVALUATION, kinds.ASSET_MATERIALIZATION, kinds.STEP_FAILURE}
        records = instance.get_records_for_run(self.id, of_type=asked).records
        events = [item.event_log_entry.get_dagster_event() for item in records]
        self.made = [item.step_materialization_data.materialization for item in events if item.is_step_materialization]
        self.faults = [item.step_failure_data for item in events if item.is_step_failure]
        self.checks = [
            item.asset_check_evaluation_data for item in events if item.event_type == kinds.ASSET_CHECK_EVALUATION
        ]

    @property
    def use_case(self) -> str:
        """Of the assets that the run was to make; empty where it made none of ours."""
        checked = [item.asset_key for item in self.checks]
        touched = [*(self.run.asset_selection or ()), *checked, *(item.asset_key for item in self.made)]
        return touched[0].path[0] if touched else self.run.job_name.rpartition("_")[0]

    def event(
        self, kind: Kind, asset: str, subject: str, partition: str, title: str, text: str, severity: Severity = "error"
    ) -> Event:
        """An event that this run found."""
        from rai_assets.monitoring.alerts.events import Event

        place = (self.use_case, asset, subject, partition)
        return Event(kind, *place, self.id, self.at, severity, title, text, run_page(self.id))


def _found(ended: _Ended, settings: AlertSettings, outbox: Outbox) -> list[Event]:
    failure = [_failure(ended)] if ended.failed else []
    return [*_checks(ended, outbox), *_crossed(ended, settings, outbox), *failure]


def _checks(ended: _Ended, outbox: Outbox) -> Iterator[Event]:
    """Failed checks; those of a batch are one event, its quarantine."""
    refused: dict[str, list[str]] = {}
    for check in ended.checks:
        thing, partition = check.asset_key.path[-1], check.partition or ""
        said = _said(check)
        severe = check.severity == dg.AssetCheckSeverity.ERROR
        if thing == _BATCH and severe:
            refused.setdefault(partition, []).extend([] if check.passed else [said])
            continue
        kind: Kind = "drift" if thing in _DRIFT else "check_failed"
        title = f"{ended.use_case}: {check.check_name} of {thing} failed{_on(partition)}"
        severity: Severity = "error" if severe else "warning"
        event = ended.event(kind, thing, check.check_name, partition, title, said, severity)
        if check.passed:
            outbox.over(event.thing, ended.at)
        else:
            yield event
    for partition, reasons in refused.items():
        title = f"{ended.use_case}: batch {partition} is quarantined"
        event = ended.event("quarantine", _BATCH, "", partition, title, "\n".join(reasons))
        if reasons:
            yield event
        else:
            outbox.over(event.thing, ended.at)


def _said(check: Any) -> str:
    """What a check found, without a value of a row: those are on Dagster's pages only."""
    violations = check.metadata.get("violations")
    if violations is None:
        return str(check.description or check.check_name)
    columns = check.metadata["columns"].value
    return f"{check.check_name}: {violations.value:,} violations" + (f" in {columns}" if columns else "")


def _crossed(ended: _Ended, settings: AlertSettings, outbox: Outbox) -> Iterator[Event]:
    """Numbers of the results of a run that are beyond the limit of a rule."""
    from rai_assets.monitoring.alerts.events import judged
    from rai_assets.store import results

    keys = UseCaseKeys(ended.use_case)
    for rule in settings.rules:
        for made in ended.made:
            commit = made.metadata.get("results_commit")
            if rule.when != "metric_crossed" or rule.asset != made.asset_key.path[-1] or commit is None:
                continue
            numbers = results.load(ended.lake.repository(keys), str(commit.value), made.asset_key.path[-1]).numbers
            title = f"{keys.name}: {rule.definition} of {rule.asset} is beyond its limit{_on(made.partition or '')}"
            beyond, sentence, place = judged(rule, numbers)
            event = ended.event(rule.when, made.asset_key.path[-1], place, made.partition or "", title, sentence)
            if beyond:
                yield event
            else:
                outbox.over(event.thing, ended.at)


def _failure(ended: _Ended) -> Event:
    """The end of a run with an error: in our own words where a step was refused, else the kind of error only."""
    fault = ended.faults[0] if ended.faults else None
    if fault is not None and fault.user_failure_data is not None:
        said = str(fault.user_failure_data.description)
    elif fault is not None and fault.error is not None:
        said = f"an unexpected {(fault.error.cause or fault.error).cls_name}; the page of the run has the trace"
    else:
        said = "the run ended without a failed step, e.g. with its process; the page of the run says more"
    partition = ended.run.tags.get("dagster/partition", "")
    title = f"{ended.use_case}: the run {ended.id[:8]} failed{_on(partition)}"
    return ended.event("run_failed", "", "", partition, title, said)


def _late(name: str, instance: dg.DagsterInstance, outbox: Outbox) -> Iterator[Event]:
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
