"""The declaration of time: what runs by itself and when, and how old a result may be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from rai_assets.data.columns import Strict
from rai_assets.data.times import Cron, Span, Zone, span
from rai_assets.keys import MAIN


class Timed(Strict):
    """What runs at certain times.

    Attributes:
        cron: Minute, hour, day of the month, month and weekday, e.g. "0 3 * * *" or "0 7 * * mon".
        zone: IANA time zone of these times.
    """

    cron: Cron
    zone: Zone = "UTC"


class AuditSchedule(Timed):
    """When data branches are refreshed and audited, whether anything changed or not.

    Attributes:
        branches: The data branches; one that is not there at that time is left out.
    """

    branches: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field([MAIN], min_length=1)


class ReportSchedule(Timed):
    """When the report on production is made.

    Attributes:
        days: It is about so many whole days (UTC) before that time; about the year that ends with the newest batch if
            left out.
    """

    days: Annotated[int, Field(ge=1, le=3660)] | None = None


class RetentionSchedule(Timed):
    """When what is older than it is kept is removed."""


class ScheduleSettings(Strict):
    """What runs by itself at certain times, while Dagster's daemon runs.

    Attributes:
        audit: The audit of data branches.
        report: The report on production, `monitoring_report`.
        retention: The removal of what is older than `retention` keeps it.
    """

    audit: AuditSchedule | None = None
    report: ReportSchedule | None = None
    retention: RetentionSchedule | None = None

    def sentences(self) -> Iterator[str]:
        """What runs when, a line each."""
        if self.audit is not None:
            yield f"audit of {', '.join(self.audit.branches)} at {self.audit.cron} ({self.audit.zone})"
        if self.report is not None:
            about = "the last year" if self.report.days is None else f"the last {self.report.days} days"
            yield f"report on {about} of production at {self.report.cron} ({self.report.zone})"
        if self.retention is not None:
            yield f"retention at {self.retention.cron} ({self.retention.zone})"


class FreshWithin(Strict):
    """How old the newest of an asset's results may be, of whichever branch or batch.

    Attributes:
        within: It is late when nothing was made for so long, e.g. 26h; at least one minute.
        warn: Say so from here on already; shorter than `within`.
        by: The time of day by which it is due, as cron; then `within` is how long before that it may have been made.
        zone: IANA time zone of `by`.
    """

    within: Span
    warn: Span | None = None
    by: Cron | None = None
    zone: Zone = "UTC"

    @model_validator(mode="after")
    def _fits_together(self) -> FreshWithin:
        limits = [span(text) for text in (self.warn, self.within) if text is not None]
        if limits[0] < timedelta(minutes=1) or limits != sorted(set(limits)):
            raise ValueError("`warn` is shorter than `within`, and both are a minute at least")
        if self.by is not None and self.warn is not None:
            raise ValueError("with `by` there is nothing to warn of before; leave `warn` out")
        if self.by is None and "zone" in self.model_fields_set:
            raise ValueError("`zone` is the zone of `by`")
        return self


class FreshnessSettings(Strict):
    """Results that are expected regularly; Dagster shows which are late, and the alert `not_fresh` tells of them.

    Attributes:
        dataset: The data, read and checked.
        scorecard: The audit.
        batch: The next batch of production.
    """

    dataset: FreshWithin | None = None
    scorecard: FreshWithin | None = None
    batch: FreshWithin | None = None

    @property
    def of_assets(self) -> dict[str, FreshWithin]:
        """{asset: how old it may be} of those that are declared."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class RetentionSettings(Strict):
    """How long what production leaves is kept; what is left out is kept for good.

    It is removed from the heads of the branches by `rai retention`, or by the schedule. The age of a batch counts from
    its own time. Data branches, models and audits are not touched.

    Attributes:
        batches: The rows of batches; what files they came from stays known.
        predictions: What was predicted of them.
        profiles: Their profiles.
        results: Everything else that was found of them.
        runs: Dagster's records of runs, with their events; not of those that the champion came of, and not the newest.
    """

    batches: Span | None = None
    predictions: Span | None = None
    profiles: Span | None = None
    results: Span | None = None
    runs: Span | None = None

    @property
    def ages(self) -> dict[str, timedelta]:
        """{kind: how long it is kept} of those that are declared."""
        return {kind: span(age) for kind in type(self).model_fields if (age := getattr(self, kind)) is not None}
