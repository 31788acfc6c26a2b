"""The declaration of a model."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rai_assets.model.settings import ModelSettings


def test_an_estimator_by_name() -> None:
    settings = ModelSettings.model_validate({"estimator": "random_forest", "parameters": {"n_estimators": 50}})
    assert (settings.threshold, settings.seed, settings.factory, settings.onnx) == (0.5, 0, None, None)


def test_an_onnx_file() -> None:
    settings = ModelSettings.model_validate({"onnx": {"path": "m.onnx", "classes": ["no", "yes"]}, "threshold": 0.3})
    assert settings.onnx is not None
    assert settings.onnx.output is None


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({}, "exactly one of estimator, factory and onnx; here: none of them"),
        ({"estimator": "mlp", "factory": "a:b"}, "here: estimator, factory"),
        ({"factory": "a.b"}, "`module:function`, not 'a.b'"),
        ({"onnx": {"path": "m.onnx"}, "parameters": {"x": 1}}, "used as it is"),
        ({"estimator": "xgboost"}, "Input should be 'logistic_regression'"),
        ({"estimator": "mlp", "threshold": 1.5}, "less than or equal to 1"),
        ({"estimator": "mlp", "treshold": 0.5}, "Extra inputs are not permitted"),
        ({"estimator": "mlp", "seed": "7"}, "valid integer"),
    ],
)
def test_refusals(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelSettings.model_validate(declared)
