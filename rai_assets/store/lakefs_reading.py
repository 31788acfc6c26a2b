"""The objects of a repository on a lakeFS server: refs are resolved once, then everything is read by commit id."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

from rai_assets.store import names, refusals
from rai_assets.store.durable import write_all
from rai_assets.store.errors import BackendUnavailable, NotFound
from rai_assets.store.faults import faults
from rai_assets.store.lakefs_history import LakeFSHistory
from rai_assets.store.protocol import Change, Commit, ObjectInfo

SHA256, USER_METADATA = "rai-sha256", "rai-metadata"  # keys of object metadata that are ours
IN_MEMORY = 8 << 20  # bytes; what is larger waits in a file
WORKERS = 16  # requests at once

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class LakeFSReader(LakeFSHistory):
    """What the protocol can tell about a repository on a lakeFS server.

    Args:
        connection: The server.
        name: Name of the repository.
        folder: For files on their way.
    """

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
        with ExitStack() as undo, faults(self._folder):
            stream = undo.enter_context(self._spool(stats.size_bytes))
            self._fetch(commit, stats, stream.write)
            stream.seek(0)
            undo.pop_all()
        return stream

    def download(self, ref: str, path: str, destination: Path) -> ObjectInfo:  # noqa: D102
        commit = self._start(ref)
        stats = self._stats(commit, path)
        partial = destination.with_name(f".{destination.name}.{uuid.uuid4().hex}")
        try:
            with faults(destination), partial.open("xb", buffering=0) as out:
                self._fetch(commit, stats, lambda chunk: write_all(out, chunk))
                partial.replace(destination)
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

    def _touches(self, commit: Commit, prefixes: Sequence[str]) -> bool:
        """True if a commit changed something under one of the prefixes, against its first parent."""
        if not commit.parents:
            return any(True for prefix in prefixes for _ in self.listed(commit.id, prefix))
        parent = commit.parents[0]
        return any(True for prefix in prefixes for _ in self._changed(parent, commit.id, prefix, two_dot=True))

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
        """What the server lists of our objects, in byte order of the paths.

        Raises:
            NotFound: There is no such commit.
        """
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
            raise refusals.no_object(path, commit[:12], self.repository) from fault

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
