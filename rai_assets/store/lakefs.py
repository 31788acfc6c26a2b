"""The lakeFS engine: the protocol spoken to a lakeFS server.

A commit is staged on a hidden branch and brought to its own by a squash merge, so that no branch is ever left with
somebody's uncommitted changes, and concurrent writers never commit each other's files. Commits and merges carry a
nonce: one whose answer was lost is looked for in the log before it is sent again.

What is exact without a lock of the server's: no update is lost, and two writers of one path never mix. `expected_head`
is compared before the merge, and with the merge's first parent after it. Another writer who comes in the few
milliseconds between, and changes other paths, is met by `StaleHead` with the change made on top of his. Likewise a
path that he makes a folder while we make it an object is not refused.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rai_assets.store import names, refusals
from rai_assets.store.changes import ChangeSet, check_texts
from rai_assets.store.errors import (
    AlreadyExists,
    BackendUnavailable,
    MergeConflict,
    NoChanges,
    NotFound,
    StaleHead,
)
from rai_assets.store.hooks import Gate, Hooks
from rai_assets.store.lakefs_connection import Connection, pause
from rai_assets.store.lakefs_garbage import collect
from rai_assets.store.lakefs_history import NONCE
from rai_assets.store.lakefs_moving import LakeFSMover
from rai_assets.store.lakefs_staging import Staging
from rai_assets.store.merge import check_strategy
from rai_assets.store.protocol import Collected, Commit, MergeResult, Strategy

PATIENCE = 120.0  # seconds in which a commit tries to get in before others on the same paths


class LakeFSRepository(LakeFSMover):
    """A `VersionedRepository` on a lakeFS server.

    Args:
        connection: The server.
        name: Name of a repository that is there.
        folder: For files on their way.
    """

    def __init__(self, connection: Connection, name: str, folder: Path) -> None:
        super().__init__(connection, name, folder)
        self._hooks = Hooks()

    def create_branch(self, name: str, source: str, *, exist_ok: bool = False) -> str:  # noqa: D102
        names.check_branch(name)
        if exist_ok and (present := self._head_of(name)):
            return present
        self._check_free(name)
        head = self.resolve(source)
        creation = self._models.BranchCreation(name=name, source=head)
        try:
            self._ask(self._api.branches_api.create_branch, creation, subject=f"branch {name!r}")
        except AlreadyExists:
            # Another writer was faster.
            if exist_ok and (present := self._head_of(name)):
                return present
            raise
        return head

    def delete_branch(self, name: str) -> None:  # noqa: D102
        self._head(name)
        if name == self.default_branch or self._protected(name):
            raise refusals.stays(name, self.repository)
        self._ask(self._api.branches_api.delete_branch, name, subject=f"branch {name!r}")

    def create_tag(self, tag: str, ref: str) -> str:  # noqa: D102
        self._check_free(names.check_tag(tag))
        target = self.resolve(ref)
        creation = self._models.TagCreation(id=tag, ref=target)
        self._ask(self._api.tags_api.create_tag, creation, subject=f"tag {tag!r}")
        return target

    def delete_tag(self, tag: str) -> None:  # noqa: D102
        self._ask(self._api.tags_api.delete_tag, names.check_tag(tag), subject=f"tag {tag!r}")

    def commit(  # noqa: D102
        self,
        branch: str,
        changes: ChangeSet,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        expected_head: str | None = None,
        allow_empty: bool = False,
    ) -> Commit:
        described = _described("commit" if message else "wordless", message, metadata, branch)
        head = self._head(branch, expected_head)
        self._refuse_protected(branch)
        with ExitStack() as stack:
            staging = stack.enter_context(Staging.at(self, head))
            staging.write(changes)
            change = staging.commit(message, described, allow_empty=allow_empty)
            until, number = time.monotonic() + PATIENCE, 0
            while True:
                try:
                    made = self._bring(
                        change, branch, message, described, head=head, squash=True, allow_empty=allow_empty
                    )
                    break
                except MergeConflict as conflict:
                    if expected_head is not None:
                        raise refusals.stale(branch, self._head(branch), expected_head, self.repository) from conflict
                    if time.monotonic() > until:
                        raise BackendUnavailable(
                            f"others kept changing {conflict.paths[0]!r} on {branch!r}", retryable=True, fix="try again"
                        ) from conflict
                pause(number)
                number += 1
                head = self._head(branch)
                change = self._rebased(stack, change, changes, head, described)
            self._check_parent(made, expected_head, branch)
        return made

    def merge(  # noqa: D102
        self,
        source: str,
        destination: str,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
        *,
        expected_head: str | None = None,
        strategy: Strategy | None = None,
        squash: bool = False,
        allow_empty: bool = False,
    ) -> MergeResult:
        check_strategy(strategy)
        message = message or f"Merge {source!r} into {destination!r}"
        described = _described("merge", message, metadata, destination)
        while True:
            head = self._head(destination, expected_head)
            other = self.resolve(source)
            base = self._merge_base(head, other)
            if head != base:
                self._refuse_merged_clashes(head, other, strategy)
            how: dict[str, Any] = {"head": head, "strategy": strategy, "squash": squash, "allow_empty": allow_empty}
            if self._hooks:
                with Staging.at(self, head) as trial:
                    candidate = self._bring(other, trial.branch, message, described, **how)
                    self._hooks.ask(other, destination, head, candidate.id)
                if self._head(destination) != head:
                    continue
            made = self._bring(other, destination, message, described, **how)
            self._check_parent(made, expected_head, destination)
            return MergeResult(made, base)

    def protect(self, patterns: Sequence[str]) -> None:  # noqa: D102
        names.check_patterns(patterns)
        rules = [self._models.BranchProtectionRule(pattern=pattern) for pattern in patterns]
        set_rules = self._api.repositories_api.set_branch_protection_rules
        self._ask(set_rules, rules, subject="protection rule", operation="write")

    def before_merge(self, gate: Gate) -> None:  # noqa: D102
        self._hooks.append(gate)

    def revert(  # noqa: D102
        self,
        branch: str,
        ref: str,
        parent_number: int = 0,
        *,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> Commit:
        message = message or f"Revert {ref}"
        described = _described("merge", message, metadata, branch)
        head, undone = self._head(branch), self.get_commit(ref)
        before = refusals.parent_to_go_back_to(undone, parent_number, self.repository)
        if head != undone.id:
            self._refuse_reverted_clashes(head, undone.id, before)
        words = self._models.RevertCreation(
            ref=undone.id,
            parent_number=parent_number,
            commit_overrides=self._models.CommitOverrides(message=message, metadata=described),
        )
        try:
            return self._once(
                branch,
                head,
                described[NONCE],
                lambda more: self._ask(self._api.branches_api.revert_branch, branch, words, **more),
            )
        except MergeConflict as conflict:
            taken_back = self._paths(undone.id, before)
            contested = taken_back & self._paths(undone.id, head) & self._paths(before, head)
            raise MergeConflict(
                sorted(contested, key=str.encode), where=self.repository, fix="take back the later commits first"
            ) from conflict
        except NoChanges as fault:
            raise refusals.undone_already(ref, branch, self.repository) from fault

    def collect_garbage(
        self, grace: timedelta = timedelta(days=14), *, expire_runs: timedelta | None = None, dry_run: bool = False
    ) -> Collected:
        """Expire branches, remove what dead writers left, and tell lakeFS how long to keep what nothing leads to.

        lakeFS sweeps its storage itself, by a job that its administrator runs.
        """
        return collect(self, self._folder, grace, expire_runs, dry_run)

    def _protected(self, branch: str) -> bool:
        rules = self._ask(self._api.repositories_api.get_branch_protection_rules, subject="protection rule")
        return any(fnmatchcase(branch, rule.pattern) for rule in rules)

    def _refuse_protected(self, branch: str) -> None:
        # Our own rule: lakeFS lets merges pass, and that is how a commit comes to its branch here.
        if self._protected(branch):
            raise refusals.merges_only(branch, self.repository)

    def _check_free(self, name: str) -> None:
        # lakeFS itself takes the beginning of a commit id for a name that is free.
        if names.is_commit(name):
            try:
                self.get_commit(name)
            except NotFound:
                return
            raise refusals.taken(name, self.repository)

    def _rebased(
        self, stack: ExitStack, change: str, changes: ChangeSet, head: str, metadata: Mapping[str, str]
    ) -> str:
        """The same change on another head, without sending the objects again."""
        staging = stack.enter_context(Staging.at(self, head))
        staging.check(changes)
        words = {**metadata, NONCE: f"commit:{uuid.uuid4().hex}"}
        brought = self._bring(change, staging.branch, "", words, head=head, strategy="source-wins", allow_empty=True)
        staging.head = brought.id
        staging.delete(changes)
        try:
            return staging.commit("", words, allow_empty=False)
        except NoChanges:
            return staging.head

    def _check_parent(self, made: Commit, expected_head: str | None, branch: str) -> None:
        if expected_head is not None and made.parents[0] != expected_head:
            raise StaleHead(
                f"another writer moved {branch!r} at the same moment",
                where=self.repository,
                fix=f"read the branch again: the change is there, as {made.id[:12]}, on top of his",
            )


def _described(kind: str, message: str, metadata: Mapping[str, str] | None, where: str) -> dict[str, str]:
    check_texts({"message": message, **(metadata or {})}, where=where)
    return {**(metadata or {}), NONCE: f"{kind}:{uuid.uuid4().hex}"}
