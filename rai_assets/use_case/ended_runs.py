"""Runs that ended, as Dagster's records tell: what they made, what their checks answered, which steps failed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets.keys import UseCaseKeys
from rai_assets.provenance import run_page
from rai_assets.store.resource import Lake
from rai_assets.use_case.recording import BACKFILL, Told, evaluation

if TYPE_CHECKING:
    from rai_assets.monitoring.alerts.events import Event
    from rai_assets.monitoring.alerts.settings import Kind, Severity

_AT_ONCE = 500  # runs of one look into Dagster's records


def ended_runs(instance: dg.DagsterInstance, since: float) -> Iterator[dg.RunRecord]:
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
class EndedRun:
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
    def read(cls, instance: dg.DagsterInstance, record: dg.RunRecord, lake: Lake) -> EndedRun:
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

    @classmethod
    def of_backfill(cls, keys: UseCaseKeys, run_id: str, told: Sequence[Told], lake: Lake) -> EndedRun:
        """What a backfill made and found, as if its run had ended now."""
        made = [
            dg.AssetMaterialization(keys.asset(item.thing), partition=item.partition, metadata=item.made)
            for item in told
            if item.made
        ]
        checks = [evaluation(keys, item, check) for item in told for check in item.checks]
        run = dg.DagsterRun(keys.production_job, run_id=run_id)
        return cls(keys.name, run, time.time(), made, checks, [], lake)

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

    def of(self, use_case: str) -> EndedRun:
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
