"""What an analysis found: numbers, charts, tables and notes, before they are pinned and stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rai_assets.metrics.number import Number

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Findings:
    """The answer of one analysis.

    Attributes:
        numbers: Every published number.
        charts: Vega-Lite specifications by name.
        tables: Arrow tables by name, e.g. one attribution per row and feature.
        notes: Sentences a reader needs beside the numbers: what was assumed, what could not be told.
        single_rows: Names of the charts and tables that tell of single rows, and so of single people: they are stored
            for those who may read the data, and stand in no report.
    """

    numbers: list[Number] = field(default_factory=list)
    charts: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    single_rows: tuple[str, ...] = ()
