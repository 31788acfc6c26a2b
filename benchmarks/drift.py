"""Drift of a million rows x 14 columns against Evidently's report and whylogs' profiles, and of ten million rows.

Rows are those of UCI Adult drawn with replacement where `../shared/data/adult` is there, else made rows of the same
shape; the current ones are shifted in four columns. Both sides have their tables in memory, ours as Arrow tables with
dictionary codes, as the store holds them, the peers' as pandas frames with text.

* plain: five statistics of every column that they fit (ks, wasserstein, psi, jensen_shannon, chi_squared) and a fixed
  rule, against Evidently's DataDrift and DataSummary presets. Not the same work: the report also prepares its pictures.
* calibrated: the same statistics with p-values that hold their level, adjusted for all columns.
* whylogs: the default methods with p-values, against the profiles of both tables, before anything is compared.
* memory: ten million rows a side from Parquet files, the peak of our process.

    python benchmarks/drift.py [rows]

Evidently is no part of the environment. EVIDENTLY_PYTHON names an interpreter that has it, with pandas and pyarrow;
without one the line says what our side took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from _adult import COLUMNS, TEXTS, population
from _measure import Taken, alone, line, measure
from pyarrow import parquet

from rai_assets.monitoring.drift import DriftSettings, drift

METHODS = ["ks", "wasserstein", "psi", "jensen_shannon", "chi_squared"]
PLAIN = DriftSettings(methods=METHODS, rule="fixed", limits=dict.fromkeys(METHODS, 0.1))  # type: ignore[arg-type]
CALIBRATED = DriftSettings(methods=METHODS)  # type: ignore[arg-type]
ROWS, MANY, FILE_PART = 1_000_000, 10_000_000, 1_000_000
PLAIN_GOAL, CALIBRATED_GOAL, WHYLOGS_GOAL, MEMORY_GOAL = 100.0, 50.0, 20.0, 500.0

EVIDENTLY = """
import json, os, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset, DataSummaryPreset

texts, small, *tables = json.loads(sys.argv[1])

def report(frames, presets):
    numbers = [name for name in frames[0] if name not in texts]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    sides = [Dataset.from_pandas(frame, definition) for frame in frames]
    return Report(presets).run(sides[1], sides[0]).dict()

frames = [pd.read_parquet(path) for path in tables]
report([frame.head(small) for frame in frames], [DataDriftPreset(), DataSummaryPreset()])
taken = {}
for name, presets in (("drift", [DataDriftPreset()]), ("both", [DataDriftPreset(), DataSummaryPreset()])):
    before = time.process_time()
    report(frames, presets)
    taken[name] = time.process_time() - before
