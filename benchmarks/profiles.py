"""Profile of 1M rows of 14 columns against whylogs' own, and the memory of ten times the rows.

Rows are made in the shape of UCI Adult: 8 categories with its numbers of values, 4 whole numbers, and 2 fractions of
which every value is another. Ours takes record batches, whylogs a pandas frame; reading counts on neither side. One
thread.

* statistics: ours, over record batches.
* memory: the peak of our process while it profiles ten times the rows from a Parquet file, 500 MiB at most.

    python benchmarks/profiles.py [rows]
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from _measure import Taken, alone, line, measure
from pyarrow import parquet

from rai_assets.compute.pool import Serial
from rai_assets.data.contract import Contract
from rai_assets.data.settings import DatasetSettings
from rai_assets.monitoring.profiles.profile import CHUNK_ROWS, profile
from rai_assets.monitoring.profiles.settings import ProfileSettings

SIZES = {
    "workclass": 9, "education": 16, "marital_status": 7, "occupation": 15, "relationship": 6, "race": 5, "sex": 2,
    "native_country": 42,
}  # fmt: skip
NUMBERS = {"age": 73, "fnlwgt": 28_000, "capital_gain": 123, "hours_per_week": 96}
FRACTIONS = ("income", "score")
COLUMNS = {
    **{name: {"dtype": "category"} for name in SIZES},
    **{name: {"dtype": "integer"} for name in NUMBERS},
    **{name: {"dtype": "number"} for name in FRACTIONS},
}
CONTRACT = Contract.of(DatasetSettings.model_validate({"files": [{"path": "a"}], "columns": COLUMNS}))
PART = 1_000_000


def write(path: str, rows: int) -> None:
    rng = np.random.default_rng(0)
    with parquet.ParquetWriter(path, CONTRACT.schema()) as file:
        for start in range(0, rows, PART):
            n = min(PART, rows - start)
            columns = [
                *(pa.array(_skewed(rng, k, n).astype(str)).dictionary_encode() for k in SIZES.values()),
                *(pa.array(_skewed(rng, k, n)) for k in NUMBERS.values()),
                *(pa.array(rng.normal(size=n)) for _ in FRACTIONS),
            ]
            file.write_table(pa.table(columns, schema=CONTRACT.schema()), row_group_size=CHUNK_ROWS)


def _skewed(rng: np.random.Generator, values: int, n: int) -> np.ndarray:
    return (values * rng.random(n) ** 2).astype(np.int64)


def chunks(path: str) -> Iterator[pa.RecordBatch]:
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        yield from file.iter_batches(CHUNK_ROWS, use_threads=False)


def ours(path: str) -> Taken:
    held = list(chunks(path))
    time = "2026-01-05T00:00:00+00:00"
    return measure(
        lambda: profile(held, CONTRACT, ProfileSettings(whylogs=False), Serial(), time).tally.statistics(), 3
    )


def whole(path: str) -> int:
    return counted(chunks(path))


def counted(rows: Iterable[pa.RecordBatch]) -> int:
    settings = ProfileSettings(whylogs=False)
    return len(profile(rows, CONTRACT, settings, Serial(), "2026-01-05T00:00:00+00:00").tally.statistics())


def theirs(path: str) -> Taken:
    os.environ["WHYLOGS_NO_ANALYTICS"] = "True"
    import whylogs

    frame = parquet.read_table(path).to_pandas()
    frame = frame.astype(dict.fromkeys(SIZES, object))
    return measure(lambda: len(whylogs.log(frame).view().to_pandas()))


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else PART
    with tempfile.TemporaryDirectory() as folder:
        small, large = (str(Path(folder) / name) for name in ("small.parquet", "large.parquet"))
        alone(write, small, rows)
        mine, peer = alone(ours, small).value, alone(theirs, small).value
        line(
            f"statistics of {rows:,} x {len(COLUMNS)}",
            ours=mine.cpu,
            peer=peer.cpu,
            unit="cpu_s",
            goal=20,
            peer_is="whylogs 1.6.4, why.log on a pandas frame",
        )
        alone(write, large, 10 * rows)
        taken = alone(whole, large)
        line(
            f"memory of {10 * rows:,} x {len(COLUMNS)}",
            ours=taken.peak_mib,
            peer=500.0,
            unit="MiB",
            goal=1,
            peer_is="the limit, MiB",
            cpu_s=taken.cpu,
        )


if __name__ == "__main__":
    main()
