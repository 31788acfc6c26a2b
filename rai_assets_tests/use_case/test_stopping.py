"""Ctrl-C is never lost, wherever it falls."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from rai_assets.use_case.stopping import noticed_ctrl_c, stoppable


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
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        came = noticed_ctrl_c()
        assert not came.is_set()
        with pytest.raises(AttributeError):
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1)
            except KeyboardInterrupt:
                raise AttributeError("partially initialized module") from None
        assert came.is_set()
    finally:
        signal.signal(signal.SIGINT, before)


def test_where_ctrl_c_is_ignored_it_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        noticed_ctrl_c()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
