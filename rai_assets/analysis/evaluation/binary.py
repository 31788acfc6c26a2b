"""Evaluation of a binary decision: confusion matrix, curves over all thresholds, calibration, choice of threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rai_assets.analysis.evaluation import charts
from rai_assets.analysis.evaluation.settings import EvaluationSettings
from rai_assets.analysis.evaluation.sweep import Sweep, best, shown, sweep
from rai_assets.metrics.calibration import CalibrationBins
from rai_assets.metrics.counts import Cells, confusion_cells
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.means import Groups
from rai_assets.metrics.rates import rate_estimates
from rai_assets.metrics.rows import Rows
from rai_assets.model.inputs import AuditInputs

_AT_THRESHOLD = (
    "selection_rate", "true_positive_rate", "false_positive_rate", "precision", "accuracy", "balanced_accuracy", "f1",
    "matthews_correlation",
)  # fmt: skip


def evaluate(inputs: AuditInputs, settings: EvaluationSettings) -> Findings:
    """Charts, tables and notes of a binary decision or score."""
    rows = inputs.rows
    found = Findings()
    if rows.target is not None and rows.decision is not None:
        counts = confusion_cells(rows.target, rows.decision).counts.reshape(2, 2)
        found.charts["confusion_matrix"] = charts.confusion(rows.classes, counts)
    if rows.score is None:
        return found
    threshold = declared_threshold(inputs)
    if rows.target is None:
        found.notes.append("There is no target: scores and selections are shown, not whether they were right.")
    elif not _both_classes(rows):
        found.notes.append("All rows have the same target: there are no curves and no choice of threshold.")
    else:
        _curves(inputs, settings, threshold, found)
        if rows.probability:
            table = calibration_table(rows, settings.level)
            found.charts["calibration"] = charts.calibration(table)
            found.tables["calibration"] = table
    found.charts["scores"] = charts.distribution(
        rows.score, title="Scores", x_title="Score", mark=None if threshold is None else ("threshold", threshold)
    )
    return found


def declared_threshold(inputs: AuditInputs) -> float | None:
    """The score from which a decision is positive; None where the log gives no threshold."""
    return inputs.contract.threshold if inputs.session is None else inputs.session.version.threshold


def curve_table(swept: Sweep) -> pa.Table:
    """One row per threshold, null for the one above every score, with every rate of a decision at it."""
    columns = {"threshold": _nullable(swept.thresholds)}
    columns |= {name: _nullable(rate_estimates(swept.cells, name).value) for name in _AT_THRESHOLD}
    return pa.table(columns)


def calibration_table(rows: Rows, level: float) -> pa.Table:
    """Ten bins of the score: rows, mean score, and the share of positives with its interval."""
    assert rows.target is not None and rows.score is not None  # noqa: S101 - narrows the types
    bins = CalibrationBins.of(rows.target, rows.score, Groups(weight=rows.weight))
    rate, low, high = bins.target_rate(level)
    return pa.table(
        {
            "from": bins.edges[:-1],
            "to": bins.edges[1:],
            "rows": bins.rows[0],
            "mean_score": _nullable(bins.mean_score()[0]),
            "base_rate": _nullable(rate[0]),
            "low": _nullable(low[0]),
            "high": _nullable(high[0]),
        }
    )


def _curves(inputs: AuditInputs, settings: EvaluationSettings, threshold: float | None, found: Findings) -> None:
    """ROC, precision and recall, and the choice of threshold, all from one sort."""
    swept = _swept(inputs.rows)
    chosen = choose(inputs, settings)
    named = [("declared", threshold, ""), ("suggested", chosen.threshold, chosen.on)]
    marked = [(which, value, on) for which, value, on in named if value is not None]
    table = curve_table(swept.take(shown(swept, [swept.index_of(value) for _, value, _ in marked])))
    found.charts["roc"] = charts.roc({"": table})
    found.charts["precision_recall"] = charts.precision_recall({"": table})
    found.charts["thresholds"] = charts.thresholds(table)
    found.tables["thresholds"] = table
    found.tables["threshold_choice"] = pa.Table.from_pylist(
        [{"which": which, "threshold": value, "chosen_on": on, **_at(swept, value)} for which, value, on in marked]
    )
    found.notes.append(chosen.sentence)


@dataclass(frozen=True)
class Choice:
    """A suggested threshold.

    Attributes:
        threshold: None where the aim is served best by a positive decision for nobody.
        on: The split it was chosen on.
        sentence: The choice for a reader.
    """

    threshold: float | None
    on: str
    sentence: str


def choose(inputs: AuditInputs, settings: EvaluationSettings) -> Choice:
    """The threshold that serves the declared aim best, on rows set aside for that where there are such."""
    usable = {name: rows for name, rows in inputs.other_rows.items() if _both_classes(rows)}
    usable[inputs.rows.split] = inputs.rows
    on = next(name for name in ("calibration", "train", inputs.rows.split) if name in usable)
    swept = _swept(usable[on])
    threshold = float(swept.thresholds[best(swept, settings)])
    aim = f"maximises the {definition(settings.maximise).name}"
    if settings.cost_ratio is not None:
        aim = f"costs least where a false positive costs as much as {settings.cost_ratio:g} false negatives"
    doubt = ""
    if on == inputs.rows.split:
        doubt = " These are the audited rows themselves: elsewhere it will do less well than it does here."
    elif on == "train":
        doubt = " The model was fitted on them: a calibration split would give a choice that holds better elsewhere."
    if not np.isfinite(threshold):
        return Choice(None, on, f"On the {on} rows a positive decision for nobody {aim}.{doubt}")
    return Choice(threshold, on, f"On the {on} rows the threshold {threshold:.4g} {aim}.{doubt}")


def _both_classes(rows: Rows) -> bool:
    if rows.score is None or rows.target is None:
        return False
    weighing = rows.target if rows.weight is None else rows.target[rows.weight > 0]
    return bool((weighing == 0).any() and (weighing == 1).any())


def _swept(rows: Rows) -> Sweep:
    assert rows.target is not None and rows.score is not None  # noqa: S101 - narrows the types
    return sweep(rows.target, rows.score, rows.weight)


def _at(swept: Sweep, threshold: float) -> dict[str, float | None]:
    cells: Cells = swept.take(np.array([swept.index_of(threshold)])).cells
    return {name: _nullable(rate_estimates(cells, name).value)[0].as_py() for name in _AT_THRESHOLD}


def _nullable(values: np.ndarray) -> pa.Array:
    """Floats with null for NaN and infinity."""
    return pa.array(values, pa.float64(), mask=~np.isfinite(values))
