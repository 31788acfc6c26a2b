"""Scikit-learn estimators by the names of the declaration, and factories of one's own."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rai_assets.errors import DeclarationError
from rai_assets.metrics.rows import Task
from rai_assets.model.column_encoding import Style


@dataclass(frozen=True)
class Estimator:
    """What stands behind a name.

    Attributes:
        classifier: `module:class` for a binary or multiclass target, or None.
        regressor: `module:class` for a regression target, or None.
        style: The encoding that exports exactly for it.
        defaults: Parameters that differ from scikit-learn's own defaults.
    """

    classifier: str | None
    regressor: str | None
    style: Style
    defaults: Mapping[str, Any] = field(default_factory=dict)


# A leaf of one row would publish that row's target: five is also the smallest group that is reported on.
_LEAVES = {"min_samples_leaf": 5}

ESTIMATORS: Mapping[str, Estimator] = {
    "logistic_regression": Estimator("sklearn.linear_model:LogisticRegression", None, "scaled", {"max_iter": 1000}),
    "linear_regression": Estimator(None, "sklearn.linear_model:LinearRegression", "scaled"),
    "decision_tree": Estimator(
        "sklearn.tree:DecisionTreeClassifier", "sklearn.tree:DecisionTreeRegressor", "codes", _LEAVES
    ),
    "random_forest": Estimator(
        "sklearn.ensemble:RandomForestClassifier", "sklearn.ensemble:RandomForestRegressor", "codes", _LEAVES
    ),
    "hist_gradient_boosting": Estimator(
        "sklearn.ensemble:HistGradientBoostingClassifier", "sklearn.ensemble:HistGradientBoostingRegressor", "codes_nan"
    ),
    "mlp": Estimator("sklearn.neural_network:MLPClassifier", "sklearn.neural_network:MLPRegressor", "scaled"),
}

# Parameters that the training itself sets, and one that scikit-learn and the ONNX export understand differently.
_RESERVED = {
    "random_state": "it follows from the model's `seed`",
    "categorical_features": "categories are encoded before the estimator, in a way that exports exactly",
    "feature_names_in_": "the contract names the features",
    "warm_start": "a model is trained once",
    "monotonic_cst": "the estimator's columns are not the contract's",
    "interaction_cst": "the estimator's columns are not the contract's",
    "verbose": "training reports its progress itself",
}


def estimator_class(name: str, task: Task) -> type:
    """The scikit-learn class for a declared name and target.

    Args:
        name: A key of `ESTIMATORS`.
        task: Kind of target.

    Raises:
        DeclarationError: The estimator cannot predict this kind of target.
    """
    side = "regressor" if task == "regression" else "classifier"
    path = getattr(ESTIMATORS[name], side)
    if path is None:
        fitting = [other for other, item in ESTIMATORS.items() if getattr(item, side)]
        raise DeclarationError(
            f"{name} cannot predict this target: its task is {task}", fix=f"choose one of {', '.join(fitting)}"
        )
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def check_parameters(name: str, task: Task, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that the estimator does not have.

    Args:
        name: A key of `ESTIMATORS`.
        task: Kind of target.
        parameters: As declared.

    Raises:
        DeclarationError: With the nearest names, or with the reason why a parameter is not the user's to set.
    """
    known = set(inspect.signature(estimator_class(name, task)).parameters) - set(_RESERVED)
    for parameter in parameters:
        if parameter in _RESERVED:
            raise DeclarationError(
                f"{name}: {parameter} cannot be set: {_RESERVED[parameter]}",
                fix="remove it from `parameters`",
            )
        if parameter not in known:
            near = difflib.get_close_matches(str(parameter), known, n=3)
            raise DeclarationError(
                f"{name} has no parameter {parameter!r}",
                fix=f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(sorted(known))}",
            )


def build_estimator(
    name: str, task: Task, parameters: Mapping[str, Any], seed: int, classes: Sequence[str] = ()
) -> Any:
    """The unfitted estimator of a declared name.

    Args:
        name: The declared name.
        task: Kind of target.
        parameters: As declared; the keys of a `class_weight` are class labels.
        seed: Seed of everything random.
        classes: Class labels in the order of the codes that the estimator is trained on.

    Raises:
        DeclarationError: The estimator does not have a parameter, or a `class_weight` names no class.
    """
    check_parameters(name, task, parameters)
    kind = estimator_class(name, task)
    values = {**ESTIMATORS[name].defaults, **parameters}
    if isinstance(values.get("class_weight"), dict):
        values["class_weight"] = _weight_per_code(values["class_weight"], classes)
    if "random_state" in inspect.signature(kind).parameters:
        values["random_state"] = seed
    return kind(**values)


def _weight_per_code(weights: Mapping[str, float], classes: Sequence[str]) -> dict[int, float]:
    unknown = [str(label) for label in weights if label not in classes]
    if unknown:
        raise DeclarationError(
            f"`class_weight` names {', '.join(unknown)}; the classes are {', '.join(classes)}",
            fix="spell the labels as in the data",
        )
    return {code: weights.get(label, 1.0) for code, label in enumerate(classes)}


def build_from_factory(path: str, folder: Path, parameters: Mapping[str, Any], seed: int) -> Any:
    """The unfitted estimator that a user's function returns; every `random_state` left open gets the seed.

    Args:
        path: `module:function`.
        folder: The use case's folder, searched before installed packages.
        parameters: Keyword arguments of the function.
        seed: Seed of the training.

    Raises:
        DeclarationError: There is no such function, it does not take the parameters, or what it returns cannot be
            fitted.
    """
    module_name, _, function_name = path.partition(":")
    sys.path.insert(0, str(folder))
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise DeclarationError(
            f"the factory {path!r} was not found: {error}",
            fix=f"put {module_name}.py with a function {function_name} into the use case's folder",
        ) from error
    try:
        inspect.signature(function).bind(**parameters)
    except TypeError as error:
        raise DeclarationError(
            f"the factory {path!r} does not take these parameters: {error}",
            fix=f"declare under `parameters` what {function_name} takes",
        ) from error
    estimator = function(**parameters)
    if not all(hasattr(estimator, method) for method in ("fit", "predict", "get_params", "set_params")):
        raise DeclarationError(
            f"the factory {path!r} returned {type(estimator).__name__}, which is no scikit-learn estimator",
            fix="return an unfitted one: an object with fit, predict, get_params and set_params",
        )
    open_seeds = {
        key: seed
        for key, value in estimator.get_params(deep=True).items()
        if (key == "random_state" or key.endswith("__random_state")) and value is None
    }
    return estimator.set_params(**open_seeds)
