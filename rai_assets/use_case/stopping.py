"""Ctrl-C: noticed by a command, and never lost while Dagster runs steps."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_STOP = {signal.SIGINT, signal.SIGTERM}
_LOOK_AGAIN = 0.02  # seconds


def noticed_ctrl_c() -> threading.Event:
    """What is set once there was a Ctrl-C, also where its KeyboardInterrupt was caught and became something else.

    One that comes while a module is imported waits until it is: numpy and pandas print a trace and raise errors of
    their own when they are interrupted then. A second one does not wait.
    """
    came = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        again = came.is_set() and number == signal.SIGINT
        came.set()
        if _importing(frame) and not again:
            signal.setitimer(signal.ITIMER_REAL, _LOOK_AGAIN)
        else:
            signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, or somebody else's
        signal.signal(signal.SIGALRM, interrupt)
        signal.signal(signal.SIGINT, interrupt)
    return came


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """In this block no Ctrl-C is lost; the function that is given raises KeyboardInterrupt once there was one.

    Dagster puts handlers of its own in place while it runs steps, and forgets a signal that comes while it writes its
    events; Python drops one that comes while it clears away an object, and prints a trace. No handler stands between a
    signal and the system's note of it on a pipe.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None  # signals go to the main thread, whose block it is then
        return
    came, note = os.pipe()
    os.set_blocking(came, False)
    os.set_blocking(note, False)
    before = signal.set_wakeup_fd(note, warn_on_full_buffer=False)
    stopped = False
    report = sys.unraisablehook

    def untold(fault: sys.UnraisableHookArgs) -> None:
        if issubclass(fault.exc_type, Exception):  # else it is what a signal raises, and that is on the pipe
            report(fault)

    def check() -> None:
        nonlocal stopped
        with suppress(BlockingIOError):
            stopped = stopped or not _STOP.isdisjoint(os.read(came, 4096))
        if stopped:
            raise KeyboardInterrupt

    sys.unraisablehook = untold
    try:
        yield check
    finally:
        sys.unraisablehook = report
        signal.set_wakeup_fd(before)
        os.close(came)
        os.close(note)
