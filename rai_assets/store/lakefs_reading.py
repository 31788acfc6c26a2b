"""The reading half of the lakeFS engine: refs are resolved once, then everything is read by commit id."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

from rai_assets.store import names
from rai_assets.store.errors import BackendUnavailable, NotFound
from rai_assets.store.lakefs_connection import Connection
from rai_assets.store.merge import STRATEGY_KEY
from rai_assets.store.protocol import Change, Commit, ObjectInfo

FULL_ID = 64  # hexadecimal digits
SHORTEST_ID = 8
SHA256, USER_METADATA = "rai-sha256", "rai-metadata"  # keys of object metadata that are ours
NONCE = "rai-nonce"  # key of commit metadata that is ours: `merge:<hex>`, `commit:<hex>` or `wordless:<hex>`
IN_MEMORY = 8 << 20  # bytes; what is larger waits in a file
WORKERS = 16  # requests at once

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class LakeFSReader:
    """What the protocol can tell about a repository on a lakeFS server.

    Args:
        connection: The server.
        name: Name of the repository.
        folder: For files on their way.
    """

    default_branch = names.DEFAULT_BRANCH
    capabilities = frozenset({"hooks", "s3"})

    def __init__(self, connection: Connection, name: str, folder: Path) -> None:
        self.repository = name
        self.connection = connection
        self._api = connection.api
        self._folder = folder
        # SHA-256 of contents that were stored without ours, by the address of their bytes, which never change.
        self._digests: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.connection.settings.endpoint}/{self.repository})"

    def resolve(self, ref: str) -> str:  # noqa: D102
        return self.get_commit(ref).id

    def branches(self, prefix: str = "") -> dict[str, str]:  # noqa: D102
        found = self._pages(self._api.branches_api.list_branches, subject="branch", prefix=prefix)
        return {item.id: item.commit_id for item in found}

    def tags(self) -> dict[str, str]:  # noqa: D102
        return {item.id: item.commit_id for item in self._pages(self._api.tags_api.list_tags, subject="tag")}

    def get_commit(self, ref: str) -> Commit:  # noqa: D102
        name, _ = names.parse_ref(ref)
        commit = self._commit(ref)
        # lakeFS takes one digit for a commit where it is unique today.
        if (
            len(name) < SHORTEST_ID
            and commit.id.startswith(name)
            and name not in {**self.branches(name), **self.tags()}
        ):
            raise self._no_commit(ref)
        return commit

    def log(  # noqa: D102
        self, ref: str, limit: int | None = None, *, first_parent: bool = False, prefixes: Sequence[str] = ()
    ) -> Iterator[Commit]:
        # The server's own filter by prefix leaves out merges.
        walked = self._walk(self._start(ref), first_parent=first_parent)
        return islice((commit for commit in walked if not prefixes or self._touches(commit, prefixes)), limit)

    def list_objects(  # noqa: D102
        self, ref: str, prefix: str = "", delimiter: Literal["/"] | None = None
    ) -> Iterator[ObjectInfo]:
        commit = self._start(ref)
        return (self._info(commit, item) for item in self.listed(commit, prefix, delimiter))

    def stat(self, ref: str, path: str) -> ObjectInfo:  # noqa: D102
        commit = self._start(ref)
        return self._info(commit, self._stats(commit, path))

    def open(self, ref: str, path: str) -> BinaryIO:
        """The object, brought here and its digest checked before the first byte is given."""
        commit = self._start(ref)
        stats = self._stats(commit, path)
        stream = self._spool(stats.size_bytes)
        try:
            self._fetch(commit, stats, stream.write)
            stream.seek(0)
        except BaseException:
            stream.close()
            raise
        return stream

    def download(self, ref: str, path: str, destination: Path) -> ObjectInfo:  # noqa: D102
        commit = self._start(ref)
        stats = self._stats(commit, path)
        partial = destination.with_name(f".{destination.name}.{uuid.uuid4().hex}")
        try:
            with partial.open("xb", buffering=0) as out:
                self._fetch(commit, stats, out.write)
            partial.replace(destination)
        except OSError as fault:
            raise BackendUnavailable(
                f"the file cannot be written: {fault.strerror or fault}", where=str(destination)
            ) from fault
        finally:
            partial.unlink(missing_ok=True)
        return self._info(commit, stats)

    def diff(  # noqa: D102
        self, left: str, right: str, prefix: str = "", *, two_dot: bool = False
    ) -> Iterator[Change]:
        before, after = self.resolve(left), self.resolve(right)
        base = before if two_dot else self._merge_base(before, after)
        changed = self._changed(before, after, prefix, two_dot=two_dot)
        return (change for batch in _batches(changed, 1000) for change in self._changes(batch, base, after))

    def tree_digest(self, ref: str, prefix: str = "") -> str:  # noqa: D102
        digest = hashlib.sha256()
        for item in self.list_objects(ref, prefix):
            digest.update(f"{item.sha256}  {item.path}\n".encode())
        return digest.hexdigest()

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for files to be adopted by a change set; they are sent from there."""
        folder = Path(tempfile.mkdtemp(dir=self._room()))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _ask(self, method: Callable[..., Any], *words: Any, subject: str, **more: Any) -> Any:
        return self.connection.ask(method, self.repository, *words, subject=subject, **more)

    def _pages(self, method: Callable[..., Any], *words: Any, subject: str, **more: Any) -> Iterator[Any]:
        return self.connection.pages(method, self.repository, *words, subject=subject, **more)

    def _start(self, ref: str) -> str:
        """The commit to read; a full id is taken as it is, and found missing when it is read."""
        name, steps = names.parse_ref(ref)
        return ref if not steps and len(name) == FULL_ID and names.is_commit(name) else self.resolve(ref)

    def _commit(self, ref: str) -> Commit:
        try:
            return as_commit(self._ask(self._api.commits_api.get_commit, ref, subject=f"commit {ref!r}"))
        except NotFound as fault:
            raise self._no_commit(ref) from fault

    def _no_commit(self, ref: str) -> NotFound:
        return NotFound(f"there is no branch, tag or commit {ref!r}", where=self.repository)

    def _walk(self, start: str, *, first_parent: bool = False) -> Iterator[Commit]:
        found = self._pages(
            self._api.refs_api.log_commits, start, subject=f"commit {start!r}", first_parent=first_parent
        )
        return (as_commit(item) for item in found)

    def _touches(self, commit: Commit, prefixes: Sequence[str]) -> bool:
        """True if a commit changed something under one of the prefixes, against its first parent."""
        if not commit.parents:
            return any(True for prefix in prefixes for _ in self.listed(commit.id, prefix))
        parent = commit.parents[0]
        return any(True for prefix in prefixes for _ in self._changed(parent, commit.id, prefix, two_dot=True))

    def _merge_base(self, left: str, right: str) -> str:
        # Only the base: the server's answer has the other two the wrong way round.
        found = self._ask(self._api.refs_api.find_merge_base, right, left, subject=f"commits {left} and {right}")
        return str(found.base_commit_id)

    def _changed(self, left: str, right: str, prefix: str = "", *, two_dot: bool) -> Iterator[tuple[str, str]]:
        """Path and kind of what differs by lakeFS's identity: size, checksum, content type and metadata."""
        # lakeFS would answer a text that is not valid Unicode with an error, but it names nothing.
        if not _valid(prefix):
            return
        kind = "two_dot" if two_dot else "three_dot"
        found = self._pages(
            self._api.refs_api.diff_refs, left, right, subject=f"commit {left!r} or {right!r}", type=kind, prefix=prefix
        )
        yield from ((item.path, item.type) for item in found if _ours(item.path, item.get("size_bytes")))

    def _changes(self, batch: Sequence[tuple[str, str]], base: str, after: str) -> Iterator[Change]:
        def sides(change: tuple[str, str]) -> Change:
            path, kind = change
            before = None if kind == "added" else self._present(base, path)
            return Change(path, kind, before, None if kind == "removed" else self._present(after, path))  # type: ignore[arg-type]

        return together(sides, batch)

    def _present(self, commit: str, path: str) -> ObjectInfo | None:
        try:
            return self._info(commit, self._found(commit, path))
        except NotFound:
            return None

    def holds(self, commit: str, path: str) -> bool:
        """True if a commit has an object at a path."""
        try:
            self._found(commit, path)
        except NotFound:
            return False
        return True

    def listed(self, commit: str, prefix: str, delimiter: str | None = None) -> Iterator[Any]:
        """What the server lists of our objects, in byte order of the paths."""
        if not _valid(prefix):
            return
        more = {"delimiter": delimiter} if delimiter else {}
        try:
            for item in self._pages(
                self._api.objects_api.list_objects, commit, subject=f"commit {commit!r}", prefix=prefix, **more
            ):
                if item.path_type == "common_prefix" or _ours(item.path, item.get("size_bytes")):
                    yield item
        except NotFound as fault:
            raise self._no_commit(commit) from fault

    def _stats(self, commit: str, path: str) -> Any:
        names.check_path(path)
        try:
            return self._found(commit, path)
        except NotFound as fault:
            # The server's answer is the same where there is no such commit.
            self._commit(commit)
            raise NotFound(f"there is no object {path!r} in {commit[:12]}", where=self.repository) from fault

    def _found(self, commit: str, path: str) -> Any:
        return self._ask(self._api.objects_api.stat_object, commit, path, subject=f"object {path!r}")

    def _info(self, commit: str, stats: Any) -> ObjectInfo:
        if stats.path_type == "common_prefix":
            return ObjectInfo(stats.path, 0, "", "", is_prefix=True)
        metadata = _metadata(stats)
        sha256 = metadata.pop(SHA256, None) or self._digest(commit, stats)
        own = json.loads(metadata.pop(USER_METADATA, "{}"))
        return ObjectInfo(stats.path, stats.size_bytes, sha256, stats.get("content_type") or "", {**metadata, **own})

    def _digest(self, commit: str, stats: Any) -> str:
        """The digest of an object that another program wrote, made by reading it through once."""
        address = str(stats.physical_address)
        if address not in self._digests:
            self._digests[address] = self._fetch(commit, stats, lambda _: None)
        return self._digests[address]

    def _fetch(self, commit: str, stats: Any, write: Callable[[bytes], object]) -> str:
        """Give an object's bytes to `write`, and return their SHA-256.

        Raises:
            BackendUnavailable: They are not what was stored: the server does not look.
        """
        digest = hashlib.sha256()

        def take(chunk: bytes) -> None:
            digest.update(chunk)
            write(chunk)

        self.connection.download(self.repository, commit, stats.path, take)
        expected = _metadata(stats).get(SHA256)
        if expected not in (None, digest.hexdigest()):
            raise BackendUnavailable(
                "the content does not have the digest it was stored with",
                where=f"{self.repository}/{commit}/{stats.path}",
                fix="restore lakeFS's storage from a backup; other objects are intact",
            )
        return digest.hexdigest()

    def _spool(self, size: int) -> BinaryIO:
        if size <= IN_MEMORY:
            return BytesIO()
        return tempfile.TemporaryFile(dir=self._room())

    def _room(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder


def as_commit(answer: Any) -> Commit:
    """A commit as callers see it: without what only this engine needs to know."""
    metadata = dict(answer.get("metadata") or {})
    kind = metadata.pop(NONCE, "").partition(":")[0]
    if kind in ("commit", "wordless"):
        # It came to its branch by a merge, and that says nothing to anybody.
        metadata.pop(STRATEGY_KEY, None)
    # lakeFS makes up a message where there is none.
    message = "" if kind == "wordless" else answer.message
    return Commit(
        answer.id, tuple(answer.parents), message, metadata, datetime.fromtimestamp(answer.creation_date, UTC)
    )


def together(work: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """`map` by several threads; the first fault stops what was not begun."""
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _batches(items: Iterator[_In], size: int) -> Iterator[list[_In]]:
    while batch := list(islice(items, size)):
        yield batch


def _metadata(stats: Any) -> dict[str, str]:
    stored = stats.get("metadata")
    return dict(stored.to_dict()) if stored is not None else {}


def _ours(path: str, size: int | None) -> bool:
    """False for the markers that other programs leave for folders, and for lakeFS's own settings."""
    return not (path.endswith("/") and not size) and not path.startswith("_lakefs_actions/")


def _valid(text: str) -> bool:
    return text.isascii() or text.encode(errors="replace").decode() == text
