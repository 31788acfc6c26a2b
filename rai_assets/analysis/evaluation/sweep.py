"""What every possible threshold of a binary score would decide: one sort, then count tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rai_assets.analysis.evaluation.settings import EvaluationSettings
from rai_assets.metrics.counts import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_NEGATIVE, TRUE_POSITIVE, Cells
from rai_assets.metrics.rates import rate_estimates, rate_values

POINTS = 200
"""Thresholds that a table or a chart shows at most."""


@dataclass(frozen=True)
class Sweep:
    """Count tables of the decisions `score >= threshold`.

    Attributes:
        thresholds: Distinct scores, descending, behind infinity, which selects no row. float64 (t,).
        cells: One count table per threshold.
    """

    thresholds: NDArray[np.float64]
    cells: Cells

    def take(self, index: NDArray[np.intp]) -> Sweep:
        """Some of the thresholds, by indices (m,)."""
        return Sweep(self.thresholds[index], self.cells.take(index))

    def index_of(self, threshold: float) -> int:
        """Index of the smallest threshold that decides as `threshold` does."""
        return max(0, int(np.searchsorted(-self.thresholds, -threshold, side="right")) - 1)


def sweep(target: NDArray, score: NDArray[np.float64], weight: NDArray[np.float64] | None = None) -> Sweep:
    """Count the decisions of every threshold.

    Args:
        target: {0, 1}, shape (n,), n >= 1.
        score: Finite scores, shape (n,).
        weight: Weights >= 0, shape (n,), or None for equal weights.
    """
    order = np.argsort(-score, kind="stable")
    ordered, positive = score[order], target[order] == 1
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)

    def table(values: NDArray) -> NDArray:
        sums = np.zeros((len(last) + 1, 4), values.dtype)
        for selected, rejected, rows in (
            (TRUE_POSITIVE, FALSE_NEGATIVE, positive),
            (FALSE_POSITIVE, TRUE_NEGATIVE, ~positive),
        ):
            running = np.cumsum(np.where(rows, values, 0))
            sums[1:, selected] = running[last]
            sums[:, rejected] = np.maximum(running[-1] - sums[:, selected], 0)
        return sums

    counts = table(np.ones(len(ordered), np.int64))
    if weight is None:
        cells = Cells(counts, counts.astype(float), counts.astype(float))
    else:
        cells = Cells(counts, table(weight[order]), table(weight[order] ** 2))
    return Sweep(np.append(np.inf, ordered[last]), cells)


def shown(swept: Sweep, always: list[int]) -> NDArray[np.intp]:
    """At most `POINTS` indices, ascending, at equal steps along the ROC curve, and those that must be shown."""
    along = np.zeros(len(swept.thresholds))
    for name in ("false_positive_rate", "true_positive_rate"):
        along += np.nan_to_num(rate_values(swept.cells, name)[0])
    steps = np.linspace(along[0], along[-1], POINTS - len(always) - 1)
    index = np.append(np.searchsorted(along, steps), [0, len(along) - 1, *always])
    return np.unique(np.minimum(index, len(along) - 1))


def best(swept: Sweep, settings: EvaluationSettings) -> int:
    """Index of the threshold that serves the declared aim best, the highest of equals; both classes must occur."""
    cells = swept.cells
    if settings.cost_ratio is not None:
        return int(np.argmin(settings.cost_ratio * cells.fp + cells.fn))
    return int(np.nanargmax(rate_estimates(cells, settings.maximise).value))
