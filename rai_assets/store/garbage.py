"""What an embedded repository still needs."""

from __future__ import annotations

import stat
from collections.abc import Collection

from dulwich.objects import ObjectID

from rai_assets.store import history, trees
from rai_assets.store.errors import BackendUnavailable
from rai_assets.store.git_layer import GitLayer
from rai_assets.store.pointers import Pointer


def mark(git: GitLayer, without: Collection[str] = ()) -> tuple[set[ObjectID], set[str]]:
    """Git objects and contents (by SHA-256) that some branch or tag leads to; under the lock.

    Args:
        git: The repository.
        without: Branches that do not count.

    Raises:
        BackendUnavailable: The history is damaged, so that nobody knows what is needed.
    """
    try:
        return _mark(git, without)
    except KeyError as fault:
        raise BackendUnavailable(
            "a part of the history is missing, so nothing was removed",
            where=str(git.root),
            fix="`rai store verify` says which; restore the store's folder from a backup",
        ) from fault


def _mark(git: GitLayer, without: Collection[str]) -> tuple[set[ObjectID], set[str]]:
    reachable: set[ObjectID] = set()
    contents: set[str] = set()
    pending = [head for name, head in git.branches().items() if name not in without]
    pending += git.tags().values()
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
