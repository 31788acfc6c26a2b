"""Commits as git objects, and walks over them.

A commit's message ends in a JSON block that git shows and this module reads back:

    Fairness audit of main

    rai-commit: {
     "generation": 17,
     "metadata": {"run_id": "..."},
     "nonce": "..."
    }

The generation is one more than the largest of the parents: unlike time stamps of a second's resolution it puts
children before parents without fail. The nonce keeps two commits apart that are made alike within one second.
"""

from __future__ import annotations

import heapq
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dulwich.objects import Commit as GitCommit
from dulwich.objects import ObjectID

from rai_assets.store.git_objects import COMMIT, GitObject, GitObjects
from rai_assets.store.protocol import Commit

_AUTHOR = b"rai_assets <rai_assets@localhost>"
_MARK = "\n\nrai-commit: "


@dataclass(frozen=True)
class Node:
    """A commit with what only the engine needs.

    Attributes:
        commit: For callers.
        tree: Id of the tree.
        generation: 0 for the first commit.
    """

    commit: Commit
    tree: ObjectID
    generation: int

    @property
    def id(self) -> str:
        """Id of the commit."""
        return self.commit.id


def make(tree: ObjectID, parents: Sequence[Node], message: str, metadata: Mapping[str, str]) -> tuple[GitObject, Node]:
    """A new commit object, not yet stored."""
    generation = 1 + max((parent.generation for parent in parents), default=-1)
    block = {"generation": generation, "metadata": dict(metadata), "nonce": uuid.uuid4().hex}
    made = GitCommit()
    made.tree = tree
    made.parents = [ObjectID(parent.id.encode()) for parent in parents]
    made.author = made.committer = _AUTHOR
    made.author_time = made.commit_time = int(time.time())
    made.author_timezone = made.commit_timezone = 0
    made.encoding = b"UTF-8"
    # An indented block holds no empty line, so the last mark in the message is always ours.
    made.message = f"{message}{_MARK}{json.dumps(block, indent=1, sort_keys=True, ensure_ascii=False)}\n".encode()
    return GitObject.make(COMMIT, made.as_raw_string()), _node(made)


def read(store: GitObjects, identity: str) -> Node:
    """A stored commit.

    Raises:
        KeyError: There is none with this id.
    """
    kind, raw = store.get_raw(ObjectID(identity.encode()))
    if kind != COMMIT:
        raise KeyError(identity)
    return _node(GitCommit.from_string(raw))


def walk(store: GitObjects, start: Node, *, first_parent: bool = False) -> Iterator[Node]:
    """Commits from `start` to the first one, children before parents."""
    queue = [(_rank(start), start)]
    seen = {start.id}
    while queue:
        node = heapq.heappop(queue)[1]
        yield node
        for parent in node.commit.parents[: 1 if first_parent else None]:
            if parent not in seen:
                seen.add(parent)
                older = read(store, parent)
                heapq.heappush(queue, (_rank(older), older))


def merge_base(store: GitObjects, left: Node, right: Node) -> Node:
    """The youngest commit that both sides descend from; every history starts from the same first commit."""
    sides = {left.id: 1}
    sides[right.id] = sides.get(right.id, 0) | 2
    queue = [(_rank(node), node) for node in {left.id: left, right.id: right}.values()]
    heapq.heapify(queue)
    while True:
        node = heapq.heappop(queue)[1]
        side = sides[node.id]
        if side == 3:
            return node
        for parent in node.commit.parents:
            if parent not in sides:
                older = read(store, parent)
                heapq.heappush(queue, (_rank(older), older))
            sides[parent] = sides.get(parent, 0) | side


def _rank(node: Node) -> tuple[int, float, str]:
    return -node.generation, -node.commit.time.timestamp(), node.id


def _node(found: GitCommit) -> Node:
    message, _, text = found.message.decode().rpartition(_MARK)
    block = json.loads(text)
    commit = Commit(
        id=found.id.decode(),
        parents=tuple(parent.decode() for parent in found.parents),
        message=message,
        metadata=block["metadata"],
        time=datetime.fromtimestamp(found.commit_time, UTC),
    )
    return Node(commit, found.tree, block["generation"])
