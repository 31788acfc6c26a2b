"""The asset `evaluation`: how well the model, or the logged decisions, do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets.analysis.assets import analysis_asset, bar, headline
from rai_assets.analysis.evaluation.settings import EvaluationSettings
from rai_assets.metrics.requirements import AUDITED, Requirement
from rai_assets.store.assets import ResultAsset

if TYPE_CHECKING:
    from rai_assets.metrics.findings import Findings
    from rai_assets.model.inputs import AuditInputs
    from rai_assets.store.results import Result

_HEADLINE = (
    "accuracy", "balanced_accuracy", "roc_auc", "f1", "selection_rate", "base_rate", "expected_calibration_error",
    "macro_f1", "mean_absolute_error", "root_mean_squared_error", "r2",
)  # fmt: skip

DESCRIPTION = """\
How well the decisions fit what turned out to be true, on rows that were not used for training.

Every number comes with an interval: the range of true values that fit these rows. Threshold, confusion matrix, ROC,
precision-recall and calibration curves are in the report."""


def evaluation(settings: EvaluationSettings, requirements: Sequence[Requirement], *, has_model: bool) -> ResultAsset:
    """The asset of this room."""

    def question(inputs: AuditInputs) -> Findings:
        from rai_assets.analysis.evaluation.compute import compute

        return compute(inputs, settings)

    return analysis_asset(
        "evaluation",
        DESCRIPTION,
        question,
        settings=settings,
        kinds=frozenset({"numpy", "onnx"} if has_model else {"numpy"}),
        requirements=requirements,
        has_model=has_model,
        present=_present,
    )


def _present(result: Result) -> Mapping[str, Any]:
    from rai_assets.charts.bars import text_bars

    values = headline(result, _HEADLINE)
    shown = [
        bar(n, n.definition.partition("@")[0])
        for n in result.numbers
        if n.definition.partition("@")[0] in values and n.split in AUDITED and not n.coordinates
    ]
    return {**values, "summary": dg.MetadataValue.md(text_bars(shown, name="metric"))}
