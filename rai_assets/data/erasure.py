"""A person's rows in stored tables: finding them, and the same data without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rai_assets.data.dataset import TABLE, read_sources
from rai_assets.data.ingest import Ingested, publish_staged
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.staging import Staged, stage_table
from rai_assets.errors import UsageError
from rai_assets.store.protocol import VersionedRepository

if TYPE_CHECKING:
    import pyarrow as pa


def is_of(batch: pa.RecordBatch, columns: Sequence[str], value: str) -> pa.BooleanArray:
    """Which rows are a person's: an identifier, as text, is this value; shape (n,)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pa.array([False] * batch.num_rows)
    for name in columns:
        if name in batch.schema.names:
            column = batch.column(name)
            if pa.types.is_dictionary(column.type):
                column = column.dictionary_decode()
            found = pc.or_(found, pc.fill_null(pc.equal(pc.cast(column, pa.string()), value), False))
    return found


def count_rows(stream: BinaryIO, columns: Sequence[str], value: str) -> int:
    """How many rows of a Parquet file are a person's; reads the identifiers only."""
    from pyarrow import parquet

    with parquet.ParquetFile(stream, pre_buffer=False) as file:
        known = [name for name in columns if name in file.schema_arrow.names]
        if not known:
            return 0
        batches = file.iter_batches(columns=known, use_threads=False)
        return sum(is_of(batch, known, value).true_count for batch in batches)


def write_without(
    source: Path, target: Path, columns: Sequence[str], value: str, parts: Sequence[int]
) -> tuple[int, ...]:
    """Write a Parquet file without a person's rows.

    Args:
        source: The file.
        target: The file to make.
        columns: Names of the identifiers.
        value: Of the person.
        parts: How many rows came from each source, in order.

    Returns:
        How many rows are left of each source.
    """
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    from rai_assets.data.table_file import TableWriter

    kept: list[Any] = []
    with parquet.ParquetFile(source, pre_buffer=False) as file, TableWriter(target, file.schema_arrow) as writer:
        for batch in file.iter_batches(use_threads=False):
            stays = ~np.asarray(is_of(batch, columns, value))
            kept.append(stays)
            writer.write(batch.filter(pa.array(stays)))
    rows = np.concatenate(kept) if kept else np.zeros(0, bool)
    return tuple(int(part.sum()) for part in np.split(rows, np.cumsum(parts)[:-1]))


def erase_rows(
    settings: DatasetSettings, repository: VersionedRepository, branch: str, value: str, *, run_id: str, words: Any
) -> Ingested:
    """Publish the data of a data branch without a person's rows, if they keep their contract without them.

    Args:
        settings: The declaration, for its contract.
        repository: The use case's repository.
        branch: The data branch.
        value: Of the person.
        run_id: Names the branch `run-<run_id>`.
        words: Kept with the commits.

    Raises:
        InputRefused: Nothing is left.
        UsageError: The rows name files, which are not erased.
    """
    if settings.media is not None:
        raise UsageError(
            "files that rows name are not erased", fix="bring the data without them: `rai ingest`, with the rows left"
        )
    start = repository.resolve(branch)
    sources = read_sources(repository, start).files
    with repository.scratch() as folder:
        stored, table = folder / "stored.parquet", folder / TABLE
        table.parent.mkdir()
        repository.download(start, TABLE, stored)
        left = write_without(stored, table, settings.with_role("identifier"), value, [item.rows for item in sources])
        staged: Staged = stage_table(settings, folder, lambda *_: None)
        known = tuple(replace(item, rows=rows) for item, rows in zip(sources, left, strict=True))
        if known:
            staged = replace(staged, sources=known)
        return publish_staged(staged, repository, branch, start, run_id, words)
