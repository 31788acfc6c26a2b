"""How often a window without a change looks like one with a change: chance is told from change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rai_assets.metrics.intervals import normal_quantile


def chance_of(
    alarmed: int, batches: int, rate: float, p_values: Sequence[float] = (), blocks: int | None = None
) -> float:
    """How often a window without a change raises as many alarms, or one with as small a p-value.

    Twice the smaller of the tail of the number of alarms and the least adjusted p-value times the number of batches
    (Bonferroni over both questions). The tail is binomial; where all batches were compared with the same few blocks of
    one reference it is beta-binomial, since the share of batches beyond the k-th largest of b blocks is Beta(k,
    b + 1 - k) over references (Wilks 1941, Ann. Math. Stat. 12:91). An alarm needs the p-value of the rows as well: the
    tail is a bound then, never too small, and reached only where rows resemble each other so much that blocks decide.

    Args:
        alarmed: Batches with an alarm.
        batches: Batches that were asked.
        rate: Share of unchanged batches with an alarm.
        p_values: Adjusted p-values of the alarms, each over its batch.
        blocks: Blocks of the reference that every batch was compared with; None where p-values are from no blocks.

    Returns:
        Probability in [0, 1].
    """
    from scipy.stats import betabinom, binom

    tail = float(binom.sf(alarmed - 1, batches, rate))
    if blocks is not None:
        beyond = max(int(rate * (blocks + 1)), 1)
        tail = float(betabinom.sf(alarmed - 1, batches, beyond, blocks + 1 - beyond))
    least = min((p_value * batches for p_value in p_values), default=1.0)
    return min(1.0, 2 * min(tail, least)) if p_values else min(1.0, tail)


def beyond_by_chance(number: Mapping[str, Any], limit: float) -> float | None:
    """How often a value so far beyond a limit comes by chance, by the normal approximation of its interval.

    Args:
        number: `value`, `low`, `high` and their `level`.
        limit: The value that is exceeded, on either side.

    Returns:
        One-sided p-value; None where there is no interval.
    """
    value, level = number.get("value"), number.get("level")
    near = None if value is None else number.get("low" if value > limit else "high")
    if value is None or level is None or near is None or near == value:
        return None
    deviations = abs(value - limit) / abs(value - near) * normal_quantile(level)
    return math.erfc(deviations / math.sqrt(2)) / 2
