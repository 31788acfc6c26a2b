"""What a use case declares about the comparison of groups."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rai_assets.data.columns import Strict


class FairnessSettings(Strict):
    """Settings of the fairness audit.

    Attributes:
        level: Confidence level of the intervals.
        minimum_size: Fewest rows in the denominator of a published number; a group with fewer in all shows its count.
        intersections: Most sensitive columns that are crossed with each other; 1 for no intersections.
        reference: The group that others are compared with, {column: value}; for an intersection the values of its
            columns. A grouping without a full entry here is compared with its largest group.
        stratifiers: Columns that may explain a gap. Each gap is also measured within their values, numeric columns
            within quantile bins.
    """

    level: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    minimum_size: Annotated[int, Field(ge=1)] = 5
    intersections: Annotated[int, Field(ge=1, le=10)] = 3
    reference: dict[str, str] = Field(default_factory=dict)
    stratifiers: list[str] = Field(default_factory=list)
