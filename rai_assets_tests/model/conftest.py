"""Versions that several tests score with, trained once."""

from __future__ import annotations

import pytest

from rai_assets.model.settings import ModelSettings
from rai_assets.model.training import train
from rai_assets.model.version import ModelVersion
from rai_assets_tests.model.people import contract, population


@pytest.fixture(scope="session")
def boosted() -> ModelVersion:
    """A small boosted classifier of the population, through the training process."""
    settings = ModelSettings(estimator="hist_gradient_boosting", parameters={"max_iter": 15})
    return train(population(), contract("binary"), settings, commit="c0ffee")
