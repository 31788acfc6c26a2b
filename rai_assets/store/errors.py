"""What can go wrong in a versioned repository, in words that both engines share."""

from __future__ import annotations

from collections.abc import Sequence

from rai_assets.charts.text import how_many
from rai_assets.errors import InputRefused, RaiError, UsageError


class NotFound(UsageError):
    """There is no such branch, tag, commit, object or repository."""


class AlreadyExists(UsageError):
    """The name is taken: a branch, a tag, or a path that was to be written only if absent."""


class InvalidRef(UsageError):
    """The name of a branch, tag, commit or repository does not follow the grammar of `names`."""


class InvalidPath(InputRefused):
    """The path of an object does not follow the grammar of `names`, or clashes with a folder of that name."""


class NoChanges(RaiError):
    """The commit, merge or revert would leave the content as it is: no fault, what was wanted is so already."""

    exit_code = 0


class ProtectedBranch(RaiError):
    """The branch takes merges only, or may not be deleted."""


class DirtyBranch(RaiError):
    """The branch has uncommitted changes that somebody else staged (lakeFS only)."""


class StaleHead(RaiError):
    """The branch moved on since the caller read its head."""


class MergeConflict(RaiError):
    """Both sides changed the same paths differently.

    Attributes:
        paths: The paths in conflict, in byte order.
    """

    def __init__(self, paths: Sequence[str], *, where: str = "", fix: str = "") -> None:
        self.paths = tuple(paths)
        super().__init__(both_changed(self.paths), where=where, fix=fix)


def both_changed(paths: Sequence[str]) -> str:
    """What is in the way of a merge, in a sentence."""
    shown = ", ".join(paths[:5]) + (", ..." if len(paths) > 5 else "")
    return f"both sides changed {how_many(len(paths), 'object')} differently: {shown}"


class HookRejected(RaiError):
    """A gate refused the merge; the destination is as it was.

    Attributes:
        run_id: Id of the gate's run.
    """

    def __init__(self, what: str, *, run_id: str, where: str = "", fix: str = "") -> None:
        self.run_id = run_id
        super().__init__(f"the gate refused the merge (run {run_id}): {what}", where=where, fix=fix)


class BackendUnavailable(RaiError):
    """The store cannot be read or written now: no space, no permission, a lock held too long, a server that is down.

    Attributes:
        retryable: True where the same call can succeed a little later without anybody's doing.
    """

    def __init__(self, what: str, *, retryable: bool = False, where: str = "", fix: str = "") -> None:
        self.retryable = retryable
        super().__init__(what, where=where, fix=fix)
