"""The branches of single pieces of work, once nobody needs them any more."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice

from rai_assets.store.errors import NotFound, ProtectedBranch
from rai_assets.store.names import TRANSIENT_DAYS, TRANSIENT_PREFIXES
from rai_assets.store.protocol import VersionedRepository

TRANSIENT_AGE = timedelta(days=TRANSIENT_DAYS)


def expired(repository: VersionedRepository, age: timedelta, *, at_most: int | None = None) -> tuple[str, ...]:
    """The run- and tx- branches whose head is older than `age`, sorted.

    One that stands at the head of another branch holds nothing of its own yet: its run may just have begun, on data
    that are old.

    Args:
        repository: Where they are.
        age: How long they stay.
        at_most: Look at so many only.
    """
    heads = repository.branches()
    lasting = {head for name, head in heads.items() if not name.startswith(TRANSIENT_PREFIXES)}
    limit = datetime.now(UTC) - age
    own = (name for name, head in heads.items() if name.startswith(TRANSIENT_PREFIXES) and head not in lasting)
    return tuple(sorted(name for name in islice(own, at_most) if _time(repository, heads[name]) <= limit))


def expire(repository: VersionedRepository, age: timedelta, *, at_most: int | None = None) -> tuple[str, ...]:
    """Delete what is `expired`; returns the names."""
    names = expired(repository, age, at_most=at_most)
    for name in names:
        # Another process may have been faster.
        with suppress(NotFound, ProtectedBranch):
            repository.delete_branch(name)
    return names


def _time(repository: VersionedRepository, commit: str) -> datetime:
    try:
        return repository.get_commit(commit).time
    except NotFound:
        # Swept between the listing and the reading, or damaged; `verify` tells which.
        return datetime.max.replace(tzinfo=UTC)
