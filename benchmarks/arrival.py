"""What one look into an inbox of 10,000 known files costs, and what it costs when a hundred of them are new.

A look lists the folder, takes the status of every file and compares it with the ledger; bytes are read of new files
only.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.intake import Spool, file_key, look
from rai_assets.monitoring.batches.settings import InboxSettings
from rai_assets.monitoring.batches.sources import FolderInbox

FILES, NEW, REPEATS = 10_000, 100, 20


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        inbox = place / "inbox"
        inbox.mkdir()
        for number in range(FILES):
            (inbox / f"batch{number:05d}.csv").write_text(f"a,b\n{number},1\n")
        source = FolderInbox(place, InboxSettings(path="inbox"))
        spool = Spool(place / "taken")

        def tick() -> tuple[float, float, int]:
            wall, cpu = time.perf_counter(), time.process_time()
            with Arrivals(place / "arrivals.sqlite") as ledger:
                looked = look(
                    source,
                    ledger,
                    spool,
                    lambda found, _: [file_key(found.path, ledger)],
                    settle=0,
                    limit=FILES,
                    together=100,
                )
                ledger.pending(50, time.time())
            return time.perf_counter() - wall, time.process_time() - cpu, len(looked.taken)

        first = tick()
        while tick()[2]:
            pass
        idle = [tick() for _ in range(REPEATS)]
        for number in range(NEW):
            (inbox / f"new{number:05d}.csv").write_text(f"a,b\n{number},2\n")
        some = tick()
        result = {
            "benchmark": "arrival",
            "files": FILES,
            "first_look_ms": round(first[0] * 1e3, 1),
            "idle_wall_ms": round(min(item[0] for item in idle) * 1e3, 1),
            "idle_cpu_ms": round(sorted(item[1] for item in idle)[REPEATS // 2] * 1e3, 1),
            f"{NEW}_new_wall_ms": round(some[0] * 1e3, 1),
            "new_taken": some[2],
        }
        print(json.dumps(result))


if __name__ == "__main__":
    main()
