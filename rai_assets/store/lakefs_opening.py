"""Opening a use case's repository on a lakeFS server, and making it where it is not there."""

from __future__ import annotations

import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from rai_assets.errors import UsageError
from rai_assets.store.errors import AlreadyExists, NotFound
from rai_assets.store.lakefs import LakeFSRepository
from rai_assets.store.lakefs_connection import Connection, connect
from rai_assets.store.lakefs_settings import LakeFSSettings

MARK = "rai-assets"  # key of the repository's metadata that says whose it is
FORMAT = "1"


def open_lakefs(settings: LakeFSSettings, home: Path, name: str, create: bool = True) -> LakeFSRepository:
    """The repository `name` of a lakeFS server.

    Args:
        settings: The server.
        home: The product's state folder, for files on their way.
        name: Name of the repository.
        create: Make it if it is not there.

    Raises:
        NotFound: It is not there, and `create` is false.
        UsageError: It belongs to something else, or was written by a newer version.
        BackendUnavailable: The server cannot be used.
    """
    connection = connect(settings)
    repository = LakeFSRepository(connection, name, home / "scratch")
    repositories = connection.api.repositories_api
    subject = f"repository {name!r}"
    try:
        connection.ask(repositories.get_repository, name, subject=subject)
    except NotFound:
        if not create:
            raise
        with suppress(AlreadyExists):  # made by another process meanwhile
            connection.ask(repositories.create_repository, _new(connection, name), subject=subject)
    mark = _mark(repository) or _taken(repository)
    if mark != FORMAT:
        raise UsageError(
            f"repository {name!r} was written by a newer version of this product (format {mark})",
            where=settings.endpoint,
            fix="install that version",
        )
    return repository


def _new(connection: Connection, name: str) -> Any:
    prefix = connection.settings.storage or _default_storage(connection)
    # lakeFS never takes a storage namespace twice, not even after the repository was deleted.
    space = f"{prefix}{'' if prefix.endswith('/') else '/'}{name}-{uuid.uuid4().hex[:12]}"
    return connection.models.RepositoryCreation(
        name=name, storage_namespace=space, default_branch=LakeFSRepository.default_branch
    )


def _default_storage(connection: Connection) -> str:
    answer = connection.ask(connection.api.config_api.get_config, subject="lakeFS here")
    prefix = (answer.get("storage_config") or {}).get("default_namespace_prefix")
    if not prefix:
        raise UsageError(
            "the server does not say where new repositories keep their objects",
            where=connection.settings.endpoint,
            fix="set RAI_LAKEFS_STORAGE, e.g. to s3://bucket/folder",
        )
    return str(prefix)


def _mark(repository: LakeFSRepository) -> str | None:
    connection, name = repository.connection, repository.repository
    method = connection.api.repositories_api.get_repository_metadata
    found = connection.ask(method, name, subject=f"repository {name!r}").get(MARK)
    return None if found is None else str(found)


def _taken(repository: LakeFSRepository) -> str:
    """Mark a repository as ours, if it is empty: it was made just now, or ahead for us.

    Raises:
        UsageError: Something else has written to it.
    """
    connection, name = repository.connection, repository.repository
    if _untouched(repository):
        words = connection.models.RepositoryMetadataSet(metadata={MARK: FORMAT})
        method = connection.api.internal_api.set_repository_metadata
        connection.ask(method, name, words, subject=f"repository {name!r}", operation="write")
        return FORMAT
    # Another process may have marked it, and written, since we looked.
    mark = _mark(repository)
    if mark is None:
        raise UsageError(
            f"repository {name!r} belongs to something else: another program wrote to it",
            where=connection.settings.endpoint,
            fix="rename the use case, or that repository",
        )
    return mark


def _untouched(repository: LakeFSRepository) -> bool:
    main = repository.default_branch
    if list(repository.branches()) != [main] or repository.get_commit(main).parents or repository.tags():
        return False
    connection = repository.connection
    method = connection.api.branches_api.diff_branch
    return not connection.ask(method, repository.repository, main, subject=f"branch {main!r}", amount=1).results
