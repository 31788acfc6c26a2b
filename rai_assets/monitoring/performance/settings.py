"""What a use case declares about performance in production."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rai_assets.data.columns import Strict


class PerformanceSettings(Strict):
    """Settings of the performance in production, estimated and measured.

    Attributes:
        calibration: Split that says what a score means; its rows must not have been fitted on. The default is the
            calibration split where there is one, else the test split.
        level: Confidence level of the intervals.
        minimum_size: Fewest rows in the denominator of a published number.
        intersections: Most sensitive columns that are crossed with each other.
        most_unsupported: Share of the rows unlike any calibration row from which nothing is estimated.
        least_ndcg: Agreement of the features' importances, as nDCG, below which they have drifted.
        false_alarms: P-value up to which a change is taken for one, over all changes of one batch together.
    """

    calibration: Literal["calibration", "test"] | None = None
    level: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    minimum_size: Annotated[int, Field(ge=1)] = 5
    intersections: Annotated[int, Field(ge=1, le=10)] = 1
    most_unsupported: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    least_ndcg: Annotated[float, Field(ge=0.0, le=1.0)] = 0.9
    false_alarms: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
