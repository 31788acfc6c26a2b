"""How long work in this room says where it stands."""

from __future__ import annotations

from collections.abc import Callable

Tell = Callable[[str, int, int], None]
"""Called with (what, done, total); total 0 means unknown."""


def silent(what: str, done: int, total: int) -> None:
    """A `Tell` that says nothing."""
