"""What a batch costs that a backfill takes, audits, scores and asks every question of: batches of 100 rows.

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


def backfilled(folder: str, batches: int) -> tuple[Taken, int]:
    """Audit the model, let the batches arrive, and measure nothing but the backfill."""
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
    taken = measure(lambda: backfill(declared, None, None, Progress(lambda _: None)))
    assert not taken.value.problems, taken.value.problems[:3]
    return taken, taken.value.accepted


def main() -> None:
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else BATCHES
    with tempfile.TemporaryDirectory() as folder:
        taken, accepted = alone(backfilled, folder, batches).value
    each = taken.cpu / accepted
    facts = {
        "name": f"backfill of {accepted:,} batches of {ROWS} rows, every question",
        "cpu_seconds": round(taken.cpu, 1),
        "wall_seconds": round(taken.wall, 1),
        "cpu_ms_a_batch": round(1e3 * each, 1),
        "minutes_of_10000": round(each * 10_000 / 60, 1),
        "peak_mib": round(taken.peak_mib),
    }
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    main()
