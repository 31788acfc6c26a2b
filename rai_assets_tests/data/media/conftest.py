"""Folders of files with a table that names them, declared and stored."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rai_assets.data.dataset import FILES
from rai_assets.data.ingest import Ingested, ingest
from rai_assets.data.settings import DatasetSettings
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.data.media import making

Declare = Callable[..., DatasetSettings]
Store = Callable[[DatasetSettings], Ingested]
COLUMNS = {"file": {"role": "identifier", "dtype": "text"}, "y": {"role": "target", "dtype": "category"}}
CONTENTS = {"a.png": making.png(), "b/c.wav": making.wav(), "b/d.txt": "Grüße".encode(), "e.jpg": making.jpeg()}


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_HOME", str(tmp_path / "home"))


@pytest.fixture
def repository(tmp_path: Path) -> VersionedRepository:
    return open_repository(tmp_path / "home", "rai-media")


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Write files that settled an hour ago, and a table that names them; `rows` replaces its rows."""

    def make(
        contents: dict[str, bytes] = CONTENTS, rows: list[str] | None = None, columns: Any = None, **media: str
    ) -> DatasetSettings:
        for name, content in contents.items():
            path = tmp_path / "media" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, (time.time() - 3600,) * 2)
        lines = rows if rows is not None else [f"{name},{'uv'[at % 2]}" for at, name in enumerate(contents)]
        (tmp_path / "labels.csv").write_text("\n".join(["file,y", *lines, ""]))
        return DatasetSettings.model_validate(
            {
                "files": [{"path": "labels.csv"}],
                "media": {"folder": "media", "path": "file", **media},
                "columns": columns or COLUMNS,
            }
        )

    return make


@pytest.fixture
def store(repository: VersionedRepository, tmp_path: Path) -> Store:
    runs = iter(range(1000))
    return lambda settings: ingest(settings, tmp_path, repository, "main", run_id=f"t{next(runs)}")


def branches(repository: VersionedRepository) -> list[str]:
    return [name for name in repository.branches() if not name.startswith("results-")]


def stored(repository: VersionedRepository, ref: str = "main") -> dict[str, bytes]:
    return {
        item.path.removeprefix(FILES): content(repository, ref, item.path)
        for item in repository.list_objects(ref, FILES)
    }


def content(repository: VersionedRepository, ref: str, path: str) -> bytes:
    with repository.open(ref, path) as stream:
        return stream.read()


def said(found: Ingested) -> str:
    return "\n".join(rule.sentence for rule in found.rules if not rule.passed)
