"""Estimators by name and from a factory, and the parameters they take."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rai_assets.errors import DeclarationError
from rai_assets.model.estimators import build_estimator, build_from_factory, check_parameters


def test_the_seed_and_the_defaults_reach_the_estimator() -> None:
    forest = build_estimator("random_forest", "binary", {"n_estimators": 7}, seed=3)
    assert type(forest).__name__ == "RandomForestClassifier"
    assert (forest.n_estimators, forest.random_state, forest.min_samples_leaf) == (7, 3, 5)
    assert type(build_estimator("random_forest", "regression", {}, 0)).__name__ == "RandomForestRegressor"
    assert build_estimator("decision_tree", "multiclass", {"min_samples_leaf": 1}, 0).min_samples_leaf == 1


def test_a_parameter_that_does_not_exist_names_near_ones() -> None:
    with pytest.raises(DeclarationError, match="hist_gradient_boosting has no parameter 'max_itr'") as caught:
        check_parameters("hist_gradient_boosting", "binary", {"max_itr": 5})
    assert "max_iter" in caught.value.fix
    with pytest.raises(DeclarationError) as caught:
        check_parameters("linear_regression", "regression", {"zzz": 1})
    assert "fit_intercept" in caught.value.fix


def test_parameters_that_are_not_the_users() -> None:
    with pytest.raises(DeclarationError, match="random_state cannot be set: it follows from the model's `seed`"):
        check_parameters("mlp", "binary", {"random_state": 1})
    with pytest.raises(DeclarationError, match="categorical_features cannot be set"):
        check_parameters("hist_gradient_boosting", "binary", {"categorical_features": [0]})


def test_class_weights_go_by_label() -> None:
    tree = build_estimator("decision_tree", "binary", {"class_weight": {"yes": 3}}, 0, ("no", "yes"))
    assert tree.class_weight == {0: 1.0, 1: 3}
    assert build_estimator("decision_tree", "binary", {"class_weight": "balanced"}, 0).class_weight == "balanced"
    with pytest.raises(DeclarationError, match="`class_weight` names ja; the classes are no, yes"):
        build_estimator("decision_tree", "binary", {"class_weight": {"ja": 3}}, 0, ("no", "yes"))


def test_an_estimator_that_cannot_predict_the_target() -> None:
    with pytest.raises(DeclarationError, match="linear_regression cannot predict this target: its task is binary") as e:
        check_parameters("linear_regression", "binary", {})
    assert e.value.fix == "choose one of logistic_regression, decision_tree, random_forest, hist_gradient_boosting, mlp"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "my_own_model.py").write_text(
        "from sklearn.ensemble import GradientBoostingClassifier\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import MinMaxScaler\n"
        "def build(trees=10):\n"
        "    return make_pipeline(MinMaxScaler(), GradientBoostingClassifier(n_estimators=trees))\n"
        "def wrong():\n"
        "    return 42\n"
    )
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    sys.modules.pop("my_own_model", None)


def test_a_factory_in_the_use_cases_folder(folder: Path) -> None:
    pipeline = build_from_factory("my_own_model:build", folder, {"trees": 4}, seed=9)
    assert pipeline[-1].n_estimators == 4
    assert pipeline[-1].random_state == 9


@pytest.mark.parametrize(
    ("path", "parameters", "message"),
    [
        ("my_own_model:biuld", {}, "the factory 'my_own_model:biuld' was not found"),
        ("not_there:build", {}, "not found: No module named 'not_there'"),
        (
            "my_own_model:build",
            {"tree": 4},
            "does not take these parameters: got an unexpected keyword argument 'tree'",
        ),
        ("my_own_model:wrong", {}, "returned int, which is no scikit-learn estimator"),
    ],
)
def test_factories_that_cannot_be_used(folder: Path, path: str, parameters: dict, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        build_from_factory(path, folder, parameters, seed=0)
