"""The gaps that the field knows by name: Fairlearn's over all groups, AI Fairness 360's of two sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rai_assets.metrics.counts import Cells
from rai_assets.metrics.estimates import Estimates, too_small
from rai_assets.metrics.gaps import (
    Comparison,
    Gap,
    difference_gap,
    no_ratio,
    pair_difference,
    pair_ratio,
    ratio_gap,
)
from rai_assets.metrics.number import Number
from rai_assets.metrics.rates import rate_estimates

ODDS = ("true_positive_rate", "false_positive_rate")
Combine = Callable[[Sequence[float]], float]


def named_gaps(cells: Cells, comparison: Comparison, reference: Mapping[str, str] | None = None) -> list[Number]:
    """Every named gap that the cells allow.

    Args:
        cells: Count tables of the groups.
        comparison: The groups and how they are compared.
        reference: The privileged group. The gaps of two sides (every other row against this group) need it, except
            where there are two groups and the gap is the same either way round.

    Raises:
        UsageError: There is no such group.
    """
    numbers = []
    if cells.has_decision:
        selection = rate_estimates(cells, "selection_rate")
        numbers += [
            comparison.difference(selection, "demographic_parity_difference"),
            comparison.ratio(selection, "demographic_parity_ratio"),
            comparison.ratio(selection, "four_fifths"),
        ]
    if cells.has_decision and cells.has_target:
        opportunity = rate_estimates(cells, "true_positive_rate")
        numbers += [
            comparison.difference(opportunity, "equal_opportunity_difference"),
            comparison.ratio(opportunity, "equal_opportunity_ratio"),
            _odds(cells, comparison, "equalized_odds_difference", difference_gap, max),
            _odds(cells, comparison, "equalized_odds_ratio", ratio_gap, min),
            _odds(cells, comparison, "equalized_odds_difference_mean", difference_gap, _mean),
        ]
    if cells.has_decision and (reference is not None or len(cells.counts) == 2):
        numbers += _two_sided(cells, comparison, reference)
    return numbers


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _odds(
    cells: Cells, comparison: Comparison, name: str, gap_of: Callable[[Estimates, float], Gap], combine: Combine
) -> Number:
    """A gap of both odds: each part's interval at level 1 - alpha / 2, so that both hold at once."""
    parts: list[Estimates] = []
    left_out: dict[int, list[str]] = {}
    for metric in ODDS:
        kept, out = comparison.kept(rate_estimates(cells, metric))
        why = comparison.too_few(kept, out) or (gap_of is ratio_gap and no_ratio(kept))
        if why:
            return comparison.undefined(name, f"{metric.replace('_', ' ')}: {why}")
        parts.append(kept)
        for code, reasons in out.items():
            left_out.setdefault(code, []).extend(reasons)
    level = 1 - (1 - comparison.level) / 2
    gaps = [gap_of(part, level) for part in parts]
    whole = Gap(*(combine([getattr(gap, item) for gap in gaps]) for item in ("value", "low", "high")))
    return comparison.number(name, whole, parts, left_out)


def _two_sided(cells: Cells, comparison: Comparison, reference: Mapping[str, str] | None) -> list[Number]:
    """The gaps of every other row (side 0) against the reference group (side 1).

    Without a reference, only those of two groups that do not depend on which is which.
    """
    base = 1 if reference is None else comparison.code_of(reference)
    sides = cells.merged(np.arange(len(cells.counts)) == base, 2)
    shown = None if reference is None else dict(comparison.grouping.groups[base])
    signed = ["statistical_parity_difference", "disparate_impact"] if reference is not None else []
    odds = ["average_absolute_odds_difference", "equalized_odds_sum"]
    if reference is not None:
        odds.append("average_odds_difference")
    names = signed + (odds if cells.has_target else [])
    fewest = int(sides.rows.min())
    if fewest < comparison.minimum_size:
        why = f"one side has {too_small(fewest, comparison.minimum_size)}"
        return [comparison.undefined(name, why, reference=shown) for name in names]
    return [_side_gap(sides, comparison, name, shown) for name in names]


def _side_gap(sides: Cells, comparison: Comparison, name: str, shown: Mapping[str, str] | None) -> Number:
    metrics = ["selection_rate"] if name in ("statistical_parity_difference", "disparate_impact") else [*ODDS]
    parts = [rate_estimates(sides, metric) for metric in metrics]
    for part in parts:
        for side in (0, 1):
            if why := part.withheld(side, comparison.minimum_size):
                return comparison.undefined(name, f"one side has {why}", reference=shown)
    if name == "disparate_impact" and parts[0].value[1] <= 0:
        return comparison.undefined(name, "the selection rate of the reference group is 0", reference=shown)
    return comparison.number(name, _SIDE_GAPS[name](parts, comparison.level), parts, reference=shown)


def _signed_difference(parts: Sequence[Estimates], level: float) -> Gap:
    """Mean over the parts of (side 0 - side 1): MOVER of the independent rates."""
    centre, below, above = 0.0, 0.0, 0.0
    for part in parts:
        low, high = part.bounds(level)
        value = part.value
        centre += (value[0] - value[1]) / len(parts)
        below += (value[0] - low[0]) ** 2 + (high[1] - value[1]) ** 2
        above += (high[0] - value[0]) ** 2 + (value[1] - low[1]) ** 2
    return Gap(centre, centre - below**0.5 / len(parts), centre + above**0.5 / len(parts))


def _absolute_sum(parts: Sequence[Estimates], level: float) -> Gap:
    """Sum over the parts of |side 0 - side 1|, each part's interval at level 1 - alpha / parts."""
    value, low, high = 0.0, 0.0, 0.0
    for part in parts:
        gap = pair_difference(part, *part.bounds(1 - (1 - level) / len(parts)))
        value += abs(gap.value)
        low += max(0.0, gap.low, -gap.high)
        high += max(gap.high, -gap.low)
    return Gap(value, low, high)


def _absolute_mean(parts: Sequence[Estimates], level: float) -> Gap:
    total = _absolute_sum(parts, level)
    return Gap(total.value / len(parts), total.low / len(parts), total.high / len(parts))


def _impact(parts: Sequence[Estimates], level: float) -> Gap:
    return pair_ratio(parts[0], *parts[0].bounds(level))


_SIDE_GAPS: dict[str, Callable[[Sequence[Estimates], float], Gap]] = {
    "statistical_parity_difference": _signed_difference,
    "disparate_impact": _impact,
    "average_odds_difference": _signed_difference,
    "average_absolute_odds_difference": _absolute_mean,
    # |dTNR| = |dFPR|
    "equalized_odds_sum": _absolute_sum,
}
