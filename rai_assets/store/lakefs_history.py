"""Refs and commits of a repository on a lakeFS server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rai_assets.store import names, refusals
from rai_assets.store.errors import NotFound
from rai_assets.store.lakefs_connection import Connection
from rai_assets.store.merge import STRATEGY_KEY
from rai_assets.store.origins import copy_of
from rai_assets.store.protocol import Commit

FULL_ID = 64  # hexadecimal digits
SHORTEST_ID = 8
NONCE = "rai-nonce"  # key of commit metadata that is ours: `merge:<hex>`, `commit:<hex>` or `wordless:<hex>`


class LakeFSHistory:
    """What refs name, and the commits behind them.

    Args:
        connection: The server.
        name: Name of the repository.
        folder: For files on their way.
    """

    default_branch = names.DEFAULT_BRANCH
    capabilities = frozenset({"hooks", "s3"})

    def __init__(self, connection: Connection, name: str, folder: Path) -> None:
        self.repository = name
        self.connection = connection
        self._api = connection.api
        self._folder = folder
        # SHA-256 of contents that were stored without ours, by the address of their bytes, which never change.
        self._digests: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.connection.settings.endpoint}/{self.repository})"

    def resolve(self, ref: str) -> str:  # noqa: D102
        return self.get_commit(ref).id

    def branches(self, prefix: str = "") -> dict[str, str]:  # noqa: D102
        found = self._pages(self._api.branches_api.list_branches, subject="branch", prefix=prefix)
        return {item.id: item.commit_id for item in found}

    def tags(self) -> dict[str, str]:  # noqa: D102
        return {item.id: item.commit_id for item in self._pages(self._api.tags_api.list_tags, subject="tag")}

    def get_commit(self, ref: str) -> Commit:  # noqa: D102
        name, _ = names.parse_ref(ref)
        commit = self._commit(ref)
        # lakeFS takes one digit for a commit where it is unique today.
        if (
            len(name) < SHORTEST_ID
            and commit.id.startswith(name)
            and name not in {**self.branches(name), **self.tags()}
        ):
            raise self._no_commit(ref)
        return commit

    def _ask(self, method: Callable[..., Any], *words: Any, subject: str, **more: Any) -> Any:
        return self.connection.ask(method, self.repository, *words, subject=subject, **more)

    def _pages(self, method: Callable[..., Any], *words: Any, subject: str, **more: Any) -> Iterator[Any]:
        return self.connection.pages(method, self.repository, *words, subject=subject, **more)

    def _start(self, ref: str) -> str:
        """The commit to read; a full id is taken as it is, and found missing when it is read."""
        name, steps = names.parse_ref(ref)
        return ref if not steps and len(name) == FULL_ID and names.is_commit(name) else self.resolve(ref)

    def _commit(self, ref: str) -> Commit:
        try:
            return as_commit(self._ask(self._api.commits_api.get_commit, ref, subject=f"commit {ref!r}"))
        except NotFound as fault:
            name, mark, steps = ref.partition("~")
            copy = copy_of(name, [*self.branches().values(), *self.tags().values()], self._walk)
            if copy is None:
                raise self._no_commit(ref) from fault
            return self._commit(copy + mark + steps)

    def _no_commit(self, ref: str) -> NotFound:
        return refusals.no_commit(ref, self.repository)

    def _walk(self, start: str, *, first_parent: bool = False) -> Iterator[Commit]:
        found = self._pages(
            self._api.refs_api.log_commits, start, subject=f"commit {start!r}", first_parent=first_parent
        )
        return (as_commit(item) for item in found)

    def _merge_base(self, left: str, right: str) -> str:
        # Only the base: the server's answer has the other two the wrong way round.
        found = self._ask(self._api.refs_api.find_merge_base, right, left, subject=f"commits {left} and {right}")
        return str(found.base_commit_id)


def as_commit(answer: Any) -> Commit:
    """A commit as callers see it: without what only this engine needs to know."""
    metadata = dict(answer.get("metadata") or {})
    kind = metadata.pop(NONCE, "").partition(":")[0]
    if kind in ("commit", "wordless"):
        # It came to its branch by a merge, and that says nothing to anybody.
        metadata.pop(STRATEGY_KEY, None)
    # lakeFS makes up a message where there is none.
    message = "" if kind == "wordless" else answer.message
    return Commit(
        answer.id, tuple(answer.parents), message, metadata, datetime.fromtimestamp(answer.creation_date, UTC)
    )
