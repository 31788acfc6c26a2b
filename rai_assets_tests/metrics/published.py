"""How every published figure is reproduced with the product's own functions, or what it waits for.

The figures, their tolerances and their sources stand in `../shared/data/published_figures.csv`; here stands, by id, the
preparation and the model that its row describes.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rai_assets.metrics.rows import Grouping, Rows
from rai_assets.metrics.table import measure
from rai_assets_tests.conftest import SHARED_DATA

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from rai_assets.model.version import ModelVersion

FILE = SHARED_DATA / "published_figures.csv"


def rows() -> dict[str, dict[str, str]]:
    """The rows of the file by id; none where the data are not beside the project."""
    if not FILE.exists():
        return {}
    with FILE.open(newline="", encoding="utf-8") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


@dataclass(frozen=True)
class Audited:
    """Rows that a figure speaks of, and the columns that their groups come from."""

    rows: Rows
    people: pd.DataFrame


@dataclass(frozen=True)
class Figure:
    """A published figure that is one number of an audit.

    Attributes:
        prepare: Makes the rows from the folder of the data.
        definition: Name of the metric.
        group: The group that the number is of, {column: value}; empty for all rows or a gap.
        reference: The group that a gap compares with.
        percent: Whether it was published in percent.
    """

    prepare: Callable[[Path], Audited]
    definition: str
    group: dict[str, str] = field(default_factory=dict)
    reference: dict[str, str] = field(default_factory=dict)
    percent: bool = False

    @property
    def how(self) -> str:
        """What it is called here."""
        return f"`{self.definition}@1`"

    def value(self, data: Path) -> float:
        """The number from the data."""
        audited = self.prepare(data)
        columns = list(self.group or self.reference)
        if not columns:
            numbers = measure(audited.rows)
        else:
            numbers = measure(audited.rows, grouping(audited.people[columns]), self.reference or None)
        (found,) = [
            number
            for number in numbers
            if number.definition == f"{self.definition}@1" and dict(number.group) == self.group
        ]
        assert found.value is not None, found.reason
        return found.value * (100 if self.percent else 1)


def grouping(table: pd.DataFrame) -> Grouping:
    """The groups of the rows of a table: one for each combination of its values."""
    import pandas as pd

    codes, labels = pd.MultiIndex.from_frame(table).factorize()
    columns = tuple(table.columns)
    groups = tuple(dict(zip(columns, map(str, label), strict=True)) for label in labels)
    return Grouping(columns, codes.astype(np.int32), groups)


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


@dataclass(frozen=True)
class Coefficient:
    """How much one change moves the model's answer for a person at all reference levels; without one, the answer."""

    changed: dict[str, object] = field(default_factory=dict)
    how = "a prediction, or the difference of two"

    def value(self, data: Path) -> float:
        """The difference of two answers of the product's linear regression."""
        import pyarrow as pa

        from rai_assets.model.scoring import ScoringSession

        rows, version = insurance_model(data)
        person = {"age": 0, "sex": "female", "bmi": 0.0, "children": 0, "smoker": "no", "region": "northeast"}
        pair = [{**person, "charges": 0.0}, {**person, "charges": 0.0, **self.changed}]
        with ScoringSession(version) as session:
            before, after = session.scores(pa.Table.from_pylist(pair, rows.schema)).ravel().tolist()
        return after - before if self.changed else before


def previous_label(data: Path) -> Audited:
    """Every price movement taken for the one before it."""
    people = table(data, "elec2/elec.csv.gz")
    up = people["class"].to_numpy()
    return Audited(Rows("binary", ("down", "up"), up[1:], up[:-1]), people.iloc[1:])


ACS, LAST_ACS = "acs_employment_ma/employment_MA_reference.csv.gz", "acs_employment_ma/employment_MA_analysis.csv.gz"
BANK, DIABETES = "bank/bank-additional-full.csv.gz", "diabetes130/diabetic_data.csv.gz"
ELEC2, GERMAN, INSURANCE = "elec2/elec.csv.gz", "german/german.csv", "insurance/insurance.csv"
MEN, WOMEN = {"sex": "Male"}, {"sex": "Female"}

