"""The sensor that looks into a use case's inbox: what is ready becomes batches, and every batch gets its run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets.charts.text import how_many
from rai_assets.keys import UseCaseKeys
from rai_assets.store.resource import Lake
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.observer import SENSOR_SECONDS

if TYPE_CHECKING:
    from rai_assets.monitoring.batches.arrivals import Arrivals
    from rai_assets.monitoring.batches.entries import Request

AT_ONCE = 50  # runs that a tick asks for, and files that it takes
_ATTEMPTS = 3  # at what follows the audit of an accepted batch
_FINISHED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
_UNFINISHED = [status for status in dg.DagsterRunStatus if status not in _FINISHED]


def arrivals_sensor(declared: Declared, job: Any) -> dg.SensorDefinition:
    """The sensor of one use case, so that an inbox that cannot be reached holds up no other.

    What has arrived stands in a ledger of our own: a tick that breaks off is repeated by the next one.

    Args:
        declared: The use case.
        job: Audits and scores one batch.
    """
    keys = declared.use_case.keys()

    @dg.sensor(
        name=keys.arrivals_sensor,
        job=job,
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Takes what is ready in the inbox, adds its batches as partitions and asks for their runs, at most "
        f"{AT_ONCE} at once. The same bytes ask for nothing; corrected ones for their batch again.",
    )
    def arrivals(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult | dg.SkipReason:
        from rai_assets.use_case.batches import production_of

        production = production_of(declared)
        with production.arrivals(lake.repository(keys)) as ledger:
            looked = production.look(ledger, limit=AT_ONCE)
            for problem in looked.problems:
                context.log.error(problem)
            requests = due(ledger, context.instance, keys, time.time())
            with production.label_inbox.arrivals() as labels:
                came = production.label_inbox.look(lake.repository(keys), labels, limit=AT_ONCE)
                for problem in came.problems:
                    context.log.error(problem)
                asked = {request.key for request in requests}
                more = due(labels, context.instance, keys, time.time())
                requests += [request for request in more if request.key not in asked]
            if not requests:
                production.tidy(ledger)
        if not requests:
            return dg.SkipReason(f"nothing new; {how_many(looked.waiting, 'file is', 'files are')} not ready yet")
        present = set(context.instance.get_dynamic_partitions(keys.batch_partitions))
        new = [request.key for request in requests if request.key not in present]
        partitions = dg.DynamicPartitionsDefinition(name=keys.batch_partitions)
        return dg.SensorResult(
            run_requests=[dg.RunRequest(_run_key(keys, request), partition_key=request.key) for request in requests],
            dynamic_partitions_requests=[partitions.build_add_request(new)] if new else [],
        )

    return arrivals


def due(ledger: Arrivals, instance: dg.DagsterInstance, keys: UseCaseKeys, now: float) -> list[Request]:
    """The batches that wait for a run: those without a verdict, and those whose run broke off after it."""
    waiting, accepted = ledger.pending(AT_ONCE, now), ledger.unfinished(AT_ONCE, now)
    if not waiting and not accepted:
        return []
    under_way = instance.get_runs(dg.RunsFilter(job_name=keys.production_job, statuses=_UNFINISHED))
    busy = {run.tags.get("dagster/partition") for run in under_way}
    asked = []
    for request in waiting:
        if request.key not in busy:
            if _last_run(instance, keys, request) is None:
                asked.append(request)
            else:
                ledger.ended_without_verdict(request.key, now)
    for request in accepted:
        if request.key not in busy:
            run = _last_run(instance, keys, request)
            if run is None and request.attempts:
                asked.append(request)
            elif run is None or run.status is dg.DagsterRunStatus.SUCCESS or request.attempts >= _ATTEMPTS:
                ledger.finished(request)
            else:
                ledger.ended_without_verdict(request.key, now)
    return asked[:AT_ONCE]


def _last_run(instance: dg.DagsterInstance, keys: UseCaseKeys, request: Request) -> dg.DagsterRun | None:
    found = instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": _run_key(keys, request)}), limit=1)
    return found[0] if found else None


def _run_key(keys: UseCaseKeys, request: Request) -> str:
    return f"{keys.name}:{request.run_key}"
