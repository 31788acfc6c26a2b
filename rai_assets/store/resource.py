"""The store as a Dagster resource."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg
from pydantic import PrivateAttr

from rai_assets.home import home
from rai_assets.keys import UseCaseKeys
from rai_assets.store.protocol import VersionedRepository

_WAIT_SECONDS = 600.0


class Lake(dg.ConfigurableResource):
    """The versioned store of all use cases, in the state folder `RAI_HOME`."""

    _turns: ExitStack = PrivateAttr(default_factory=ExitStack)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Lake]:
        """The store for one run: seen alive while its process lives, and its turns given back when it ends."""
        from rai_assets.store.turns import mark_alive

        if context.run is not None:
            mark_alive(home(), context.run.run_id)
        with ExitStack() as turns:
            self._turns = turns
            yield self

    def repository(self, keys: UseCaseKeys) -> VersionedRepository:
        """The repository of one use case, made when it is asked for the first time."""
        from rai_assets.store.open import open_repository

        return open_repository(home(), keys.repository)

    def take_turn(self, context: dg.AssetExecutionContext, keys: UseCaseKeys, branch: str) -> None:
        """Wait until no other run works on a data branch, and keep others waiting until this run ends.

        Raises:
            RaiError: The other run goes on for long.
        """
        from rai_assets.store.turns import turn

        run_id = context.run.run_id
        report = context.log.info
        self._turns.enter_context(turn(home(), keys.name, branch, run_id, wait=_WAIT_SECONDS, report=report))
