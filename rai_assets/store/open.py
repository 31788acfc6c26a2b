"""Opening the repository of a use case, in the store that the environment names."""

from __future__ import annotations

import os
import shutil
from collections import deque
from pathlib import Path

from rai_assets.errors import UsageError
from rai_assets.store.errors import NotFound
from rai_assets.store.faults import faults
from rai_assets.store.lakefs_settings import STORE, LakeFSSettings
from rai_assets.store.names import check_repository
from rai_assets.store.protocol import VersionedRepository

_FOLDER = "embedded:"


def open_repository(home: Path, name: str, create: bool = True) -> VersionedRepository:
    """The embedded repository `<home>/store/<name>`, or the one of that name on the server that `RAI_STORE` names.

    Args:
        home: The product's state folder.
        name: `rai-` and the use case's name with `-` for `_`.
        create: Make it if it is not there.

    Raises:
        NotFound: It is not there, and `create` is false.
        InvalidRef: `name` is no repository name.
        UsageError: A setting of the store is missing or malformed.
        BackendUnavailable: The folder cannot be made, or the server cannot be used.
    """
    return _open(LakeFSSettings.read(), home, name, create)


def open_at(location: str, home: Path, name: str, create: bool = True) -> VersionedRepository:
    """A repository of any store.

    Args:
        location: `embedded:<state folder>`, `lakefs+http://HOST:PORT` (with the credentials of the environment), or
            `here`: the store of this environment.
        home: The product's state folder.
        name: Name of the repository.
        create: Make it if it is not there.

    Raises:
        NotFound: It is not there, and `create` is false.
        UsageError: The location is none, or a setting is missing or malformed.
        BackendUnavailable: The folder cannot be made, or the server cannot be used.
    """
    if location == "here":
        return open_repository(home, name, create)
    if location.startswith(_FOLDER) and location != _FOLDER:
        return _open(None, Path(location.removeprefix(_FOLDER)).absolute(), name, create)
    if location.startswith("lakefs+"):
        return _open(LakeFSSettings.read({**os.environ, STORE: location}), home, name, create)
    raise UsageError("this names no store", fix="use here, embedded:FOLDER (its RAI_HOME) or lakefs+http://HOST:PORT")


def _open(settings: LakeFSSettings | None, home: Path, name: str, create: bool) -> VersionedRepository:
    if settings is None:
        return _open_embedded(home, name, create)
    from rai_assets.store.lakefs_opening import open_lakefs

    return open_lakefs(settings, home, check_repository(name), create)


def first_commit(repository: VersionedRepository) -> str:
    """Id of the repository's first, empty commit, where branches start that hold no data."""
    (oldest,) = deque(repository.log(repository.default_branch, first_parent=True), maxlen=1)
    return oldest.id


def ensure_branch(repository: VersionedRepository, name: str) -> None:
    """Start a branch without data at the first commit, if it is not there."""
    if name not in repository.branches(name):
        repository.create_branch(name, first_commit(repository), exist_ok=True)


def describe_store(home: Path) -> str:
    """The store in one line for people: its kind, where it is, its version; asks the server.

    Raises:
        UsageError: A setting of the store is missing or malformed.
        BackendUnavailable: The server cannot be used.
    """
    settings = LakeFSSettings.read()
    if settings is None:
        return f"embedded, in {home / 'store'}, for one host (several share a lakeFS server)"
    from rai_assets.store.lakefs_connection import connect

    return f"lakeFS {connect(settings).version()} at {settings.endpoint}"


def _open_embedded(home: Path, name: str, create: bool) -> VersionedRepository:
    from rai_assets.store.embedded import EmbeddedRepository
    from rai_assets.store.migrate import bring_up_to_date

    folder = home / "store" / check_repository(name)
    with faults(folder):
        if not folder.is_dir():
            if not create:
                raise NotFound(
                    f"there is no repository {name!r}",
                    where=str(home / "store"),
                    fix="`rai run` makes it; RAI_HOME and RAI_STORE say where it is looked for",
                )
            _create(folder)
        bring_up_to_date(folder)
    return EmbeddedRepository(folder)


def _create(folder: Path) -> None:
    """Make a repository beside its place, then give it its name: nobody sees a half-made one."""
    from filelock import FileLock

    from rai_assets.store.embedded import EmbeddedRepository

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / ".create.lock"):
        if folder.is_dir():
            return
        # Under the lock, what is there was left by a dead process.
        new = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        EmbeddedRepository.create(new)
        new.replace(folder)
