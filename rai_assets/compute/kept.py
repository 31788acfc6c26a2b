"""What was made once and is asked for again: results of pure functions of something that does not change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

Made = TypeVar("Made")


class Kept:
    """The newest few of the things that were made, by what they are.

    Nothing is ever stale: a key names all that the thing depends on.

    Args:
        most: How many are kept; the one that was asked for longest ago goes first.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._there: OrderedDict[Hashable, object] = OrderedDict()

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """The thing with this key, made if it is not kept; a thing that could not be made is not kept."""
        if key in self._there:
            self._there.move_to_end(key)
        else:
            made = make()
            self._there[key] = made
            while len(self._there) > self._most:
                self._there.popitem(last=False)
            return made
        return cast(Made, self._there[key])
