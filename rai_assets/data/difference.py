"""What differs between two versions of a table: its columns, its contract, its rows, and how its values are spread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pyarrow as pa

from rai_assets.data.contract import Column, Contract
from rai_assets.data.distinct import COUNTED_VALUES
from rai_assets.data.row_difference import RowChanges, RowFile, common_form
from rai_assets.data.statistics import Tally

Kind = Literal["added", "removed", "retyped", "changed", "same"]
Tell = Callable[[int], None]

SHOWN_VALUES = 10
_FORMS = {"number": "number", "integer": "number", "category": "text", "text": "text"}


@dataclass(frozen=True)
class Version:
    """One version of a table, read as a stream.

    Attributes:
        contract: Its contract.
        batches: Its rows with all columns of the contract, read anew at every call.
    """

    contract: Contract
    batches: Callable[[], Iterable[pa.RecordBatch]]


@dataclass(frozen=True)
class Spread:
    """How the values of one column are spread in one version.

    Attributes:
        n: Values that are there.
        missing: Share of the rows without a value, in [0, 1]; None without rows.
        mean: Of numbers.
        quantiles: {share: value} of numbers.
        least: Least number, or time as ISO text.
        greatest: Greatest.
        shares: {value: share of the values that are there}, of anything but numbers and times; only those that
            changed most where there are many.
    """

    n: int
    missing: float | None
    mean: float | None = None
    quantiles: dict[str, float] = field(default_factory=dict)
    least: float | str | None = None
    greatest: float | str | None = None
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ColumnDifference:
    """One column in both versions.

    Attributes:
        name: The column.
        kind: `retyped` if it is read otherwise, `changed` if its contract, its missing share or its distribution is
            another, `same` where nothing of this is seen.
        dtypes: Its type before and after; None where it is not there.
        settings: {setting of the contract: (before, after)} of those that differ.
        before: Its values before.
        after: Its values after.
        distance: Between the two distributions of the values that are there, in [0, 1].
        measure: `Kolmogorov-Smirnov` of numbers and times (the largest difference of the distribution functions),
            `total variation` of anything else (half the sum of the absolute differences of the shares).
        reason: Why there is no distance.
        changed_rows: Rows with the same identifier and another value; None where no identifier is declared.
    """

    name: str
    kind: Kind
    dtypes: tuple[str | None, str | None]
    settings: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    before: Spread | None = None
    after: Spread | None = None
    distance: float | None = None
    measure: str | None = None
    reason: str | None = None
    changed_rows: int | None = None


@dataclass(frozen=True)
class Difference:
    """Two versions of a table, compared.

    Attributes:
        rows: Rows that came, went and changed, by the columns that both versions have.
        columns: Every column of either version, those of the later one first.
        contract: {part of the contract that belongs to no column: (before, after)} of those that differ.
    """

    rows: RowChanges
    columns: tuple[ColumnDifference, ...]
    contract: dict[str, tuple[Any, Any]]

    @property
    def same(self) -> bool:
        """True where nothing differs but perhaps the order of rows and columns."""
        rows = self.rows
        moved = rows.added or rows.removed or rows.changed or self.contract
        return not moved and all(column.kind == "same" for column in self.columns)

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def compare(before: Version, after: Version, tell: Tell = lambda _: None) -> Difference:
    """Compare two versions of a table, each read once, in memory that does not grow with the rows.

    Rows are matched by the identifiers where both contracts declare the same ones. Otherwise whole rows are
    compared, each as often as it occurs; then a changed row counts as one removed and one added. Columns that only
    one version has take no part in this, and the order of rows counts for nothing.

    Args:
        before: The earlier version.
        after: The later version.
        tell: Told the rows read so far.
    """
    old, new = before.contract, after.contract
    both = [name for name in new.names if name in old]
    identifiers = new.identifiers if set(new.identifiers) == set(old.identifiers) else ()
    forms = [(name, common_form(old[name].arrow_type, new[name].arrow_type)) for name in both]
    key = [item for item in forms if not identifiers or item[0] in identifiers]
    values = [item for item in forms if identifiers and item[0] not in identifiers]
    done = 0

    def told(rows: int) -> None:
        nonlocal done
        done += rows
        tell(done)

    with ExitStack() as stack:
        files = [stack.enter_context(RowFile(key, values)) for _ in range(2)]
        tallies = [_read(side, file, told) for side, file in zip((before, after), files, strict=True)]
        rows = files[0].compare(files[1], identifiers)
    names = [*new.names, *(name for name in old.names if name not in new)]
    columns = tuple(_column(name, tallies[0].get(name), tallies[1].get(name), rows) for name in names)
    return Difference(rows, columns, _changed(_whole(old), _whole(new)))


def _read(version: Version, file: RowFile, tell: Tell) -> dict[str, Tally]:
    tallies = {column.name: Tally(column) for column in version.contract}
    for batch in version.batches():
        for name, tally in tallies.items():
            tally.add(batch.column(name))
        file.add(batch)
        tell(batch.num_rows)
    return tallies


def _whole(contract: Contract) -> dict[str, Any]:
    stored = contract.as_json()
    return {
        "split": stored["split"],
        "labels": sorted(stored["labels"]),
        "columns in order": list(contract.names),
    }


def _changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = sorted(before.keys() | after.keys())
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _settings(column: Column) -> dict[str, Any]:
    return {**column.settings.model_dump(mode="json"), "utc": column.utc}


def _column(name: str, old: Tally | None, new: Tally | None, rows: RowChanges) -> ColumnDifference:
    dtypes = (old.column.dtype if old else None, new.column.dtype if new else None)
    if old is None or new is None:
        before, after = (_spread(tally, {}) if tally else None for tally in (old, new))
        return ColumnDifference(name, "added" if old is None else "removed", dtypes, before=before, after=after)
    settings = _changed(_settings(old.column), _settings(new.column))
    distance, measure, reason = _distance(old, new)
    shown = _most_changed(old, new)
    before, after = _spread(old, shown), _spread(new, shown)
    differs = settings or distance or before.missing != after.missing or name in rows.columns
    kind: Kind = "retyped" if dtypes[0] != dtypes[1] else "changed" if differs else "same"
    changed_rows = rows.columns.get(name, 0) if rows.identifiers and name not in rows.identifiers else None
    return ColumnDifference(name, kind, dtypes, settings, before, after, distance, measure, reason, changed_rows)


def _distance(old: Tally, new: Tally) -> tuple[float | None, str | None, str | None]:
    """Distance, its name, and why there is none."""
    forms = [_FORMS.get(tally.column.dtype, tally.column.dtype) for tally in (old, new)]
    if forms[0] != forms[1]:
        return None, None, "the two types have no common scale"
    if old.rows == old.missing or new.rows == new.missing:
        return None, None, "one version has no values"
    if forms[0] in ("number", "timestamp"):
        return old.sketch.distance(new.sketch), "Kolmogorov-Smirnov", None
    shares = [_shares(tally) for tally in (old, new)]
    if shares[0] is None or shares[1] is None:
        return None, None, f"there are more than {COUNTED_VALUES:,} values"
    before, after = shares[0], shares[1]
    apart = sum(abs(before.get(value, 0.0) - after.get(value, 0.0)) for value in before.keys() | after.keys())
    return min(apart / 2, 1.0), "total variation", None


def _shares(tally: Tally) -> dict[str, float] | None:
    counts, n = tally.counts, tally.rows - tally.missing
    return None if counts is None else {value: count / n for value, count in counts.items()}


def _most_changed(old: Tally, new: Tally) -> dict[str, float]:
    """The values whose shares are shown, the one that changed most first."""
    before, after = _shares(old) or {}, _shares(new) or {}
    apart = {value: abs(before.get(value, 0.0) - after.get(value, 0.0)) for value in before.keys() | after.keys()}
    largest = sorted(apart, key=lambda value: (-apart[value], -after.get(value, 0.0), value))
    return dict.fromkeys(largest[:SHOWN_VALUES], 0.0)


def _spread(tally: Tally, shown: dict[str, float]) -> Spread:
    found, n = tally.finished(), tally.rows - tally.missing
    missing = tally.missing / tally.rows if tally.rows else None
    if tally.column.dtype in ("number", "integer", "timestamp"):
        return Spread(n, missing, found.mean, found.quantiles, found.minimum, found.maximum)
    shares = _shares(tally) or {}
    chosen = shown or {item["value"]: 0.0 for item in found.top}
    return Spread(n, missing, shares={value: shares.get(value, 0.0) for value in chosen} if shares else {})
