"""Rows as the helpers take them, made safe for a specification: finite numbers, visible and distinct names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from rai_assets.charts.text import cut

Row = Mapping[str, Any]
NAME_LIMIT = 120


def number(value: Any) -> float | None:
    """A finite float, or None for what is missing, NaN or infinite."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


class Names:
    """Cuts long names and keeps apart what the cut made equal."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._taken: set[str] = set()

    def __call__(self, name: object) -> str:
        """The name as it is shown: the same for the same name, different for different ones."""
        key = str(name)
        if key not in self._shown:
            base = shown = cut(key, NAME_LIMIT) or "(empty)"
            repeat = 2
            while shown in self._taken:
                shown = f"{base} ({repeat})"
                repeat += 1
            self._taken.add(shown)
            self._shown[key] = shown
        return self._shown[key]


def largest(rows: Iterable[Row], limit: int) -> tuple[list[Row], int]:
    """At most `limit` rows in their order: those with the most rows `n`, else the first; and how many there were."""
    every = list(rows)
    if len(every) <= limit:
        return every, len(every)
    order = sorted(range(len(every)), key=lambda index: (-(every[index].get("n") or 0), index))
    return [every[index] for index in sorted(order[:limit])], len(every)
