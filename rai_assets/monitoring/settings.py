"""The declaration of production: where its batches arrive, and how they are watched."""

from __future__ import annotations

from pydantic import model_validator

from rai_assets.data.columns import Strict
from rai_assets.monitoring.batches.settings import BatchRule, BatchSettings, InboxSettings, LoggedSettings
from rai_assets.monitoring.drift.media.settings import BatchDriftSettings
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets.monitoring.profiles.settings import ProfileSettings

TWO_PLACES = "`labels` and `inbox` are two places, neither within the other: a file is a batch or labels"


class ProductionSettings(Strict):
    """How a use case is watched in production.

    Attributes:
        inbox: Where new data arrive.
        labels: Where files with labels arrive, with the identifiers and the target; a batch is labelled by the column
            of its own files without it.
        logged: Columns with predictions that were logged; rows without them are scored by the champion.
        batch: What one batch is; `per file`, `hourly` and `daily` may stand alone.
        profile: What is counted of its columns.
        drift: How the columns of a batch are compared with the reference.
        performance: How performance, attributions and gaps between groups are compared.
    """

    inbox: InboxSettings
    labels: InboxSettings | None = None
    logged: LoggedSettings = LoggedSettings()
    batch: BatchRule = BatchSettings()
    profile: ProfileSettings = ProfileSettings()
    drift: BatchDriftSettings = BatchDriftSettings()
    performance: PerformanceSettings = PerformanceSettings()

    @model_validator(mode="after")
    def _labels_elsewhere(self) -> ProductionSettings:
        if self.labels is not None and self.labels.overlaps(self.inbox):
            raise ValueError(TWO_PLACES)
        return self
