"""Whether every row has its own key, in memory that does not grow with the rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_BUCKET_ROWS = 1 << 20  # keys compared at a time


@dataclass
class KeyFile:
    """One 64-bit number per row, in a temporary file: the key itself where it is one integer, else its hash.

    Two different keys share a hash with a chance of rows² / 2^65: 3e-8 for a million rows.
    """

    _file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    _rows: int = 0

    def add(self, columns: list[pa.Array]) -> None:
        """Add the keys of some rows, one array per column of the key. A row with a missing part has no double."""
        self._file.write(_numbers(columns, self._rows).tobytes())
        self._rows += len(columns[0])

    def repeated(self) -> Iterator[tuple[int, int]]:
        """Rows whose key an earlier row has, and that row; counted from 0 over all that was added.

        The rows come in no order.
        """
        if not self._rows:
            return
        self._file.flush()
        numbers = np.memmap(self._file, np.uint64, mode="r", shape=(self._rows,))
        buckets = -(-self._rows // _BUCKET_ROWS)
        for bucket in range(buckets):
            rows = _rows_of_bucket(numbers, bucket, buckets)
            # Stable, so that among equal keys the earlier row comes first.
            rows = rows[np.argsort(numbers[rows], kind="stable")]
            ordered = numbers[rows]
            again = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
            first = np.searchsorted(ordered, ordered[again], side="left")
            yield from zip(rows[again].tolist(), rows[first].tolist(), strict=True)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


def _rows_of_bucket(numbers: NDArray[np.uint64], bucket: int, buckets: int) -> NDArray[np.int64]:
    if buckets == 1:
        return np.arange(len(numbers))
    found = []
    for start in range(0, len(numbers), _BUCKET_ROWS):
        part = numbers[start : start + _BUCKET_ROWS]
        # The low bits of small integers are spread as well as those of hashes.
        found.append(np.flatnonzero(part % np.uint64(buckets) == bucket) + start)
    return np.concatenate(found)


def _numbers(columns: list[pa.Array], first_row: int) -> NDArray[np.uint64]:
    if len(columns) == 1 and pa.types.is_integer(columns[0].type) and not columns[0].null_count:
        return columns[0].to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
    texts = [column.cast(pa.string()).to_pylist() for column in columns]
    keys = zip(*texts, strict=True)
    hashes = [hash(key) if None not in key else hash((at, "no key")) for at, key in enumerate(keys, first_row)]
    return np.array(hashes, np.int64).view(np.uint64)
