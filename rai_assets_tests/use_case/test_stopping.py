"""Ctrl-C is never lost, wherever it falls."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rai_assets.use_case.stopping import noticed_ctrl_c, stoppable


@contextmanager
def default_handlers() -> Iterator[None]:
    """Signals as a command finds them when it starts."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


class Dropped:
    """An object in whose clearing away a Ctrl-C falls."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass


def test_one_that_python_drops_stops_at_the_next_line_and_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.unraisablehook
    with stoppable() as stop_if_asked:
        stop_if_asked()
        held = Dropped()
        del held
        with pytest.raises(KeyboardInterrupt):
            stop_if_asked()
    assert capsys.readouterr().err == ""
    assert sys.unraisablehook is before


class Broken:
    """An object whose clearing away fails for another reason."""

    def __del__(self) -> None:
        raise ValueError("not a Ctrl-C")


def test_other_faults_are_told_as_ever() -> None:
    told = []
    before, sys.unraisablehook = sys.unraisablehook, lambda fault: told.append(str(fault.exc_value))
    try:
        with stoppable():
            held = Broken()
            del held
    finally:
        sys.unraisablehook = before
    assert told == ["not a Ctrl-C"]


def test_one_that_becomes_another_error_is_noticed() -> None:
    with default_handlers():
        came = noticed_ctrl_c()
        assert not came.is_set()
        with pytest.raises(AttributeError):
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1)
            except KeyboardInterrupt:
                raise AttributeError("partially initialized module") from None
        assert came.is_set()


def test_one_during_an_import_waits_until_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_module.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(0.1)\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with default_handlers(), pytest.raises(KeyboardInterrupt):
        noticed_ctrl_c()
        importlib.import_module("slow_module")
        time.sleep(5)
    assert sys.modules.pop("slow_module").whole


def test_a_second_one_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = "os.kill(os.getpid(), signal.SIGINT)\n" * 2
    (tmp_path / "endless_module.py").write_text(f"import os, signal\n{twice}while True:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with default_handlers(), pytest.raises(KeyboardInterrupt):
        noticed_ctrl_c()
        importlib.import_module("endless_module")
    assert "endless_module" not in sys.modules


def test_where_ctrl_c_is_ignored_it_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        noticed_ctrl_c()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
