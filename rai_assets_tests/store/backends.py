"""The engines that the conformance suite runs against. An engine is added here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository

NAME = "rai-lending"


def _embedded(location: str) -> VersionedRepository:
    return open_repository(Path(location), NAME)


BACKENDS: dict[str, Callable[[str], VersionedRepository]] = {"embedded": _embedded}
"""Engine to a function that opens the repository at a location: for the embedded one, the state folder."""
