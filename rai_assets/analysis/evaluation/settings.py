"""What a use case declares about the evaluation of its model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rai_assets.data.columns import Strict


class EvaluationSettings(Strict):
    """Settings of the evaluation.

    Attributes:
        level: Confidence level of the intervals.
        minimum_size: Fewest rows in the denominator of a published number.
        maximise: What the suggested threshold of a binary score maximises.
        cost_ratio: Cost of a false positive, measured in false negatives. Where it is given the suggested threshold
            has the lowest cost, whatever `maximise` says.
    """

    level: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    minimum_size: Annotated[int, Field(ge=1)] = 5
    maximise: Literal["accuracy", "balanced_accuracy", "f1", "matthews_correlation"] = "balanced_accuracy"
    cost_ratio: Annotated[float, Field(gt=0.0, lt=1e9)] | None = None
