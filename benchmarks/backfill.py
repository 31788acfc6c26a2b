"""What a batch costs that a backfill takes, audits, scores and asks every question of: batches of 100 rows.

Then what the same backfill costs when all of them are done, and what the report on them takes in a process of its own.

The use case is the demo in production: 11 columns compared, three sensitive ones, a model of 40 boosted trees, about
2,700 reference rows. `minutes_of_10000` is the CPU time of ten thousand batches at the measured rate, by one process.

    python benchmarks/backfill.py [batches]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from _measure import Taken, alone, measure

BATCHES, ROWS = 1_000, 100


def backfilled(folder: str, batches: int) -> tuple[Taken, Taken]:
    """Audit the model, let the batches arrive, and measure nothing but the backfill: the first, and one more."""
    os.environ["RAI_HOME"] = str(Path(folder) / "home")
    from pyarrow import csv

    from rai_assets.defs.lending.generator import generate
    from rai_assets.home import demo_in_production, demo_inbox, prepare
    from rai_assets.progress import Progress
    from rai_assets.use_case.backfill import backfill
    from rai_assets.use_case.declaration import load
    from rai_assets.use_case.run import run

    declared = load(demo_in_production())
    assert declared is not None
    prepare()
    run(declared)
    for number in range(batches):
        drawn = generate(ROWS, 1_000 + number, faults=False, first_day="2025-01-01", last_day="2025-01-31")
        csv.write_csv(drawn.drop_columns(["creditworthy"]), demo_inbox() / f"b{number:05d}.csv")
    first, again = (measure(lambda: backfill(declared, None, None, Progress(lambda _: None))) for _ in range(2))
    assert not first.value.problems, first.value.problems[:3]
    assert (first.value.accepted, again.value.present) == (batches, batches)
    return first, again


def reported(folder: str) -> tuple[Taken, int]:
    """Measure the report on all batches, and the bytes of its page."""
    os.environ["RAI_HOME"] = str(Path(folder) / "home")
    from rai_assets.home import demo_in_production
    from rai_assets.use_case.declaration import load
    from rai_assets.use_case.reading import write_production_report

    declared = load(demo_in_production())
    assert declared is not None
    page = Path(folder) / "report.html"
    taken = measure(lambda: write_production_report(declared, page).result.facts["batches"])
    return taken, page.stat().st_size


def main() -> None:
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else BATCHES
    with tempfile.TemporaryDirectory() as folder:
        first, again = alone(backfilled, folder, batches).value
        report, page = alone(reported, folder).value
    each = first.cpu / batches
    many = f"{batches:,} batches of {ROWS} rows"
    tell(
        f"backfill of {many}, every question",
        first,
        cpu_ms_a_batch=round(1e3 * each, 1),
        minutes_of_10000=round(each * 10_000 / 60, 1),
    )
    tell(f"backfill of {many}, all done", again)
    tell(f"report on {report.value:,} batches", report, page_kib=round(page / 1024))


def tell(name: str, taken: Taken, **more: float) -> None:
    """Print one case."""
    facts = {"cpu_seconds": round(taken.cpu, 1), "wall_seconds": round(taken.wall, 1)}
    print(json.dumps({"name": name, **facts, "peak_mib": round(taken.peak_mib), **more}), flush=True)


if __name__ == "__main__":
    main()
