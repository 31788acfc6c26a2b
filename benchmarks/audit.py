"""The whole audit of 50,000 and of 1,000,000 rows: is its time linear in the rows, and does its memory stay below 2 GiB?

Files of the shape of UCI Adult, two thirds for training and one third for the audit, drawn with replacement and
disturbed so that rows differ; then `rai init` and `rai run` as a user types them, with the defaults, and with a
logistic regression in place of the boosted trees. No step draws a sample of the rows.

One line per model. `ours` are the CPU-seconds of the large audit, `peer` those of the small one, times the ratio of
the rows; `ratio` is ours / peer after what an audit of 1,000 rows takes (start, imports, a small model) is taken off
each run. Memory is the resident memory of all processes of a run, summed and sampled every 50 ms; pages that two
processes share count twice.

    python benchmarks/audit.py [small large]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

ADULT = Path(__file__).resolve().parents[2] / "shared" / "data" / "adult"
GOAL, MEMORY_GOAL = 1.2, 2048
FIXED_ROWS, SMALL, LARGE = 1_000, 50_000, 1_000_000
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


def write(folder: Path, n: int) -> None:
    """`train.csv` and `test.csv` with n rows in all."""
    draw = np.random.default_rng(n)
    rows, _ = adult()
    rows = rows.iloc[draw.integers(0, len(rows), n)].reset_index(drop=True)
    for name, spread in SPREAD.items():
        rows[name] = np.maximum(1, rows[name] + np.rint(draw.normal(scale=spread, size=n)).astype(int))
    for name in rows.columns.drop("income"):
        if rows[name].dtype == object:  # a few people move
            other = draw.random(n) < 0.02
            rows.loc[other, name] = rows[name].to_numpy()[draw.integers(0, n, int(other.sum()))]
    cut = n * 2 // 3
    rows[:cut].to_csv(folder / "train.csv", index=False)
    rows[cut:].to_csv(folder / "test.csv", index=False)


def measured(command: list[str], folder: Path) -> tuple[float, float, float]:
    """CPU-seconds of a command and all it starts, the peak of their summed resident memory in MiB, and seconds."""
    environment = {
        **os.environ, "RAI_HOME": str(folder / "state"), "RAI_DEFS": str(folder / "defs"), "OMP_NUM_THREADS": "1"
    }  # fmt: skip
    before, began, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), 0
    with (folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        main = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, resident(main))
            time.sleep(EVERY)
    if process.returncode not in (0, 1):  # 1: a requirement fails
        raise SystemExit((folder / "output.txt").read_text()[-4_000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return taken, peak / 2**20, time.monotonic() - began


def resident(main: psutil.Process) -> int:
    """Bytes in memory of a process and its descendants."""
    total = 0
    for process in (main, *children(main)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def children(main: psutil.Process) -> list[psutil.Process]:
    try:
        return main.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def audit(n: int, estimator: str) -> dict[str, float]:
    """CPU-seconds, peak MiB and seconds of `rai init` and `rai run` together."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, n)
        init = [RAI, "init", "adult", "--data", "train.csv", "--test", "test.csv", "--missing", "?"]
        init += ["--target", "income", "--positive", ">50K", "--sensitive", "sex,race"]
        first = measured(init, folder)
        declared = folder / "defs" / "adult" / "defs.yaml"
        declared.write_text(declared.read_text().replace("hist_gradient_boosting", estimator))
        second = measured([RAI, "run", "adult"], folder)
        return {"cpu": first[0] + second[0], "mib": max(first[1], second[1]), "seconds": first[2] + second[2]}


def line(estimator: str, small: int, large: int) -> dict[str, Any]:
    """One line."""
    fixed, little, much = (audit(n, estimator) for n in (FIXED_ROWS, small, large))
    ours, peer = much["cpu"] - fixed["cpu"], (little["cpu"] - fixed["cpu"]) * large / small
    return {
        "name": f"the whole audit of {large:,} rows, {estimator}: linear in the rows and below 2 GiB",
        "ours": round(much["cpu"], 1),
        "peer": round(little["cpu"] * large / small, 1),
        "unit": "cpu-seconds",
        "ratio": round(ours / peer, 2),
        "goal": GOAL,
        "met": ours / peer <= GOAL and much["mib"] < MEMORY_GOAL,
        "rows_of": adult()[1],
        "peer_is": f"ours, {large / small:g} times {small:,} rows; ratio without the fixed cost, smaller is better",
        "fixed_cpu_seconds": round(fixed["cpu"], 1),
        "small_cpu_seconds": round(little["cpu"], 1),
        "seconds": round(much["seconds"], 1),
        "peak_mib": round(much["mib"]),
        "peak_mib_small": round(little["mib"]),
    }


def main() -> None:
    """Print both lines."""
    small, large = (int(text) for text in sys.argv[1:3]) if len(sys.argv) > 2 else (SMALL, LARGE)
    for estimator in ("hist_gradient_boosting", "logistic_regression"):
        print(json.dumps(line(estimator, small, large)), flush=True)


if __name__ == "__main__":
    main()
