from __future__ import annotations

from pathlib import Path

import pytest

from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.store.backends import BACKENDS, NAME


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    """Name of the engine under test."""
    return str(request.param)


@pytest.fixture
def location(tmp_path: Path) -> str:
    """Where the repository under test lies."""
    return str(tmp_path / "home")


@pytest.fixture
def repository(backend: str, location: str) -> VersionedRepository:
    """A fresh repository: one empty commit on `main`."""
    return BACKENDS[backend](location)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state folder."""
    return tmp_path / "home"


@pytest.fixture
def root(home: Path) -> Path:
    """The folder of the embedded repository."""
    return home / "store" / NAME


@pytest.fixture
def store(home: Path) -> VersionedRepository:
    """A fresh embedded repository."""
    return open_repository(home, NAME)
