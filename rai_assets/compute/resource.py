"""The pool of workers as a Dagster resource."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg
from pydantic import PrivateAttr

from rai_assets.compute.pool import Pool, open_pool


class ComputePool(dg.ConfigurableResource):
    """Where the chunks of a big batch are computed; `workers` as `open_pool` takes it, from `RAI_COMPUTE` if empty."""

    workers: str = ""
    _opened: ExitStack = PrivateAttr(default_factory=ExitStack)
    _pool: Pool | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[ComputePool]:
        """The pool for one run, its workers ended with it."""
        with ExitStack() as opened:
            self._opened, self._pool = opened, None
            yield self

    def pool(self) -> Pool:
        """The pool, opened when it is asked for the first time.

        Raises:
            RaiError: It cannot be opened.
        """
        if self._pool is None:
            self._pool = self._opened.enter_context(open_pool(self.workers))
        return self._pool
