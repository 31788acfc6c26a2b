"""Files that the rows of tables name - pictures, recordings: they lie in the inbox with these, and are taken with them.

A name is a path inside the inbox. Only what a look into the inbox found is ever opened, so that no name leads out.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rai_assets.data.media.examine import Facts, examine
from rai_assets.data.media.rows import FilesOfRows, NotThere
from rai_assets.data.settings import Format
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.entries import Taken, Taking
from rai_assets.monitoring.batches.sources import Copied, Found, is_data
from rai_assets.store.errors import InvalidPath
from rai_assets.store.names import check_path

_TABLES: dict[Format, tuple[str, ...]] = {
    "csv": (".csv", ".tsv"),
    "parquet": (".parquet", ".pq"),
    "jsonl": (".jsonl", ".ndjson"),
    "excel": (".xlsx",),
}

_LONGEST = 4096  # characters of a path


def is_table(path: str, declared: Format | None) -> bool:
    """Whether a file of an inbox with media holds rows: its extension is one of the declared format, or of any."""
    endings = _TABLES[declared] if declared else tuple(item for some in _TABLES.values() for item in some)
    return path.lower().removesuffix(".gz").endswith(endings)


@dataclass(frozen=True)
class Naming:
    """How the tables of an inbox name files.

    Attributes:
        is_table: Whether a file holds rows; others are files that rows name.
        names: {batch: the files that its rows name} of a table whose bytes are kept, by its path, their digest and its
            batches.
        settle: Seconds for which a named file has kept its size and stamp before it is taken.
    """

    is_table: Callable[[str], bool]
    names: Callable[[str, str, Sequence[str]], Mapping[str, Collection[str]]]
    settle: float


class Beside:
    """What one look into an inbox finds beside the tables.

    Args:
        naming: How tables name it.
        copy: Keeps the bytes of a file; None if it changed meanwhile.
        arrivals: The ledger.
        until: When no more files are copied in this look, seconds since 1970.
        now: The clock.
    """

    def __init__(
        self,
        naming: Naming,
        copy: Callable[[Found], Copied | None],
        arrivals: Arrivals,
        until: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.naming = naming
        self.taken: dict[str, Taking] = {}
        self._copy, self._arrivals, self._until, self._now = copy, arrivals, until, now
        self._waiting: dict[str, Found] = {}
        self._unsettled: set[str] = set()

    def named(self, table: str, sha256: str, keys: Sequence[str]) -> dict[str, list[str]]:
        """{batch: what its rows name that a file may have as its name} of a table whose bytes are kept."""
        found = self.naming.names(table, sha256, keys)
        return {key: [name for name in names if self._may_be(name)] for key, names in found.items()}

    def waits(self, found: Found, *, settled: bool) -> None:
        """A file is there that was not taken as it is."""
        self._waiting[found.path] = found
        if not settled:
            self._unsettled.add(found.path)

    def take(self, names: Iterable[str]) -> bool:
        """Take those files of a table that wait, if all of them are settled; what is not there is not waited for.

        Returns:
            Whether all that are there are taken now.

        Raises:
            RaiError: One cannot be read, or the ledger cannot be written.
        """
        wanted = {name: self._waiting[name] for name in names if name in self._waiting}
        if not self._unsettled.isdisjoint(wanted):
            return False
        copied: list[tuple[Found, str]] = []
        for found in wanted.values():
            kept = None if self._now() > self._until else self._copy(found)
            if kept is None:
                break
            copied.append((kept.found, kept.sha256))
        # What was copied is told also where the rest has to wait: it is not copied again.
        self.taken |= self._arrivals.take_named(copied, self._now()) if copied else {}
        for found, _ in copied:
            del self._waiting[found.path]
        return len(copied) == len(wanted)

    def _may_be(self, name: str) -> bool:
        return len(name) <= _LONGEST and is_data(name) and not self.naming.is_table(name)


class TakenFiles(FilesOfRows):
    """The files that the rows of a batch name, as they were taken. A context manager.

    Args:
        sources: Those that were there.
        bring: Gives the bytes of one.
        scratch: A folder to look at one at a time in.
        prefix: Where they are stored.
    """

    tables_have_facts = False
    where = "the inbox"

    def __init__(self, sources: Iterable[Taken], bring: Callable[[Taken], Path], scratch: Path, prefix: str) -> None:
        super().__init__()
        self.kept: dict[str, tuple[Path, str]] = {}
        """{path: its bytes and its media type} of those that rows named."""
        self._sources = {source.path: source for source in sources if source.named_by}
        self._bring, self._scratch, self._prefix = bring, scratch, prefix

    def facts(self, path: str, row: int) -> Facts:
        """What is known of a row's file, found out by reading it once.

        Raises:
            NotThere: It was not in the inbox, or an earlier row named it.
            RaiError: Its bytes cannot be brought.
        """
        if path not in self._sources:
            if not is_data(path):
                raise NotThere("is not taken: names that begin with '.' or '_' or end with .part or .tmp are no data")
            raise NotThere("is not in the inbox, or is a link or a table there")
        self._claim(path, row)
        try:
            check_path(self._prefix + path)
        except InvalidPath as error:
            raise NotThere(f"cannot be stored: {error.what.rpartition(': ')[2]}") from error
        kept = self._bring(self._sources[path])
        # Under a name of its kind, which has to agree with what it holds.
        place = self._scratch / f"named{PurePosixPath(path).suffix}"
        lay_out(kept, place)
        try:
            found = examine(place)
        finally:
            place.unlink()
        self.kept[path] = kept, found.type
        return found

    def without_row(self) -> list[str]:
        """None: what rows do not name is not taken."""
        return []


def lay_out(kept: Path, place: Path) -> None:
    """Bytes under the name that the file had, which says how it is written and stands in every message."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.hardlink_to(kept)
    except OSError:  # another file system
        shutil.copyfile(kept, place)
