"""Rows cut into hours and days and out again, beside the calendar of the standard library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from rai_assets.data.settings import DatasetSettings
from rai_assets.monitoring.batches import slicing
from rai_assets.monitoring.batches.settings import BatchSettings
from rai_assets.monitoring.batches.slicing import cut, slice_file, slot_key, slot_of

EAST = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("rule", "time", "key", "hours"),
    [
        ("hourly", datetime(2026, 1, 5, 18, 59, 59, tzinfo=EAST), "2026-01-05t13", 1),
        ("hourly", datetime(2026, 1, 5, 0, 0, tzinfo=UTC), "2026-01-05t00", 1),
        ("daily", datetime(2026, 1, 6, 5, 29, tzinfo=EAST), "2026-01-05", 24),
    ],
)
def test_a_key_is_that_of_the_instant_in_utc(rule: str, time: datetime, key: str, hours: int) -> None:
    batch = BatchSettings.model_validate({"rule": rule})
    assert slot_key(batch, time) == key
    found = slot_of(batch, key)
    assert found is not None
    start, end = found
    assert (start.utcoffset(), end - start) == (timedelta(0), timedelta(hours=hours))
    assert start <= time < end
    assert slot_of(batch, "a-file") is None


@pytest.mark.parametrize("rule", ["hourly", "daily"])
@pytest.mark.parametrize("rows_a_group", [3, 8192])
def test_what_is_cut_out_are_the_rows_of_the_slot_in_their_order(
    rule: str, rows_a_group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column may be called as the one that is added; some times name no instant; texts come as dictionaries."""
    monkeypatch.setattr(slicing, "_GROUP_ROWS", rows_a_group)
    rng = np.random.default_rng(0)
    seconds = rng.integers(0, 2 * 86_400, 400)
    times = [None if at % 50 == 7 else datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=int(s))
             for at, s in enumerate(seconds)]  # fmt: skip
    table = pa.table(
        {
            "batch": np.arange(400),
            "at": pa.array(times, pa.timestamp("us", "UTC")),
            "word": pa.array(rng.choice(["a", "b"], 400)).dictionary_encode(),
        }
    )
    parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=90)
    settings = DatasetSettings.model_validate(
        {
            "files": [{"path": "rows.parquet"}],
            "columns": {"batch": {"dtype": "integer"}, "at": {"dtype": "timestamp"}, "word": {"dtype": "category"}},
        }
    )
    batch = BatchSettings.model_validate({"rule": rule})
    counts = slice_file(tmp_path, settings, "at", batch, "undated", tmp_path / "sliced.parquet")
    keys = ["undated" if time is None else slot_key(batch, time) for time in times]
    assert counts == {key: keys.count(key) for key in set(keys)}
    for key in sorted(counts):
        cut(tmp_path / "sliced.parquet", key, tmp_path / "cut.parquet")
        found = parquet.read_table(tmp_path / "cut.parquet")
        assert found.column_names == ["batch", "at", "word"]
        assert found["batch"].to_pylist() == [at for at, other in enumerate(keys) if other == key]
        assert found["word"].to_pylist() == [table["word"][at].as_py() for at in found["batch"].to_pylist()]
    cut(tmp_path / "sliced.parquet", "2027-01-01", tmp_path / "none.parquet")
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0
