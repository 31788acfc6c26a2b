"""The evaluation: how good the decisions, scores or predicted numbers are, over all rows of a split."""

from __future__ import annotations

from rai_assets.analysis.evaluation import binary, multiclass, regression
from rai_assets.analysis.evaluation.settings import EvaluationSettings
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.number import Number
from rai_assets.metrics.table import measure
from rai_assets.model.inputs import AuditInputs


def compute(inputs: AuditInputs, settings: EvaluationSettings) -> Findings:
    """Measure the audited rows, and beside them the rows of every other split for comparison."""
    rows = inputs.rows
    splits = [rows, *inputs.other_rows.values()]
    numbers: list[Number] = []
    for done, split in enumerate(splits):
        inputs.progress("splits evaluated", done, len(splits))
        numbers += measure(split, level=settings.level, minimum_size=settings.minimum_size)
    if rows.task == "binary":
        drawn = binary.evaluate(inputs, settings)
    elif rows.task == "multiclass":
        drawn = multiclass.evaluate(rows)
    else:
        drawn = regression.evaluate(rows, settings.level)
    return Findings(numbers, drawn.charts, drawn.tables, [*inputs.notes, *drawn.notes])
