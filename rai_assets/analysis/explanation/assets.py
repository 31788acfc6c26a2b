"""The asset `explanations`: what the model looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets.analysis.assets import analysis_asset
from rai_assets.analysis.explanation.settings import ExplanationSettings
from rai_assets.metrics.requirements import Requirement
from rai_assets.store.assets import ResultAsset

if TYPE_CHECKING:
    from rai_assets.metrics.findings import Findings
    from rai_assets.model.inputs import AuditInputs
    from rai_assets.store.results import Result

DESCRIPTION = """\
How much each column moves the model's score, on average and for every single row (Shapley values). The values of a row
add up to its score, which is checked for every row.

Beside each column stands how closely it goes along with each sensitive column: an important column that does may
stand in for it. An attribution says what the model uses, not what causes the outcome."""


def explanations(settings: ExplanationSettings, requirements: Sequence[Requirement]) -> ResultAsset:
    """The asset of this room."""

    def question(inputs: AuditInputs) -> Findings:
        from rai_assets.analysis.explanation.compute import compute

        return compute(inputs, settings)

    return analysis_asset(
        "explanations",
        DESCRIPTION,
        question,
        settings=settings,
        kinds=frozenset({"shap", "onnx"}),
        requirements=requirements,
        present=_present,
    )


def _present(result: Result) -> Mapping[str, Any]:
    from rai_assets.charts.bars import text_bars

    importance = [n for n in result.numbers if n.definition == "mean_absolute_shap_value@1" and n.value is not None]
    importance.sort(key=lambda n: -(n.value or 0.0))
    bars = [{"label": n.coordinates["feature"], "value": n.value, "low": n.low, "high": n.high} for n in importance]
    residual = [n.value for n in result.numbers if n.definition == "additivity_residual@1" and n.value is not None]
    unit = importance[0].unit if importance else ""
    return {
        **({"additivity_residual": max(residual)} if residual else {}),
        "importance": dg.MetadataValue.md(text_bars(bars, name="column", measure=f"mean |effect| ({unit})")),
    }
