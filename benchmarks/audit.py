"""The whole audit of 50,000 and of 1,000,000 rows: time linear in the rows, and memory below 2 GiB?

Files of the shape of UCI Adult, two thirds for training and one third for the audit, drawn with replacement and
disturbed so that rows differ; then `rai init` and `rai run` as a user types them, with the defaults, and with a
logistic regression in place of the boosted trees. No step draws a sample of the rows.

One line per model. `ours` are the CPU-seconds of the large audit, `peer` what a straight line through the two smaller
ones says for it, so that what every audit takes (start, imports, a small model) is on both sides; each size is run
twice, and the faster one counts. Memory is the resident memory of all processes of a run, summed and sampled every
50 ms; pages that two processes share count twice.

    python benchmarks/audit.py [small middle large]
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
from _measure import SHARED_DATA, Taken, line
from pyarrow.csv import write_csv

ADULT = SHARED_DATA / "adult"
MOST_TIMES = 1.2  # what a linear audit would take
MOST_MIB = 2048
COLUMNS = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship",
    "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
]  # fmt: skip
SPREAD = {"age": 2.0, "fnlwgt": 5_000.0, "hours-per-week": 2.0}
RAI = str(Path(sys.executable).parent / "rai")
EVERY = 0.05


def adult() -> tuple[pd.DataFrame, str]:
    """The rows to draw from, and where they are from."""
    if ADULT.is_dir():
        parts = [
            pd.read_csv(ADULT / name, header=None, names=COLUMNS, skipinitialspace=True, comment="|")
            for name in ("adult.data.gz", "adult.test.gz")
        ]
        both = pd.concat(parts, ignore_index=True)
        return both.assign(income=both["income"].str.rstrip(".")), "adult, drawn with replacement and disturbed"
    draw = np.random.default_rng(0)
    sizes = {"workclass": 9, "education": 16, "marital-status": 7, "occupation": 15, "relationship": 6, "race": 5,
             "sex": 2, "native-country": 42}  # fmt: skip
    made = {name: np.char.add("v", draw.integers(0, size, 48_842).astype(str)) for name, size in sizes.items()}
    numbers = {"age": 74, "fnlwgt": 1_000_000, "education-num": 17, "capital-gain": 9_000, "capital-loss": 4_000,
               "hours-per-week": 99}  # fmt: skip
    made |= {name: draw.integers(1, top, 48_842) for name, top in numbers.items()}
    score = made["age"] / 20 + made["education-num"] / 4 + (made["relationship"] == "v2") * 2 + draw.normal(size=48_842)
    made["income"] = np.where(score > 6, ">50K", "<=50K")
    return pd.DataFrame(made)[COLUMNS], "made"


def write(folder: Path, n: int) -> Path:
    """A folder with `train.csv` and `test.csv`, n rows in all."""
    draw = np.random.default_rng(n)
    rows, _ = adult()
    rows = rows.iloc[draw.integers(0, len(rows), n)].reset_index(drop=True)
    for name, spread in SPREAD.items():
        rows[name] = np.maximum(1, rows[name] + np.rint(draw.normal(scale=spread, size=n)).astype(int))
    for name in rows.columns.drop("income"):
        if rows[name].dtype == object:  # a few people move
            other = draw.random(n) < 0.02
            rows.loc[other, name] = rows[name].to_numpy()[draw.integers(0, n, int(other.sum()))]
    folder.mkdir()
    table, cut = pa.Table.from_pandas(rows, preserve_index=False), n * 2 // 3
    write_csv(table.slice(0, cut), folder / "train.csv")
    write_csv(table.slice(cut), folder / "test.csv")
    return folder


def run(command: list[str], folder: Path) -> Taken:
    """What a command and all that it starts take."""
    environment = {
        **os.environ, "RAI_HOME": str(folder / "state"), "RAI_DEFS": str(folder / "defs"), "OMP_NUM_THREADS": "1"
    }  # fmt: skip
    before, began, peak = ended_children(), time.monotonic(), 0
    with (folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        while process.poll() is None:
            peak = max(peak, resident(psutil.Process(process.pid)))
            time.sleep(EVERY)
    if process.returncode not in (0, 1):  # 1: a requirement fails
        raise SystemExit((folder / "output.txt").read_text()[-4_000:])
    mib = peak / 2**20
    return Taken(ended_children() - before, time.monotonic() - began, mib, mib, None)


def ended_children() -> float:
    """CPU-seconds of all processes that this one started, and they, and that have ended."""
    account = resource.getrusage(resource.RUSAGE_CHILDREN)
    return account.ru_utime + account.ru_stime


def resident(main: psutil.Process) -> int:
    """Bytes in memory of a process and its descendants."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        for process in (main, *main.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total


def audit(files: Path, estimator: str) -> Taken:
    """What `rai init` and `rai run` take together."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        init = [RAI, "init", "adult", "--data", str(files / "train.csv"), "--test", str(files / "test.csv")]
        init += ["--missing", "?", "--target", "income", "--positive", ">50K", "--sensitive", "sex,race"]
        first = run(init, folder)
        declared = folder / "defs" / "adult" / "defs.yaml"
        declared.write_text(declared.read_text().replace("hist_gradient_boosting", estimator))
        second = run([RAI, "run", "adult"], folder)
        peak = max(first.peak_mib, second.peak_mib)
        return Taken(first.cpu + second.cpu, first.wall + second.wall, peak, peak, None)


def compare(estimator: str, files: dict[int, Path]) -> None:
    """Measure one model and print its line."""
    rounds = [[audit(folder, estimator) for folder in files.values()] for _ in range(2)]
    taken = {n: min(runs, key=attrgetter("cpu")) for n, *runs in zip(files, *rounds, strict=True)}
    small, middle, large = files
    per_row = (taken[middle].cpu - taken[small].cpu) / (middle - small)
    line(
        f"the whole audit of {large:,} rows, {estimator}: linear in the rows and below 2 GiB",
        ours=taken[large].cpu,
        peer=taken[middle].cpu + (large - middle) * per_row,
        unit="cpu-seconds",
        goal=1 / MOST_TIMES,
        peer_is=f"ours, the straight line through {small:,} and {middle:,} rows",
        holds=taken[large].peak_mib < MOST_MIB,
        rows_of=adult()[1],
        cpu_seconds={n: round(run.cpu, 1) for n, run in taken.items()},
        wall_seconds={n: round(run.wall, 1) for n, run in taken.items()},
        peak_mib={n: round(run.peak_mib) for n, run in taken.items()},
        times_large_to_small=taken[large].cpu / (taken[small].cpu * large / small),
    )


def main() -> None:
    """Print both lines."""
    sizes = [int(text) for text in sys.argv[1:]] or [50_000, 250_000, 1_000_000]
    with tempfile.TemporaryDirectory() as name:
        files = {n: write(Path(name) / str(n), n) for n in sizes}
        for estimator in ("hist_gradient_boosting", "logistic_regression"):
            compare(estimator, files)


if __name__ == "__main__":
    main()
