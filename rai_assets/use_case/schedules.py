"""The schedules of a use case: what its declaration lets run at certain times."""

# No postponed annotations here: Dagster reads those of the op as it is defined.

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import dagster as dg

from rai_assets.keys import UseCaseKeys
from rai_assets.store.resource import Lake
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.timing import AuditSchedule, ReportSchedule, RetentionSchedule, Timed


def audit_schedule(keys: UseCaseKeys, settings: AuditSchedule, job: Any) -> dg.ScheduleDefinition:
    """The schedule that audits data branches; it is on once it is declared.

    Args:
        keys: Names of the use case.
        settings: When, and which branches.
        job: Audits one data branch.
    """

    def audits(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        present = set(context.instance.get_dynamic_partitions(keys.branch_partitions))
        asked = [branch for branch in settings.branches if branch in present]
        if not asked:
            return dg.SkipReason(f"there is no data branch {' or '.join(settings.branches)}")
        return [dg.RunRequest(run_key=branch, partition_key=branch) for branch in asked]

    return _schedule(job, settings, f"Refreshes and audits {', '.join(settings.branches)} of {keys.name}", audits)


def report_schedule(keys: UseCaseKeys, settings: ReportSchedule, job: Any) -> dg.ScheduleDefinition:
    """The schedule that makes the report on production; it is on once it is declared.

    Args:
        keys: Names of the use case.
        settings: When, and on how many days before.
        job: Makes the report.
    """

    def reports(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        if settings.days is None:
            return dg.RunRequest()
        today = context.scheduled_execution_time.astimezone(UTC).date()
        first, last = today - timedelta(days=settings.days), today - timedelta(days=1)
        window = {"start": first.isoformat(), "end": last.isoformat()}
        return dg.RunRequest(run_config={"ops": {f"{keys.name}__monitoring_report": {"config": window}}})

    return _schedule(job, settings, f"Makes the report on the production of {keys.name}", reports)


def retention_job(declared: Declared) -> dg.JobDefinition:
    """The job that removes what is older than a use case keeps it; its log says what that was."""
    keys = declared.use_case.keys()

    @dg.op(name=f"{keys.name}_remove_old")
    def remove_old(context: dg.OpExecutionContext, lake: Lake) -> None:
        from rai_assets.use_case.retention import retain

        for line in retain(declared, lake.repository(keys), context.instance):
            context.log.info(line)

    @dg.job(name=keys.retention_job, description=f"Removes what is older than {keys.name} keeps it.")
    def retention() -> None:
        remove_old()

    return retention


def retention_schedule(keys: UseCaseKeys, settings: RetentionSchedule, job: Any) -> dg.ScheduleDefinition:
    """The schedule of the job; it is on once it is declared."""
    return _schedule(job, settings, f"Removes what is older than {keys.name} keeps it", lambda _: dg.RunRequest())


def _schedule(
    job: Any, settings: Timed, does: str, runs: Callable[[dg.ScheduleEvaluationContext], Any]
) -> dg.ScheduleDefinition:
    """The declared schedule of a job, whose runs are asked for at each of its times."""
    return dg.schedule(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=settings.cron,
        execution_timezone=settings.zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{does}, as its declaration says.",
    )(runs)
