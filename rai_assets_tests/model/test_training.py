"""From rows and settings to a version, through the training process."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from rai_assets.errors import DeclarationError, InputRefused, RaiError
from rai_assets.model import export
from rai_assets.model.fitting import Recipe, fit_core
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.settings import ModelSettings
from rai_assets.model.training import train
from rai_assets.model.version import ModelVersion
from rai_assets_tests.model.people import contract, population


def test_scores_equal_a_scikit_learn_pipeline(boosted: ModelVersion) -> None:
    """The same estimator behind scikit-learn's own encoders, fitted and asked from a data frame."""

    def frame(table: pa.Table) -> object:
        data = table.to_pandas()
        data[["job", "region"]] = data[["job", "region"]].astype(object).fillna("\uffff")
        data[["age", "income", "insured"]] = data[["age", "income", "insured"]].astype(np.float32)
        return data

    encode = ColumnTransformer(
        [("n", "passthrough", ["age", "income", "insured"]), ("c", OrdinalEncoder(), ["job", "region"])]
    )
    train_rows, other = population(), population(400, seed=8)
    pipeline = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=15, random_state=0))
    pipeline.fit(frame(train_rows), train_rows["yes"].to_pylist())
    with ScoringSession(boosted) as session:
        for table in (train_rows, other):
            np.testing.assert_allclose(session.scores(table), pipeline.predict_proba(frame(table)), atol=1e-6)


def test_a_version_knows_where_it_comes_from(boosted: ModelVersion) -> None:
    assert (boosted.task, boosted.classes, boosted.threshold, boosted.commit) == (
        "binary",
        ("no", "yes"),
        0.5,
        "c0ffee",
    )
    assert (boosted.estimator, boosted.seed) == ("hist_gradient_boosting", 0)
    assert set(boosted.libraries) == {"numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx"}
    assert boosted.parity is not None
    assert boosted.parity["max_difference"] < 1e-6
    assert boosted.training["rows"] == 1500
    numbers = {number["definition"]: number for number in boosted.training["numbers"]}
    with ScoringSession(boosted) as session:
        decisions = session.decisions(session.scores(population()))
    right = np.mean(decisions == (np.array(population()["yes"].to_pylist()) == "yes"))
    assert numbers["accuracy@1"]["value"] == pytest.approx(right)
    assert numbers["accuracy@1"]["split"] == "train"


def test_the_same_seed_gives_the_same_bytes(boosted: ModelVersion) -> None:
    settings = ModelSettings(estimator="hist_gradient_boosting", parameters={"max_iter": 15})
    again = train(population(), contract("binary"), settings, commit="c0ffee")
    assert again.files() == boosted.files()
    assert again.digest == boosted.digest


def test_weights_and_rows_without_a_target(tmp_path: Path) -> None:
    """A weighted least-squares fit has a closed form; rows without a target or weight take no part."""
    table = population(400)
    price = pc.if_else(pa.array(np.arange(400) % 10 == 0), None, table["price"])
    weight = pc.if_else(pa.array(np.arange(400) % 10 == 1), None, table["weight"])
    table = table.set_column(table.column_names.index("price"), "price", price)
    table = table.set_column(table.column_names.index("weight"), "weight", weight)
    said: list[str] = []
    version = train(
        table,
        contract("regression", weighted=True),
        ModelSettings(estimator="linear_regression"),
        lambda what, done, total: said.append(what),
    )
    assert version.training["notes"] == [
        "40 rows without a target were left out of the training",
        "40 rows without a weight were left out of the training",
    ]
    assert said[:4] == [
        "encoding the training rows",
        "fitting the estimator",
        "exporting the model to ONNX",
        "comparing the export with the estimator",
    ]
    kept = table.filter(pc.and_(pc.is_valid(price), pc.is_valid(weight)))
    assert version.encoding is not None
    matrix = version.encoding.matrix(kept).astype(float)
    by_hand = LinearRegression().fit(matrix, kept["price"].to_numpy(), kept["weight"].to_numpy())
    with ScoringSession(version) as session:
        np.testing.assert_allclose(session.scores(kept), by_hand.predict(matrix), rtol=1e-6)
        assert session.linear is not None
        np.testing.assert_allclose(session.linear.coefficients[:, 0], by_hand.coef_, rtol=1e-9)
    assert (version.threshold, version.classes, version.output) == (None, (), "prediction")