REPRODUCED: dict[str, Figure | Coefficient] = {
    "001": Figure(adult_rows("data", "test"), "count"),
    "002": Figure(adult_rows("data"), "count"),
    "003": Figure(adult_rows("test"), "count"),
    "004": Figure(adult_rows("data", "test", complete=True), "count"),
    "005": Figure(adult_rows("data", "test"), "base_rate", percent=True),
    "006": Figure(adult_rows("data", "test", complete=True), "base_rate", percent=True),
    "007": Figure(adult_tree, "count", MEN),
    "008": Figure(adult_tree, "count", WOMEN),
    "009": Figure(adult_tree, "accuracy"),
    "010": Figure(adult_tree, "accuracy", WOMEN),
    "011": Figure(adult_tree, "selection_rate", WOMEN),
    "012": Figure(adult_tree, "accuracy", MEN),
    "013": Figure(adult_tree, "selection_rate", MEN),
    "014": Figure(adult_tree, "selection_rate"),
    "015": Figure(adult_regression, "accuracy"),
    "016": Figure(adult_regression, "disparate_impact", reference=MEN),
    "017": Figure(adult_regression, "average_absolute_odds_difference", reference={"white": "True", "male": "True"}),
    "018": Figure(adult_regression, "disparate_impact", reference={"mixed": "False"}),
    "019": Figure(adult_reweighed, "accuracy"),
    "020": Figure(adult_reweighed, "disparate_impact", reference=MEN),
    "124": Figure(german_credit, "statistical_parity_difference", reference={"Age": "True"}),
    "125": Figure(german_reweighed, "statistical_parity_difference", reference={"Age": "True"}),
    "126": Figure(whole("Class", 1, GERMAN), "count", {"Class": "1"}),
    "127": Figure(whole("Class", 1, GERMAN), "count", {"Class": "2"}),
    "136": Figure(ricci_regression, "accuracy"),
    # They take the privileged group first: P(+ | White) - P(+ | Non-White).
    "137": Figure(ricci_regression, "statistical_parity_difference", reference={"Race": "Non-White"}),
    "138": Figure(ricci_regression, "equalized_odds_sum", reference={"Race": "Non-White"}),
    "173": Figure(whole("employed", 1, ACS), "count"),
    "174": Figure(whole("prediction", 1, LAST_ACS), "count"),
    "222": Figure(whole("class", 1, ELEC2), "count"),
    "223": Figure(previous_label, "accuracy", percent=True),
    "224": Figure(whole("class", 0, ELEC2), "base_rate", percent=True),
    "225": Figure(whole("y", "yes", BANK), "count"),
    "226": Coefficient(),
    "227": Coefficient({"age": 1}),
    "228": Coefficient({"sex": "male"}),
    "229": Coefficient({"bmi": 1.0}),
    "230": Coefficient({"children": 1}),
    "231": Coefficient({"smoker": "yes"}),
    "232": Coefficient({"region": "northwest"}),
    "233": Coefficient({"region": "southeast"}),
    "234": Coefficient({"region": "southwest"}),
    "235": Figure(insurance_rows, "r2"),
    "237": Figure(whole("readmitted", "<30", DIABETES), "count"),
}
"""By id: the figures that the product computes."""


def _ids(first: int, last: int) -> Iterable[str]:
    return (f"{number:03}" for number in range(first, last + 1))


WAITING: dict[str, str] = {
    **dict.fromkeys(_ids(21, 68), "drift of a column between two samples"),
    **dict.fromkeys(_ids(168, 172), "drift of chunks of rows against a reference"),
    "236": "adjusted R² as a definition",
}
"""By id: what the product does not do yet and the figure needs."""
