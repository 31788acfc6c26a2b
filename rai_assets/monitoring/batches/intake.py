"""Taking files out of an inbox: which are ready, what batches they belong to; their bytes, until they are judged."""

from __future__ import annotations

import re
import shutil
import time
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from rai_assets.errors import RaiError
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.entries import Taken
from rai_assets.monitoring.batches.named import Beside, Naming
from rai_assets.monitoring.batches.sources import Copied, Found, Inbox
from rai_assets.provenance import digest_of

_SLICED = ".sliced"
_NOT_SLUG = re.compile(r"[^a-z0-9_]+")
_LONGEST = 80  # characters of a slug
_YOUNG_SECONDS = 3600.0
_TAKING_SECONDS = 20.0  # in one look; Dagster ends a tick after a minute

T = TypeVar("T")


@dataclass(frozen=True)
class Looked:
    """What came of one look into an inbox.

    Attributes:
        taken: Files whose bytes were taken, with what each was.
        waiting: Files that are not ready yet.
        problems: Files that could not be read, and why.
    """

    taken: dict[str, str]
    waiting: int
    problems: tuple[str, ...]


def look(
    inbox: Inbox,
    arrivals: Arrivals,
    spool: Spool,
    assign: Callable[[Found, str], Iterable[str]],
    *,
    settle: float,
    limit: int,
    together: int = 1,
    naming: Naming | None = None,
    now: Callable[[], float] = time.time,
) -> Looked:
    """Look into an inbox, and take what is ready.

    Args:
        inbox: Where data arrive.
        arrivals: The ledger.
        spool: Where the bytes are kept.
        assign: The batches that the rows of a file belong to, once its bytes with this digest are kept.
        settle: Seconds for which a file has kept its size and stamp before it is taken.
        limit: Most files that are taken; those that the rows of a table name come with it.
        together: Files that the ledger notes by one transaction, within which `assign` is asked; more than one where
            that takes no time, and rows name no files.
        naming: How rows name files, where they do.
        now: The clock, seconds since 1970.

    Raises:
        RaiError: The inbox or the ledger cannot be reached.
    """
    began = now()
    known = arrivals.known()
    until = began + _TAKING_SECONDS
    beside = None if naming is None else Beside(naming, lambda found: _kept(inbox, spool, found), arrivals, until, now)
    fresh: list[Found] = []
    ready: list[Found] = []
    moving: set[str] = set()
    waiting = 0
    for found in inbox.look():
        size, stamp, since, state = known.get(found.path, (-1, "", began, ""))
        if (size, stamp) != (found.size, found.stamp):
            fresh.append(found)
            since, state = began, "waiting"
        if state == "waiting" and beside is not None and not beside.naming.is_table(found.path):
            beside.waits(found, settled=inbox.whole or began - since >= beside.naming.settle)
        elif state == "waiting":
            moving.add(found.path)
            if inbox.whole or began - since >= settle:
                ready.append(found)
            else:
                waiting += 1
    if fresh:
        arrivals.saw(fresh, began)
    taken: dict[str, str] = {}
    problems: list[str] = []
    files = iter(sorted(ready, key=lambda item: (item.modified, item.path)))
    while len(taken) < limit and now() <= until:
        group = list(islice(files, min(together, limit - len(taken))))
        if not group:
            break
        copies = list(_copies(inbox, spool, group, problems, lambda: now() <= until))
        # A process that dies before the end of the transaction has taken none of them: the next look does.
        with arrivals.together() if len(copies) > 1 else nullcontext():
            for copied in copies:
                asked = _tried(lambda: _asked(assign, beside, copied), problems)  # noqa: B023
                if asked is not None:
                    taken[copied.found.path] = arrivals.take(copied.found, copied.sha256, asked[0], now(), asked[1])
    waiting += len(ready) - len(taken)
    if beside is not None:
        # Of tables that are taken, what they name may have come or changed since.
        for table, names in arrivals.named_anew().items():
            try:
                waiting += table not in moving and not beside.take(names)
            except RaiError as fault:
                problems.append(str(fault))
                waiting += 1
        taken |= beside.taken
    return Looked(taken, waiting, tuple(problems))


