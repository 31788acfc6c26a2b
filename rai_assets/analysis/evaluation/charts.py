"""Charts of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.charts import heat_map, histogram, lines

Chart = dict[str, Any]

_BINS = 20


def confusion(classes: Sequence[str], counts: NDArray[np.int64]) -> Chart:
    """Rows by target (down) and decision (across); the colour is the share of the rows with the same target.

    Args:
        classes: The k class labels.
        counts: Unweighted rows, (k, k): target, then decision.
    """
    rows = []
    for actual, line in zip(classes, counts.tolist(), strict=True):
        of_class = sum(line)
        for decided, count in zip(classes, line, strict=True):
            share = count / of_class if of_class else None
            rows.append({"x": decided, "y": actual, "value": count, "share": share})
    return heat_map(rows, title="Confusion matrix", x_title="Decision", y_title="Target")


def roc(series: dict[str, pa.Table]) -> Chart:
    """True against false positive rate over all thresholds, one line per class."""
    return lines(
        _points(series, "false_positive_rate", "true_positive_rate"),
        title="ROC curve", x_title="False positive rate", y_title="True positive rate", diagonal=True,
    )  # fmt: skip


def precision_recall(series: dict[str, pa.Table]) -> Chart:
    """Precision against the true positive rate over all thresholds, one line per class."""
    return lines(
        _points(series, "true_positive_rate", "precision"),
        title="Precision and recall", x_title="Recall (true positive rate)", y_title="Precision",
    )  # fmt: skip


def thresholds(table: pa.Table) -> Chart:
    """How selection and errors move with the threshold."""
    names = {
        "selection_rate": "selection rate",
        "true_positive_rate": "true positive rate",
        "false_positive_rate": "false positive rate",
        "balanced_accuracy": "balanced accuracy",
    }
    rows = [
        {"x": row["threshold"], "y": row[name], "group": label}
        for name, label in names.items()
        for row in table.to_pylist()
        if row["threshold"] is not None and row[name] is not None
    ]
    return lines(rows, title="Choice of threshold", x_title="Threshold", y_title="Rate", domain=None)


def calibration(table: pa.Table) -> Chart:
    """Share of positives against the mean score of each bin of the score."""
    rows = [
        {"x": row["mean_score"], "y": row["base_rate"], "low": row["low"], "high": row["high"]}
        for row in table.to_pylist()
        if row["base_rate"] is not None
    ]
    return lines(
        rows, title="Calibration", x_title="Mean score", y_title="Share of positives", diagonal=True, points=True
    )


def distribution(values: NDArray[np.float64], *, title: str, x_title: str, mark: tuple[str, float] | None) -> Chart:
    """Histogram of finite values, (n,), in bins of equal width; `mark` is the name and place of a line."""
    counts, edges = np.histogram(values, bins=_BINS)
    rows = [
        {"low": low, "high": high, "value": count}
        for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    ]
    return histogram(rows, title=title, x_title=x_title, reference=mark)


def predicted_against_target(table: pa.Table) -> Chart:
    """Mean target against mean prediction of groups of rows by prediction."""
    rows = _with_interval(table, "mean_target")
    ends = [value for row in rows for value in row.values() if value is not None]
    room = 0.02 * (max(ends) - min(ends)) or 1.0
    return lines(
        rows, title="Prediction against target", x_title="Mean prediction", y_title="Mean target",
        diagonal=True, points=True, domain=(min(ends) - room, max(ends) + room),
    )  # fmt: skip


def errors_by_prediction(table: pa.Table) -> Chart:
    """Mean error of groups of rows by prediction: apart from 0, some predictions are too high or too low."""
    return lines(
        _with_interval(table, "mean_error"), title="Mean error by prediction", x_title="Mean prediction",
        y_title="Mean of prediction less target", points=True, domain=None,
    )  # fmt: skip


def _with_interval(table: pa.Table, metric: str) -> list[dict[str, Any]]:
    return [
        {"x": row["mean_prediction"], "y": row[metric], "low": row[f"{metric}_low"], "high": row[f"{metric}_high"]}
        for row in table.to_pylist()
        if row["mean_prediction"] is not None and row[metric] is not None
    ]


def _points(series: dict[str, pa.Table], x: str, y: str) -> list[dict[str, Any]]:
    return [
        {"x": row[x], "y": row[y], "group": name}
        for name, table in series.items()
        for row in table.select([x, y]).to_pylist()
        if row[x] is not None and row[y] is not None
    ]
