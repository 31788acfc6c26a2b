"""Evaluation of a predicted number: its errors, and where they lie."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rai_assets.analysis.evaluation import charts
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.means import Groups, Moments, mean_estimates
from rai_assets.metrics.rows import Rows

_BINS = 10


def evaluate(rows: Rows, level: float) -> Findings:
    """Charts, tables and notes of a predicted number."""
    found = Findings()
    if rows.score is None:
        return found
    if rows.target is None:
        found.notes.append("There is no target: predictions are shown, not how far off they are.")
        found.charts["predictions"] = charts.distribution(
            rows.score, title="Predictions", x_title="Prediction", mark=None
        )
        return found
    table = prediction_table(rows, level)
    found.tables["prediction_bins"] = table
    found.charts["prediction_against_target"] = charts.predicted_against_target(table)
    found.charts["errors_by_prediction"] = charts.errors_by_prediction(table)
    found.charts["errors"] = charts.distribution(
        rows.score - rows.target, title="Errors", x_title="Prediction less target", mark=("no error", 0.0)
    )
    return found


def prediction_table(rows: Rows, level: float) -> pa.Table:
    """Up to ten groups of equally many rows by prediction: mean prediction, target and error with intervals."""
    assert rows.target is not None and rows.score is not None  # noqa: S101 - narrows the types
    edges = np.unique(np.quantile(rows.score, np.arange(1, _BINS) / _BINS, method="higher"))
    codes = np.searchsorted(edges[edges > rows.score.min()], rows.score, side="right").astype(np.int32)
    groups = Groups(int(codes.max()) + 1, codes, rows.weight)
    columns: dict[str, np.ndarray] = {"rows": groups.rows(codes)}
    for metric, values in (
        ("mean_prediction", rows.score), ("mean_target", rows.target), ("mean_error", rows.score - rows.target),
    ):  # fmt: skip
        estimates = mean_estimates(metric, Moments.of(values, groups))
        low, high = estimates.bounds(level)
        columns |= {metric: estimates.value, f"{metric}_low": low, f"{metric}_high": high}
    return pa.table({name: pa.array(values, mask=~np.isfinite(values)) for name, values in columns.items()})
