"""What is counted of a reference once says the same of every batch that is compared with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.compute.kept import Kept
from rai_assets.monitoring.drift.compute import drift_of
from rai_assets.monitoring.drift.result import DriftRow
from rai_assets.monitoring.drift.settings import DriftSettings
from rai_assets.monitoring.drift.sources import open_source


def rows(seed: int, n: int, towns: Sequence[str]) -> pa.Table:
    rng = np.random.default_rng(seed)
    days = np.sort(rng.integers(0, 500, n)).astype("datetime64[D]")
    return pa.table({"income": rng.normal(size=n), "town": rng.choice(towns, n), "day": pa.array(days)})


def compared(reference: pa.Table, batch: pa.Table, kept: Kept | None, timestamp: str | None) -> tuple[DriftRow, ...]:
    sides = [open_source(table, name) for table, name in ((reference, "reference"), (batch, "current"))]
    sides[0] = replace(sides[0], batches=list(sides[0].batches))
    return drift_of(sides, DriftSettings(timestamp=timestamp), seed=0, kept=kept).rows


@pytest.mark.parametrize("timestamp", ["day", None])
def test_a_reference_that_is_kept_says_the_same_of_every_batch(timestamp: str | None) -> None:
    reference, kept = rows(0, 2_000, ["Rye", "Ely", "Bath"]), Kept()
    batches = [rows(1, 60, ["Bath", "Rye"]), rows(2, 60, ["York", "Ely", "Bath"]), rows(3, 45, ["Ely", "Leeds"])]
    for batch in (*batches, batches[0]):
        shared, alone = (compared(reference, batch, once, timestamp) for once in (kept, None))
        for one, other in zip(shared, alone, strict=True):
            for name in ("statistic", "p_value", "family_p_value", "effect"):
                assert getattr(one, name) == pytest.approx(getattr(other, name)), (one.column, name)
            assert (one.method, one.null, one.drifted, one.drivers) == (
                other.method,
                other.null,
                other.drifted,
                other.drivers,
            )
