"""The store as a Dagster resource."""

from __future__ import annotations

import dagster as dg

from rai_assets.home import home
from rai_assets.keys import UseCaseKeys
from rai_assets.store.protocol import VersionedRepository


class Lake(dg.ConfigurableResource):
    """The versioned store of all use cases, in the state folder `RAI_HOME`."""

    def repository(self, keys: UseCaseKeys) -> VersionedRepository:
        """The repository of one use case, made when it is asked for the first time."""
        from rai_assets.store.open import open_repository

        return open_repository(home(), keys.repository)
