"""How a branch of a lakeFS repository moves: by merges, each made exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rai_assets.store import names, refusals
from rai_assets.store.changes import ChangeSet
from rai_assets.store.errors import BackendUnavailable, MergeConflict, NoChanges, NotFound
from rai_assets.store.lakefs_connection import Connection, patiently
from rai_assets.store.lakefs_errors import Unanswered
from rai_assets.store.lakefs_history import NONCE, as_commit
from rai_assets.store.lakefs_reading import LakeFSReader
from rai_assets.store.lakefs_staging import refuse_clashes
from rai_assets.store.protocol import Commit, Strategy
from rai_assets.store.trees import PathClash

_RECENT = 20  # commits looked at first for one that was just made


class LakeFSMover(LakeFSReader):
    """Heads of branches, and what moves them.

    Args:
        connection: The server.
        name: Name of the repository.
        folder: For files on their way.
    """

    def __init__(self, connection: Connection, name: str, folder: Path) -> None:
        super().__init__(connection, name, folder)
        self._models = connection.models

    def _head_of(self, branch: str) -> str | None:
        try:
            return str(self._ask(self._api.branches_api.get_branch, branch, subject=f"branch {branch!r}").commit_id)
        except NotFound:
            return None

    def _head(self, branch: str, expected: str | None = None) -> str:
        head = self._head_of(names.check_branch(branch))
        if head is None:
            raise refusals.no_branch(branch, self.repository)
        if expected is not None and head != expected:
            raise refusals.stale(branch, head, expected, self.repository)
        return head

    def _bring(
        self,
        source: str,
        destination: str,
        message: str,
        metadata: Mapping[str, str],
        *,
        head: str,
        strategy: Strategy | None = None,
        squash: bool = False,
        allow_empty: bool = False,
    ) -> Commit:
        """Merge on the server, exactly once; `head` is where the destination stood, now or a little before."""
        more = {"strategy": strategy} if strategy else {}
        words = self._models.Merge(
            message=message, metadata=dict(metadata), squash_merge=squash, allow_empty=allow_empty, **more
        )

        def send(how: Mapping[str, Any]) -> str:
            merge = self._api.refs_api.merge_into_branch
            return str(self._ask(merge, source, destination, merge=words, **how).reference)

        try:
            return self._once(destination, head, metadata[NONCE], send)
        except MergeConflict as conflict:
            changed = self._changed(self._head(destination), source, two_dot=False)
            contested = [path for path, kind in changed if kind == "conflict"]
            raise refusals.conflict(contested, self.repository) from conflict
        except NoChanges as fault:
            raise refusals.nothing_to_merge(source[:12], destination, self.repository) from fault

    def _once(self, branch: str, head: str, nonce: str, send: Callable[[Mapping[str, Any]], object]) -> Commit:
        """What `send` made of a branch; if its answer is lost, what the log says decides whether to send again.

        Args:
            branch: The branch that moves.
            head: Where it stood before.
            nonce: Stands in the new commit's metadata.
            send: Asks the server once, with these words for `ask`.
        """
        lost = False

        def attempt() -> Commit:
            nonlocal lost
            try:
                send({"subject": f"branch {branch!r}", "operation": "merge", "again": False})
            except Unanswered:
                lost = True
                if found := self._find(branch, head, nonce):
                    return found
                raise
            except NoChanges:
                # The lost question was heard after all.
                if lost and (found := self._find(branch, head, nonce)):
                    return found
                raise
            made = self._find(branch, head, nonce)
            if made is None:
                raise BackendUnavailable(
                    "what lakeFS made is not in its log",
                    where=self.repository,
                    fix="read the branch again; if the change is not there, do it again",
                )
            return made

        made: Commit = patiently(attempt)
        return made

    def _find(self, branch: str, head: str, nonce: str) -> Commit | None:
        """The commit with a nonce on the way from a branch's head back to an older one."""
        for item in self._pages(
            self._api.refs_api.log_commits, branch, subject=f"branch {branch!r}", first_parent=True, page=_RECENT
        ):
            if (item.get("metadata") or {}).get(NONCE) == nonce:
                return as_commit(item)
            if item.id == head:
                return None
        return None

    def _paths(self, left: str, right: str) -> set[str]:
        return {path for path, _ in self._changed(left, right, two_dot=True)}

    def _refuse_merged_clashes(self, head: str, source: str, strategy: Strategy | None) -> None:
        changed = list(self._changed(head, source, two_dot=False))
        gone = {"removed", "conflict"} if strategy == "source-wins" else {"removed"}
        self._refuse_clashes(
            head, (path for path, kind in changed if kind == "added"), (path for path, kind in changed if kind in gone)
        )

    def _refuse_reverted_clashes(self, head: str, undone: str, before: str) -> None:
        changed = list(self._changed(undone, before, two_dot=True))
        self._refuse_clashes(
            head,
            (path for path, kind in changed if kind == "added"),
            (path for path, kind in changed if kind == "removed"),
        )

    def _refuse_clashes(self, head: str, added: Iterable[str], removed: Iterable[str]) -> None:
        changes = ChangeSet(deletes=set(removed))
        for path in added:
            changes.put(path, b"")
        if changes.puts:
            try:
                refuse_clashes(self, head, changes)
            except PathClash as clash:
                raise refusals.merged_clash(clash.path, self.repository) from clash
