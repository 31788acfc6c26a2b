"""The schedules of a use case: what its declaration lets run at certain times."""

from __future__ import annotations

from typing import Any

import dagster as dg

from rai_assets.keys import UseCaseKeys
from rai_assets.use_case.timing import AuditSchedule


def audit_schedule(keys: UseCaseKeys, settings: AuditSchedule, job: Any) -> dg.ScheduleDefinition:
    """The schedule that audits data branches; it is on once it is declared.

    Args:
        keys: Names of the use case.
        settings: When, and which branches.
        job: Audits one data branch.
    """

    @dg.schedule(
        name=f"{keys.audit_job}_schedule",
        job=job,
        cron_schedule=settings.cron,
        execution_timezone=settings.zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Refreshes and audits {', '.join(settings.branches)} of {keys.name}, as its declaration says.",
    )
    def audits(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        present = set(context.instance.get_dynamic_partitions(keys.branch_partitions))
        asked = [branch for branch in settings.branches if branch in present]
        if not asked:
            return dg.SkipReason(f"there is no data branch {' or '.join(settings.branches)}")
        return [dg.RunRequest(run_key=branch, partition_key=branch) for branch in asked]

    return audits
