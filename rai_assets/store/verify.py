"""Is everything there that the history leads to, and is it what was stored?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from rai_assets.errors import RaiError
from rai_assets.store.blobs import Blob, ContentFolder
from rai_assets.store.errors import BackendUnavailable
from rai_assets.store.faults import faults
from rai_assets.store.protocol import ObjectInfo, VersionedRepository

CHUNK = 4 << 20  # bytes read and hashed at a time
Report = Callable[[str, int, int], None]
"""Told (what, done, total), as `Progress` is."""
Opener = Callable[[str, ObjectInfo], BinaryIO]
"""Opens an object of a commit, named by its id."""


@dataclass(frozen=True)
class Damage:
    """One thing that is not as it was stored.

    Attributes:
        commit: The youngest commit met that leads to it; empty for what belongs to none.
        path: Path of the object or folder in that commit, or the name of a ref or file.
        what: What is wrong with it.
    """

    commit: str
    path: str
    what: str

    def __str__(self) -> str:
        place = f"commit {self.commit[:12]}" + (f", {self.path}" if self.path else "") if self.commit else self.path
        return f"{place}: {self.what}"


@dataclass(frozen=True)
class Verified:
    """What was looked at, and what is damaged.

    Attributes:
        commits: Commits that some branch or tag leads to.
        contents: Contents read to their end.
        bytes: Their size.
        damages: What is not as it was stored.
    """

    commits: int
    contents: int
    bytes: int
    damages: tuple[Damage, ...]


@dataclass
class Survey:
    """What the history leads to.

    Attributes:
        commits: Ids of the commits.
        contents: For each content, by a key of the engine's, where it was met first.
        damages: What of the history cannot be read.
    """

    commits: set[str] = field(default_factory=set)
    contents: dict[str, tuple[str, ObjectInfo]] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)

    def hold(self, key: str, commit: str, item: ObjectInfo) -> None:
        """A commit leads to this object."""
        self.contents.setdefault(key, (commit, item))


def verify(repository: VersionedRepository, report: Report = lambda *_: None) -> Verified:
    """Follow every branch and tag to the first commit, and read every content once, in constant memory.

    Nothing is locked: what others write meanwhile is not looked at, and a branch that is deleted and swept meanwhile
    may be told as damaged.

    Raises:
        BackendUnavailable: The store cannot be reached now.
    """
    from rai_assets.store.embedded import EmbeddedRepository

    if isinstance(repository, EmbeddedRepository):
        from rai_assets.store import verify_embedded

        found = verify_embedded.survey(repository.root, report)
        size = _verify_contents(found, opener(repository), report)
        found.damages.extend(verify_embedded.stray_damages(repository.root, set(found.contents), report))
    else:
        found = _survey(repository, report)
        size = _verify_contents(found, opener(repository), report)
    return Verified(len(found.commits), len(found.contents), size, tuple(found.damages))


def opener(repository: VersionedRepository) -> Opener:
    """What opens one object of a commit for reading, of many that are all read."""
    from rai_assets.store.embedded import EmbeddedRepository

    if not isinstance(repository, EmbeddedRepository):
        return lambda commit, item: repository.open(commit, item.path)
    contents = ContentFolder(repository.root)
    # Not by its path: a folder of 100,000 objects would be searched for each.
    return lambda _, item: contents.open(Blob(item.sha256, item.size))


def _verify_contents(found: Survey, opened: Opener, report: Report) -> int:
    """Read every content, note what is damaged, and return the bytes in all."""
    total, done = sum(item.size for _, item in found.contents.values()), 0
    for commit, item in found.contents.values():
        try:
            with faults(Path(item.path)), opened(commit, item) as stream:
                for chunk in checked(stream, item):
                    done += len(chunk)
                    report("bytes verified", done, total)
        except RaiError as fault:
            _note(found, fault, commit, item.path)
    return done


def checked(stream: BinaryIO, item: ObjectInfo) -> Iterator[bytes]:
    """The bytes of an object in pieces.

    Raises:
        BackendUnavailable: At their end, if they are not those that were stored.
    """
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != item.sha256:
        raise BackendUnavailable(
            "the content does not have the digest it was stored with",
            where=item.path,
            fix="restore the store from a backup; `rai store verify` names all that is damaged",
        )


def _survey(repository: VersionedRepository, report: Report) -> Survey:
    """What the history leads to, through what the protocol can tell: of each commit, what it changed."""
    found = Survey()
    for name, head in {**repository.tags(), **repository.branches()}.items():
        if head in found.commits:
            continue
        try:
            for commit in repository.log(head):
                if commit.id not in found.commits:
                    found.commits.add(commit.id)
                    report("commits read", len(found.commits), 0)
                    _hold_changes(repository, commit.id, commit.parents, found)
        except RaiError as fault:
            _note(found, fault, "", name)
    return found


def brought(repository: VersionedRepository, commit: str, parents: Sequence[str]) -> Iterator[ObjectInfo]:
    """The objects that a commit has and its first parent has not, or has otherwise."""
    if not parents:
        return repository.list_objects(commit)
    return (change.after for change in repository.diff(parents[0], commit, two_dot=True) if change.after)


def _hold_changes(repository: VersionedRepository, commit: str, parents: tuple[str, ...], found: Survey) -> None:
    try:
        for item in brought(repository, commit, parents):
            # The same content under another path may lie in another place.
            found.hold(f"{item.sha256} {item.path}", commit, item)
    except RaiError as fault:
        _note(found, fault, commit, "")


def _note(found: Survey, fault: RaiError, commit: str, path: str) -> None:
    """Take a fault for a damage, unless it may pass by itself."""
    if isinstance(fault, BackendUnavailable) and fault.retryable:
        raise fault
    found.damages.append(Damage(commit, path, fault.what))
