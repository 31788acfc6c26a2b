"""A small population with every kind of column, missing values, and three questions about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from rai_assets.data.contract import Contract
from rai_assets.data.settings import DatasetSettings
from rai_assets.model.encoding import Feature

FEATURES = (
    Feature("age", "number"),
    Feature("income", "number"),
    Feature("job", "category"),
    Feature("insured", "boolean"),
    Feature("region", "category"),
)
CLASSES = {"binary": ("no", "yes"), "multiclass": ("low", "middle", "top"), "regression": ()}


def population(n: int = 1500, seed: int = 0) -> pa.Table:
    """n rows; `income`, `job` and `insured` are missing in places; `yes`, `level` and `price` are targets."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 90, n)
    income = random.lognormal(10, 1, n)
    job = np.array(["clerk", "cook", "pilot", "zoë"])[random.integers(0, 4, n)]
    region = np.array(["east", "north", "west"])[random.integers(0, 3, n)]
    insured = random.random(n) < 0.4
    merit = age / 20 + np.log(income) + (job == "pilot") * 2 + insured + random.normal(size=n)
    level = np.digitize(merit, np.quantile(merit, [0.3, 0.7]))
    return pa.table(
        {
            "age": pa.array(age),
            "income": pa.array(income, mask=random.random(n) < 0.1),
            "job": pa.array(job, mask=random.random(n) < 0.1).dictionary_encode(),
            "insured": pa.array(insured, mask=random.random(n) < 0.05),
            "region": pa.array(region).dictionary_encode(),
            "yes": pa.array(np.where(merit > np.median(merit), "yes", "no")).dictionary_encode(),
            "level": pa.array(np.array(CLASSES["multiclass"])[level]).dictionary_encode(),
            "price": pa.array(merit * 1000),
            "weight": pa.array(random.integers(1, 4, n).astype(float)),
        }
    )


def contract(task: str, *, weighted: bool = False, **columns: dict[str, Any]) -> Contract:
    """The contract of the population for one of its questions."""
    declared: dict[str, Any] = {
        "age": {"dtype": "integer"},
        "income": {"dtype": "number", "missing": "allowed"},
        "job": {"dtype": "category", "missing": "allowed"},
        "insured": {"dtype": "boolean", "missing": "allowed"},
        "region": {"dtype": "category"},
    }
    targets = {
        "binary": ("yes", {"dtype": "category", "allowed": ["no", "yes"], "positive": "yes"}),
        "multiclass": ("level", {"dtype": "category", "allowed": ["low", "middle", "top"]}),
        "regression": ("price", {"dtype": "number"}),
    }
    name, target = targets[task]
    declared[name] = {"role": "target", **target}
    if weighted:
        declared["weight"] = {"role": "weight", "dtype": "number"}
    declared |= columns
    return Contract.of(DatasetSettings.model_validate({"files": [{"path": "x.csv"}], "columns": declared}))
