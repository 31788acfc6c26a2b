"""The profile of a batch, and that of a window made of those of its batches."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from rai_assets.compute.pool import Pool
from rai_assets.data.column_statistics import ColumnStatistics
from rai_assets.data.contract import Contract
from rai_assets.errors import UsageError
from rai_assets.keys import batch_folder
from rai_assets.metrics.number import Number
from rai_assets.monitoring.batches.scoring import batch_of
from rai_assets.monitoring.profiles.settings import ProfileSettings
from rai_assets.monitoring.profiles.statistics import Cell, TableTally, as_table
from rai_assets.monitoring.profiles.whylogs_file import FILE, merged_profiles, whylogs_profile
from rai_assets.store import results
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets.store.results import Result
from rai_assets.store.stage import Stage

CHUNK_ROWS = 1 << 18  # a matter of the numbers, not of the pool: means are summed chunk by chunk
_STATISTICS, _STATE = "columns", "state"


@dataclass(frozen=True)
class Profile:
    """What some rows hold.

    Attributes:
        tally: Our counts of every column.
        whylogs: The file that whylogs reads; None where there is none.
    """

    tally: TableTally
    whylogs: bytes | None


def profile(
    chunks: Iterable[pa.RecordBatch], contract: Contract, settings: ProfileSettings, pool: Pool, time: str
) -> Profile:
    """The profile of rows in chunks, in memory that does not grow with them.

    Args:
        chunks: With all columns of the contract; how they are cut decides the last digits of means.
        contract: The contract of the data.
        settings: What is made.
        pool: Where the chunks are counted; the numbers are the same on all.
        time: What whylogs' profile is dated with, ISO with an offset.

    Raises:
        UsageError: A declared grouping is not there or has too many groups.
    """
    whole, content = TableTally.empty(contract), None
    for tally, part in pool.map(partial(_chunk, contract=contract, settings=settings, time=time), chunks):
        whole.merge(tally)
        content = part if content is None or part is None else merged_profiles([content, part])
    return Profile(whole, content)


def _chunk(
    rows: pa.RecordBatch, contract: Contract, settings: ProfileSettings, time: str
) -> tuple[TableTally, bytes | None]:
    content = whylogs_profile(rows, contract, time) if settings.whylogs and rows.num_rows else None
    return TableTally.of(rows, contract, settings.by), content


def profile_batch(stage: Stage, settings: ProfileSettings) -> Result:
    """The result of `data_profile`."""
    batch = batch_of(stage)
    contract, rows = batch.contract, batch.record.rows

    def chunks() -> Iterator[pa.RecordBatch]:
        done = 0
        for chunk in batch.batches(contract.names, CHUNK_ROWS):
            yield chunk
            done += chunk.num_rows
            stage.progress("profiling rows", done, rows)

    asked = settings.model_copy(update={"by": [name for name in settings.by if name in contract]})
    gone = [name for name in settings.by if name not in asked.by]
    notes = [f"Not by the groups of {', '.join(gone)}: the batch has no such column."] if gone else []
    try:
        found = profile(chunks(), contract, asked, stage.pool(), batch.record.time)
    except UsageError as error:
        notes.append(f"Not by groups: {error.what}; {error.fix}.")
        asked = asked.model_copy(update={"by": []})
        found = profile(chunks(), contract, asked, stage.pool(), batch.record.time)
    provenance = stage.provenance()
    statistics = found.tally.statistics()
    if left_out := ", ".join(contract.identifiers):
        notes.append(f"Of the identifiers no value is kept, and whylogs' profile is without them: {left_out}.")
    return Result(
        asset="data_profile",
        provenance=provenance,
        numbers=[number.pinned(provenance) for number in _numbers(rows, statistics)],
        tables={_STATISTICS: as_table(statistics), _STATE: found.tally.state()},
        files={} if found.whylogs is None else {FILE: found.whylogs},
        notes=notes,
        facts={"rows": rows, "contract": contract.as_json(), "by": asked.by},
    )


def window_profile(
    repository: VersionedRepository, commit: str, batches: Sequence[str]
) -> tuple[Profile, tuple[str, ...]]:
    """The profile of several batches together, made of their stored profiles; no row is read.

    Args:
        repository: Of the use case.
        commit: A commit of `results-production`.
        batches: Keys of the batches, in the order of the window.

    Returns:
        The profile, with whylogs' part only if every batch has one; and the batches that have no profile.
    """
    whole = TableTally()
    absent: list[str] = []
    without_whylogs: list[str] = []

    def files() -> Iterator[bytes]:
        for key in batches:
            read = partial(results.load, repository, commit, "data_profile", folder=batch_folder(key))
            try:
                found = read(parts=(_STATE,) if without_whylogs else (_STATE, FILE))
            except NotFound:
                absent.append(key)
                continue
            whole.merge(TableTally.restored(found.tables[_STATE], Contract.from_json(found.facts["contract"])))
            if FILE in found.files:
                yield found.files[FILE]
            else:
                without_whylogs.append(key)

    # whylogs makes a class for every number that it reads. The collector is to look for these alone, and so often that
    # they do not pile up, however much else is held.
    gc.freeze()
    try:
        merged = merged_profiles(files())
    finally:
        gc.unfreeze()
    return Profile(whole, None if without_whylogs else merged), tuple(absent)


def _numbers(rows: int, statistics: Sequence[tuple[Cell, ColumnStatistics]]) -> Iterator[Number]:
    yield Number("count@1", float(rows), n=rows, unit="count")
    for cell, found in statistics:
        group = {cell.by: cell.group} if cell.by else {}
        yield Number(
            "missing_count@1",
            float(found.missing),
            n=found.count,
            group=group,
            coordinates={"column": cell.column},
            unit="count",
        )
