"""The declaration of production: where its batches arrive, and how they are watched."""

from __future__ import annotations

from typing import Literal

from rai_assets.data.columns import Strict
from rai_assets.monitoring.batches.settings import InboxSettings


class ProductionSettings(Strict):
    """How a use case is watched in production.

    Attributes:
        inbox: Where new data arrive.
        batch: What one batch is: `per file`, the rows of one file.
    """

    inbox: InboxSettings
    batch: Literal["per file"] = "per file"