def test_a_factory(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from sklearn.ensemble import ExtraTreesClassifier\n"
        "def build(trees):\n"
        "    return ExtraTreesClassifier(trees, max_depth=4)\n"
    )
    settings = ModelSettings(factory="own:build", parameters={"trees": 5})
    version = train(population(300), contract("multiclass"), settings, folder=tmp_path)
    assert (version.estimator, version.classes) == ("own:build", ("low", "middle", "top"))
    with ScoringSession(version) as session:
        scores = session.scores(population(50, seed=2))
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_array_equal(session.decisions(scores), scores.argmax(axis=1))


def test_what_a_factory_can_get_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strange_factories.py").write_text(
        "from sklearn.svm import LinearSVC\n"
        "from sklearn.base import BaseEstimator, ClassifierMixin\n"
        "import numpy as np\n"
        "class Own(ClassifierMixin, BaseEstimator):\n"
        "    def fit(self, X, y):\n"
        "        self.classes_ = np.unique(y)\n"
        "        return self\n"
        "    def predict_proba(self, X):\n"
        "        return np.full((len(X), 2), 0.5)\n"
        "    def predict(self, X):\n"
        "        return np.zeros(len(X))\n"
        "def unknown():\n"
        "    return Own()\n"
        "def no_probabilities():\n"
        "    return LinearSVC()\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    recipe = Recipe("binary", None, "strange_factories:unknown", str(tmp_path), {}, 0)
    matrix, target = np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1])
    with pytest.raises(InputRefused, match="Own has no ONNX form"):
        fit_core(recipe, matrix, target, None, ())
    with pytest.raises(InputRefused, match="LinearSVC has no probabilities"):
        fit_core(replace(recipe, factory="strange_factories:no_probabilities"), matrix, target, None, ())


def test_an_export_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    """The converter runs in the training process: here one that sleeps, called through a class of the user's."""
    (tmp_path / "own.py").write_text(
        "import time\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "class Slow(LogisticRegression):\n"
        "    @property\n"
        "    def predict_proba(self):\n"
        "        time.sleep(60)\n"
        "def build():\n"
        "    return Slow()\n"
    )
    recipe = Recipe("binary", None, "own:build", str(tmp_path), {}, 0)
    matrix, target = np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1])
    with pytest.raises(RaiError, match="did not end within 0.5 s and was stopped"):
        export.fit_and_export(recipe, matrix, target, None, (), seconds=0.5)


def test_a_process_that_dies(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("import os\ndef build():\n    os._exit(9)\n")
    recipe = Recipe("binary", None, "own:build", str(tmp_path), {}, 0)
    matrix = np.eye(4, dtype=np.float32)
    with pytest.raises(RaiError, match="the training process ended with code 9"):
        export.fit_and_export(recipe, matrix, np.array([0, 1, 0, 1]), None, ())


def test_refusals_before_any_process_starts() -> None:
    table = population(60)
    tree = ModelSettings(estimator="decision_tree")
    with pytest.raises(DeclarationError, match="the column 'note' holds text"):
        train(table, contract("binary", note={"dtype": "text"}), tree)
    with pytest.raises(DeclarationError, match="decision_tree has no parameter 'depth'"):
        train(table, contract("binary"), ModelSettings(estimator="decision_tree", parameters={"depth": 3}))
    with pytest.raises(InputRefused, match="no training row has the target 'yes'"):
        train(table.filter(pc.equal(pc.cast(table["yes"], pa.string()), "no")), contract("binary"), tree)
    target = table.schema.get_field_index(str(contract("regression").target))
    huge = table.set_column(target, table.schema.field(target), pa.array(np.full(60, 1e149)))
    with pytest.raises(InputRefused, match="60 training rows have a target beyond 1e\\+37"):
        train(huge, contract("regression"), tree)


def test_a_value_that_scikit_learn_refuses() -> None:
    settings = ModelSettings(estimator="decision_tree", parameters={"max_depth": -1})
    with pytest.raises(DeclarationError, match="'max_depth' parameter of DecisionTreeClassifier must be"):
        train(population(60), contract("binary"), settings)
