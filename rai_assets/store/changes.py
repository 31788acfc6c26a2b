"""A change set: what one commit is to write and delete, applied as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from rai_assets.errors import InputRefused
from rai_assets.store.names import check_path

OCTET_STREAM = "application/octet-stream"


@dataclass(frozen=True)
class Put:
    """One object to write.

    Attributes:
        source: The bytes, a file to read, or an open binary stream; read once, at the commit.
        content_type: Media type, part of the object's identity.
        metadata: The user's own words about the object, part of its identity.
        if_absent: True if the path must not exist at the head.
        consume: True if the file may be moved into the store instead of copied.
    """

    source: bytes | Path | BinaryIO
    content_type: str
    metadata: Mapping[str, str]
    if_absent: bool
    consume: bool

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """A stream over the source; one that the caller opened stays open.

        Raises:
            InputRefused: The file cannot be read.
        """
        source = self.source
        if isinstance(source, Path):
            try:
                stream = source.open("rb")
            except OSError as fault:
                raise InputRefused(
                    f"the file to store cannot be read: {fault.strerror}",
                    where=str(source),
                    fix="give this user the right to read it",
                ) from fault
            with stream:
                yield stream
        elif isinstance(source, bytes | bytearray | memoryview):
            yield BytesIO(source)
        else:
            yield source


@dataclass
class ChangeSet:
    """Puts and deletes in the order they were said; the last word about a path holds.

    Attributes:
        puts: Path to what is written there.
        deletes: Paths that go; a path that is not there is no fault.
        prefixes: Everything at the head under these goes, before the puts.
    """

    puts: dict[str, Put] = field(default_factory=dict)
    deletes: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)

    def put(
        self,
        path: str,
        source: bytes | Path | BinaryIO,
        content_type: str = OCTET_STREAM,
        metadata: Mapping[str, str] | None = None,
        *,
        if_absent: bool = False,
    ) -> ChangeSet:
        """Write an object. A file or stream is read at the commit, in constant memory.

        Args:
            path: Where it stands.
            source: Its content.
            content_type: Its media type.
            metadata: Texts that are kept with it.
            if_absent: Refuse the commit if there is an object at this path.

        Raises:
            InvalidPath: `path` cannot name an object.
            InputRefused: `source` is no file, or the metadata are not texts.
        """
        return self._put(path, source, content_type, metadata, if_absent=if_absent, consume=False)

    def adopt(
        self, path: str, source: Path, content_type: str = OCTET_STREAM, metadata: Mapping[str, str] | None = None
    ) -> ChangeSet:
        """Write an object from a file made in the repository's `scratch` folder, and give the file away.

        The store may move it instead of copying it, so big data are written once.

        Raises:
            InvalidPath: `path` cannot name an object.
            InputRefused: `source` is no file, or the metadata are not texts.
        """
        return self._put(path, source, content_type, metadata, if_absent=False, consume=True)

    def delete(self, path: str) -> ChangeSet:
        """Delete an object, if it is there.

        Raises:
            InvalidPath: `path` cannot name an object.
        """
        self.puts.pop(check_path(path), None)
        self.deletes.add(path)
        return self

    def delete_prefix(self, prefix: str) -> ChangeSet:
        """Delete every object whose path starts with `prefix`, what was put before included."""
        self.puts = {path: put for path, put in self.puts.items() if not path.startswith(prefix)}
        self.prefixes.add(prefix)
        return self

    def __iter__(self) -> Iterator[tuple[str, Put]]:
        return iter(self.puts.items())

    def _put(
        self,
        path: str,
        source: bytes | Path | BinaryIO,
        content_type: str,
        metadata: Mapping[str, str] | None,
        *,
        if_absent: bool,
        consume: bool,
    ) -> ChangeSet:
        check_path(path)
        if isinstance(source, Path) and not source.is_file():
            raise InputRefused("there is no such file to store", where=str(source), fix="correct its path")
        check_texts({"content type": content_type, **(metadata or {})}, where=path)
        self.puts[path] = Put(source, content_type, dict(metadata or {}), if_absent, consume)
        self.deletes.discard(path)
        return self


def check_texts(texts: Mapping[str, str], *, where: str) -> None:
    """Refuse metadata that a commit or an object cannot carry.

    Raises:
        InputRefused: A key or value is no text, or is not valid Unicode.
    """
    for key, value in texts.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise InputRefused(
                f"metadata must be texts, not {key!r}: {value!r}", where=where, fix="turn keys and values into texts"
            )
        try:
            (key + value).encode()
        except UnicodeEncodeError as fault:
            raise InputRefused(
                f"metadata {key!r} is not valid Unicode", where=where, fix="leave out lone surrogates"
            ) from fault
