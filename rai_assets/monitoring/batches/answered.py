"""Which batches are accepted and have every answer: noted, so that the next backfill need not look at each again."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rai_assets.keys import BATCHES, PRODUCTION, results_branch
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.provenance import digest_of
from rai_assets.store.errors import NotFound
from rai_assets.store.protocol import Commit, VersionedRepository

_BRANCHES = (PRODUCTION, results_branch(PRODUCTION))


class Answered:
    """The note in the ledger of the batches that are done, as the store had them in one commit of each branch.

    What a commit holds never changes, so of the noted batches only those are in doubt that changed since. The store
    is asked as often for ten thousand batches as for one.

    Args:
        arrivals: The ledger.
        repository: The store.
        questions: What is asked of every batch.
    """

    def __init__(self, arrivals: Arrivals, repository: VersionedRepository, questions: Collection[str]) -> None:
        self._arrivals, self._repository = arrivals, repository
        self._questions = digest_of(sorted(questions))
        self._began = self._heads()

    def keys(self) -> set[str]:
        """The batches that are accepted as their files are, and have every answer."""
        noted, keys = self._arrivals.answered()
        if noted[:1] != [self._questions] or "" in (*noted, *self._began):
            return set()
        try:
            return keys - {
                _key(change.path)
                for before, now in zip(noted[1:], self._began, strict=True)
                if before != now
                for change in self._repository.diff(before, now, BATCHES, two_dot=True)
            }
        except NotFound:  # another store, or an older one, stands in its place
            return set()

    def note(self, keys: Collection[str], ours: Collection[str]) -> None:
        """Note the batches that are done now, but for those that others changed since this began.

        Args:
            keys: The batches.
            ours: The commits that were made in this process.
        """
        heads = self._heads()
        others = {
            key
            for began, head in zip(self._began, heads, strict=True)
            for commit in self._since(began, head)
            if commit.id not in ours and commit.metadata.get("run_id") != "backfill"
            for key in self._changed_by(commit)
        }
        self._arrivals.note_answered((self._questions, *heads), set(keys) - others)

    def _heads(self) -> tuple[str, ...]:
        heads = self._repository.branches("")
        return tuple(heads.get(branch, "") for branch in _BRANCHES)

    def _since(self, began: str, head: str) -> Iterator[Commit]:
        """The commits of a branch since this began, the newest first."""
        for commit in self._repository.log(head, first_parent=True) if head else ():
            if commit.id == began or not commit.parents:
                return
            yield commit

    def _changed_by(self, commit: Commit) -> Iterator[str]:
        for change in self._repository.diff(commit.parents[0], commit.id, BATCHES, two_dot=True):
            yield _key(change.path)


def _key(path: str) -> str:
    return path.split("/")[1]
