"""Fit an estimator on an encoded matrix and export its numeric core; run by `fit_worker` in a process of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rai_assets.errors import DeclarationError, InputRefused
from rai_assets.metrics.rows import Task
from rai_assets.model.estimators import build_estimator, build_from_factory
from rai_assets.model.graph import CORE_INPUT, OPSETS

_CHUNK = 65_536


@dataclass(frozen=True)
class Recipe:
    """Which estimator to fit, and how.

    Attributes:
        task: Kind of target.
        estimator: Declared name, or None for a factory.
        factory: `module:function`, or None for a declared name.
        folder: The use case's folder.
        parameters: Parameters of the estimator or arguments of the factory.
        seed: Seed of everything random.
        classes: Class labels in code order.
    """

    task: Task
    estimator: str | None
    factory: str | None
    folder: str
    parameters: dict[str, Any]
    seed: int
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Core:
    """A fitted and exported core.

    Attributes:
        onnx: From one float or double matrix (n, m) to `probabilities` (n, k), or to a predicted value (n, 1).
        native: What the estimator itself says on the training matrix and on each of the probes, in the target's unit:
            (n, k) or (n,).
        target_scale: (offset, factor) from the core's value to the target's unit, or None where they are the same.
        notes: What the training warned of.
    """

    onnx: bytes
    native: tuple[NDArray[np.float64], ...]
    target_scale: tuple[float, float] | None = None
    notes: tuple[str, ...] = field(default=())


def fit_core(
    recipe: Recipe,
    matrix: NDArray[np.float32],
    target: NDArray,
    weight: NDArray[np.float64] | None,
    probes: tuple[NDArray[np.float32], ...],
    on_fitted: Callable[[], None] = lambda: None,
) -> Core:
    """Fit, export, and let the fitted estimator answer on the training rows and on the probes.

    The values are those of float32 and the arithmetic of the fit is double: the ONNX core reads float32, and split
    points or coefficients learned from finer values would not be the exported ones.

    Args:
        recipe: The estimator.
        matrix: Training rows, shape (n, m).
        target: Class codes 0..k-1, or values; shape (n,).
        weight: Row weights, shape (n,), or None.
        probes: Further matrices to answer on for the parity gate.
        on_fitted: Called between fit and export.

    Raises:
        DeclarationError: The estimator does not exist, or refuses its parameters.
        InputRefused: The estimator cannot be fitted on these rows, or has no ONNX form.
    """
    estimator = _build(recipe)
    scale = _target_scale(recipe, target)
    if scale is not None:
        target = (target - scale[0]) / scale[1]
    notes = _fit(estimator, matrix.astype(np.float64), target, weight)
    for thresholds in _split_points(estimator):
        _floor(thresholds)
    on_fitted()
    exported = _export(estimator, recipe, matrix.shape[1])
    native = tuple(_answers(estimator, recipe.task, probe, scale) for probe in (matrix, *probes))
    return Core(exported, native, scale, tuple(notes))


def _build(recipe: Recipe) -> Any:
    if recipe.estimator is not None:
        return build_estimator(recipe.estimator, recipe.task, recipe.parameters, recipe.seed, recipe.classes)
    return build_from_factory(str(recipe.factory), Path(recipe.folder), recipe.parameters, recipe.seed)


def _target_scale(recipe: Recipe, target: NDArray) -> tuple[float, float] | None:
    """Networks learn targets around 0 with a spread around 1; prices in the thousands they do not."""
    if recipe.estimator != "mlp" or recipe.task != "regression":
        return None
    spread = float(np.float32(target.std()))
    return float(np.float32(target.mean())), spread if spread > 0 else 1.0


def _fit(estimator: Any, matrix: NDArray[np.float64], target: NDArray, weight: NDArray[np.float64] | None) -> list[str]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils.validation import has_fit_parameter

    arguments: dict[str, Any] = {}
    notes: list[str] = []
    last = estimator.steps[-1] if hasattr(estimator, "steps") else None
    if weight is not None and has_fit_parameter(last[1] if last else estimator, "sample_weight"):
        arguments = {f"{last[0]}__sample_weight" if last else "sample_weight": weight}
    elif weight is not None:
        notes.append(f"{type(estimator).__name__} takes no weights: every row counted once in the training")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator.fit(matrix, target, **arguments)
        except (ValueError, TypeError) as error:
            kind = DeclarationError if type(error).__name__ == "InvalidParameterError" else InputRefused
            raise kind(f"{type(estimator).__name__} cannot be trained: {error}") from error
    for item in caught:
        if issubclass(item.category, ConvergenceWarning):
            notes.append(f"the training stopped before it converged: {str(item.message).splitlines()[0]}")
    return notes


def _split_points(estimator: Any) -> Iterator[NDArray[np.float64]]:
    """The split points of every fitted tree within an estimator or a pipeline, as arrays that can be written to."""
    if hasattr(estimator, "tree_"):
        yield estimator.tree_.threshold
    for stage in getattr(estimator, "_predictors", []):
        for predictor in stage:
            yield predictor.nodes["num_threshold"]
    inner = getattr(estimator, "estimators_", [])
    inner = inner.ravel().tolist() if isinstance(inner, np.ndarray) else list(inner)
    for item in (*inner, *(step for _, step in getattr(estimator, "steps", []))):
        yield from _split_points(item)


def _floor(thresholds: NDArray[np.float64]) -> None:
    """Move split points down to the float32 below.

    Rows are float32, so `x <= threshold` keeps its answer for every row; rounding to nearest, which the export does,
    would send rows that equal the rounded value to the other side.
    """
    low = thresholds.astype(np.float32)
    above = low > thresholds
    low[above] = np.nextafter(low[above], np.float32(-np.inf))
    thresholds[:] = low


def _export(estimator: Any, recipe: Recipe, width: int) -> bytes:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    name = type(estimator).__name__
    if recipe.task != "regression" and not hasattr(estimator, "predict_proba"):
        raise InputRefused(f"{name} has no probabilities", fix="choose a classifier with `predict_proba`")
    # Sums of large terms that cancel need double; trees only compare, and their operator has float32 alone.
    exact = recipe.estimator in ("logistic_regression", "linear_regression", "mlp")
    source = ("double", DoubleTensorType([None, width])) if exact else (CORE_INPUT, FloatTensorType([None, width]))
    with warnings.catch_warnings():
        # Deprecations inside the converters: nothing that a user or this package could change.
        warnings.simplefilter("ignore")
        try:
            model = convert_sklearn(
                estimator,
                name="core",
                initial_types=[source],
                target_opset=OPSETS,
                options=None if recipe.task == "regression" else {"zipmap": False},
            )
        except (MissingShapeCalculator, MissingConverter) as error:
            raise InputRefused(
                f"{name} has no ONNX form", fix="choose an estimator that skl2onnx converts, or one by name"
            ) from error
    return model.SerializeToString(deterministic=True)


def _answers(
    estimator: Any, task: Task, probe: NDArray[np.float32], scale: tuple[float, float] | None
) -> NDArray[np.float64]:
    answer = estimator.predict if task == "regression" else estimator.predict_proba
    starts = range(0, max(len(probe), 1), _CHUNK)
    parts = [np.asarray(answer(probe[start : start + _CHUNK].astype(np.float64))) for start in starts]
    values = np.concatenate(parts).astype(np.float64)
    if task == "regression":
        values = values.reshape(len(probe))
    return values if scale is None else values * scale[1] + scale[0]
