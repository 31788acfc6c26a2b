"""The demo with its store on a real lakeFS server, beside the embedded store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.store.backends import NO_SERVER
from rai_assets_tests.store.lakefs_server import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Server, executable

PINNED = {"result.json", "version.json", "report.html"}  # these name the commit of their data, which is another


@pytest.mark.nightly  # it audits twice
def test_the_demo_gives_the_same_data_and_numbers_on_lakefs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if executable() is None:
        pytest.skip(NO_SERVER)
    server = Server(tmp_path / "server").start()
    try:
        embedded = _demo(tmp_path / "embedded", {})
        settings = {
            "RAI_STORE": f"lakefs+{server.endpoint}",
            "RAI_LAKEFS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "RAI_LAKEFS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "RAI_DAGSTER_URL": "http://dagster.example.org",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        lake = _demo(tmp_path / "lakefs", settings)
        assert list(lake.branches()) == list(embedded.branches())
        assert lake.tree_digest("main") == embedded.tree_digest("main")
        assert _numbers(lake) == _numbers(embedded)
        assert _verdicts(lake) == _verdicts(embedded)
        commit = lake.get_commit("main")
        assert commit.metadata["::lakefs::Dagster::url[url:ui]"] == (
            f"http://dagster.example.org/runs/{commit.metadata['run_id']}"
        )
    finally:
        server.stop()
    kept = [path for path in (tmp_path / "lakefs").rglob("*") if path.is_file()]
    assert not [path for path in kept if SECRET_ACCESS_KEY.encode() in path.read_bytes()]


def _demo(home: Path, settings: dict[str, str]) -> VersionedRepository:
    environment = {**os.environ, **settings, "RAI_HOME": str(home)}
    command = [str(Path(sys.executable).with_name("rai")), "demo"]
    subprocess.run(command, env=environment, check=True, capture_output=True, cwd=home.parent, timeout=600)
    return open_repository(home, "rai-lending", create=False)


def _numbers(repository: VersionedRepository) -> dict[str, str]:
    """Path to digest of every result, but for the files that name a commit."""
    found = repository.list_objects("results-main")
    kept = (item for item in found if item.path.rpartition("/")[2] not in PINNED)
    return {item.path: item.sha256 for item in kept if not item.path.startswith("ledger/")}


def _verdicts(repository: VersionedRepository) -> list[Any]:
    """Every entry of the ledger, but for the commits and the run in which its verdicts were found."""
    entries = []
    for item in repository.list_objects("results-main", "ledger/"):
        with repository.open("results-main", item.path) as stream:
            entries.append(json.load(stream))
    evidence = {"commit", "scorecard", "run_id"}
    found = [
        {part: {key: verdict[key] for key in verdict.keys() - evidence} for part, verdict in entry.items()}
        for entry in entries
    ]
    assert found
    return found
