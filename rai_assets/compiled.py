"""`@compiled`: functions that numba compiles, their code kept where it can be written, and a word when it is new."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numba
from numba.core import event

from rai_assets.home import home
from rai_assets.progress import announce


def _code_is_kept() -> bool:
    """Beside the source where the package can be written to, else in the state folder; False where neither can."""
    if os.access(Path(__file__).parent, os.W_OK) or "NUMBA_CACHE_DIR" in os.environ:
        return True
    folder = home() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    numba.config.reload_config()  # somebody may have imported numba before
    return os.access(folder, os.W_OK)


class _Teller(event.Listener):
    """Tells once that the machine compiles, which takes seconds; code that was kept is loaded without this event."""

    _told = False

    def on_start(self, event: event.Event) -> None:
        """The compiler begins with a function, ours or somebody else's."""
        if not self._told and event.data["dispatcher"].py_func.__module__.startswith("rai_assets."):
            self._told = True
            announce("compiling functions, once after an installation ...")

    def on_end(self, event: event.Event) -> None:
        """The compiler is done with a function."""


event.register("numba:compile", _Teller())

compiled: Any = partial(numba.njit, cache=_code_is_kept())
"""Decorator of a kernel, bare or with further options of `numba.njit`."""
