"""Charts of a comparison hold its numbers and can be drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rai_assets.charts import to_svg
from rai_assets.monitoring.drift import DriftResult, DriftSettings, drift
from rai_assets.monitoring.drift.charts import by_column, over_chunks


@pytest.fixture(scope="module")
def found() -> DriftResult:
    rng = np.random.default_rng(0)
    before = pd.DataFrame({"a": rng.normal(size=600), "b": rng.choice(["x", "y"], 600)})
    now = pd.DataFrame({"a": rng.normal(1, size=200), "b": rng.choice(["x", "y"], 200)})
    settings = DriftSettings(chunks=100, rule="reference_chunks", columns={"a": ["ks"], "b": ["l_infinity"]})
    return drift(before, now, settings)


def values(chart: dict) -> list[dict]:
    return chart["data"]["values"]


def test_columns_stand_in_the_order_of_their_effect(found: DriftResult) -> None:
    chart = by_column(found)
    assert [row["label"] for row in values(chart)] == ["a (ks)", "b (l_infinity)"]
    assert "<svg" in to_svg(chart)


def test_a_column_from_chunk_to_chunk(found: DriftResult) -> None:
    chart = over_chunks(found, "a")
    drawn = [row["y"] for row in values(chart) if row["group"] == "ks"]
    assert drawn == [row.statistic for row in found.rows if row.column == "a"]
    assert "Alarms: 0:99, 100:199" in str(chart["title"])
    assert "<svg" in to_svg(chart)
