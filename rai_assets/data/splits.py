"""Which rows are learned from, which calibrate, and which are kept for the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.charts.text import how_many
from rai_assets.data.contract import Contract
from rai_assets.data.rules import shown
from rai_assets.data.settings import SplitName, SplitSettings
from rai_assets.errors import InputRefused, UsageError

if TYPE_CHECKING:
    from rai_assets.data.dataset import Source

NAMES: tuple[SplitName, ...] = ("train", "calibration", "test")
DEFAULT = SplitSettings(by="fraction", test=0.25)

Codes = NDArray[np.int8]


def effective(contract: Contract, sources: Sequence[Source]) -> SplitSettings:
    """How the rows are split: as declared, by file where files name their splits, else `DEFAULT`."""
    if contract.split is not None:
        return contract.split
    return SplitSettings(by="file") if any(source.split is not None for source in sources) else DEFAULT


def columns_needed(contract: Contract, sources: Sequence[Source]) -> list[str]:
    """The columns that `assign` looks at."""
    settings = effective(contract, sources)
    if settings.by == "fraction":
        stratified = contract.target if contract.task != "regression" else None
        return [] if stratified is None else [stratified]
    if settings.by == "file":
        return []
    return [str(settings.column or contract.timestamp)]


def assign(table: pa.Table, contract: Contract, sources: Sequence[Source]) -> Codes:
    """The split of every row, as an index into `NAMES`; the same rows give the same split every time.

    Args:
        table: All rows in file order, with the columns of `columns_needed`.
        contract: The contract of the data set.
        sources: Its files with their numbers of rows.

    Returns:
        int8, shape (n,).

    Raises:
        InputRefused: Train or test is empty, a declared calibration is, or a row fits no split.
    """
    settings = effective(contract, sources)
    rows = sum(source.rows for source in sources)
    if settings.by == "file":
        of_file = [NAMES.index(source.split or "train") for source in sources]
        codes = np.repeat(np.array(of_file, np.int8), [source.rows for source in sources])
    elif settings.by == "fraction":
        needed = columns_needed(contract, sources)
        codes = _by_fraction(rows, settings, _strata(table.column(needed[0])) if needed else None)
    elif settings.by == "time":
        codes = _by_time(table.column(columns_needed(contract, sources)[0]), settings)
    else:
        codes = _by_value(table.column(str(settings.column)), settings.values or {})
    _refuse_empty(codes, settings)
    return codes


def counts(codes: Codes) -> dict[SplitName, int]:
    """Rows of every split that has some."""
    number = np.bincount(codes, minlength=len(NAMES))
    return {name: int(number[at]) for at, name in enumerate(NAMES) if number[at]}


def code_of(name: str) -> int:
    """The index of a split.

    Raises:
        UsageError: There is none of this name.
    """
    if name not in NAMES:
        raise UsageError(f"there is no split {name!r}", fix=f"use one of {', '.join(NAMES)}, all")
    return NAMES.index(name)


def _strata(column: pa.ChunkedArray) -> NDArray[np.int64]:
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False)


def _by_fraction(rows: int, settings: SplitSettings, strata: NDArray[np.int64] | None) -> Codes:
    """Each stratum in random order is cut at the shares. Rounding is carried on, so that the totals are right too."""
    order = np.random.default_rng(settings.seed).permutation(rows)
    sizes = np.array([rows])
    if strata is not None:
        order = order[np.argsort(strata[order], kind="stable")]
        sizes = np.bincount(strata)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    tested = np.diff(np.floor(ends * (settings.test or 0.0) + 0.5).astype(int))
    calibrated = np.diff(np.floor(ends * (settings.calibration or 0.0) + 0.5).astype(int))
    codes = np.zeros(rows, np.int8)
    for start, end, test, calibration in zip(ends, ends[1:], tested, calibrated, strict=False):
        codes[order[start : start + test]] = NAMES.index("test")
        codes[order[start + test : min(start + test + calibration, end)]] = NAMES.index("calibration")
    return codes


def _by_time(column: pa.ChunkedArray, settings: SplitSettings) -> Codes:
    """Rows from each cut point on; a row without a time is refused."""
    name = settings.column or "the timestamp"
    if column.null_count:
        raise InputRefused(
            f"{how_many(column.null_count, 'row has', 'rows have')} no time to be split by",
            where=name,
            fix="refuse missing values there",
        )
    codes = np.zeros(len(column), np.int8)
    for cut, split in ((settings.calibration_from, "calibration"), (settings.test_from, "test")):
        if cut is not None:
            later = pc.greater_equal(column, _cut_point(cut, column.type))
            codes[later.to_numpy()] = code_of(split)
    return codes


def _cut_point(cut: str | float, kind: pa.DataType) -> pa.Scalar:
    """A declared cut point in the column's type; a time without an offset is taken in UTC where the column is."""
    if not pa.types.is_timestamp(kind):
        return pa.scalar(float(cut))
    time = datetime.fromisoformat(str(cut))
    if (time.tzinfo is None) != (kind.tz is None):
        time = time.replace(tzinfo=UTC) if kind.tz else time.astimezone(UTC).replace(tzinfo=None)
    return pa.scalar(time, kind)


def _by_value(column: pa.ChunkedArray, values: Mapping[SplitName, Sequence[str]]) -> Codes:
    labels = [label for listed in values.values() for label in listed]
    of_label = [code_of(split) for split, listed in values.items() for _ in listed]
    texts = column.cast(pa.string())
    found = pc.index_in(texts, pa.array(labels, pa.string()))
    if found.null_count:
        stray = pc.unique(texts.filter(found.is_null())).to_pylist()[:5]
        raise InputRefused(
            f"{how_many(found.null_count, 'row has', 'rows have')} a value that no split lists: "
            f"{', '.join(map(shown, stray))}",
            where="split",
            fix="add it to a list under `values`",
        )
    return np.array(of_label, np.int8)[found.to_numpy()]


def _refuse_empty(codes: Codes, settings: SplitSettings) -> None:
    number = counts(codes)
    wanted: list[SplitName] = ["train", "test"] if settings.by != "file" else []
    if settings.calibration or settings.calibration_from is not None:
        wanted.append("calibration")
    wanted += [split for split in settings.values or {} if split not in wanted]
    empty = next((split for split in wanted if split not in number), None)
    if empty is not None:
        shares = ", ".join(f"{split} {rows:,}" for split, rows in number.items()) or "no rows at all"
        raise InputRefused(
            f"no row falls into {empty} ({shares})", where=f"split by {settings.by}", fix="change the split's settings"
        )
