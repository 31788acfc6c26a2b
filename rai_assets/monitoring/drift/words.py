"""Texts compared by their words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rai_assets.monitoring.drift.calibration import PValue, sequential
from rai_assets.monitoring.drift.columns import Sample
from rai_assets.monitoring.drift.statistics import jensen_shannon

_WORD = re.compile(r"\w+")
_KEPT = 1000  # most frequent words of the pooled rows; the others are one
_GROUPS = 1000  # a side's rows are redrawn in so many groups at most


def tokens(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return _WORD.findall(text.casefold())


def counted(texts: Sequence[str], side: Sample) -> Counter[str]:
    """How often each word occurs in the rows of one side."""
    found: Counter[str] = Counter()
    for code, rows in zip(side.values, side.counts.tolist(), strict=True):
        for word in tokens(texts[int(code)]):
            found[word] += rows
    return found


def distance(texts: Sequence[str], reference: Sample, current: Sample) -> float:
    """Jensen-Shannon distance between the shares of all words."""
    sides = [counted(texts, side) for side in (reference, current)]
    if not all(side.total() for side in sides):
        return 0.0
    vocabulary = list(sides[0] | sides[1])
    counts = np.array([[side[word] for word in vocabulary] for side in sides], np.int64)
    return float(jensen_shannon(counts[0], counts[1]))


def p_value(texts: Sequence[str], reference: Sample, current: Sample, rng: np.random.Generator, draws: int) -> PValue:
    """P-value of the distance by permutation of rows, because the words of one row belong together.

    Rows are redrawn in groups of one size, made at random within each side: if rows are exchangeable, so are groups.
    """
    pooled = counted(texts, reference) + counted(texts, current)
    kept = {word: at for at, (word, _) in enumerate(pooled.most_common(_KEPT))}
    size = min(-(-max(reference.n, current.n) // _GROUPS), reference.n, current.n)
    sides = [_groups(texts, side, kept, size, rng) for side in (reference, current)]
    groups = np.concatenate(sides)
    everything, taken = groups.sum(0), len(sides[1])
    observed = float(_between(everything - sides[1].sum(0), sides[1].sum(0)))

    def redraw(rows: int, _waiting: object) -> dict[str, NDArray[np.float64]]:
        chosen = np.argsort(rng.random((rows, len(groups))), axis=1)[:, :taken]
        mask = np.zeros((rows, len(groups)))
        np.put_along_axis(mask, chosen, 1.0, axis=1)
        drawn = mask @ groups
        return {"distance": _between(everything - drawn, drawn)}

    return sequential({"distance": observed}, redraw, draws)["distance"]


def _between(reference: NDArray[np.float64], current: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(jensen_shannon(reference, current))  # type: ignore[arg-type]


def _groups(
    texts: Sequence[str], side: Sample, kept: dict[str, int], size: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Words of groups of `size` rows each, at most 1,000, shape (groups, words); other rows are left out."""
    rows = rng.permutation(np.repeat(side.values.astype(np.int64), side.counts))
    groups = min(len(rows) // size, _GROUPS)
    found = np.zeros((groups, len(kept) + 1))
    for at, code in enumerate(rows[: groups * size]):
        for word in tokens(texts[int(code)]):
            found[at // size, kept.get(word, len(kept))] += 1
    return found
