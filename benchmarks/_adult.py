"""Rows of UCI Adult, or made rows of the same shape: 6 columns of numbers, 8 of texts, and the target `income`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from _measure import SHARED_DATA

ADULT = SHARED_DATA / "adult"
COLUMNS = [
    "age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship",
    "race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country",
]  # fmt: skip
VALUES = {
    "workclass": 9, "education": 16, "marital_status": 7, "occupation": 15, "relationship": 6, "race": 5, "sex": 2,
    "native_country": 42,
}  # fmt: skip
TEXTS = list(VALUES)
NUMBERS = [name for name in COLUMNS if name not in TEXTS]


def population() -> tuple[pa.Table, str]:
    """Rows to draw from, and where they are from."""
    if ADULT.is_dir():
        import pandas as pd

        frame = pd.read_csv(ADULT / "adult.data.gz", header=None, skipinitialspace=True, names=[*COLUMNS, "income"])
        return pa.Table.from_pandas(frame, preserve_index=False), "adult"
    draw, n = np.random.default_rng(0), 32_561
    made: dict[str, Any] = {
        name: np.array([f"{name} {k}" for k in range(VALUES[name])])[draw.integers(0, VALUES[name], n)]
        if name in TEXTS
        else draw.integers(0, 100, n)
        for name in COLUMNS
    }
    merit = made["age"] + made["education_num"] + 20 * (made["sex"] == "sex 1") + draw.normal(0, 20, n)
    return pa.table(made | {"income": np.where(merit > 120, ">50K", "<=50K")}), "made"
