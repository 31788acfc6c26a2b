"""Small data sets, declared and stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rai_assets.data.ingest import Ingested, ingest
from rai_assets.data.settings import DatasetSettings
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository

Declare = Callable[..., DatasetSettings]


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Write a file and declare it: `declare("a,b\\n1,2\\n", {"a": {...}, "b": {...}}, header=True)`."""

    def make(
        content: str | bytes, columns: Mapping[str, Any], *, name: str = "data.csv", **fields: Any
    ) -> DatasetSettings:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return DatasetSettings.model_validate({"files": [{"path": name}], "columns": dict(columns), **fields})

    return make


@pytest.fixture
def repository(tmp_path: Path) -> VersionedRepository:
    """An empty repository."""
    return open_repository(tmp_path / "home", "rai-data")


@pytest.fixture
def store(repository: VersionedRepository, tmp_path: Path) -> Callable[[DatasetSettings], Ingested]:
    """Ingest a declaration into `main`; every call is a run of its own."""
    runs = iter(range(1000))

    def run(settings: DatasetSettings) -> Ingested:
        return ingest(settings, tmp_path, repository, "main", run_id=f"t{next(runs)}")

    return run