print(json.dumps(taken))
"""


def sample(rows: int, seed: int, *, shifted: bool) -> pa.Table:
    """Rows of the population, texts as dictionary codes; `fnlwgt` has about as many values as rows."""
    people, rng = population()[0].select(COLUMNS), np.random.default_rng(seed)
    drawn = rng.integers(0, people.num_rows, rows)
    if shifted:
        private = np.flatnonzero(np.asarray(people["workclass"]) == "Private")
        more = rng.random(rows) < 0.02
        drawn[more] = rng.choice(private, int(more.sum())) if len(private) else drawn[more]
    columns = {}
    for name in COLUMNS:
        column = people[name].combine_chunks()
        values = (column.dictionary_encode() if name in TEXTS else column).take(pa.array(drawn))
        if name in TEXTS:
            columns[name] = values
            continue
        numbers = values.to_numpy(zero_copy_only=False)
        if name == "fnlwgt":
            numbers = (numbers * (1.05 if shifted else 1.0)).astype(np.int64) + rng.integers(-500, 500, rows)
        elif name == "age" and shifted:
            numbers = numbers + 2 * (rng.random(rows) < 0.5)
        elif name == "hours_per_week":
            numbers = (numbers - int(shifted)).astype(np.float64)
        columns[name] = pa.array(numbers)
    return pa.table(columns)


def ours(rows: int, settings: DriftSettings) -> Taken:
    sides = [sample(rows, seed, shifted=seed == 2) for seed in (1, 2)]
    drift(*(side.slice(0, 2000) for side in sides), settings)  # libraries are loaded
    return measure(lambda: len(drift(*sides, settings).drifted), repeats=3)


def evidently(rows: int, folder: str) -> dict[str, float] | None:
    """Processor seconds of both presets, and of the drift preset alone; None without an interpreter that has it."""
    python = os.environ.get("EVIDENTLY_PYTHON")
    if python is None:
        return None
    paths = [f"{folder}/{name}.parquet" for name in ("before", "now")]
    for seed, path in enumerate(paths, 1):
        side = sample(rows, seed, shifted=seed == 2)
        parquet.write_table(
            side.cast(pa.schema([(n, pa.string() if n in TEXTS else side[n].type) for n in COLUMNS])), path
        )
    words = json.dumps([TEXTS, 2000, *paths])
    said = subprocess.run([python, "-c", EVIDENTLY, words], capture_output=True, text=True, check=True)
    return json.loads(said.stdout.splitlines()[-1])


def whylogs(rows: int) -> Taken:
    warnings.filterwarnings("ignore")
    import whylogs as why

    frames = [sample(rows, seed, shifted=seed == 2).to_pandas() for seed in (1, 2)]
    for frame in frames:
        frame[TEXTS] = frame[TEXTS].astype(object)

    def profiled(limit: int) -> int:
        return len([why.log(pandas=frame.head(limit)).view() for frame in frames])

    profiled(2000)  # libraries are loaded
    return measure(lambda: profiled(rows))


def files(rows: int, folder: str) -> list[Path]:
    """Two Parquet files, written part by part."""
    paths = [Path(folder) / f"{name}_{rows}.parquet" for name in ("before", "now")]
    for shifted, path in enumerate(paths):
        schema = sample(10, 0, shifted=False).schema
        with parquet.ParquetWriter(path, schema) as writer:
            for at in range(0, rows, FILE_PART):
                part = sample(min(FILE_PART, rows - at), 10 * at + shifted, shifted=bool(shifted))
                writer.write_table(part.cast(schema), row_group_size=131_072)
    return paths


def from_files(paths: list[Path]) -> Taken:
    return measure(lambda: len(drift(*paths).drifted))


def main() -> None:
    """Measure all and print the lines."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    plain, calibrated, default = (
        alone(ours, rows, settings).value for settings in (PLAIN, CALIBRATED, DriftSettings())
    )
    with tempfile.TemporaryDirectory() as folder:
        peer = evidently(rows, folder)
        for name, mine, goal in (("plain", plain, PLAIN_GOAL), ("with p-values", calibrated, CALIBRATED_GOAL)):
            facts: dict[str, Any] = {"rows": rows, "columns": len(COLUMNS), "our_mib_beyond_inputs": mine.beyond_mib}
            title = f"drift, five statistics {name}"
            if peer is None:
                missing = {"peer": None, "peer_is": "Evidently is not there; EVIDENTLY_PYTHON names an interpreter"}
                print(json.dumps({"name": title, "ours": mine.cpu, "unit": "cpu-s", **missing, **facts}), flush=True)
                continue
            facts |= {"ratio_to_drift_preset_alone": peer["drift"] / mine.cpu}
            peer_is = "Evidently, DataDrift and DataSummary presets"
            line(title, ours=mine.cpu, peer=peer["both"], unit="cpu-s", goal=goal, peer_is=peer_is, **facts)
        profiles = alone(whylogs, rows).value
        line(
            "drift with p-values, methods fitted to the columns",
            ours=default.cpu,
            peer=profiles.cpu,
            unit="cpu-s",
            goal=WHYLOGS_GOAL,
            peer_is="whylogs, two profiles",
            rows=rows,
        )
        many = MANY * rows // ROWS
        streamed = alone(from_files, files(many, folder)).value
        line(
            "drift of Parquet files, streamed",
            ours=streamed.peak_mib,
            peer=MEMORY_GOAL,
            unit="MiB",
            goal=1.0,
            peer_is="the limit",
            rows=many,
            cpu_s=streamed.cpu,
        )


if __name__ == "__main__":
    main()
