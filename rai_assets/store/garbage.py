"""What an embedded repository still needs, and the branches of dead runs."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta

from dulwich.objects import ObjectID

from rai_assets.store import history, trees
from rai_assets.store.git_layer import GitLayer
from rai_assets.store.names import TRANSIENT_PREFIXES
from rai_assets.store.pointers import Pointer


def expire(git: GitLayer, age: timedelta) -> tuple[str, ...]:
    """Delete the branches of single pieces of work whose head is older than `age`; under the lock."""
    limit = datetime.now(UTC) - age
    expired = tuple(
        name
        for name, head in git.branches().items()
        if name.startswith(TRANSIENT_PREFIXES) and history.read(git.objects, head).commit.time <= limit
    )
    for name in expired:
        git.remove_branch(name)
    return expired


def mark(git: GitLayer) -> tuple[set[ObjectID], set[str]]:
    """Git objects and contents (by SHA-256) that some branch or tag leads to; under the lock."""
    reachable: set[ObjectID] = set()
    contents: set[str] = set()
    pending = [*git.branches().values(), *git.tags().values()]
    while pending:
        identity = ObjectID(pending.pop().encode())
        if identity not in reachable:
            reachable.add(identity)
            node = history.read(git.objects, identity.decode())
            pending.extend(node.commit.parents)
            _mark_tree(git, node.tree, reachable, contents)
    return reachable, contents


def _mark_tree(git: GitLayer, root: ObjectID, reachable: set[ObjectID], contents: set[str]) -> None:
    pending = [root]
    while pending:
        identity = pending.pop()
        if identity in reachable:
            continue
        reachable.add(identity)
        for _, mode, entry in trees.entries(git.objects, identity):
            if stat.S_ISDIR(mode):
                pending.append(entry)
            elif entry not in reachable:
                reachable.add(entry)
                contents.add(Pointer.decode(git.pointer(entry)).blob.sha256)
