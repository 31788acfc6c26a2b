"""The gates that a repository asks before each of its merges."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from rai_assets.errors import RaiError
from rai_assets.store.errors import HookRejected
from rai_assets.store.records import MergeCandidate

Gate = Callable[[MergeCandidate], None]


class Hooks(list[Gate]):
    """Gates, in the order in which they are asked."""

    def ask(self, source: str, destination: str, head: str, commit: str) -> None:
        """Ask every gate about a merge that is ready.

        Args:
            source: Id of the commit that is merged.
            destination: The branch that would move.
            head: Id of its head.
            commit: Id of the commit it would move to.

        Raises:
            HookRejected: A gate refused.
        """
        for gate in self:
            run_id = uuid.uuid4().hex
            try:
                gate(MergeCandidate(run_id, source, destination, head, commit))
            except RaiError as refusal:
                raise HookRejected(refusal.what, run_id=run_id, where=destination, fix=refusal.fix) from refusal
