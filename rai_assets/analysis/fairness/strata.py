"""Strata: the values of a column that may explain a gap, or quantile bins of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rai_assets.data.contract import MISSING, Contract, bin_labels
from rai_assets.data.groups import grouping
from rai_assets.errors import DeclarationError
from rai_assets.metrics.rows import Grouping

BINS = 5


def strata(table: pa.Table, contract: Contract, column: str, like: pa.Table | None = None) -> tuple[Grouping, str]:
    """The stratum of every row, and a sentence that says what the strata are.

    The values of a category are strata as they are. A number with more than `BINS` different values is cut at its
    quintiles, left-closed; a missing value is a stratum of its own.

    Args:
        table: The rows.
        contract: What their columns are.
        column: Whose values are the strata.
        like: Rows whose values cut a number, where they are others.

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
    return _binned(table[column], table[column] if like is None else like[column], column)


def _binned(values: pa.ChunkedArray, like: pa.ChunkedArray, column: str) -> tuple[Grouping, str]:
    numbers, known = (item.to_numpy().astype(float) for item in (values, like))
    missing, known = np.isnan(numbers), known[~np.isnan(known)]
    distinct = np.unique(known)
    labels = [f"{value:.15g}" for value in distinct]
    edges, how = distinct[1:], "one per value"
    if len(distinct) > BINS:
        # Bounds are values of the data, so no bin is empty.
        bounds = np.quantile(known, np.arange(1, BINS) / BINS, method="higher")
        edges = np.unique(bounds[bounds > distinct[0]])
        labels = list(bin_labels(edges.tolist()))
        how = f"cut at the quintiles: {', '.join(labels)}"
    codes = np.searchsorted(edges, numbers, side="right").astype(np.int32)
    if missing.any():
        codes[missing] = len(labels)
        labels.append(MISSING)
    groups = tuple({column: label} for label in labels)
    return Grouping((column,), codes, groups), f"Gaps within {column}: {len(labels)} strata, {how}."
