"""Inboxes that are no folder: a place in S3, and a branch of a repository of the store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rai_assets.errors import RaiError
from rai_assets.monitoring.batches.sources import Copied, Found, is_data
from rai_assets.store.protocol import NotFound, VersionedRepository

_CHUNK = 1 << 20


class S3Inbox:
    """The objects of a bucket under a prefix. An object is there whole or not at all.

    Args:
        place: `s3://bucket/prefix`.
        connect: Gives boto3's client for S3; asked once, when the inbox is looked at.
    """

    whole = True

    def __init__(self, place: str, connect: Callable[[], Any]) -> None:
        self.where = place
        self._bucket, _, prefix = place.removeprefix("s3://").partition("/")
        self._prefix = _folder(prefix)
        self._connect, self._client = connect, None

    def look(self) -> Iterator[Found]:
        """Every object that may be data."""
        with self._faults():
            pages = self._s3().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for page in pages:
                for item in page.get("Contents", ()):
                    path = item["Key"].removeprefix(self._prefix)
                    if is_data(path):
                        yield Found(path, item["Size"], item["ETag"], item["LastModified"].timestamp())

    def copy(self, path: str, destination: Path) -> Copied | None:
        """Copy an object; None if it is gone, or another meanwhile."""
        digest, size = hashlib.sha256(), 0
        with self._faults(), destination.open("wb") as target:
            try:
                answer = self._s3().get_object(Bucket=self._bucket, Key=self._prefix + path)
            except self._s3().exceptions.NoSuchKey:
                return None
            for chunk in answer["Body"].iter_chunks(_CHUNK):
                digest.update(chunk)
                size += target.write(chunk)
        if size != answer["ContentLength"]:
            return None
        return Copied(Found(path, size, answer["ETag"], answer["LastModified"].timestamp()), digest.hexdigest())

    def _s3(self) -> Any:
        if self._client is None:
            self._client = self._connect()
        return self._client

    @contextmanager
    def _faults(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as fault:
            raise RaiError(
                f"the inbox cannot be read: {fault}", where=self.where, fix="check the bucket and the credentials"
            ) from fault


class BranchInbox:
    """The objects of a branch that others commit to, under a prefix. A commit is seen whole or not at all.

    Args:
        repository: Where the branch is.
        branch: Its name.
        prefix: What the paths begin with.
    """

    whole = True

    def __init__(self, repository: VersionedRepository, branch: str, prefix: str) -> None:
        self.where = f"{repository.repository}, branch {branch!r}, {prefix or 'everything'}"
        self._repository, self._branch, self._prefix = repository, branch, _folder(prefix)

    def look(self) -> Iterator[Found]:
        """Every object that may be data, as it is committed."""
        try:
            head = self._repository.get_commit(self._branch)
        except NotFound as fault:
            raise RaiError("there is no such inbox", where=self.where, fix="create the branch") from fault
        for item in self._repository.list_objects(head.id, self._prefix):
            path = item.path.removeprefix(self._prefix)
            if is_data(path):
                yield Found(path, item.size, item.sha256, head.time.timestamp())

    def copy(self, path: str, destination: Path) -> Copied | None:
        """Copy an object out of the newest commit; None if it is gone."""
        head = self._repository.get_commit(self._branch)
        try:
            info = self._repository.download(head.id, self._prefix + path, destination)
        except NotFound:
            return None
        return Copied(Found(path, info.size, info.sha256, head.time.timestamp()), info.sha256)


def _folder(prefix: str) -> str:
    """A prefix that ends where the name of a folder does; empty for everything."""
    return f"{prefix.strip('/')}/" if prefix.strip("/") else ""
