"""The groups of people that a sensitive column, or several together, describe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.data.contract import MISSING, Contract, bin_labels, group_label
from rai_assets.data.rules import label_order
from rai_assets.errors import UsageError
from rai_assets.metrics.rows import Grouping

_MOST_CELLS = 1e18  # what fits a 64-bit code
_DENSE = 1 << 22  # cells of a lookup table; beyond this the groups are found by sorting


@dataclass(frozen=True)
class _Parts:
    """One column cut into groups: the code of every row, and the label of every code."""

    codes: NDArray[np.int64]
    labels: tuple[str, ...]


def groupings(table: pa.Table, contract: Contract, max_order: int = 1) -> list[Grouping]:
    """The groups of each sensitive column, then of each two together, and so on.

    Args:
        table: Rows with the sensitive columns.
        contract: The contract of the data.
        max_order: How many columns are crossed at most.
    """
    columns = contract.sensitive
    orders = range(1, min(max_order, len(columns)) + 1)
    parts = {name: _parts(table, contract, name) for name in columns}
    return [_crossed(chosen, parts) for order in orders for chosen in combinations(columns, order)]


def grouping(table: pa.Table, contract: Contract, columns: Sequence[str]) -> Grouping:
    """The groups of some columns together; only those that have rows.

    A category's groups stand in the order of its `allowed` values, else sorted; a number's in the order of its bins,
    each with its lower bound, as `[25, 45)`; missing values are a group of their own, `(missing)`, the last.

    Args:
        table: Rows with these columns.
        contract: The contract of the data, for edges and orders.
        columns: Categories, booleans, integers, or numbers with edges; in the order they are named in.

    Raises:
        UsageError: There is no such column, or it has too many values for groups.
    """
    if not columns:
        raise UsageError("name at least one column to group by")
    return _crossed(tuple(columns), {name: _parts(table, contract, name) for name in columns})


def _parts(table: pa.Table, contract: Contract, name: str) -> _Parts:
    if name not in contract or name not in table.column_names:
        known = ", ".join(column for column in contract.names if column in table.column_names)
        raise UsageError(f"there is no column {name!r} to group by", fix=f"there are {known[:500]}")
    settings = contract[name].settings
    column = table.column(name).combine_chunks()
    if settings.edges is not None:
        return _binned(column, settings.edges)
    if pa.types.is_floating(column.type) or pa.types.is_timestamp(column.type):
        raise UsageError(f"the column {name!r} has no groups", fix="give it `edges`, or dtype category")
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return _labelled(encoded, settings.allowed or ())


def _binned(column: pa.Array, edges: Sequence[float]) -> _Parts:
    missing = column.is_null().to_numpy(zero_copy_only=False)
    values = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
    codes = np.searchsorted(np.asarray(edges, np.float64), values, side="right")
    labels = bin_labels(edges)
    codes[missing] = len(labels)
    return _Parts(codes, (*labels, MISSING))


def _labelled(encoded: pa.DictionaryArray, allowed: Sequence[str]) -> _Parts:
    values = encoded.dictionary.to_pylist()
    place = {label: at for at, label in enumerate(allowed)}
    texts = [_text(value) for value in values]
    order = sorted(range(len(values)), key=lambda at: (place.get(texts[at], len(place)), label_order(texts[at])))
    renumbered = np.empty(len(values) + 1, np.int64)
    renumbered[order] = np.arange(len(order))
    renumbered[-1] = len(order)
    codes = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    labels = [group_label(texts[at]) for at in order]
    return _Parts(renumbered[codes], (*labels, MISSING))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _crossed(columns: tuple[str, ...], parts: dict[str, _Parts]) -> Grouping:
    sizes = [len(parts[name].labels) for name in columns]
    cells = float(np.prod(sizes, dtype=np.float64))
    if cells > _MOST_CELLS:
        raise UsageError(f"{', '.join(columns)} together have too many values for groups", fix="group by fewer columns")
    codes = parts[columns[0]].codes
    for name in columns[1:]:
        codes = codes * len(parts[name].labels) + parts[name].codes
    present, dense = _dense(codes, int(cells))
    places = np.unravel_index(present, sizes)
    groups = tuple(
        {name: parts[name].labels[at] for name, at in zip(columns, cell, strict=True)}
        for cell in zip(*(place.tolist() for place in places), strict=True)
    )
    return Grouping(columns, dense, groups)


def _dense(codes: NDArray[np.int64], cells: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The codes that occur, in order, and every row's place among them."""
    if cells > _DENSE:
        present, places = np.unique(codes, return_inverse=True)
        return present, places.astype(np.int32)
    present = np.flatnonzero(np.bincount(codes, minlength=1))
    lookup = np.zeros(cells, np.int32)
    lookup[present] = np.arange(len(present), dtype=np.int32)
    return present, lookup[codes]
