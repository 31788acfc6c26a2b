"""Rows with groups, made or drawn, and the gaps between them by name."""

from __future__ import annotations

import numpy as np

from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Grouping, Rows
from rai_assets.metrics.table import measure


def grouping(codes: np.ndarray, column: str = "sex") -> Grouping:
    return Grouping((column,), codes.astype(np.int32), tuple({column: str(c)} for c in range(int(codes.max()) + 1)))


def gaps_of(rows: Rows, codes: np.ndarray, reference: dict | None = None, **options: object) -> dict[str, Number]:
    """The gaps without a group, by name."""
    numbers = measure(rows, grouping(codes), reference, **options)  # type: ignore[arg-type]
    return {number.definition.partition("@")[0]: number for number in numbers if not number.group}


def draw(n_groups: int, seed: int, weighted: bool) -> tuple[Rows, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, n_groups, 600)
    target = (rng.random(600) < 0.2 + 0.1 * codes).astype(np.int8)
    decision = np.where(rng.random(600) < 0.3, 1 - target, target).astype(np.int8)
    weight = rng.exponential(size=600) if weighted else None
    return Rows("binary", ("no", "yes"), target, decision, weight=weight), codes


def decisions(*tables: tuple[int, int, int, int]) -> tuple[Rows, np.ndarray]:
    """Rows from one (tn, fp, fn, tp) per group."""
    cells = np.concatenate([np.repeat([0, 1, 2, 3], table) for table in tables])
    codes = np.repeat(np.arange(len(tables)), [sum(table) for table in tables])
    return Rows("binary", ("no", "yes"), (cells // 2).astype(np.int8), (cells % 2).astype(np.int8)), codes
