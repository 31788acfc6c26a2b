"""Charts of performance from batch to batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rai_assets.charts import grouped_interval_bars, interval_bars
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.number import Number

Chart = dict[str, Any]


def over_batches(numbers: Sequence[Number], reference: Number | None = None) -> Chart:
    """One metric of several batches with its intervals, a line at its value in the reference.

    Args:
        numbers: Numbers of one definition, in the order of their batches, each with the coordinate `chunk`.
        reference: The same metric of the reference.
    """
    name = _words(numbers[0].definition)
    line = ("reference", reference.value) if reference is not None and reference.value is not None else None
    return interval_bars(
        [_bar(number) for number in numbers], title=f"{name} of every batch", x_title=name, reference=line
    )


def estimated_and_measured(estimated: Sequence[Number], measured: Sequence[Number]) -> Chart:
    """One metric of several batches, as estimated without labels and as the labels showed it.

    Args:
        estimated: Estimates, each with the coordinate `chunk`.
        measured: The metric of the same batches whose labels have arrived.
    """
    name = _words(measured[0].definition)
    by_chunk = {number.coordinates["chunk"]: number for number in measured}
    bars = []
    for number in estimated:
        bars.append({**_bar(number), "group": "estimated"})
        if number.coordinates["chunk"] in by_chunk:
            bars.append({**_bar(by_chunk[number.coordinates["chunk"]]), "group": "measured"})
    return grouped_interval_bars(
        bars,
        title=f"{name} of every batch, estimated and measured",
        x_title=name,
        note="Estimates cannot see a change in what becomes of equal rows",
    )


def _bar(number: Number) -> dict[str, Any]:
    names = ("value", "low", "high", "n", "small")
    # The reason of a value that is shown is its assumption, which the chart says once.
    reason = number.reason if number.value is None else None
    return {"label": number.coordinates["chunk"], "reason": reason, **{name: getattr(number, name) for name in names}}


def _words(identifier: str) -> str:
    name = definition(identifier).name
    return name[0].upper() + name[1:]
