"""A year of the demo's production: one file of applications a month, with changes that can be switched on.

The applications of 2025 are drawn as those of 2024, on whose rows the model was audited. The changes:

    (a) larger_loans   from April on a campaign brings applications for larger loans: `loan_amount` times 1.35
    (b) broken_unit    in July `income` is that of a year instead of a month: times 12, within what the contract allows
    (c) refused_unit   in September `debt_ratio` is in per cent: times 100, which the contract refuses
    (d) older          from October on 60 % instead of 25 % of the applicants are of 60 and more
    (e) concept        from May on people of equal applications repay differently: the outcomes of areas S1 and S2 are
                       turned. Nothing but the labels shows it, and they have not arrived
"""

from __future__ import annotations

import calendar
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rai_assets.defs.lending.generator import generate

YEAR, ROWS = 2025, 600
MONTHS = tuple(f"{YEAR}-{month:02d}" for month in range(1, 13))
"""Keys of the batches."""
SHIFTS = {
    "larger_loans": MONTHS[3:],
    "broken_unit": MONTHS[6:7],
    "refused_unit": MONTHS[8:9],
    "older": MONTHS[9:],
    "concept": MONTHS[4:],
}
"""{change: the months that have it}."""
_OLDER_SHARES = (0.13, 0.27, 0.60)
_FIRST_SEED = 100


def applications(month: str, *, planted: bool = True) -> pa.Table:
    """The applications of one month, with labels.

    Args:
        month: One of `MONTHS`.
        planted: Whether the changes of the month are in it.
    """
    has = {name for name, months in SHIFTS.items() if planted and month in months}
    number = MONTHS.index(month) + 1
    table = generate(
        ROWS,
        _FIRST_SEED + number,
        faults=False,
        first_day=f"{month}-01",
        last_day=f"{month}-{calendar.monthrange(YEAR, number)[1]}",
        **({"age_shares": _OLDER_SHARES} if "older" in has else {}),
    )
    for name, column, factor in (
        ("larger_loans", "loan_amount", 1.35), ("broken_unit", "income", 12), ("refused_unit", "debt_ratio", 100)
    ):  # fmt: skip
        if name in has:
            values = pc.multiply(table[column], factor)
            table = _put(table, column, pc.cast(pc.round(values, 3), table.schema.field(column).type, safe=False))
    if "concept" in has:
        turned = np.isin(table["postcode_area"].to_numpy(), ("S1", "S2"))
        yes = (table["creditworthy"].to_numpy() == "yes") ^ turned
        table = _put(table, "creditworthy", pa.array(np.where(yes, "yes", "no")))
    return _put(table, "application_id", pa.array([f"{month}-{row:04d}" for row in range(ROWS)]))


def write_inbox(folder: Path, *, planted: bool = True) -> list[Path]:
    """Write every month's file, without labels: they come later. A file gets its name when it is whole.

    Args:
        folder: The inbox.
        planted: Whether the changes are in them.
    """
    import os

    from pyarrow import csv

    written = []
    for number, month in enumerate(MONTHS, start=1):
        table = applications(month, planted=planted).drop_columns(["creditworthy"])
        part = folder / f".{month}.csv.part"
        csv.write_csv(table, part)
        # What arrives on the first day of the next month.
        arrived = calendar.timegm((YEAR + number // 12, number % 12 + 1, 1, 6, 0, 0))
        os.utime(part, (arrived, arrived))
        written.append(part.replace(folder / f"{month}.csv"))
    return written


def _put(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(column), column, values)
