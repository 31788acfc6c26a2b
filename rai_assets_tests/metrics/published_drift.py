"""Published figures of drift: two samples prepared as their source describes, compared by `drift`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rai_assets.monitoring.drift import DriftResult, DriftRow, DriftSettings, drift
from rai_assets_tests.metrics.published_data import ACS, LAST_ACS, table

if TYPE_CHECKING:
    import pandas as pd

_DROPOUT = ("10th", "11th", "12th", "1st-4th", "5th-6th", "7th-8th", "9th", "Preschool")
_BLUE = ("Craft-repair", "Farming-fishing", "Handlers-cleaners", "Machine-op-inspct", "Transport-moving")
_COUNTRIES = {
    "SE-Asia": "Cambodia Laos Philippines Thailand Vietnam",
    "British-Commonwealth": "Canada England India Ireland Scotland",
    "China": "China Hong Taiwan",
    "South-America": "Columbia Ecuador El-Salvador Peru",
    "Other": "Cuba Iran Japan",
    "Latin-America": "Dominican-Republic Guatemala Haiti Honduras Jamaica Mexico Nicaragua "
    "Outlying-US(Guam-USVI-etc) Puerto-Rico Trinadad&Tobago",
    "Euro_1": "France Germany Holand-Netherlands Italy",
    "Euro_2": "Greece Hungary Poland Portugal South",
}
MERGED: dict[str, dict[str, str]] = {
    "education": {
        **dict.fromkeys(_DROPOUT, "Dropout"),
        **dict.fromkeys(("HS-grad", "Some-college"), "High School grad"),
        **dict.fromkeys(("Assoc-acdm", "Assoc-voc"), "Associates"),
    },
    "occupation": {
        **dict.fromkeys(_BLUE, "Blue-Collar"),
        **dict.fromkeys(("Other-service", "Priv-house-serv"), "Service"),
        **dict.fromkeys(("Protective-serv", "Tech-support"), "Other"),
    },
    "marital-status": {
        **dict.fromkeys(("Married-AF-spouse", "Married-civ-spouse"), "Married"),
        **dict.fromkeys(("Married-spouse-absent", "Separated", "Divorced"), "Separated"),
    },
    "native-country": {country: region for region, names in _COUNTRIES.items() for country in names.split()},
}
"""The categories that alibi merges: {column: {value: category}}."""


@cache
def adult_samples(data: Path, start: int) -> DriftResult:
    """alibi-detect's notebook: the first 10,000 rows of Adult against 10,000 later ones."""
    people = table(data, "adult/adult.data.gz", names="adult/columns.txt").replace(MERGED)
    settings = DriftSettings(methods=["ks", "chi_squared"], rule="textbook")
    return drift(_rows(people, 0), _rows(people, start), settings)


def _rows(people: pd.DataFrame, start: int) -> pd.DataFrame:
    return people.iloc[start : start + 10_000]


@cache
def acs_chunks(data: Path) -> DriftResult:
    """NannyML's quickstart: chunks of 5,000 rows against the year before."""
    settings = DriftSettings(methods=["jensen_shannon"], chunks=5000, rule="reference_chunks")
    return drift(data / ACS, data / LAST_ACS, settings)


@dataclass(frozen=True)
class ColumnDrift:
    """A statistic or p-value of one column between two samples of Adult."""

    start: int
    column: str
    p_value: bool

    @property
    def how(self) -> str:
        """What it is called here."""
        kind = "ks_statistic" if self.column in _NUMBERS else "chi_squared"
        return f"the p-value of `{kind}@1`" if self.p_value else f"`{kind}@1`"

    def value(self, data: Path) -> float:
        """The number from the data."""
        row = _one(adult_samples(data, self.start), self.column)
        found = row.p_value if self.p_value else row.statistic
        assert found is not None, row.reason
        return found


@dataclass(frozen=True)
class AlarmingChunks:
    """How many chunks of a column raise an alarm."""

    column: str
    how = "alarms by `jensen_shannon_distance@1`"

    def value(self, data: Path) -> float:
        """The number from the data."""
        return float(sum(row.column == self.column for row in acs_chunks(data).drifted))


def _one(found: DriftResult, column: str) -> DriftRow:
    (row,) = [row for row in found.rows if row.column == column]
    return row


_NUMBERS = ("age", "capital-gain", "capital-loss", "hours-per-week")
_COLUMNS = (
    "age", "workclass", "education", "marital-status", "occupation", "relationship", "race", "sex", "capital-gain",
    "capital-loss", "hours-per-week", "native-country",
)  # fmt: skip
_STARTS = {21: 10_000, 45: 20_000}

FIGURES: dict[str, ColumnDrift | AlarmingChunks] = {
    f"{first + 2 * at + p_value:03}": ColumnDrift(start, column, p_value)
    for first, start in _STARTS.items()
    for at, column in enumerate(_COLUMNS)
    for p_value in (False, True)
}
FIGURES |= {f"{168 + at}": AlarmingChunks(column) for at, column in enumerate(("ANC", "AGEP", "RELP", "MAR", "DREM"))}
"""By id: the figures of drift."""
