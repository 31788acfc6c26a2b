"""Which batch a row belongs to: hours and days of UTC, by the row's own time or by its file's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from rai_assets.data.contract import Contract
from rai_assets.data.conversion import Conversion
from rai_assets.data.readers import read_batches
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import InputRefused
from rai_assets.monitoring.batches.settings import BatchSettings

_FORMATS = {"hourly": "%Y-%m-%dt%H", "daily": "%Y-%m-%d"}
_LENGTHS = {"hourly": timedelta(hours=1), "daily": timedelta(days=1)}
_GROUP_ROWS = 8_192  # of a sliced file; of each only the groups are read that have rows of a batch


def slot_key(rule: BatchSettings, time: datetime) -> str:
    """The hour or day of an instant: `2026-01-05t13` or `2026-01-05`, UTC."""
    return time.astimezone(UTC).strftime(_FORMATS[rule.rule])


def slot_of(rule: BatchSettings, key: str) -> tuple[datetime, datetime] | None:
    """Begin and end of the hour or day that a key names; None for any other key."""
    try:
        start = datetime.strptime(key, _FORMATS[rule.rule]).replace(tzinfo=UTC)
    except (KeyError, ValueError):
        return None
    return start, start + _LENGTHS[rule.rule]


def in_utc(times: pa.Array, zone: str | None) -> pa.Array:
    """Times as instants, timestamp[us, UTC]; null where they name none.

    Args:
        times: With an offset, or without.
        zone: What times without an offset mean; they name no instant without it. Of an hour that comes twice when
            clocks are put back, the first is meant; one that clocks leave out names no instant.
    """
    if times.type.tz is not None:
        return times.cast(pa.timestamp("us", tz="UTC"))
    if zone is None:
        return pa.nulls(len(times), pa.timestamp("us", tz="UTC"))
    local = times.cast(pa.timestamp("us"))
    instants = pc.assume_timezone(local, zone, ambiguous="earliest", nonexistent="earliest")
    real = pc.equal(pc.local_timestamp(instants), local)
    return pc.if_else(real, instants.cast(pa.timestamp("us", tz="UTC")), pa.scalar(None, pa.timestamp("us", tz="UTC")))


def slice_file(
    base: Path, settings: DatasetSettings, timestamp: str, rule: BatchSettings, undated: str, destination: Path
) -> dict[str, int]:
    """Write the rows of a file with the batch of each, so that the rows of one batch can be cut out.

    Args:
        base: The folder of the file.
        settings: How the one file is read.
        timestamp: The column with the rows' times.
        rule: What one batch is.
        undated: The batch of rows whose time names no instant.
        destination: The Parquet file to make: the columns as they stand, and last the batch.

    Returns:
        {batch: rows}.

    Raises:
        InputRefused: The file cannot be read, or has no rows or no such column.
    """
    only = settings.model_copy(update={"columns": {timestamp: settings.columns[timestamp]}})
    conversion = Conversion(only, Contract.of(only))
    counts: dict[str, int] = {}
    writer: parquet.ParquetWriter | None = None
    with ExitStack() as stack:
        for batch in read_batches(settings, base):
            raw = batch.part.columns
            if timestamp not in raw.schema.names:
                raise InputRefused(
                    f"the file has no column {timestamp!r}, by which its rows are batched",
                    fix="write the file with that column; or, in the declaration, `batch: {by: arrival time}`",
                )
            instants = in_utc(conversion.convert(batch).data.column(0), rule.time_zone)
            keys = pc.strftime(instants.cast(pa.timestamp("us")), format=_FORMATS[rule.rule]).fill_null(undated)
            for item in pc.value_counts(keys).to_pylist():
                counts[item["values"]] = counts.get(item["values"], 0) + item["counts"]
            arrays = [_plain(column) for column in raw.columns]
            names = [*raw.schema.names, _free_name(raw.schema.names)]
            table = pa.Table.from_arrays([*arrays, keys], names=names)
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(destination, table.schema, compression="zstd"))
            writer.write_table(table.cast(writer.schema), row_group_size=_GROUP_ROWS)
    if not counts:
        raise InputRefused("the file has no rows", fix="write it again, with rows")
    return counts


def cut(sliced: Path, key: str, destination: Path) -> None:
    """Write the rows of one batch out of a sliced file, in their order."""
    with parquet.ParquetFile(sliced, pre_buffer=False) as file:
        at = len(file.schema_arrow) - 1
        schema = file.schema_arrow.remove(at)
        with parquet.ParquetWriter(destination, schema, compression="zstd") as writer:
            for group in _groups(file.metadata, at, key):
                table = file.read_row_group(group, use_threads=False)
                found = table.filter(pc.equal(table.column(at), key)).remove_column(at)
                if found.num_rows:
                    writer.write_table(found)


def _groups(metadata: parquet.FileMetaData, column: int, key: str) -> Iterator[int]:
    """The row groups that may have rows of a batch."""
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(column).statistics
        if statistics is None or not statistics.has_min_max or statistics.min <= key <= statistics.max:
            yield group


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _free_name(taken: list[str]) -> str:
    name = "batch"
    while name in taken:
        name += "_"
    return name
