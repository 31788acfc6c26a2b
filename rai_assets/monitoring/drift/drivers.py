"""Which values drive a difference, and whether it is one of time or of the order of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rai_assets.charts.text import cut, decimal
from rai_assets.monitoring.drift.columns import Cells, Sample, freeze
from rai_assets.monitoring.drift.methods import Column
from rai_assets.monitoring.drift.statistics import PSI_FLOOR, shares

_SHOWN = 3
_WORTH = 0.05  # part of the whole that a cell makes to be named
_SHOWN_LABEL = 40
_CANCELLED = 0.25  # chunks differ, and over all rows no more than this part of it is left
_NOISE = 2.0  # times what chunks of random rows would differ


def cells_of(column: Column, reference: Sample) -> Cells:
    """The frozen cells of a reference column."""
    return freeze(reference, column.kind, list(column.texts))


def drivers(cells: Cells, reference: Sample, current: Sample) -> str:
    """The cells that contribute most to the population stability index, with their shares before and now."""
    p, q = (np.maximum(_shares(cells, side), PSI_FLOOR) for side in (reference, current))
    contributions = (q - p) * np.log(q / p)
    return _named(cells, p, q, contributions)


def gathered(cells: Cells, reference: Sample, current: Sample) -> str:
    """The cells whose shares have grown most, with their shares before and now."""
    p, q = (_shares(cells, side) for side in (reference, current))
    return _named(cells, p, q, np.maximum(q - p, 0))


def _named(cells: Cells, p: NDArray[np.float64], q: NDArray[np.float64], weights: NDArray[np.float64]) -> str:
    largest = np.argsort(-weights, kind="stable")[:_SHOWN]
    return "; ".join(
        f"{cut(cells.labels[at], _SHOWN_LABEL)}: {_percent(p[at])} -> {_percent(q[at])}"
        for at in largest
        if weights[at] > _WORTH * weights.sum()
    )


def _shares(cells: Cells, side: Sample) -> NDArray[np.float64]:
    counts = cells.counts(side)
    return shares(counts) if counts.any() else np.zeros(len(counts))


def _percent(share: float) -> str:
    return f"{decimal(100 * share) if share > PSI_FLOOR else '0'} %"


def row_order(
    column: Column, cells: Cells, reference: Sample, chunks: Sequence[tuple[str, Sample]], *, timed: bool
) -> str | None:
    """A sentence if the chunks differ from the reference and, over all rows, the differences cancel out.

    A change adds up over the chunks, or stands alone; what cancels is the order in which the rows lie, or a season.

    Args:
        column: The column.
        cells: Its frozen cells.
        reference: Its values in the reference.
        chunks: Label and values of every chunk with at least one value.
        timed: Whether the order of the rows is that of a timestamp.
    """
    expected = _shares(cells, reference)
    found = np.array([cells.counts(sample) for _, sample in chunks])
    rows = found.sum(1)
    apart = np.abs(found / rows[:, None] - expected).sum(1) / 2
    mean = rows @ apart / rows.sum()
    whole = np.abs(found.sum(0) / rows.sum() - expected).sum() / 2
    noise = np.sqrt(2 * expected * (1 - expected) / (np.pi * rows.mean())).sum() / 2
    if len(chunks) < 3 or mean <= _NOISE * noise or whole > _CANCELLED * mean:
        return None
    furthest = int(np.argmax(apart))
    label, sample = chunks[furthest]
    cause = "it comes and goes with the time, like a season" if timed else "this is the order of the rows, not a drift"
    return (
        f"{column.name}: chunks differ from the reference by {_percent(mean)} of their rows on average, all rows "
        f"together by {_percent(whole)}: {cause}. What lies together in {label}: {gathered(cells, reference, sample)}"
    )
