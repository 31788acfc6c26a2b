"""Adult with a model's scores: rows that a calibration is learnt on, and rows that play the batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from sklearn.ensemble import HistGradientBoostingClassifier

from rai_assets.data.contract import Column, Contract
from rai_assets.data.settings import ColumnSettings
from rai_assets.metrics.rows import Rows
from rai_assets.model.encoding import Encoding, Feature
from rai_assets.model.rows import ScoredRows

NUMBERS = ("age", "education-num", "capital-gain", "capital-loss", "hours-per-week")
WORDS = ("workclass", "marital-status", "occupation", "relationship", "race", "sex")
FEATURES = tuple(Feature(name, "number") for name in NUMBERS) + tuple(Feature(name, "category") for name in WORDS)


def scored(table: pa.Table, rows: Rows) -> ScoredRows:
    return ScoredRows(rows, table, np.ones(table.num_rows, bool))


def taken(side: ScoredRows, chosen: np.ndarray) -> ScoredRows:
    """Some rows, by index; a row may be taken often."""
    return scored(side.table.take(pa.array(chosen)), side.rows.take(chosen))


@dataclass(frozen=True)
class Scored:
    """Two halves of the rows that the model was not fitted on."""

    calibration: ScoredRows
    batch: ScoredRows
    contract: Contract


def _read(path: Path, names: list[str], skip: int) -> pa.Table:
    table = csv.read_csv(
        path,
        csv.ReadOptions(column_names=names, skip_rows=skip),
        csv.ParseOptions(ignore_empty_lines=True),
        csv.ConvertOptions(column_types=dict.fromkeys((*WORDS, "income"), pa.string())),
    )
    words = {name: np.char.strip(table[name].to_numpy().astype(str)) for name in WORDS}
    target = np.char.find(table["income"].to_numpy().astype(str), ">50K") >= 0
    return pa.table({**{name: table[name].cast(pa.float64()) for name in NUMBERS}, **words, "target": target})


@pytest.fixture(scope="session")
def adult(shared_data: Path) -> Scored:
    """Gradient boosting fitted on adult.data; adult.test in two halves. Sex and race are sensitive."""
    folder = shared_data / "adult"
    names = (folder / "columns.txt").read_text().split()
    train, test = _read(folder / "adult.data.gz", names, 0), _read(folder / "adult.test.gz", names, 1)
    encoding = Encoding.fit(train, FEATURES, "codes_nan")
    model = HistGradientBoostingClassifier(max_iter=80, early_stopping=False, random_state=0)
    model.fit(encoding.matrix(train), train["target"].to_numpy())
    score = model.predict_proba(encoding.matrix(test))[:, 1]
    rows = Rows(
        "binary", ("<=50K", ">50K"), test["target"].to_numpy().astype(np.int8), (score >= 0.5).astype(np.int8), score,
        True, split="test",
    )  # fmt: skip
    whole = scored(test.drop_columns(["target"]), rows)
    order = np.random.default_rng(0).permutation(test.num_rows)
    settings = {name: ColumnSettings(role="feature", dtype="number") for name in NUMBERS}
    settings |= {name: ColumnSettings(role="feature", dtype="category") for name in WORDS}
    settings |= {name: ColumnSettings(role=["feature", "sensitive"], dtype="category") for name in ("race", "sex")}
    contract = Contract(tuple(Column(name, item) for name, item in settings.items()))
    return Scored(taken(whole, order[:8_000]), taken(whole, order[8_000:]), contract)
