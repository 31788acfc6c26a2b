"""Statistics of every column of a table, over all rows and per group, in one pass; those of two parts merge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from rai_assets.data.column_statistics import SHARES, ColumnStatistics
from rai_assets.data.contract import Contract
from rai_assets.data.groups import grouping
from rai_assets.data.statistics import Tally
from rai_assets.errors import UsageError

_MOST_GROUPS = 200


class Cell(NamedTuple):
    """One column over some rows.

    Attributes:
        by: The column whose groups the rows are of; empty for all rows.
        group: The group.
        column: The column.
        dtype: As its contract declares it: where a contract changed, one window has both.
    """

    by: str
    group: str
    column: str
    dtype: str


@dataclass
class TableTally:
    """The running counts of a table.

    Identifiers are counted, but none of their values is kept.

    Attributes:
        cells: The tally of every cell.
    """

    cells: dict[Cell, Tally] = field(default_factory=dict)

    @classmethod
    def empty(cls, contract: Contract) -> TableTally:
        """The counts of no rows."""
        return cls({Cell("", "", column.name, column.dtype): Tally(column) for column in contract})

    @classmethod
    def of(cls, rows: pa.RecordBatch, contract: Contract, by: Sequence[str] = ()) -> TableTally:
        """The counts of some rows.

        Args:
            rows: With all columns of the contract.
            contract: The contract of the data.
            by: Columns by whose groups they are counted once more.

        Raises:
            UsageError: A column of `by` is not there or has too many groups.
        """
        made = cls()
        made._add(rows, contract, "", "")
        for name in by if rows.num_rows else ():
            found = grouping(pa.Table.from_batches([rows]), contract, [name])
            _refuse_many(name, len(found.groups))
            for code, labels in enumerate(found.groups):
                chosen = rows.filter(pa.array(found.codes == code))
                made._add(chosen, contract, name, labels[name])
        return made

    def merge(self, other: TableTally) -> None:
        """Count the rows of another part too.

        Raises:
            UsageError: Both together have too many groups.
        """
        for cell, tally in other.cells.items():
            if cell not in self.cells:
                self.cells[cell] = Tally(tally.column)
            self.cells[cell].merge(tally)
        for name in {cell.by for cell in self.cells} - {""}:
            _refuse_many(name, len({cell.group for cell in self.cells if cell.by == name}))

    def statistics(self) -> list[tuple[Cell, ColumnStatistics]]:
        """What was counted of every cell."""
        return [(cell, tally.finished()) for cell, tally in self.cells.items()]

    def state(self) -> pa.Table:
        """All counts as a table, of which `restored` makes the tally again."""
        rows = [
            {"by": cell.by, "group": cell.group, "column": cell.column, **tally.state()}
            for cell, tally in self.cells.items()
        ]
        return pa.Table.from_pylist(rows, _STATE)

    @classmethod
    def restored(cls, state: pa.Table, contract: Contract) -> TableTally:
        """The tally of a state.

        Args:
            state: What `state` gave.
            contract: The contract of the data that it was made of.
        """
        made = cls()
        for row in state.to_pylist():
            column = contract[row["column"]]
            cell = Cell(row["by"], row["group"], column.name, column.dtype)
            made.cells[cell] = Tally.restored(column, row)
        return made

    def _add(self, rows: pa.RecordBatch, contract: Contract, by: str, group: str) -> None:
        for column in contract:
            tally = self.cells[Cell(by, group, column.name, column.dtype)] = Tally(column)
            tally.add(rows.column(column.name))
            if "identifier" in column.roles:
                tally.forget_values()


def as_table(statistics: Iterable[tuple[Cell, ColumnStatistics]]) -> pa.Table:
    """Statistics with one row per cell: bounds as texts, quantiles and lengths as columns of their own."""
    rows: list[dict[str, Any]] = []
    for cell, found in statistics:
        bounds = {name: _text(getattr(found, name)) for name in ("minimum", "maximum")}
        quantiles = {_quantile(float(share)): value for share, value in found.quantiles.items()}
        lengths = {f"length_{name}": value for name, value in found.lengths.items()}
        rows.append({**cell._asdict(), **found.as_json(), **bounds, **quantiles, **lengths})
    return pa.Table.from_pylist(rows, _TABLE)


def _text(bound: float | str | None) -> str | None:
    return None if bound is None else str(bound)


def _quantile(share: float) -> str:
    return f"quantile_{share:g}"


_TABLE = pa.schema(
    [
        *((name, pa.string()) for name in ("by", "group", "column", "dtype")),
        *((name, pa.int64()) for name in ("count", "missing", "distinct")),
        ("distinct_error", pa.float64()),
        *((name, pa.string()) for name in ("minimum", "maximum")),
        *((name, pa.float64()) for name in ("mean", "deviation", *map(_quantile, SHARES), "quantiles_error")),
        *((f"length_{name}", pa.float64()) for name in ("minimum", "maximum", "mean")),
        ("top", pa.list_(pa.struct([("value", pa.string()), ("count", pa.int64())]))),
        ("histogram", pa.list_(pa.struct([("low", pa.float64()), ("high", pa.float64()), ("count", pa.int64())]))),
    ]
)
_STATE = pa.schema(
    [
        *((name, pa.string()) for name in ("by", "group", "column")),
        *((name, pa.int64()) for name in ("rows", "missing")),
        *((name, pa.string()) for name in ("low", "high")),
        ("values", pa.list_(pa.string())),
        ("counts", pa.list_(pa.int64())),
        ("hashes", pa.list_(pa.uint64())),
        ("moments", pa.struct([("count", pa.int64()), ("mean", pa.float64()), ("squares", pa.float64())])),
        ("lengths", pa.struct([(name, pa.int64()) for name in ("count", "total", "least", "greatest")])),
        (
            "points",
            pa.struct(
                [("levels", pa.list_(pa.list_(pa.float64()))), ("odd", pa.list_(pa.bool_())), ("shift", pa.int64())]
            ),
        ),
    ]
)


def _refuse_many(name: str, groups: int) -> None:
    if groups > _MOST_GROUPS:
        raise UsageError(
            f"the column {name!r} has more than {_MOST_GROUPS} groups",
            where="production.profile.by",
            fix="give it `edges`, or name another column",
        )
