"""Made people to be compared, and one comparison out of all."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rai_assets.monitoring.drift import DriftResult, DriftRow


def people(n: int, seed: int, older: float = 0.0, women: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(40 + older, 10, n).round(1),
            "sex": rng.choice(["F", "M"], n, p=[women, 1 - women]),
            "children": rng.integers(0, 4, n),
            "income": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(size=n)),
        }
    )


def row(found: DriftResult, column: str, method: str | None = None) -> DriftRow:
    rows = [item for item in found.rows if item.column == column and method in (None, item.method)]
    assert len(rows) == 1, rows
    return rows[0]
