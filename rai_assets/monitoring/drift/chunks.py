"""One side of a comparison, counted column by column in chunks: of rows, of days, of months, or all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.charts.text import how_many
from rai_assets.errors import InputRefused
from rai_assets.monitoring.drift.columns import EMPTY, Kind, Sample, Tally, Vocabulary
from rai_assets.monitoring.drift.normal import as_times, epoch, normal_column
from rai_assets.monitoring.drift.settings import Chunks, Method
from rai_assets.monitoring.drift.sources import Source

ALL = "all"
_UNITS = {"daily": "D", "monthly": "M"}


@dataclass(frozen=True)
class Chunk:
    """Some rows of one side.

    Attributes:
        label: `all`; `0:4999`, the first and the last row counted from 0; `2024-05-31`; or `2024-05`.
        rows: Rows.
        samples: {column: its values}.
    """

    label: str
    rows: int
    samples: Mapping[str, Sample]


@dataclass(frozen=True)
class Before:
    """The reference, counted; batches of one size that are compared with it share it.

    Attributes:
        chunks: Its rows.
        parts: {(column, method, apart): what is told of every chunk beside all rows, or `apart`: beside the others}.
    """

    chunks: Sequence[Chunk]
    parts: dict[tuple[str, Method, bool], NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How the rows of both sides are read.

    Attributes:
        kinds: {column: what it holds on both sides}.
        vocabularies: {column of texts: its distinct texts}, filled while reading.
        timestamp: The column whose order the rows are taken in, or None.
    """

    kinds: Mapping[str, Kind]
    vocabularies: Mapping[str, Vocabulary]
    timestamp: str | None = None

    def read(self, source: Source, chunks: Chunks | None, tell: Callable[[int], None] = lambda _: None) -> list[Chunk]:
        """Count the rows of one side, chunk by chunk in order; without rows there is no chunk."""
        tallies: dict[object, _Counted] = {}
        for key, batch in self._cut(source, chunks):
            if key not in tallies:
                tallies[key] = _Counted(self)
            tallies[key].add(batch)
            tell(batch.num_rows)
        labels = _labels(list(tallies), tallies, chunks)
        return [tallies[key].finished(label) for key, label in labels.items()]

    def _cut(self, source: Source, chunks: Chunks | None) -> Iterator[tuple[object, pa.RecordBatch]]:
        batches = source.batches
        if chunks is None:
            yield from ((ALL, batch) for batch in batches)
        elif isinstance(chunks, int):
            done = 0
            for batch in self._in_order(batches, source):
                while batch.num_rows:
                    head = batch.slice(0, chunks - done % chunks)
                    yield done // chunks, head
                    done += head.num_rows
                    batch = batch.slice(head.num_rows)
        else:
            for batch in batches:
                yield from self._by_period(batch, source, chunks)

    def _in_order(self, batches: Iterable[pa.RecordBatch], source: Source) -> Iterator[pa.RecordBatch]:
        if self.timestamp is None:
            return iter(batches)
        read = list(batches)
        if not read:
            return iter(())
        table = pa.Table.from_batches(_of_one_schema(read))
        times = np.concatenate([self._times(batch, source) for batch in read])
        return iter(table.take(pa.array(np.argsort(times, kind="stable"))).to_batches())

    def _by_period(self, batch: pa.RecordBatch, source: Source, unit: str) -> Iterator[tuple[object, pa.RecordBatch]]:
        times = self._times(batch, source).astype("datetime64[us]").astype(f"datetime64[{_UNITS[unit]}]")
        periods = times.astype(np.int64)
        for period in np.unique(periods):
            yield period, batch.filter(pa.array(periods == period))

    def _times(self, batch: pa.RecordBatch, source: Source) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        if self.timestamp not in batch.schema.names:
            raise InputRefused(
                f"there is no column {self.timestamp!r}",
                where=source.name,
                fix=f"name the column that says when; there are {', '.join(batch.schema.names[:20])}",
            )
        try:
            times = as_times(batch.column(self.timestamp))
        except InputRefused as error:
            raise InputRefused(error.what, where=f"{source.name}, column {self.timestamp!r}", fix=error.fix) from error
        if times.null_count:
            raise InputRefused(
                f"{how_many(times.null_count, 'row has', 'rows have')} no time",
                where=f"{source.name}, column {self.timestamp!r}",
                fix="leave these rows out, or compare without --timestamp",
            )
        return epoch(times)


class _Counted:
    """The columns of one chunk, being counted."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tallies = {name: Tally(plan.vocabularies.get(name)) for name in plan.kinds}
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        for name, tally in self._tallies.items():
            column = batch.column(name)
            kind = self._plan.kinds[name]
            if kind == "category" and not pa.types.is_dictionary(column.type):
                column = normal_column(column, kind)
            elif kind == "time" and pa.types.is_timestamp(column.type):
                column = column.cast(pa.int64())
            tally.add(column)

    def finished(self, label: str) -> Chunk:
        return Chunk(label, self.rows, {name: tally.finished() for name, tally in self._tallies.items()})


def _labels(keys: list[object], tallies: Mapping[object, _Counted], chunks: Chunks | None) -> dict[object, str]:
    if chunks is None:
        return dict.fromkeys(keys, ALL)
    if isinstance(chunks, int):
        rows = [tallies[key].rows for key in keys]
        starts = np.concatenate([[0], np.cumsum(rows)])
        return {key: f"{starts[at]}:{starts[at + 1] - 1}" for at, key in enumerate(keys)}
    unit = _UNITS[chunks]
    return {key: str(np.datetime64(int(key), unit)) for key in sorted(keys)}  # type: ignore[call-overload, type-var]


def total(chunks: Sequence[Chunk], column: str) -> Sample:
    """One column over all chunks."""
    samples = [chunk.samples[column] for chunk in chunks]
    if len(samples) == 1:
        return samples[0]
    values = np.concatenate([EMPTY.values, *(sample.values for sample in samples)])
    counts = np.concatenate([EMPTY.counts, *(sample.counts for sample in samples)])
    distinct, at = np.unique(values, return_inverse=True)
    summed = np.bincount(at, counts, len(distinct)).astype(np.int64)
    missing = sum(sample.missing for sample in samples)
    return Sample(distinct, summed, missing, max((sample.error for sample in samples), default=0.0))


def _of_one_schema(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Dictionaries with the same type of codes, so that the batches make one table."""
    return [
        pa.RecordBatch.from_arrays(
            [
                column.cast(pa.dictionary(pa.int32(), pa.string())) if pa.types.is_dictionary(column.type) else column
                for column in batch.columns
            ],
            names=batch.schema.names,
        )
        for batch in batches
    ]
