"""The SQLite file of a ledger: read at once, written by whole transactions, with faults in the user's words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from rai_assets.errors import RaiError

_PATIENCE_SECONDS = 30.0  # for another process to end its transaction


class Ledger:
    """A ledger in one file. Processes may share it; threads open one each.

    Args:
        path: The SQLite file; made if it is not there.
        tables: What makes its tables where they are not there, in SQL.

    Raises:
        RaiError: It cannot be read or written.
    """

    def __init__(self, path: Path, tables: str) -> None:
        self._path = path
        with self._faults():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)
            self._connection.executescript(tables)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _all(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """The rows of a query."""
        with self._faults():
            return self._connection.execute(query, values).fetchall()

    def _run(self, query: str, values: tuple[Any, ...]) -> None:
        """A change, within `_writing`."""
        self._connection.execute(query, values)

    @contextmanager
    def together(self) -> Iterator[None]:
        """One transaction for all that is written inside: all of it, or nothing. Nobody else writes meanwhile."""
        with self._writing():
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, or a part of the one that is open."""
        if self._connection.in_transaction:
            yield
            return
        with self._faults():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as fault:
            raise RaiError(
                f"the ledger of arrivals cannot be used: {fault}",
                where=str(self._path),
                fix="free some disk and make the folder writable; a damaged ledger can be removed, it is made again "
                "from the store",
            ) from fault
