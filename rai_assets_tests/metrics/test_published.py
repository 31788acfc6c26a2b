"""Figures that others published, from their data and their model, to their last digit.

Ids and tolerances are those of `published_figures.csv`, which also names every source.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Grouping, Rows
from rai_assets.metrics.table import measure, measure_groups


@pytest.fixture(scope="module")
def figures(shared_data: Path) -> dict[str, tuple[float, float]]:
    """(published value, tolerance) by id."""
    with (shared_data / "published_figures.csv").open(newline="") as file:
        return {row["id"]: (float(row["published"]), float(row["tolerance"])) for row in csv.DictReader(file)}


def grouping(table: pd.DataFrame) -> Grouping:
    codes, labels = pd.MultiIndex.from_frame(table).factorize()
    columns = tuple(table.columns)
    groups = tuple(dict(zip(columns, map(str, label), strict=True)) for label in labels)
    return Grouping(columns, codes.astype(np.int32), groups)


def value(numbers: list[Number], definition: str, group: dict[str, str] | None = None) -> float:
    found = [item for item in numbers if item.definition == f"{definition}@1" and item.group == (group or {})]
    assert len(found) == 1
    assert found[0].value is not None
    return found[0].value


def agrees(got: float, figure: tuple[float, float]) -> bool:
    published, tolerance = figure
    return abs(got - published) <= tolerance


def adult(folder: Path, files: tuple[str, ...]) -> pd.DataFrame:
    names = (folder / "adult" / "columns.txt").read_text().split()
    parts = [
        pd.read_csv(
            folder / "adult" / file, names=names, na_values="?", skipinitialspace=True, comment="|", compression="gzip"
        )
        for file in files
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(income=table.income.str.rstrip(".") == ">50K")


def test_adult_with_a_decision_tree(shared_data: Path, figures: dict[str, tuple[float, float]]) -> None:
    """Fairlearn's quickstart."""
    table = adult(shared_data, ("adult.data.gz", "adult.test.gz"))
    features = pd.get_dummies(table.drop(columns="income"))
    tree = DecisionTreeClassifier(min_samples_leaf=10, max_depth=4).fit(features, table.income)
    rows = Rows("binary", ("<=50K", ">50K"), table.income.to_numpy(), tree.predict(features))
    sexes = measure_groups(rows, grouping(table[["sex"]]))
    overall = measure_groups(rows)
    men, women = {"sex": "Male"}, {"sex": "Female"}
    assert agrees(value(sexes, "count", men), figures["007"])
    assert agrees(value(sexes, "count", women), figures["008"])
    assert agrees(value(overall, "accuracy"), figures["009"])
    assert agrees(value(sexes, "accuracy", women), figures["010"])
    assert agrees(value(sexes, "selection_rate", women), figures["011"])
    assert agrees(value(sexes, "accuracy", men), figures["012"])
    assert agrees(value(sexes, "selection_rate", men), figures["013"])
    assert agrees(value(overall, "selection_rate"), figures["014"])


def test_adult_with_a_logistic_regression(shared_data: Path, figures: dict[str, tuple[float, float]]) -> None:
    """AI Fairness 360's notebook on its scikit-learn interface."""
    table = adult(shared_data, ("adult.test.gz", "adult.data.gz")).drop(columns="fnlwgt").dropna(ignore_index=True)
    features = pd.get_dummies(table.drop(columns="income"))
    fitted, audited = train_test_split(np.arange(len(table)), train_size=0.7, random_state=1234567)
    model = LogisticRegression(solver="liblinear").fit(features.iloc[fitted], table.income.iloc[fitted])
    held_out = table.iloc[audited]
    decision = model.predict(features.iloc[audited])
    rows = Rows("binary", ("<=50K", ">50K"), held_out.income.to_numpy(), decision)
    white, male = held_out.race == "White", held_out.sex == "Male"

    def gaps(columns: dict[str, pd.Series], reference: dict[str, str]) -> list[Number]:
        return measure(rows, grouping(pd.DataFrame(columns)), reference)

    assert agrees(value(measure_groups(rows), "accuracy"), figures["015"])
    by_sex = gaps({"sex": held_out.sex}, {"sex": "Male"})
    assert agrees(value(by_sex, "disparate_impact"), figures["016"])
    both = gaps({"white": white, "male": male}, {"white": "True", "male": "True"})
    assert agrees(value(both, "average_absolute_odds_difference"), figures["017"])
    mixed = gaps({"mixed": white != male}, {"mixed": "False"})
    assert agrees(value(mixed, "disparate_impact"), figures["018"])


def test_german_credit_by_age(shared_data: Path, figures: dict[str, tuple[float, float]]) -> None:
    """AI Fairness 360's credit tutorial: the target itself, as if it were a decision."""
    table = pd.read_csv(shared_data / "german" / "german.csv")
    chosen = table.iloc[np.random.RandomState(0).permutation(1000)[:700]]
    rows = Rows("binary", ("bad", "good"), decision=(chosen.Class == 1).to_numpy())
    numbers = measure(rows, grouping(chosen[["Age"]] >= 25), {"Age": "True"})
    assert agrees(value(numbers, "statistical_parity_difference"), figures["124"])


def test_ricci_by_race(shared_data: Path, figures: dict[str, tuple[float, float]]) -> None:
    """The survey of fairness data sets by Le Quy et al."""
    table = pd.read_csv(shared_data / "ricci" / "ricci_race.csv")
    coded = table.apply(lambda column: column if column.dtype.kind in "if" else column.astype("category").cat.codes)
    features, target = coded.drop(columns="Promoted"), (coded.Promoted == 1).astype(int)
    fitted_x, audited_x, fitted_y, audited_y = train_test_split(features, target, test_size=0.3, random_state=42)
    model = LogisticRegression(random_state=0).fit(fitted_x, fitted_y)
    rows = Rows("binary", ("no", "yes"), audited_y.to_numpy(), model.predict(audited_x))
    race = grouping(table.loc[audited_x.index, ["Race"]])
    assert agrees(value(measure_groups(rows), "accuracy"), figures["136"])
    # They take the privileged group first: P(+ | White) - P(+ | Non-White).
    numbers = measure(rows, race, {"Race": "Non-White"})
    assert agrees(value(numbers, "statistical_parity_difference"), figures["137"])
    assert agrees(value(numbers, "equalized_odds_sum"), figures["138"])
