"""Three-way merge object by object, by lakeFS's table: one side's change stands, two different changes conflict."""

from __future__ import annotations

from collections.abc import Mapping

from dulwich.objects import ObjectID

from rai_assets.errors import UsageError
from rai_assets.store.errors import MergeConflict
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


def conflicts(source: Mapping[str, Sides], destination: Mapping[str, Sides]) -> list[str]:
    """Paths that both sides changed since their base, differently, in byte order."""
    both = (path for path in source if path in destination and source[path][1] != destination[path][1])
    return sorted(both, key=str.encode)


def merge_changes(
    source: Mapping[str, Sides], destination: Mapping[str, Sides], strategy: Strategy | None
) -> dict[str, ObjectID | None]:
    """What the destination has to change to take in the source.

    Args:
        source: What the source changed since the base.
        destination: What the destination changed since the base.
        strategy: Which side wins a path that both changed; deletes win as edits do.

    Raises:
        MergeConflict: Both changed a path differently, and there is no strategy.
    """
    contested = conflicts(source, destination)
    if contested and strategy is None:
        raise MergeConflict(
            contested,
            fix="merge the destination into the source first and settle these objects there, "
            "or choose a side with the strategy source-wins or dest-wins",
        )
    skipped = set(contested) if strategy == "dest-wins" else set()
    return {path: after for path, (_, after) in source.items() if path not in skipped}
