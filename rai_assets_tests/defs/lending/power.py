"""The lending demo audited at the level of arrays: drawn, trained, measured, and searched for what was planted.

The model is a logistic regression. Its Shapley values have a closed form: coefficient * (encoded value - its mean),
summed over the encoded parts of a source column.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.linear_model import LogisticRegression

from rai_assets.analysis.explanation.association import associations
from rai_assets.analysis.fairness.compute import compute
from rai_assets.analysis.fairness.settings import FairnessSettings
from rai_assets.data.contract import Column, Contract
from rai_assets.data.settings import ColumnSettings
from rai_assets.defs.lending import generator
from rai_assets.defs.lending.planted import Planted, findings
from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Rows
from rai_assets.model.inputs import AuditInputs

NUMERIC = ["loan_amount", "own_accounts", "income", "debt_ratio", "months_in_job", "late_payments"]
CATEGORIES = ["postcode_area", "channel"]
ROLES = {"sex": "sensitive", "age_group": "sensitive", "origin": "sensitive", "merit_band": "context"}
CONTRACT = Contract(tuple(Column(name, ColumnSettings(role=role, dtype="category")) for name, role in ROLES.items()))
SETTINGS = FairnessSettings(stratifiers=["merit_band"], intersections=2)


def audited(seed: int, faults: bool | Collection[str]) -> list[Planted]:
    """Draw, train before 2023-07-01, audit from 2024-01-01, and look for the faults in the numbers."""
    drawn = generator.generate(seed=seed, faults=faults)
    frame = drawn.to_pandas()
    applied = pd.to_datetime(frame["applied_on"])
    train, test = (applied < "2023-07-01").to_numpy(), (applied >= "2024-01-01").to_numpy()
    encoded = encode(frame, train)
    target = (frame["creditworthy"] == "yes").to_numpy().astype(np.int8)
    model = LogisticRegression().fit(encoded[train], target[train])
    score = model.predict_proba(encoded[test])[:, 1]
    rows = Rows("binary", ("no", "yes"), target[test], (score >= 0.5).astype(np.int8), score, True, split="test")
    kept = drawn.filter(pa.array(test)).select(CONTRACT.names).cast(CONTRACT.schema())
    numbers = compute(AuditInputs(kept, rows, CONTRACT), SETTINGS).numbers
    shap = (encoded[test] - encoded[train].mean()) * model.coef_[0]
    for column in CATEGORIES:
        numbers.append(importance(column, shap.filter(like=f"{column}=").sum(axis=1).abs().to_numpy()))
    numbers += associations(drawn.filter(pa.array(test)), CATEGORIES, ["origin"], split="test")
    return findings(number.as_json() for number in numbers)


def encode(frame: pd.DataFrame, train: np.ndarray) -> pd.DataFrame:
    """Standardised numbers, and a column per category."""
    numbers = frame[NUMERIC].fillna(frame.loc[train, NUMERIC].mean())
    numbers = (numbers - numbers[train].mean()) / numbers[train].std()
    return pd.concat([numbers, pd.get_dummies(frame[CATEGORIES], prefix_sep="=", dtype=float)], axis=1)


def importance(column: str, size: np.ndarray) -> Number:
    value, half = float(size.mean()), float(1.96 * size.std() / np.sqrt(len(size)))
    place = {"feature": column}
    return Number(
        "mean_absolute_shap_value@1", value, value - half, value + half, 0.95, coordinates=place, split="test"
    )


TWINS, PLANTED = range(1_000, 1_200), range(50)
"""Seeds of the audits without faults, and with all of them."""


@cache
def false_findings() -> int:
    """Audits without faults in which at least one is claimed."""
    return sum(bool(claimed(seed, False)) for seed in TWINS)


@cache
def all_found() -> int:
    """Audits with all faults in which every one is found."""
    return sum(claimed(seed, True) == set(generator.FAULTS) for seed in PLANTED)


def claimed(seed: int, faults: bool | Collection[str]) -> set[str]:
    """The faults that an audit finds."""
    return {row.name for row in audited(seed, faults) if row.found}
