"""What Dagster does by itself: every automation condition and every freshness policy of the graph, in one place.

Only the champion has a condition: it follows the scorecard of `main`, one partition. Audits and batches are asked for
by sensors and schedules instead. Conditions are evaluated for every partition at every tick: for ten thousand batches
that takes seconds of each half minute, and a batch that asked for its successors by conditions would ask again when the
champion moves, for all of history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from rai_assets.data.times import span
from rai_assets.keys import CHAMPION
from rai_assets.use_case.timing import FreshWithin

_C = dg.AutomationCondition
CONDITIONS: Mapping[str, dg.AutomationCondition] = {
    # Made anew when the scorecard of main is, and only if its gate holds.
    CHAMPION: _C.eager() & _C.all_deps_blocking_checks_passed(),
}


def by_itself(asset: dg.AssetsDefinition, fresh: Mapping[str, FreshWithin]) -> dg.AssetsDefinition:
    """The asset with the condition and the freshness policy that it has, if it has one.

    Args:
        asset: Of a use case.
        fresh: {last part of an asset's key: how old it may be}, as declared.
    """
    thing = asset.key.path[-1]
    given: dict[str, Any] = {}
    if thing in CONDITIONS:
        given["automation_condition"] = CONDITIONS[thing]
    if thing in fresh:
        given["freshness_policy"] = _policy(fresh[thing])
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(**given)) if given else asset


def _policy(fresh: FreshWithin) -> dg.FreshnessPolicy:
    if fresh.by is not None:
        return dg.FreshnessPolicy.cron(fresh.by, span(fresh.within), fresh.zone)
    return dg.FreshnessPolicy.time_window(span(fresh.within), None if fresh.warn is None else span(fresh.warn))
