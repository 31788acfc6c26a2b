"""How every published figure is reproduced with the product's own functions, or what it waits for.

The figures, their tolerances and their sources stand in `../shared/data/published_figures.csv`; here stands, by id, the
number that its row asks for, and in `published_data` how its rows are prepared.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rai_assets.metrics.rows import Grouping
from rai_assets.metrics.table import measure
from rai_assets_tests.conftest import SHARED_DATA
from rai_assets_tests.metrics.published_data import (
    ACS,
    BANK,
    DIABETES,
    ELEC2,
    GERMAN,
    LAST_ACS,
    Audited,
    adult_regression,
    adult_reweighed,
    adult_rows,
    adult_tree,
    german_credit,
    german_reweighed,
    insurance_model,
    insurance_rows,
    previous_label,
    ricci_regression,
    whole,
)
from rai_assets_tests.metrics.published_drift import FIGURES, AlarmingChunks, ColumnDrift

if TYPE_CHECKING:
    import pandas as pd

FILE = SHARED_DATA / "published_figures.csv"


def rows() -> dict[str, dict[str, str]]:
    """The rows of the file by id; none where the data are not beside the project."""
    if not FILE.exists():
        return {}
    with FILE.open(newline="", encoding="utf-8") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


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


MEN, WOMEN = {"sex": "Male"}, {"sex": "Female"}

REPRODUCED: dict[str, Figure | Coefficient | ColumnDrift | AlarmingChunks] = {
    **FIGURES,
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


WAITING: dict[str, str] = {
    "236": "adjusted R² as a definition",
}
"""By id: what the product does not do yet and the figure needs."""
