"""Keeping stores in order: sweeping, verifying and copying them, use case by use case."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from rai_assets.charts.text import how_many
from rai_assets.errors import RaiError, UsageError
from rai_assets.home import home
from rai_assets.keys import repository_name
from rai_assets.progress import Progress
from rai_assets.store.copy import copy
from rai_assets.store.expiry import TRANSIENT_AGE
from rai_assets.store.open import open_at
from rai_assets.store.protocol import Collected, NotFound, VersionedRepository
from rai_assets.store.verify import verify
from rai_assets.use_case.declaration import find, load_all
from rai_assets.use_case.reading import NotRun

HERE = "here"


def sweep(name: str | None, grace: timedelta, *, dry_run: bool) -> Iterator[str]:
    """Remove what nobody needs any more, and say so.

    Args:
        name: A use case; all that are declared and have a store when None.
        grace: Nothing younger is removed.
        dry_run: Only tell.

    Raises:
        RaiError: The use case has no store here, or its history is damaged.
        UsageError: There is no such use case.
    """
    for use_case, repository in _repositories(name, HERE):
        collected = repository.collect_garbage(grace, expire_runs=TRANSIENT_AGE, dry_run=dry_run)
        yield f"{use_case}: {_swept(collected, dry_run)}"
        for branch in collected.branches:
            yield f"  branch {branch}"
        if "gc" not in repository.capabilities:
            yield (
                f"  what no branch leads to: lakeFS is told to keep it for {grace.days or 1} days; its administrator's "
                "garbage collection job removes it, this product does not"
            )


def verify_stores(name: str | None, progress: Progress) -> Iterator[str]:
    """Verify stores, and say what is damaged.

    Raises:
        RaiError: After the last line, if anything is damaged; or the use case has no store here.
    """
    damaged = 0
    for use_case, repository in _repositories(name, HERE):
        found = verify(repository, progress)
        state = how_many(len(found.damages), "damage") if found.damages else "sound"
        counted = (found.commits, "commit"), (found.contents, "content"), (found.bytes, "byte")
        yield f"{use_case}: {state}; {', '.join(how_many(*item) for item in counted)} read"
        yield from (f"  {damage}" for damage in found.damages)
        damaged += len(found.damages)
    if damaged:
        raise RaiError(
            f"{damaged} parts of the store are damaged",
            fix="restore what is listed from a backup; what is not listed is intact",
        )


def copy_stores(source: str, target: str, name: str | None, progress: Progress) -> Iterator[str]:
    """Copy the repositories of use cases from one store to another, and say what was kept.

    Args:
        source: Where from: `embedded:<state folder>`, `lakefs+http://HOST:PORT` or `here`.
        target: Where to.
        name: A use case; all that are declared and have a repository at the source when None.
        progress: Told how far it is.

    Raises:
        UsageError: A location names no store, both are the same, or the target has a history of its own.
        RaiError: The use case has no repository there, or the copy failed; run again, it goes on.
    """
    for use_case, repository in _repositories(name, source):
        other = open_at(target, home(), repository.repository)
        if repr(other) == repr(repository):
            raise UsageError("the two stores are the same one", where=target, fix="name another place to copy to")
        brought = copy(repository, other, progress)
        yield (
            f"{use_case}: {how_many(brought.commits, 'commit')} copied, {brought.skipped:,} were there; "
            f"the trees of {how_many(len(brought.placed), 'branch or tag', 'branches and tags')} are equal"
        )
        yield from (f"  not kept: {sentence}" for sentence in brought.lost)


def _repositories(name: str | None, location: str) -> Iterator[tuple[str, VersionedRepository]]:
    """Use cases and their repositories in a store."""
    if name is not None:
        try:
            yield name, open_at(location, home(), repository_name(name), create=False)
        except NotFound as fault:
            find(name)
            place = home() if location == HERE else location
            fix = f"rai run {name}" if location == HERE else "name the store that it was run in"
            raise NotRun(f"{name} has not been run in {place}", fix=fix) from fault
        return
    for item in load_all()[0]:
        try:
            repository = open_at(location, home(), repository_name(item.use_case.name), create=False)
        except NotFound:
            continue
        yield item.use_case.name, repository


def _swept(collected: Collected, dry_run: bool) -> str:
    done = "would be removed" if dry_run else "removed"
    return (
        f"{how_many(len(collected.branches), 'expired run branch')}, {how_many(collected.objects, 'content')} "
        f"({collected.bytes:,} bytes) and {how_many(collected.leftovers, 'unfinished upload')} {done}"
    )
