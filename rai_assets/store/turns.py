"""Whose turn it is: one run at a time writes the results of a data branch, and a run whose process died is known.

Both rest on locks of the operating system, which frees them with the process that holds them. After a crash, a power
cut or a jump of the clock there is nothing to clean up and nothing to wait for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from rai_assets.errors import RaiError
from rai_assets.store.faults import faults

Report = Callable[[str], None]

_marks: dict[Path, FileLock] = {}  # of the runs that this process works on


@contextmanager
def turn(home: Path, use_case: str, branch: str, run_id: str, *, wait: float, report: Report) -> Iterator[None]:
    """Hold the turn at one data branch; a further step of the run that has it goes through.

    Args:
        home: The state folder.
        use_case: Its name.
        branch: The data branch.
        run_id: Who asks.
        wait: Seconds to wait for the run that has the turn.
        report: Told whom we wait for.

    Raises:
        RaiError: Another run has it still, or the folder cannot be written.
    """
    path = _folder(home) / f"{use_case}.{branch}.lock"
    lock = FileLock(path)
    with faults(path):
        holder = None if _taken(lock, 0) else path.read_text("ascii", "replace")
    if holder == run_id:
        yield
        return
    if holder is not None:
        other = f"another run of {use_case} on branch {branch!r} is under way ({holder[:8] or 'about to begin'})"
        if wait:
            report(f"{other}; waiting until it ends")
        with faults(path):
            taken = wait > 0 and _taken(lock, wait)
        if not taken:
            raise RaiError(
                other,
                fix="wait until it ends, then run this again; the results will be reused where nothing changed",
            )
    try:
        with faults(path):
            path.write_text(run_id, "ascii")
        yield
    finally:
        with suppress(OSError):
            path.write_text("")
        lock.release()


def at_work(home: Path, use_case: str, branch: str) -> bool:
    """Whether a run has the turn at a data branch now.

    Raises:
        RaiError: The folder cannot be written.
    """
    path = _folder(home) / f"{use_case}.{branch}.lock"
    with faults(path):
        if not path.exists():
            return False
        lock = FileLock(path)
        free = _taken(lock, 0)
        lock.release()
        return not free


def mark_alive(home: Path, run_id: str) -> None:
    """Let others see that this process works on a run, until it ends or says `mark_ended`.

    Raises:
        RaiError: The folder cannot be written.
    """
    path = _mark(home, run_id)
    if path in _marks:
        return
    fresh = path.with_suffix(f".{os.getpid()}")
    with faults(path):
        lock = FileLock(fresh)
        lock.acquire()
        # Seen only once it is locked: nobody takes a run that is about to begin for a dead one.
        fresh.replace(path)
    _marks[path] = lock


def mark_ended(home: Path, run_id: str) -> None:
    """This process is done with the run."""
    path = _mark(home, run_id)
    lock = _marks.pop(path, None)
    if lock is not None:
        with suppress(OSError):
            path.unlink()
        lock.release()


def dead_runs(home: Path) -> Iterator[str]:
    """Ids of runs whose process ended without a word; one that the caller is done with is not told again."""
    for path in sorted(_folder(home).glob("run-*.alive")):
        lock = FileLock(path)
        try:
            free = _taken(lock, 0)
        except OSError:
            continue  # of another user, or gone: not ours to judge
        if free:
            try:
                yield path.stem.removeprefix("run-")
                path.unlink(missing_ok=True)
            finally:
                lock.release()


def _folder(home: Path) -> Path:
    folder = home / "locks"
    with faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _mark(home: Path, run_id: str) -> Path:
    return _folder(home) / f"run-{run_id}.alive"


def _taken(lock: FileLock, wait: float) -> bool:
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        return False
    return True
