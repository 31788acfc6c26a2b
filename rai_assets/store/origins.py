"""Commits that were copied from another store: the ids they had there still name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rai_assets.store.names import is_commit
from rai_assets.store.records import Commit

ORIGIN = "rai-copied-from"
"""Key of a copy's metadata: ids of the commits it is a copy of, the first one first."""
_FULL = (40, 64)  # digits of a whole id, embedded and on lakeFS


def copy_of(identity: str, heads: Iterable[str], log: Callable[[str], Iterator[Commit]]) -> str | None:
    """Id of the commit that is a copy of one of another store, named by its whole id; None if there is none.

    Args:
        identity: What names no commit here.
        heads: Where to look from.
        log: Tells the commits that a head leads to.
    """
    if len(identity) not in _FULL or not is_commit(identity):
        return None
    for head in set(heads):
        for commit in log(head):
            if identity in commit.metadata.get(ORIGIN, "").split():
                return commit.id
    return None
