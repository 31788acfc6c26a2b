"""Evaluation of a decision between several classes: confusion matrix, and one-against-the-rest curves."""

from __future__ import annotations

import numpy as np

from rai_assets.analysis.evaluation import charts
from rai_assets.analysis.evaluation.binary import curve_table
from rai_assets.analysis.evaluation.sweep import shown, sweep
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.rows import Rows

CURVES = 5
"""Classes that get a curve, the most frequent ones."""


def evaluate(rows: Rows) -> Findings:
    """Charts, tables and notes of a decision between classes."""
    found = Findings()
    if rows.target is None:
        found.notes.append("There is no target: selections are shown, not whether they were right.")
        return found
    k = len(rows.classes)
    if rows.decision is not None:
        counts = np.bincount(rows.target.astype(np.int64) * k + rows.decision, minlength=k * k).reshape(k, k)
        found.charts["confusion_matrix"] = charts.confusion(rows.classes, counts)
    if rows.score is None:
        return found
    sizes = np.bincount(rows.target, minlength=k)
    frequent = [code for code in np.argsort(-sizes, kind="stable") if 0 < sizes[code] < rows.n][:CURVES]
    series = {}
    for code in sorted(frequent):
        swept = sweep((rows.target == code).astype(np.int8), rows.score[:, code], rows.weight)
        series[rows.classes[code]] = curve_table(swept.take(shown(swept, [])))
    if not series:
        found.notes.append("All rows have the same target: there are no curves.")
        return found
    if len(series) < int((sizes > 0).sum()):
        found.notes.append(f"Curves are drawn for the {len(series)} most frequent of {int((sizes > 0).sum())} classes.")
    found.charts["roc"] = charts.roc(series)
    found.charts["precision_recall"] = charts.precision_recall(series)
    return found
