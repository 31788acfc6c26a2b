"""P-value of the rows whose value the reference does not have, exact where the table is small enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rai_assets.monitoring.drift.calibration import PValue, permuted
from rai_assets.monitoring.drift.statistics import Measure, unseen

Counts = NDArray[np.int64]

_NEGLECTED = 1e-9  # probability of what is left out of the exact p-value, and added to it
_WORK = 2e7  # multiplications of an exact p-value, about 20 ms; beyond, rows are redrawn


def p_value(reference: Counts, current: Counts, rng: np.random.Generator, draws: int) -> PValue:
    """Probability of more current rows of unseen values, plus half of that of as many, if rows were split at random.

    A handful of rows makes few possible values, so that an exact p-value would alarm far more rarely than its level,
    and a drawn one lie on either side of it. Hence the exact mid-p (Lancaster 1961, JASA 56:223): over samples it holds
    the level, though not on every table.

    Args:
        reference: Counts of the reference, shape (k,).
        current: Counts of the current rows, shape (k,).
        rng: Draws, where the table is too large for the exact value.
        draws: At most so many.
    """
    new = int(current[reference == 0].sum())
    if not new:
        return PValue(1.0, "exact")
    rare = _can_be_unseen(reference + current, int(current.sum()))
    among = int((reference + current)[rare].sum())
    if among * among * new <= _WORK:
        more, as_many = _exact(reference + current, rare, int(current.sum()), new)
        return PValue(min(more + as_many / 2, 1.0), "exact, mid-p")
    sides = [np.append(side[rare], side[~rare].sum()) for side in (reference, current)]
    return permuted(sides[0], sides[1], {"unseen": Measure(unseen)}, rng, draws)["unseen"]


def _can_be_unseen(pooled: Counts, n: int) -> NDArray[np.bool_]:
    """The values all of whose rows may be among the n current ones; those left out are so with next to no probability.

    Args:
        pooled: Counts of all rows, shape (k,).
        n: Current rows.
    """
    from scipy.special import gammaln

    total, possible = int(pooled.sum()), pooled <= n
    few = np.where(possible, pooled, 0)
    log = gammaln(n + 1) - gammaln(n - few + 1) - gammaln(total + 1) + gammaln(total - few + 1)
    return possible & (log > np.log(_NEGLECTED / len(pooled)))


def _exact(pooled: Counts, rare: NDArray[np.bool_], n: int, new: int) -> tuple[float, float]:
    """P(more than `new` rows are of values with none in the reference), with the bound of what is neglected; P(`new`).

    Every row is taken to be a current one with probability n / N, by itself, and the sum is conditioned on n of them.
    """
    from scipy.stats import binom

    counts, total = pooled[rare], int(pooled.sum())
    share, width, more = n / total, int(counts.sum()) + 1, new + 1
    # By rows of unseen values so far, the last row of the table for all above, and by current rows so far.
    found = np.zeros((more + 1, width))
    found[0, 0] = 1.0
    of_value = {rows: binom.pmf(np.arange(rows + 1), rows, share) for rows in set(counts.tolist())}
    for rows in counts.tolist():
        among = of_value[rows]
        # A row of the table ends in as many zeros as values yet to come have rows, so none spills over into the next.
        after = np.convolve(found.ravel(), [*among[:-1], 0.0])[: found.size].reshape(found.shape)
        whole = np.zeros_like(found)
        whole[:, rows:] = among[-1] * found[:, : width - rows]
        kept = max(more - rows, 0)
        after[rows:more] += whole[:kept]
        after[more] += whole[kept:].sum(0)
        found = after
    others = binom.pmf(n - np.arange(width), total - width + 1, share)
    beyond, exactly = found[[more, new]] @ others / binom.pmf(n, total, share)
    return float(beyond + _NEGLECTED), float(exactly)
