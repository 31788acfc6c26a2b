"""Progress of long work: where it stands, how fast it goes, when it will be done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Report = Callable[[str], None]
"""Shows one line of progress to whoever waits."""

_INTERVAL_SECONDS = 2.0
_listeners: ContextVar[tuple[Report, ...]] = ContextVar("progress_listeners", default=())


class Progress:
    """Called with (what, done, total); says so at most every two seconds.

    Args:
        report: Where a line goes; lines also go to those who listen (`listening`).
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._what = ""
        self._began = self._said = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Tell that `done` of `total` units (rows, draws, bytes) of `what` are through; total 0 means unknown."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._began, self._said = what, now, now
        if now - self._said < _INTERVAL_SECONDS:
            return
        self._said = now
        rate = done / max(now - self._began, 1e-9)
        left = f", {(total - done) / rate:,.0f} s left" if total and rate else ""
        fast = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
        line = f"{what}: {done:,}{f' of {total:,}' if total else ''} ({fast}/s{left})"
        self._report(line)
        announce(line)

    def of(self, part: str) -> Progress:
        """The progress of a part of the work: a clock of its own, and the name of the part before its lines."""
        return Progress(lambda line: self._report(f"{part}: {line}"))


def printable(text: str) -> str:
    """A text of anybody's as one line for a terminal: what would move the cursor is replaced."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def announce(line: str) -> None:
    """Show a line to everybody who listens."""
    for listener in _listeners.get():
        listener(line)


@contextmanager
def listening(report: Report) -> Iterator[None]:
    """Send every line of progress in this block to `report`, too."""
    token = _listeners.set((*_listeners.get(), report))
    try:
        yield
    finally:
        _listeners.reset(token)
