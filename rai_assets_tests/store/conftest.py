from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.store.backends import BACKENDS, ENDPOINT, FACADE, NAME, NO_SERVER, SWEEPING, server_there
from rai_assets_tests.store.facade import Facade
from rai_assets_tests.store.lakefs_server import Server


@pytest.fixture(scope="session")
def lakefs_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real lakeFS server: the one that is named, else one of our own."""
    if not server_there():
        pytest.skip(NO_SERVER)
    if ENDPOINT in os.environ:
        yield os.environ[ENDPOINT]
        return
    server = Server(tmp_path_factory.mktemp("lakefs")).start()
    os.environ[ENDPOINT] = server.endpoint
    yield server.endpoint
    del os.environ[ENDPOINT]
    server.stop()


@pytest.fixture(scope="session")
def facade(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facade]:
    """The server of our own that answers as lakeFS does."""
    server = Facade(tmp_path_factory.mktemp("facade"))
    os.environ[FACADE] = server.endpoint
    yield server
    del os.environ[FACADE]
    server.stop()


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    """Name of the engine under test."""
    servers = {"lakefs": "lakefs_endpoint", "facade": "facade"}
    if request.param in servers:
        request.getfixturevalue(servers[request.param])
    return str(request.param)


@pytest.fixture(params=sorted(SWEEPING))
def sweeping_backend(request: pytest.FixtureRequest) -> str:
    """Name of an engine that sweeps contents itself."""
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
