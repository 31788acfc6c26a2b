"""The lakeFS engine beside plain HTTP and the raw client on one server, in wall seconds; a line each.

* upload, download: 1 GiB against the same bytes by plain HTTP to the same server, without any digest. `share` is plain
  seconds over ours: 1 is as fast.
* transaction: a branch, a commit of one small object, its merge and the end of the branch, against the raw client's
  five calls for it. `ratio` is ours over raw.
* columns: two of 60 columns of a 240 MiB table at a commit, through the S3 gateway, against the whole object by stream.

The server is the one of RAI_TEST_LAKEFS_ENDPOINT, else started from the `lakefs` executable on PATH.

    python benchmarks/store_lakefs.py [MEBIBYTES]
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rai_assets.store.changes import ChangeSet
from rai_assets.store.lakefs import LakeFSRepository
from rai_assets.store.lakefs_opening import open_lakefs
from rai_assets.store.s3 import s3_dataset
from rai_assets_tests.store.backends import ENDPOINT, NO_SERVER, lakefs_settings, server_there
from rai_assets_tests.store.lakefs_server import Server

CHUNK = 1 << 20
REPEATS = 3


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def fastest(*works: Callable[[], object]) -> list[float]:
    """The best of several turns; the works take turns, so that they meet the same noise."""
    times = [[seconds(work) for work in works] for _ in range(REPEATS)]
    return [min(column) for column in zip(*times, strict=True)]


def plain(lake: LakeFSRepository, method: str, path: str, body: Iterator[bytes] | None = None) -> None:
    """One HTTP request by the standard library."""
    settings = lake.connection.settings
    key = b64encode(f"{settings.access_key_id}:{settings.secret_access_key}".encode()).decode()
    connection = http.client.HTTPConnection(urlsplit(settings.endpoint).netloc)
    headers = {"Authorization": f"Basic {key}", "Content-Type": "application/octet-stream"}
    connection.request(method, f"/api/v1/repositories/{lake.repository}/{path}", body, headers)
    answer = connection.getresponse()
    while answer.read(CHUNK):
        pass
    assert answer.status in (200, 201), answer.status
    connection.close()


def chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def transfers(lake: LakeFSRepository, folder: Path, mebibytes: int) -> list[dict[str, object]]:
    file = folder / "big"
    with file.open("wb") as out:
        for _ in range(mebibytes):
            out.write(os.urandom(CHUNK))
    lake.create_branch("plain", "main")

    def ours() -> None:
        # Other metadata each time, for the same object again would be no change.
        lake.commit("main", ChangeSet().put("big", file, metadata={"turn": uuid.uuid4().hex}), "m")

    up, raw_up = fastest(ours, lambda: plain(lake, "POST", "branches/plain/objects?path=big", chunks(file)))
    commit = lake.resolve("main")
    down, raw_down = fastest(
        lambda: lake.download(commit, "big", folder / "copy"),
        lambda: plain(lake, "GET", f"refs/{commit}/objects?path=big"),
    )
    size = {"mebibytes": mebibytes}
    return [
        {"name": "upload", **size, "ours": up, "plain": raw_up, "share": raw_up / up},
        {"name": "download to a file", **size, "ours": down, "plain, thrown away": raw_down, "share": raw_down / down},
    ]


def transaction(lake: LakeFSRepository) -> dict[str, object]:
    api, models, name = lake.connection.api, lake.connection.models, lake.repository

    def ours() -> None:
        branch = f"run-{uuid.uuid4().hex}"
        lake.create_branch(branch, "main")
        lake.commit(branch, ChangeSet().put(f"o/{branch}", b"1"), "m")
        lake.merge(branch, "main", expected_head=lake.resolve("main"))
        lake.delete_branch(branch)

    def raw() -> None:
        branch = f"run-{uuid.uuid4().hex}"
        api.branches_api.create_branch(name, models.BranchCreation(name=branch, source="main"))
        lake.connection.upload(name, branch, f"o/{branch}", b"1", "text/plain", {})
        api.commits_api.commit(name, branch, models.CommitCreation(message="m"))
        api.refs_api.merge_into_branch(name, branch, "main")
        api.branches_api.delete_branch(name, branch)

    pairs = [(seconds(ours), seconds(raw)) for _ in range(30)]
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {"name": "transaction", "ours": mine, "raw client": theirs, "ratio": mine / theirs}


def columns(lake: LakeFSRepository, folder: Path) -> dict[str, object]:
    draw = np.random.default_rng(0)
    table = pa.table({f"c{number}": draw.normal(size=500_000) for number in range(60)})
    pq.write_table(table, folder / "table.parquet")
    lake.commit("main", ChangeSet().put("table.parquet", folder / "table.parquet"), "m")
    commit, wanted = lake.resolve("main"), ["c7", "c31"]

    def stream() -> None:
        with lake.open(commit, "table.parquet") as opened, pq.ParquetFile(opened, pre_buffer=False) as file:
            file.read(columns=wanted)

    gateway, whole = fastest(lambda: s3_dataset(lake, commit, "table.parquet").to_table(columns=wanted), stream)
    size = (folder / "table.parquet").stat().st_size >> 20
    return {"name": "columns", "mebibytes": size, "gateway": gateway, "stream": whole, "ratio": gateway / whole}


def main() -> None:
    if not server_there():
        print(json.dumps({"benchmark": "store_lakefs", "skipped": NO_SERVER}))
        return
    mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory() as folder:
        server = None if ENDPOINT in os.environ else Server(Path(folder) / "server").start()
        if server:
            os.environ[ENDPOINT] = server.endpoint
        try:
            lake = open_lakefs(lakefs_settings(), Path(folder), f"rai-bench-{uuid.uuid4().hex[:12]}")
            lines = [transaction(lake), columns(lake, Path(folder)), *transfers(lake, Path(folder), mebibytes)]
        finally:
            if server:
                server.stop()
    for line in lines:
        rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in line.items()}
        print(json.dumps({"benchmark": "store_lakefs", **rounded}))


if __name__ == "__main__":
    main()
