"""Small data sets, declared and stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rai_assets.data.inference import Wishes, infer
from rai_assets.data.ingest import Ingested, ingest
from rai_assets.data.settings import DatasetSettings
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository

Declare = Callable[..., DatasetSettings]
COLUMNS = {"a": {"dtype": "integer"}, "c": {"dtype": "category", "missing": "allowed"}}
GOOD = "a,c\n1,x\n2,\n3,y\n"


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


def data_branches(repository: VersionedRepository) -> dict[str, str]:
    """The branches that hold data; the ledger's are beside them."""
    return {name: head for name, head in repository.branches().items() if not name.startswith("results-")}


def look(
    tmp_path: Path, *contents: str, test: str | None = None, columns: str | None = None, **wishes: Any
) -> tuple[DatasetSettings, str]:
    """What is inferred from files, and the guesses as one text."""
    paths = [tmp_path / f"data{at}.csv" for at in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content)
    tests = []
    if test is not None:
        tests = [tmp_path / "test.csv"]
        tests[0].write_text(test)
    found, guesses = infer(paths, tests, base=tmp_path, wishes=Wishes(**wishes), columns=columns)
    return found, "\n".join(guesses)


def rows(header: str, *lines: str) -> str:
    return "\n".join([header, *lines, ""])
