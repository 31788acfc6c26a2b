"""One change set on its way to lakeFS: staged and committed on a hidden branch that nobody else writes to."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import groupby, islice
from typing import Any, BinaryIO

from rai_assets.store import refusals
from rai_assets.store.changes import ChangeSet, Put
from rai_assets.store.errors import AlreadyExists, BackendUnavailable, NotFound
from rai_assets.store.lakefs_connection import CHUNK, PAGE, patiently
from rai_assets.store.lakefs_errors import Unanswered
from rai_assets.store.lakefs_reading import SHA256, USER_METADATA, LakeFSReader, together
from rai_assets.store.trees import PathClash

HIDDEN = "tx-"
_SMALL = 1 << 20  # bytes; a content up to here is hashed before it is sent, a larger one while it is sent
_FEW = 8  # objects put into one folder are looked up one by one, more by listing the folder


class Staging:
    """A hidden branch, made from a commit and gone when the work is done.

    Args:
        reader: The repository.
        base: Id of the commit to start from.

    Attributes:
        branch: Its name.
        head: Id of its head.
    """

    def __init__(self, reader: LakeFSReader, base: str) -> None:
        self._reader = reader
        self._connection = reader.connection
        self._api = reader.connection.api
        self.base = self.head = base
        # The time tells a sweep how old the work is; the commit it starts from may be of any age.
        self.branch = f"{HIDDEN}{int(time.time()):x}-{uuid.uuid4().hex}"

    @classmethod
    @contextmanager
    def at(cls, reader: LakeFSReader, base: str) -> Iterator[Staging]:
        """The branch for as long as the context lasts; what a dying process leaves is swept later."""
        staging = cls(reader, base)
        models = staging._connection.models
        creation = models.BranchCreation(name=staging.branch, source=base, hidden=True)
        with suppress(AlreadyExists):  # by an attempt that got no answer: nobody else makes this name
            staging._ask(staging._api.branches_api.create_branch, creation)
        reachable = True
        try:
            yield staging
        except BackendUnavailable:
            reachable = False
            raise
        finally:
            if reachable:
                with suppress(BackendUnavailable, NotFound):
                    staging._ask(staging._api.branches_api.delete_branch, staging.branch)

    def write(self, changes: ChangeSet) -> None:
        """Upload the puts side by side, and delete.

        Raises:
            AlreadyExists: A path put with `if_absent` exists at the base.
            InvalidPath: A path would be an object and a folder at once.
            InputRefused: A file cannot be read.
            BackendUnavailable: The server cannot be reached, or something else arrived than was sent.
        """
        self.check(changes)
        for _ in together(lambda item: self._upload(*item), changes):
            pass
        self.delete(changes)

    def check(self, changes: ChangeSet) -> None:
        """Refuse what does not fit the base, before anything is sent.

        Raises:
            AlreadyExists: A path put with `if_absent` exists at the base.
            InvalidPath: A path would be an object and a folder at once.
        """
        for path, put in changes:
            if put.if_absent and self._reader.holds(self.base, path):
                raise refusals.object_exists(path, self._reader.repository)
        refuse_clashes(self._reader, self.base, changes)

    def delete(self, changes: ChangeSet) -> None:
        """Delete what the change set wants gone and does not put.

        Raises:
            BackendUnavailable: The server cannot be reached, or did not delete an object.
        """
        gone = {path for path in changes.deletes if path not in changes.puts}
        for prefix in changes.prefixes:
            listed = (item.path for item in self._reader.listed(self.base, prefix))
            gone.update(path for path in listed if path not in changes.puts)
        paths = iter(sorted(gone))
        while batch := list(islice(paths, PAGE)):
            words = self._connection.models.PathList(paths=batch)
            answer = self._ask(self._api.objects_api.delete_objects, self.branch, words, operation="write")
            if answer.errors:
                raise BackendUnavailable(
                    f"lakeFS did not delete {answer.errors[0].get('path')!r}: {answer.errors[0].message}",
                    where=self._reader.repository,
                    fix="look into the server's log, then do it again",
                )

    def commit(self, message: str, metadata: Mapping[str, str], *, allow_empty: bool) -> str:
        """Commit what is staged, and return the commit's id.

        Raises:
            NoChanges: Nothing differs from the base.
        """
        words = self._connection.models.CommitCreation(
            message=message, metadata=dict(metadata), allow_empty=allow_empty
        )

        def attempt() -> str:
            try:
                made = self._ask(self._api.commits_api.commit, self.branch, words, operation="write", again=False)
                return str(made.id)
            except Unanswered:
                # Nobody else commits here: a head that moved is this commit.
                head = str(self._ask(self._api.branches_api.get_branch, self.branch).commit_id)
                if head != self.head:
                    return head
                raise

        self.head = str(patiently(attempt))
        return self.head

    def _ask(self, method: Callable[..., Any], *words: Any, **more: Any) -> Any:
        subject = f"branch {self.branch!r}"
        return self._connection.ask(method, self._reader.repository, *words, subject=subject, **more)

    def _upload(self, path: str, put: Put) -> None:
        if hasattr(put.source, "read"):
            # A stream can be read once only.
            self._send(path, put)
        else:
            patiently(lambda: self._send(path, put))

    def _send(self, path: str, put: Put) -> None:
        with put.opened() as stream:
            first = _read_up_to(stream, _SMALL + 1)
            body = _Body(first, stream)
            small = len(first) <= _SMALL
            if small:
                body.hash_now()
            arrived = self._connection.upload(
                self._reader.repository,
                self.branch,
                path,
                first if small else body.chunks(),
                put.content_type,
                _words(body, put) if small else {},
            )
            if not small:
                models = self._connection.models
                words = models.UpdateObjectUserMetadata(set=models.ObjectUserMetadata(**_words(body, put)))
                self._ask(self._api.experimental_api.update_object_user_metadata, self.branch, path, words)
        if arrived != body.md5.hexdigest():
            raise BackendUnavailable(
                f"object {path!r} did not arrive as it was sent",
                retryable=True,
                where=self._reader.repository,
                fix="try again; the connection changed its bytes",
            )


def refuse_clashes(reader: LakeFSReader, base: str, changes: ChangeSet) -> None:
    """Make sure that no path becomes an object and a folder at once; lakeFS itself allows it.

    Args:
        reader: The repository.
        base: The commit that the changes are for.
        changes: What is written and deleted.

    Raises:
        PathClash: A path would be both.
    """

    def stays(path: str) -> bool:
        return path not in changes.deletes and not path.startswith(tuple(changes.prefixes))

    folders = {folder for path in changes.puts for folder in _folders(path)}
    for path in sorted(folders & changes.puts.keys()):
        raise PathClash(path)
    if next(reader.listed(base, ""), None) is None:
        return
    for path, found in zip(folders, together(lambda path: reader.holds(base, path), folders), strict=True):
        if found and stays(path):
            raise PathClash(path)
    new = sorted((path for path in changes.puts if stays(path)), key=lambda path: (path.rpartition("/")[0], path))
    for folder, group in groupby(new, key=lambda path: path.rpartition("/")[0]):
        paths = list(group)
        for path in paths if len(paths) <= _FEW else _inner_folders(reader, base, folder) & set(paths):
            if any(stays(item.path) for item in reader.listed(base, f"{path}/")):
                raise PathClash(path)


def _inner_folders(reader: LakeFSReader, base: str, folder: str) -> set[str]:
    found = reader.listed(base, f"{folder}/" if folder else "", "/")
    return {item.path.removesuffix("/") for item in found if item.path_type == "common_prefix"}


def _folders(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:number]) for number in range(1, len(parts)))


class _Body:
    """The bytes of one object, hashed as they pass: in threads of their own, beside the sending.

    Args:
        first: The first bytes, read already.
        rest: Where the others come from.
    """

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first, self._rest = first, rest
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)

    def hash_now(self) -> None:
        """Hash the first bytes, which are all."""
        self.sha256.update(self._first)
        self.md5.update(self._first)

    def chunks(self) -> Iterator[bytes]:
        """All bytes, in pieces."""
        with ThreadPoolExecutor(2) as pool:
            chunk = self._first
            while chunk:
                hashing = [pool.submit(digest.update, chunk) for digest in (self.sha256, self.md5)]
                yield chunk
                chunk = self._rest.read(CHUNK)
                for update in hashing:
                    update.result()


def _words(body: _Body, put: Put) -> dict[str, str]:
    """The metadata of an object: its digest, and the user's words as one ASCII text, for HTTP headers hold no more."""
    own = {USER_METADATA: json.dumps(dict(put.metadata), sort_keys=True)} if put.metadata else {}
    return {SHA256: body.sha256.hexdigest(), **own}


def _read_up_to(stream: BinaryIO, size: int) -> bytes:
    """The first bytes of a stream that may give less than asked for before its end."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
