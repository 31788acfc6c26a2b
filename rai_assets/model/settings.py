"""The declaration of a model: an estimator by name, a factory of one's own, or an ONNX file that exists already."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from rai_assets.data.columns import Strict

EstimatorName = Literal[
    "logistic_regression", "linear_regression", "decision_tree", "random_forest", "hist_gradient_boosting", "mlp"
]


class OnnxSettings(Strict):
    """An ONNX file and what it reads and answers.

    Its inputs must be the features by name, one column each: `string` for categories (the empty string where a value
    is missing), a number type for numbers (NaN where missing).
    """

    path: str = Field(description="The file, relative to the use case's folder.")
    output: str | None = Field(
        default=None,
        description="The output with class probabilities (rows, classes), or with the predicted value. "
        "Default: `probabilities`; for regression the only output.",
    )
    classes: list[str] | None = Field(
        default=None,
        description="Target values in the order of the columns of the probabilities; needed for a classification.",
    )


class ModelSettings(Strict):
    """The model of a use case: exactly one of `estimator`, `factory` and `onnx`."""

    estimator: EstimatorName | None = Field(
        default=None,
        description="A scikit-learn estimator by name; the contract's target decides between classifier and regressor.",
    )
    factory: str | None = Field(
        default=None,
        description="`module:function` in the use case's folder or an installed package. The function gets the "
        "`parameters` as keyword arguments and returns an unfitted scikit-learn estimator or pipeline. It is fitted on "
        "a matrix of numbers: numeric columns filled, centred and scaled, one 0/1 column per category.",
    )
    onnx: OnnxSettings | None = Field(default=None, description="A model that was trained elsewhere.")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Parameters of the estimator, or keyword arguments of the factory."
    )
    threshold: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Binary target: decide for the positive label from this score on."
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="Seed of everything random in the training.")

    @model_validator(mode="after")
    def _one_source(self) -> ModelSettings:
        given = [name for name in ("estimator", "factory", "onnx") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a model has exactly one of estimator, factory and onnx; here: {', '.join(given) or 'none of them'}"
            )
        if self.onnx is not None and self.parameters:
            raise ValueError("parameters belong to an estimator or a factory; an ONNX file is used as it is")
        if self.factory is not None and self.factory.count(":") != 1:
            raise ValueError(f"factory must read `module:function`, not {self.factory!r}")
        return self
