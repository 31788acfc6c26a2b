"""Strata: the values of a column that may explain a gap, or quantile bins of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa

from rai_assets.data.contract import Contract
from rai_assets.data.groups import grouping
from rai_assets.errors import DeclarationError
from rai_assets.metrics.rows import Grouping

BINS = 5
MISSING = "(missing)"


def strata(table: pa.Table, contract: Contract, column: str) -> tuple[Grouping, str]:
    """The stratum of every row, and a sentence that says what the strata are.

    The values of a category are strata as they are. A number with more than `BINS` different values is cut at its
    quintiles, left-closed; a missing value is a stratum of its own.

    Raises:
        DeclarationError: The contract has no such column, or its values cannot be strata.
    """
    if column not in contract:
        raise DeclarationError(
            f"the stratifier {column!r} is not a column of the data set",
            fix=f"name one of its columns under `stratifiers`: {', '.join(contract.names)}",
        )
    dtype = contract[column].dtype
    if dtype in ("text", "timestamp"):
        raise DeclarationError(
            f"the stratifier {column!r} has dtype {dtype}, whose values are no strata",
            fix="declare it as category, boolean, integer or number",
        )
    if dtype not in ("number", "integer") or contract[column].settings.edges:
        found = grouping(table, contract, [column])
        return found, f"Gaps within {column}: {len(found.groups)} strata, one per value."
    return _binned(table[column], column)


def _binned(values: pa.ChunkedArray, column: str) -> tuple[Grouping, str]:
    numbers = values.to_numpy().astype(float)
    known = numbers[~np.isnan(numbers)]
    distinct = np.unique(known)
    binned = len(distinct) > BINS
    # The inner bounds are values of the data: no bin is empty.
    wanted = np.quantile(known, np.arange(1, BINS) / BINS, method="higher") if binned else distinct[1:]
    edges = np.unique(wanted)
    edges = edges[edges > distinct[0]] if len(distinct) else edges
    codes = np.searchsorted(edges, numbers, side="right")
    labels = _bin_labels(edges) if binned else [f"{value:.10g}" for value in distinct]
    if len(known) < len(numbers):
        codes[np.isnan(numbers)] = len(labels)
        labels.append(MISSING)
    how = f"cut at its quintiles: {', '.join(labels)}" if binned else "one per value"
    groups = tuple({column: label} for label in labels)
    return Grouping((column,), codes.astype(np.int32), groups), f"Gaps within {column}: {len(labels)} strata, {how}."


def _bin_labels(edges: np.ndarray) -> list[str]:
    written = [f"{edge:.6g}" for edge in edges]
    inner = [f"{low} to under {high}" for low, high in pairwise(written)]
    return [f"under {written[0]}", *inner, f"{written[-1]} and more"]
