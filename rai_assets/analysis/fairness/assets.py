"""The asset `fairness_audit`: how differently groups are treated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets.analysis.assets import analysis_asset, bar, headline
from rai_assets.analysis.fairness.settings import FairnessSettings
from rai_assets.metrics.requirements import AUDITED, Requirement
from rai_assets.store.assets import ResultAsset

if TYPE_CHECKING:
    from rai_assets.metrics.findings import Findings
    from rai_assets.model.inputs import AuditInputs
    from rai_assets.store.results import Result

_GAPS = ("demographic_parity_difference", "equalized_odds_difference", "selection_rate_ratio", "mean_error_difference")

DESCRIPTION = """\
The same measures for every group of people and every crossing of groups: who is selected, and how often the decision
is wrong, and in which direction.

A gap is the largest difference between two groups. A rate on fewer people than the minimum size is not shown and
enters no gap; one on fewer than 30 is marked small. A gap is a finding about these rows; why it is there is a
question for people."""


def fairness_audit(settings: FairnessSettings, requirements: Sequence[Requirement], *, has_model: bool) -> ResultAsset:
    """The asset of this room."""

    def question(inputs: AuditInputs) -> Findings:
        from rai_assets.analysis.fairness.compute import compute

        return compute(inputs, settings)

    return analysis_asset(
        "fairness_audit",
        DESCRIPTION,
        question,
        settings=settings,
        kinds=frozenset({"numpy"}),
        requirements=requirements,
        has_model=has_model,
        present=_present,
    )


def _present(result: Result) -> Mapping[str, Any]:
    from rai_assets.charts.bars import text_bars

    columns = sorted({name for n in result.numbers if len(n.group) == 1 for name in n.group})
    metadata: dict[str, Any] = {}
    for column in columns:
        metadata |= headline(result, _GAPS, sensitive=column)
        rates = [
            bar(n, n.group[column])
            for n in result.numbers
            if list(n.group) == [column] and n.definition in {"selection_rate@1", "mean_error@1"}
            and not n.coordinates and not n.reference and n.split in AUDITED
        ]  # fmt: skip
        if rates:
            metadata[f"groups of {column}"] = dg.MetadataValue.md(text_bars(rates, name=column, measure="rate"))
    return metadata
