"""The sensor that tells people: what Dagster's runs found becomes events of the outbox, and what is due is sent."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from rai_assets.errors import RaiError
from rai_assets.home import home
from rai_assets.store.resource import Lake
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.ended_runs import EndedRun, ended_runs
from rai_assets.use_case.recording import Told
from rai_assets.use_case.run_events import late_events, run_events

if TYPE_CHECKING:
    from rai_assets.monitoring.alerts.outbox import Outbox
    from rai_assets.monitoring.alerts.settings import AlertSettings

SENSOR_SECONDS = 30
_OVERLAP = 60.0  # seconds before a look that the next one looks at again
_DAY = 86_400.0
# Dagster ends a tick after 60 seconds; the last try of sending may take 15 more than it is given.
_LOOK_SECONDS = 15.0
_SEND_SECONDS = 20.0
_FIRST, _SEEN = "first", "runs"  # bookmarks: the first look; up to where everything was seen


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

    The first look begins with the runs that end after it; none goes back for more than a week. What ended within the
    last minute is looked at twice, as the clocks of two hosts differ, and a database shows a run later than it ended.

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
    seen = math.inf  # the end of the run that was read last
    for record in ended_runs(instance, _since(outbox, now)):
        ended = record.update_timestamp.timestamp()
        if ended > seen and time.monotonic() > end:
            break
        try:
            run = EndedRun.read(instance, record, lake)
            for name in run.use_cases & settings.keys():
                new += keep(outbox, settings[name], run_events(run.of(name), settings[name], outbox), now)
        except BackendUnavailable as fault:
            faults.append(f"run {record.dagster_run.run_id} is read again later: {fault.what}")
            break
        except (RaiError, ValueError, TypeError, LookupError, AttributeError) as fault:
            if isinstance(fault, RaiError) and fault.where == str(outbox.path):
                raise
            # One run whose records are not as expected holds up none of the others.
            faults.append(f"run {record.dagster_run.run_id} cannot be read: {fault}")
        seen = ended
        outbox.mark(_SEEN, str(min(now - _OVERLAP, seen)))
    for name, mine in settings.items():
        new += keep(outbox, mine, list(late_events(name, instance, outbox)), now)
    return new, faults


def tell_over(declared: Declared, told: Sequence[Told], run_id: str) -> None:
    """What a backfill found to hold is news when it breaks again; what it found broken is printed by it.

    Args:
        declared: The use case.
        told: What the backfill made and found.
        run_id: Of its run.
    """
    from rai_assets.monitoring.alerts.outbox import open_outbox

    use_case = declared.use_case
    if not use_case.alerts.rules:
        return
    outbox = open_outbox(home())
    standing = outbox.standing(use_case.name)
    mine = [item for item in told if item.partition in standing]
    if mine:
        run_events(EndedRun.of_backfill(use_case.keys(), run_id, mine, Lake()), use_case.alerts, outbox)


def _since(outbox: Outbox, now: float) -> float:
    """From when on runs are looked at, in seconds since 1970; a day is looked at again where the clock was set back."""
    from rai_assets.monitoring.alerts.outbox import GIVE_UP_AFTER

    first = float(outbox.mark(_FIRST) or outbox.mark(_FIRST, str(now)))
    if first > now:
        first = float(outbox.mark(_FIRST, str(now - _DAY)))
    seen = float(outbox.mark(_SEEN) or first)
    if seen > now:
        seen = now - _DAY
    return max(seen, first, now - GIVE_UP_AFTER)
