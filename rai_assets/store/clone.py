"""An embedded repository brought to another folder as it is: commits keep their ids."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from dulwich.objects import ObjectID

from rai_assets.errors import UsageError
from rai_assets.store import history
from rai_assets.store.blobs import ContentFolder
from rai_assets.store.changes import Put
from rai_assets.store.embedded import EmbeddedRepository
from rai_assets.store.errors import BackendUnavailable
from rai_assets.store.faults import faults
from rai_assets.store.git_layer import GitLayer
from rai_assets.store.git_objects import GitObject
from rai_assets.store.protocol import ObjectInfo
from rai_assets.store.verify import Report
from rai_assets.store.verify_embedded import Walk, walked

_BATCH_ITEMS, _BATCH_BYTES = 10_000, 1 << 30  # contents published at a time; an interrupted copy keeps them
_PACK = 5000  # git objects written as one pack


@dataclass(frozen=True)
class Brought:
    """What a copy did.

    Attributes:
        commits: Commits that were copied.
        skipped: Commits that were there already.
        placed: `branch <name>` or `tag <name>` to its commit in the source and in the target.
        lost: What could not be kept, in sentences.
    """

    commits: int
    skipped: int
    placed: Mapping[str, tuple[str, str]]
    lost: tuple[str, ...]


def clone(source: EmbeddedRepository, target: EmbeddedRepository, report: Report) -> Brought:
    """Copy contents first, then git's objects, then move the branches, all at once.

    Raises:
        UsageError: The target's `main` holds commits that are none of the source's.
        BackendUnavailable: The source is damaged, or one of the folders cannot be read or written.
    """
    walk = walked(source.root, report)
    if walk.found.damages:
        raise BackendUnavailable(
            f"the store to copy is damaged: {walk.found.damages[0]}",
            where=str(source.root),
            fix="`rai store verify` says all of it; restore it from a backup first",
        )
    other = GitLayer(target.root)
    _refuse_others(target, walk.found.commits)
    items = [item for _, item in walk.found.contents.values()]
    with faults(target.root):
        _copy_contents(ContentFolder(source.root), target, items, report)
    with other.writing():
        contents = ContentFolder(target.root)
        if not all(contents.holds(item.sha256, item.size) for item in items):
            raise BackendUnavailable(
                "a sweep took contents that nothing led to yet", retryable=True, fix="run the same command again"
            )
        there = set(other.objects)
        skipped = sum(ObjectID(commit.encode()) in there for commit in walk.found.commits)
        _copy_objects(GitLayer(source.root), other, walk.seen - there, report)
        placed, lost = _place(walk, other)
        if not other.protected():
            other.set_protected(GitLayer(source.root).protected())
    return Brought(len(walk.found.commits) - skipped, skipped, placed, lost)


def _refuse_others(target: EmbeddedRepository, known: Container[str]) -> None:
    """Make sure that the target has no history, or one that goes back to the source's first commit.

    Raises:
        UsageError: It has one of its own.
    """
    head = target.get_commit(target.default_branch)
    others = {*target.branches().values(), *target.tags().values()} - {head.id}
    if head.id not in known and (head.parents or others):
        raise UsageError(
            f"the repository there has a history of its own: branch {target.default_branch!r} holds commits that the "
            "store to copy has not",
            where=str(target.root),
            fix="copy to a store that has no such repository yet",
        )


def _copy_contents(source: ContentFolder, target: EmbeddedRepository, items: list[ObjectInfo], report: Report) -> None:
    contents, git = ContentFolder(target.root), GitLayer(target.root)
    total, done = sum(item.size for item in items), 0
    for batch in _batches(items):
        with contents.staging(len(batch)) as staging:
            for item in batch:
                if not contents.holds(item.sha256, item.size):
                    put = Put(source.path(item.sha256), item.content_type, {}, if_absent=False, consume=False)
                    if staging.add(put).sha256 != item.sha256:
                        raise BackendUnavailable(
                            "the content does not have the digest it was stored with",
                            where=str(source.path(item.sha256)),
                            fix="restore it from a backup first",
                        )
                done += item.size
                report("bytes copied", done, total)
            staging.settle()
            with git.writing():
                staging.publish()


def _copy_objects(git: GitLayer, other: GitLayer, missing: set[ObjectID], report: Report) -> None:
    wanted = sorted(missing)
    for start in range(0, len(wanted), _PACK):
        report("records of the history copied", start, len(wanted))
        batch = wanted[start : start + _PACK]
        other.store([GitObject.make(*git.objects.get_raw(identity)) for identity in batch])


def _place(walk: Walk, other: GitLayer) -> tuple[dict[str, tuple[str, str]], tuple[str, ...]]:
    """Move the target's branches and tags to where the source's stand, but for those with commits of their own."""
    placed: dict[str, tuple[str, str]] = {}
    lost = []
    for ref, head in walk.refs.items():
        kind, _, name = ref.partition(" ")
        present = other.branch(name) if kind == "branch" else other.tag(name)
        if kind == "tag" and present is None:
            other.set_tag(name, head)
        elif kind == "branch" and _may_move(other, present, walk.found.commits):
            other.set_branch(name, present, head)
        elif present != head:
            lost.append(f"{ref} stands elsewhere there, and was left as it is")
            continue
        placed[ref] = (head, head)
    return placed, tuple(lost)


def _may_move(git: GitLayer, head: str | None, known: Container[str]) -> bool:
    """True for a branch that is not there, or holds nothing but what the source knows."""
    return head is None or head in known or not history.read(git.objects, head).commit.parents


def _batches(items: list[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    batch: list[ObjectInfo] = []
    size = 0
    for item in items:
        batch.append(item)
        size += item.size
        if len(batch) == _BATCH_ITEMS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch
