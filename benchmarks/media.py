"""A data set of files brought into the store: 100,000 small ones, and 2 GiB in big ones; then the same once more.

The peer is a plain copy of the same files with their digests (`shutil.copyfile`, then SHA-256 of each), which is the
least that storing them takes. Memory is counted above that of the process with the libraries loaded.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _measure import Taken, alone, line, measure

GOAL = 0.2  # a table, a manifest, history and safety cost at most five times the plain copy
LIMIT_MIB = 150
SHAPES = {"100,000 files of 2 KiB": (100_000, 2 << 10), "16 files of 128 MiB": (16, 128 << 20)}


def main() -> None:
    for name, (count, size) in SHAPES.items():
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
            make(Path(folder), count, size)
            copied = alone(copy, folder).value
            first, second = alone(store, folder).value, alone(store, folder).value
            line(
                name,
                ours=first.cpu,
                peer=copied.cpu,
                unit="CPU s",
                goal=GOAL,
                peer_is="copy and SHA-256 of every file",
                holds=max(first.beyond_mib, second.beyond_mib) < LIMIT_MIB,
                wall=first.wall,
                beyond_mib=first.beyond_mib,
                again_cpu=second.cpu,
                again_beyond_mib=second.beyond_mib,
                again_changed=second.value,
            )


def make(folder: Path, count: int, size: int) -> None:
    """Files of random bytes, 1,000 a folder, that settled an hour ago, and the table that names them."""
    rows = ["file,y"]
    for at in range(count):
        name = f"{at // 1000:03}/{at:06}.bin"
        path = folder / "media" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0" + os.urandom(size - 1))  # begins as no known format does
        os.utime(path, (time.time() - 3600,) * 2)
        rows.append(f"{name},{'ab'[at % 2]}")
    (folder / "labels.csv").write_text("\n".join([*rows, ""]))


def copy(folder: str) -> Taken:
    source, target = Path(folder, "media"), Path(folder, "copy")

    def work() -> None:
        for path in source.rglob("*.bin"):
            to = target / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
            with to.open("rb") as stream:
                hashlib.file_digest(stream, "sha256")

    taken = measure(work)
    shutil.rmtree(target)
    return taken


def store(folder: str) -> Taken:
    with tempfile.TemporaryDirectory() as small:  # libraries are loaded by it
        make(Path(small), 10, 100)
        ingested(Path(small))
    return measure(lambda: ingested(Path(folder)))


def ingested(base: Path) -> bool:
    from rai_assets.data.ingest import ingest
    from rai_assets.data.settings import DatasetSettings
    from rai_assets.store.open import open_repository

    os.environ["RAI_HOME"] = str(base / "home")
    repository = open_repository(base / "home", "rai-media")
    columns: dict[str, Any] = {
        "file": {"role": "identifier", "dtype": "text"},
        "y": {"role": "target", "dtype": "category"},
    }
    settings = DatasetSettings.model_validate(
        {"files": [{"path": "labels.csv"}], "media": {"folder": "media", "path": "file"}, "columns": columns}
    )
    found = ingest(settings, base, repository, "main", run_id=str(os.getpid()))
    if not found.accepted:
        sys.exit(str(found.rules))
    return found.changed


if __name__ == "__main__":
    main()
