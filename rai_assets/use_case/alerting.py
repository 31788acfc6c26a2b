"""The sensor that tells people: what Dagster's runs found becomes events of the outbox, and what is due is sent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets.errors import InputRefused, RaiError
from rai_assets.home import home
from rai_assets.keys import UseCaseKeys
from rai_assets.monitoring.alerts.settings import DRIFT_ASSETS
from rai_assets.provenance import run_page
from rai_assets.store.resource import Lake
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.recording import BACKFILL

if TYPE_CHECKING:
    from rai_assets.monitoring.alerts.events import Event
    from rai_assets.monitoring.alerts.outbox import Outbox
    from rai_assets.monitoring.alerts.settings import AlertSettings, Kind, Severity

SENSOR_SECONDS = 30
_OVERLAP = 60.0  # seconds that are looked at again
_DAY = 86_400.0
_AT_ONCE = 500  # runs of one look into Dagster's records
# Dagster ends a tick after 60 seconds; the last try of sending may take 15 more than it is given.
_LOOK_SECONDS = 15.0
_SEND_SECONDS = 20.0
_BATCH = "batch"
_FIRST, _SEEN = "first", "runs"  # bookmarks: the first look; the end of the last run that was seen


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
        new, unread = gather(outbox, settings, context.instance, lake)
        sent, faults = deliver(outbox, settings, seconds=_SEND_SECONDS)
        outbox.forget(time.time())
        for fault in [*unread, *faults]:
            context.log.warning(fault)
        return dg.SkipReason(f"{new} new, {sent} sent, {len(faults)} not taken and tried again later")

    return alerts


def gather(
    outbox: Outbox,
    settings: Mapping[str, AlertSettings],
    instance: dg.DagsterInstance,
    lake: Lake,
    *,
    seconds: float = _LOOK_SECONDS,
) -> tuple[int, list[str]]:
    """Put what happened since the last look into the outbox; what is there already stays as it is.

    The first look begins with the runs that end after it; none goes back for more than a week.

    Args:
        outbox: Where to.
        settings: {use case: its alerts}.
        instance: Dagster's records.
        lake: The store, for the numbers of results.
        seconds: No further run is read after so long; the next look goes on there.

    Returns:
        How many events are new, and which runs could not be read and why: those that the store is away for are read
        again at the next look.
    """
    from rai_assets.monitoring.alerts.delivery import keep
    from rai_assets.store.errors import BackendUnavailable

    end = time.monotonic() + seconds
    now = time.time()
    new = 0
    faults = []
    for record in _ended_runs(instance, _since(outbox, now)):
        try:
            run = _Ended.read(instance, record, lake)
            for name in run.use_cases & settings.keys():
                new += keep(outbox, settings[name], _found(run.of(name), settings[name], outbox), now)
        except BackendUnavailable as fault:
            faults.append(f"run {record.dagster_run.run_id} is read again later: {fault.what}")
            break
        except (RaiError, ValueError, TypeError, LookupError, AttributeError) as fault:
            if isinstance(fault, RaiError) and fault.where == str(outbox.path):
                raise
            # One run whose records are not as expected holds up none of the others.
            faults.append(f"run {record.dagster_run.run_id} cannot be read: {fault}")
        outbox.mark(_SEEN, str(min(now, record.update_timestamp.timestamp())))
        if time.monotonic() > end:
            break
    for name, mine in settings.items():
        new += keep(outbox, mine, list(_late(name, instance, outbox)), now)
    return new, faults


def _since(outbox: Outbox, now: float) -> float:
    """From when on runs are looked at, in seconds since 1970.

    A little is looked at twice, as the clocks of two hosts differ, and a database shows a run later than it ended; a
    day is where the clock was set back.
    """
    from rai_assets.monitoring.alerts.outbox import GIVE_UP_AFTER

    first = float(outbox.mark(_FIRST) or outbox.mark(_FIRST, str(now)))
    if first > now:
        first = float(outbox.mark(_FIRST, str(now - _DAY)))
    seen = float(outbox.mark(_SEEN) or first)
    if seen > now:
        seen = now - _DAY
    return max(seen - _OVERLAP, first, now - GIVE_UP_AFTER)


def _ended_runs(instance: dg.DagsterInstance, since: float) -> Iterator[dg.RunRecord]:
    """The runs that ended, by when."""
    statuses = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    after = datetime.fromtimestamp(since, UTC)
    while True:
        found = instance.get_run_records(
            dg.RunsFilter(statuses=statuses, updated_after=after),
            limit=_AT_ONCE,
            order_by="update_timestamp",
            ascending=True,
        )
        # What a backfill found is printed by it: a year of old batches is no news.
        yield from (item for item in found if not BACKFILL.items() <= item.dagster_run.tags.items())
        if len(found) < _AT_ONCE:
            return
        after = found[-1].update_timestamp


@dataclass(frozen=True)
class _Ended:
    """A run that ended, with what its event log says.

    Attributes:
        use_case: Whose part of it this is; empty before it is known.
        run: As Dagster knows it.
        at: When it ended, in seconds since 1970.
        made: What it made.
        checks: The last answer of every check.
        faults: Its failed steps.
        lake: The store.
    """

    use_case: str
    run: dg.DagsterRun
    at: float
    made: Sequence[Any]
    checks: Sequence[Any]
    faults: Sequence[Any]
    lake: Lake

    @classmethod
    def read(cls, instance: dg.DagsterInstance, record: dg.RunRecord, lake: Lake) -> _Ended:
        """The run of a record."""
        kinds = dg.DagsterEventType
        asked = {kinds.ASSET_CHECK_EVALUATION, kinds.ASSET_MATERIALIZATION, kinds.STEP_FAILURE}
        records = instance.get_records_for_run(record.dagster_run.run_id, of_type=asked).records
        events = [event for item in records if (event := item.event_log_entry.get_dagster_event()) is not None]
        answers = [
            item.asset_check_evaluation_data for item in events if item.event_type == kinds.ASSET_CHECK_EVALUATION
        ]
        return cls(
            "",
            record.dagster_run,
            record.end_time or record.update_timestamp.timestamp(),
            [item.step_materialization_data.materialization for item in events if item.is_step_materialization],
            list({(item.asset_key, item.check_name, item.partition): item for item in answers}.values()),
            [item.step_failure_data for item in events if item.is_step_failure],
            lake,
        )

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self.run.status == dg.DagsterRunStatus.FAILURE

    @property
    def use_cases(self) -> set[str]:
        """Of the assets that the run was to make; by its job where it made none."""
        answered = [item.asset_key for item in (*self.checks, *self.made)]
        names = {key.path[0] for key in (*(self.run.asset_selection or ()), *answered)}
        return names or {self.run.job_name.rpartition("_")[0]}

    def of(self, use_case: str) -> _Ended:
        """The part of one use case."""
        made, checks = (
            [item for item in part if item.asset_key.path[0] == use_case] for part in (self.made, self.checks)
        )
        return replace(self, use_case=use_case, made=made, checks=checks)

    def event(
        self, kind: Kind, asset: str, subject: str, partition: str, title: str, text: str, severity: Severity = "error"
    ) -> Event:
        """An event that this run found."""
        from rai_assets.monitoring.alerts.events import Event

        place, run = (self.use_case, asset, subject, partition), self.run.run_id
        return Event(kind, *place, run, self.at, severity, title, text, run_page(run))


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
        kind: Kind = "drift" if thing in DRIFT_ASSETS else "check_failed"
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
    violations, columns = (check.metadata.get(name) for name in ("violations", "columns"))
    if violations is None or columns is None:
        return str(check.description or check.check_name)
    return f"{check.check_name}: {violations.value:,} violations" + (f" in {columns.value}" if columns.value else "")


def _crossed(ended: _Ended, settings: AlertSettings, outbox: Outbox) -> Iterator[Event]:
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
                numbers = results.load(ended.lake.repository(keys), commit, thing, whole=False, folder=folder).numbers
            except NotFound:
                continue  # erased since
            title = f"{keys.name}: {rule.definition} of {rule.asset} is beyond its limit{_on(partition)}"
            beyond, sentence, place = judged(rule, numbers)
            event = ended.event(rule.when, thing, place, partition, title, sentence)
            if beyond:
                yield event
            else:
                outbox.over(event.thing, ended.at)


def _failure(ended: _Ended) -> Event:
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
