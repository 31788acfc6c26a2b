"""Three-way merge object by object, by lakeFS's table: one side's change stands, two different changes conflict."""

from __future__ import annotations

from collections.abc import Mapping

from dulwich.objects import ObjectID

from rai_assets.errors import UsageError
from rai_assets.store import refusals
from rai_assets.store.protocol import Strategy
from rai_assets.store.trees import Sides

STRATEGY_KEY = ".lakefs.merge.strategy"
_STRATEGIES = ("source-wins", "dest-wins")


def check_strategy(strategy: Strategy | None) -> str:
    """The word for the commit's metadata: the strategy, or `default`.

    Raises:
        UsageError: There is no such strategy.
    """
    if strategy is not None and strategy not in _STRATEGIES:
        raise UsageError(
            f"there is no merge strategy {strategy!r}", fix=f"use one of {', '.join(_STRATEGIES)}, or none"
        )
    return strategy or "default"


def conflicts(source: Mapping[str, Sides], present: Mapping[str, ObjectID | None]) -> list[str]:
    """Paths that the destination changed too, differently, in byte order; arguments as in `merge_changes`."""
    return sorted((path for path in source if present[path] not in source[path]), key=str.encode)


def merge_changes(
    source: Mapping[str, Sides], present: Mapping[str, ObjectID | None], strategy: Strategy | None
) -> dict[str, ObjectID | None]:
    """What the destination has to change to take in the source.

    Args:
        source: What the source changed since the base.
        present: What the destination holds at these paths now.
        strategy: Which side wins a path that both changed; deletes win as edits do.

    Raises:
        MergeConflict: Both changed a path differently, and there is no strategy.
    """
    contested = conflicts(source, present)
    if contested and strategy is None:
        raise refusals.conflict(contested)
    skipped = set(contested) if strategy == "dest-wins" else set()
    return {path: after for path, (_, after) in source.items() if path not in skipped}
