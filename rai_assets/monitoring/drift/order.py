"""P-values of rows that have an order: the reference's own contiguous blocks show how much blocks differ anyway.

All batches are compared with the same few blocks, and these may happen to be more alike than new ones. So a change has
to show in both ways: beyond the blocks, and beyond what rows that are taken as interchangeable differ by chance. If
either null holds, so does the larger of the two p-values. That of rows hardly depends on which reference it is: with 20
times the rows of a chunk, 19 of 20 references let at most 6.5 % of unchanged chunks reach 5 % in one column.
"""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from rai_assets.monitoring.drift.calibration import PValue
from rai_assets.monitoring.drift.settings import DriftSettings

LEAST_BLOCKS = 20
MOST_BLOCKS = 40
"""Blocks that whole rows are compared with at most."""


def least_blocks(level: float) -> int:
    """Fewest blocks by which it can be told, at a level, that a chunk is unlike them.

    The least p-value of b blocks is 1 / (b + 1); under 20 blocks little is known of how much they differ.
    """
    return max(LEAST_BLOCKS, math.ceil(1 / level - 1e-9) - 1)


def by_blocks(asked: DriftSettings, reference: int, current: int) -> bool:
    """Whether rows in an order are compared in blocks, by what is declared and how many rows there are."""
    if asked.null == "auto":
        return current > 0 and min(reference // current, MOST_BLOCKS) >= least_blocks(asked.level)
    return asked.null == "blocks"


def block_p(observed: float, blocks: NDArray[np.float64]) -> PValue:
    """The rank of a chunk's statistic among those of the reference's blocks, shape (b,).

    Each block was compared with the rest of the reference.
    """
    reached = int((blocks >= observed * (1 - 1e-9)).sum())
    return PValue((reached + 1) / (len(blocks) + 1), f"{len(blocks)} blocks of the reference")


def larger(by_blocks: PValue, by_rows: PValue) -> PValue:
    """The p-value of a chunk that has to differ in both ways."""
    return PValue(max(by_blocks.value, by_rows.value), f"larger of {by_blocks.null} and {by_rows.null}")


def unlucky_rate(blocks: int, level: float) -> float:
    """Share of unchanged chunks that one reference in twenty lets be beyond its blocks at least; on average the level.

    All chunks are compared with the same blocks, whose k-th largest leaves Beta(k, blocks + 1 - k) of them beyond it.
    """
    from scipy.stats import beta

    beyond = max(int(level * (blocks + 1)), 1)
    return float(beta.ppf(0.95, beyond, blocks + 1 - beyond))


def blocks_of(null: str) -> int | None:
    """How many blocks a p-value is from, by its null; None where it is from no blocks."""
    found = re.search(r"(\d+) blocks of the reference", null)
    return int(found[1]) if found else None


def contiguous(rows: int, size: int, most: int) -> list[slice]:
    """At most so many blocks of `size` rows that do not overlap, spread evenly over `rows`."""
    blocks = min(rows // size, most)
    starts = np.linspace(0, rows - size, blocks).astype(int)
    return [slice(start, start + size) for start in starts.tolist()]


def max_t(
    observed: NDArray[np.float64], blocks: NDArray[np.float64], chi_squared: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """P-values adjusted for several tests of one chunk, by Westfall and Young's step-down maxima (1993).

    A few blocks can tell a family of tests, where Holm's factors would need hundreds: an alarm is a chunk whose most
    surprising statistic is beyond those of the blocks. Chunk and blocks are put on one scale together, so that none of
    them is special if nothing has changed, whatever the scale.

    Args:
        observed: Statistics of the chunk, shape (t,).
        blocks: Those of the blocks, shape (b, t).
        chi_squared: For the chunk and then the blocks, the chi-squared values that are as surprising where rows are
            interchangeable, and their degrees of freedom, shape (b + 1, t, 2); NaN for tests without one.
    """
    every = np.vstack([observed, blocks])
    spread = every.std(0)
    scale = np.divide(every - every.mean(0), spread, out=np.zeros_like(every), where=spread > 0)
    if chi_squared is not None:
        known = ~np.isnan(chi_squared[0, :, 0])
        scale[:, known] = _deviates(chi_squared[:, known, 0], chi_squared[:, known, 1])
    order = np.argsort(-scale[0], kind="stable")
    adjusted = np.ones(len(observed))
    reached = 0.0
    for at, test in enumerate(order):
        rest = scale[1:, order[at:]].max(1)
        p_value = (1 + (rest >= scale[0, test] - 1e-9).sum()) / (len(blocks) + 1)
        reached = max(reached, p_value)
        adjusted[test] = reached
    return adjusted


def _deviates(values: NDArray[np.float64], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chi-squared values of chunk and blocks, shape (b + 1, t), as normal deviates, so that they compare across tests.

    Standardized only, the far tail of a chi-squared of few values would be the bar for every other test. Where blocks
    differ more than interchangeable rows do, values are divided by how much their median exceeds that of chi-squared
    (genomic control: Devlin and Roeder 1999, Biometrics 55:997), its 95 % point for so few values; the cube root of the
    rest is nearly normal (Wilson and Hilferty 1931, PNAS 17:684).
    """
    from scipy.special import betaincinv, chdtri

    half = (len(values) + 1) / 2
    inflation = np.maximum(np.median(values / chdtri(degrees, 1 - betaincinv(half, half, 0.95)), axis=0), 1.0)
    variance = 2 / (9 * degrees)
    return np.asarray((np.cbrt(values / inflation / degrees) - (1 - variance)) / np.sqrt(variance))
