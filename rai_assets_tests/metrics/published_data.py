"""The rows of the published figures: data sets prepared, and models fitted, as the sources describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rai_assets.metrics.rows import Rows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from rai_assets.model.version import ModelVersion

ACS, LAST_ACS = "acs_employment_ma/employment_MA_reference.csv.gz", "acs_employment_ma/employment_MA_analysis.csv.gz"
BANK, DIABETES = "bank/bank-additional-full.csv.gz", "diabetes130/diabetic_data.csv.gz"
ELEC2, GERMAN, INSURANCE = "elec2/elec.csv.gz", "german/german.csv", "insurance/insurance.csv"


@dataclass(frozen=True)
class Audited:
    """Rows that a figure speaks of, and the columns that their groups come from."""

    rows: Rows
    people: pd.DataFrame


@cache
def table(data: Path, *files: str, names: str | None = None) -> pd.DataFrame:
    """Files one after the other, read as `rai init` finds them to be written; numbers where all values are."""
    import pyarrow as pa

    from rai_assets.data.readers import read_parts
    from rai_assets.data.sniffing import read_names, sniff

    known = read_names(str(data / names)) if names else None
    parts = [
        part.columns
        for path in (data / file for file in files)
        for part in read_parts(path, sniff(path, known, None).layout)
    ]
    return pa.Table.from_batches(parts).to_pandas().apply(_typed)


def _typed(column: pd.Series) -> pd.Series:
    for kind in (int, float):
        try:
            return column.astype(kind)
        except ValueError:
            continue
    return column.str.strip()


def adult(data: Path, *parts: str) -> pd.DataFrame:
    import pandas as pd

    files = [f"adult/adult.{part}.gz" for part in parts]
    read = pd.concat([table(data, file, names="adult/columns.txt") for file in files], ignore_index=True)
    return read.replace("?", np.nan).assign(income=read.income.str.rstrip(".") == ">50K")


def whole(target: str, positive: object, *files: str) -> Callable[[Path], Audited]:
    """All rows of files with one column as the target."""

    def prepare(data: Path) -> Audited:
        people = table(data, *files)
        return Audited(Rows("binary", ("no", "yes"), (people[target] == positive).to_numpy()), people)

    return prepare


def adult_rows(*parts: str, complete: bool = False) -> Callable[[Path], Audited]:
    def prepare(data: Path) -> Audited:
        people = adult(data, *parts)
        people = people.dropna() if complete else people
        return Audited(Rows("binary", ("<=50K", ">50K"), people.income.to_numpy()), people)

    return prepare


@cache
def adult_tree(data: Path) -> Audited:
    """Fairlearn's quickstart: a decision tree, scored on the rows that it learned from."""
    import pandas as pd
    from sklearn.tree import DecisionTreeClassifier

    people = adult(data, "data", "test")
    features = pd.get_dummies(people.drop(columns="income"))
    tree = DecisionTreeClassifier(min_samples_leaf=10, max_depth=4).fit(features, people.income)
    return Audited(Rows("binary", ("<=50K", ">50K"), people.income.to_numpy(), tree.predict(features)), people)


@cache
def adult_regression(data: Path, *, reweighed: bool = False) -> Audited:
    """AI Fairness 360's notebook on its scikit-learn interface."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split

    people = adult(data, "test", "data").drop(columns="fnlwgt").dropna(ignore_index=True)
    features = pd.get_dummies(people.drop(columns="income"))
    fitted, audited = train_test_split(np.arange(len(people)), train_size=0.7, random_state=1234567)
    weight = reweighing(people.sex.iloc[fitted], people.income.iloc[fitted]) if reweighed else None
    model = LogisticRegression(solver="liblinear").fit(features.iloc[fitted], people.income.iloc[fitted], weight)
    decision = model.predict(features.iloc[audited])
    people = people.iloc[audited].assign(white=people.race == "White", male=people.sex == "Male")
    rows = Rows("binary", ("<=50K", ">50K"), people.income.to_numpy(), decision)
    return Audited(rows, people.assign(mixed=people.white != people.male))


def adult_reweighed(data: Path) -> Audited:
    return adult_regression(data, reweighed=True)


def reweighing(group: pd.Series, target: pd.Series) -> np.ndarray:
    """Weights that make group and target independent (Kamiran and Calders 2012)."""

    def count(*by: pd.Series) -> pd.Series:
        return group.groupby(list(by)).transform("size")

    return (count(group) * count(target) / count(group, target) / len(group)).to_numpy()


@cache
def german_credit(data: Path, *, reweighed: bool = False) -> Audited:
    """AI Fairness 360's credit tutorial: the target itself, as if it were a decision."""
    people = table(data, "german/german.csv").iloc[np.random.RandomState(0).permutation(1000)[:700]]
    good, old = people.Class == 1, people.Age >= 25
    weight = reweighing(old, good) if reweighed else None
    return Audited(Rows("binary", ("bad", "good"), decision=good.to_numpy(), weight=weight), old.to_frame())


def german_reweighed(data: Path) -> Audited:
    return german_credit(data, reweighed=True)


@cache
def ricci_regression(data: Path) -> Audited:
    """The survey of fairness data sets by Le Quy et al."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split

    people = table(data, "ricci/ricci_race.csv")
    coded = people.apply(lambda column: column if column.dtype.kind in "if" else column.astype("category").cat.codes)
    features, target = coded.drop(columns="Promoted"), (coded.Promoted == 1).astype(int)
    fitted_x, audited_x, fitted_y, audited_y = train_test_split(features, target, test_size=0.3, random_state=42)
    model = LogisticRegression(random_state=0).fit(fitted_x, fitted_y)
    rows = Rows("binary", ("no", "yes"), audited_y.to_numpy(), model.predict(audited_x))
    return Audited(rows, people.loc[audited_x.index])


@cache
def insurance_model(data: Path) -> tuple[pa.Table, ModelVersion]:
    """The product's own linear regression, of all rows."""
    import pyarrow as pa

    from rai_assets.data.contract import Contract
    from rai_assets.data.settings import DatasetSettings
    from rai_assets.model.settings import ModelSettings
    from rai_assets.model.training import train

    people = table(data, INSURANCE)
    kinds = {"i": "integer", "f": "number", "O": "category"}
    columns: dict[str, dict[str, str]] = {name: {"dtype": kinds[people[name].dtype.kind]} for name in people}
    columns["charges"]["role"] = "target"
    contract = Contract.of(DatasetSettings.model_validate({"files": [{"path": INSURANCE}], "columns": columns}))
    rows = pa.Table.from_pandas(people, preserve_index=False).cast(contract.schema())
    return rows, train(rows, contract, ModelSettings(estimator="linear_regression"))


def insurance_rows(data: Path) -> Audited:
    from rai_assets.model.scoring import ScoringSession

    rows, version = insurance_model(data)
    with ScoringSession(version) as session:
        predicted = session.scores(rows)
    return Audited(Rows("regression", target=rows["charges"].to_numpy(), score=predicted), rows.to_pandas())


def previous_label(data: Path) -> Audited:
    """Every price movement taken for the one before it."""
    people = table(data, "elec2/elec.csv.gz")
    up = people["class"].to_numpy()
    return Audited(Rows("binary", ("down", "up"), up[1:], up[:-1]), people.iloc[1:])
