"""The declaration of production: where its batches arrive, and how they are watched."""

from __future__ import annotations

from rai_assets.data.columns import Strict
from rai_assets.monitoring.batches.settings import BatchRule, BatchSettings, InboxSettings


class ProductionSettings(Strict):
    """How a use case is watched in production.

    Attributes:
        inbox: Where new data arrive.
        batch: What one batch is; `per file`, `hourly` and `daily` may stand alone.
    """

    inbox: InboxSettings
    batch: BatchRule = BatchSettings()