def _copies(
    inbox: Inbox, spool: Spool, group: Sequence[Found], problems: list[str], in_time: Callable[[], bool]
) -> Iterator[Copied]:
    """The files of a group whose bytes are kept now; at least one is tried."""
    for number, found in enumerate(group):
        if number and not in_time():
            return
        copied = _tried(lambda: _kept(inbox, spool, found), problems)  # noqa: B023
        if copied is not None:
            yield copied


def _tried(work: Callable[[], T], problems: list[str]) -> T | None:
    """What came of work on one file; None, and a problem more, where it could not be done."""
    try:
        return work()
    except RaiError as fault:
        problems.append(str(fault))
        return None


def _asked(
    assign: Callable[[Found, str], Iterable[str]], beside: Beside | None, copied: Copied
) -> tuple[list[str], Mapping[str, Collection[str]]] | None:
    """The batches of a file and the files that their rows name; None while those are not all there."""
    keys = list(assign(copied.found, copied.sha256))
    if beside is None:
        return keys, {}
    named = beside.named(copied.found.path, copied.sha256, keys)
    return (keys, named) if beside.take(name for names in named.values() for name in names) else None


def _kept(inbox: Inbox, spool: Spool, found: Found) -> Copied | None:
    """Keep the bytes of a file; None if it is being written: the next look sees it as it is then."""
    fresh = spool.fresh()
    try:
        copied = inbox.copy(found.path, fresh)
        if copied is None or (copied.found.size, copied.found.stamp) != (found.size, found.stamp):
            return None
        spool.keep(fresh, copied.sha256)
        return copied
    finally:
        fresh.unlink(missing_ok=True)


class Spool:
    """The bytes of files that were taken, by their digest, until their batches are accepted.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fresh(self) -> Path:
        """A file to write."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f".{uuid4().hex}"

    def keep(self, fresh: Path, sha256: str) -> Path:
        """Give a written file its name; returns where it is."""
        return fresh.replace(self._folder / sha256)

    def find(self, sha256: str) -> Path | None:
        """The bytes with this digest, if they are here."""
        path = self._folder / sha256
        return path if path.is_file() else None

    def sliced(self, sha256: str) -> Path:
        """Where the rows of these bytes are, with the batch of each, once they were sliced."""
        return self._folder / f"{sha256}{_SLICED}"

    def sweep(self, in_use: Iterable[str], now: float) -> None:
        """Remove what no batch waits for any more, and what dead processes left; nothing younger than an hour."""
        kept = set(in_use)
        for path in self._folder.glob("*"):
            with suppress(FileNotFoundError):
                if path.name.removesuffix(_SLICED) not in kept and path.stat().st_mtime < now - _YOUNG_SECONDS:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def bring(inbox: Inbox, spool: Spool, source: Taken) -> Path:
    """The bytes of a file as they were taken; from the inbox again where they are kept no longer.

    Raises:
        RaiError: The inbox holds other bytes now, or none.
    """
    kept = spool.find(source.sha256)
    if kept is not None:
        return kept
    fresh = spool.fresh()
    try:
        copied = inbox.copy(source.path, fresh)
        if copied is None or copied.sha256 != source.sha256:
            raise RaiError(
                "the file is not in the inbox any more as it was when it was taken",
                where=f"{inbox.where}: {source.path}",
                fix="put it there again, under the same name, and with it every other file of its batch: their bytes "
                "are kept until the batch is accepted",
            )
        return spool.keep(fresh, source.sha256)
    finally:
        fresh.unlink(missing_ok=True)


def file_key(path: str, arrivals: Arrivals) -> str:
    """The batch of a file: its name as a slug, with a short digest of its path where another file has that slug."""
    known = arrivals.keys_of(path)
    if known:
        return known[0]
    plain = slug(path)
    return plain if plain and arrivals.owner(plain) is None else f"{plain or 'batch'}-{digest_of(path)[:8]}"


def slug(path: str) -> str:
    """A file's name in the grammar of batch keys, `[a-z0-9][a-z0-9_-]*`; empty where nothing of it fits."""
    name = path.rpartition("/")[2].removesuffix(".gz")
    stem = name.rpartition(".")[0] or name
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return _NOT_SLUG.sub("-", plain).strip("-_")[:_LONGEST].strip("-_")
