"""What a use case declares about the explanation of its model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rai_assets.data.columns import Strict

Perturbation = Literal["interventional", "path_dependent"]


class ExplanationSettings(Strict):
    """Settings of the explanations.

    Attributes:
        background: Most training rows that stand for "the column is not known"; all of them where there are fewer. At
            most 100 where attributions are sampled.
        perturbation: `interventional` compares with the background's rows; `path_dependent` follows the branches in
            proportion to the training rows that took them (tree ensembles only).
        seed: Seed of the choice of background rows and of sampled attributions.
    """

    background: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    perturbation: Perturbation = "interventional"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
