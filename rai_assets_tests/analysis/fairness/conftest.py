"""Real and made rows for the fairness audit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from rai_assets.analysis.fairness.compute import compute
from rai_assets.analysis.fairness.settings import FairnessSettings
from rai_assets.data.contract import Column, Contract
from rai_assets.data.settings import ColumnSettings
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Rows
from rai_assets.model.inputs import AuditInputs


def made(rows: Rows, columns: dict[str, list | np.ndarray | pa.Array], **declared: dict) -> AuditInputs:
    """Rows with sensitive category columns; `declared` replaces the settings of a column."""
    arrays, contract = {}, []
    for name, values in columns.items():
        settings = ColumnSettings(**declared.get(name, {"role": "sensitive", "dtype": "category"}))
        column = Column(name, settings)
        arrays[name] = pa.array(values).cast(column.arrow_type)
        contract.append(column)
    return AuditInputs(pa.table(arrays), rows, Contract(tuple(contract)))


@pytest.fixture(scope="session")
def adult(shared_data: Path) -> AuditInputs:
    """Adult's test rows with a plain score of education, hours and marriage; sex, race and age are sensitive."""
    folder = shared_data / "adult"
    names = (folder / "columns.txt").read_text().split()
    table = csv.read_csv(
        folder / "adult.test.gz",
        csv.ReadOptions(column_names=names, skip_rows=1),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(("sex", "race"), pa.string())),
    )
    words = {
        name: np.char.strip(table[name].to_numpy().astype(str)) for name in ("sex", "race", "income", "marital-status")
    }
    education, hours = table["education-num"].to_numpy(), table["hours-per-week"].to_numpy()
    married = words["marital-status"] == "Married-civ-spouse"
    score = 1 / (1 + np.exp(-(-4.5 + 0.3 * (education - 5) + 0.03 * (hours - 20) + 1.6 * married)))
    target = np.char.startswith(words["income"], ">50K").astype(np.int8)
    rows = Rows("binary", ("<=50K", ">50K"), target, (score >= 0.5).astype(np.int8), score, True, split="test")
    return made(
        rows,
        {"sex": words["sex"], "race": words["race"], "age": table["age"], "hours": hours, "married": married},
        age={"role": "sensitive", "dtype": "integer", "edges": [25.0, 45.0]},
        hours={"dtype": "integer"},
        married={"dtype": "boolean"},
    )


@pytest.fixture(scope="session")
def found(adult: AuditInputs) -> Findings:
    return compute(
        adult, FairnessSettings(reference={"sex": "Male", "race": "White"}, stratifiers=["hours", "married"])
    )


@pytest.fixture(scope="session")
def whole(adult: AuditInputs) -> Findings:
    """With every cell shown, as Fairlearn shows them."""
    return compute(adult, FairnessSettings(minimum_size=1))


def pick(
    found: Findings, name: str, group: dict | None = None, reference: dict | None = None, **coordinates: str
) -> Number:
    """The one number at a place."""
    (number,) = [
        number
        for number in found.numbers
        if number.definition == f"{name}@1"
        and dict(number.group) == (group or {})
        and (number.reference and dict(number.reference)) == reference
        and dict(number.coordinates) == coordinates
    ]
    return number
