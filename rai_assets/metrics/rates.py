"""Rates of a binary decision, read from count tables: each formula once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rai_assets.errors import UsageError
from rai_assets.metrics.counts import FALSE_NEGATIVE as FN
from rai_assets.metrics.counts import FALSE_POSITIVE as FP
from rai_assets.metrics.counts import TRUE_NEGATIVE as TN
from rai_assets.metrics.counts import TRUE_POSITIVE as TP
from rai_assets.metrics.counts import Cells
from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.intervals import Bounds, Floats, normal_quantile, proportion_interval

ALL = (TN, FP, FN, TP)


def _same(share: Floats) -> Floats:
    return share


def _dice(share: Floats) -> Floats:
    """F1 from the Jaccard share q = TP / (TP + FP + FN): 2q / (1 + q), increasing."""
    return 2 * share / (1 + share)


@dataclass(frozen=True)
class Rate:
    """A proportion: some columns of the count table over some more.

    Attributes:
        numerator: Columns of the numerator.
        denominator: Columns of the denominator.
        undefined: What is missing where the denominator is empty.
        needs_target: Cannot be read without a target.
        needs_decision: Cannot be read without a decision.
        transform: Increasing function from the proportion to the rate.
    """

    numerator: tuple[int, ...]
    denominator: tuple[int, ...]
    undefined: str
    needs_target: bool = True
    needs_decision: bool = True
    transform: Callable[[Floats], Floats] = _same


NO_POSITIVE, NO_NEGATIVE = "no row with a positive target", "no row with a negative target"
NO_SELECTED, NO_REJECTED = "no row with a positive decision", "no row with a negative decision"

RATES: dict[str, Rate] = {
    "base_rate": Rate((FN, TP), ALL, "no row", needs_decision=False),
    "selection_rate": Rate((FP, TP), ALL, "no row", needs_target=False),
    "accuracy": Rate((TN, TP), ALL, "no row"),
    "true_positive_rate": Rate((TP,), (FN, TP), NO_POSITIVE),
    "false_positive_rate": Rate((FP,), (TN, FP), NO_NEGATIVE),
    "true_negative_rate": Rate((TN,), (TN, FP), NO_NEGATIVE),
    "false_negative_rate": Rate((FN,), (FN, TP), NO_POSITIVE),
    "precision": Rate((TP,), (FP, TP), NO_SELECTED),
    "negative_predictive_value": Rate((TN,), (TN, FN), NO_REJECTED),
    "false_discovery_rate": Rate((FP,), (FP, TP), NO_SELECTED),
    "false_omission_rate": Rate((FN,), (TN, FN), NO_REJECTED),
    "f1": Rate((TP,), (FP, FN, TP), "no row with a positive target or decision", transform=_dice),
}
COMPOSITES = ("balanced_accuracy", "matthews_correlation")
BINARY_METRICS = (*RATES, *COMPOSITES)
MATTHEWS_SMOOTHING = (0.05, 0.5)


def readable(cells: Cells, name: str) -> bool:
    """Whether a metric can be read from cells that may lack the target or the decision."""
    needs_target = name in COMPOSITES or RATES[name].needs_target
    needs_decision = name in COMPOSITES or RATES[name].needs_decision
    return (cells.has_target or not needs_target) and (cells.has_decision or not needs_decision)


def rate_values(cells: Cells, name: str) -> tuple[Floats, Floats, Floats]:
    """A rate of every group with the weights it divides.

    Args:
        cells: Count tables of G groups.
        name: A name in `RATES`, e.g. `true_positive_rate`.

    Returns:
        value (NaN where the denominator is 0), numerator and denominator, each (G,). For `f1`, which is not a
        proportion, the latter two are those of TP / (TP + FP + FN).

    Raises:
        UsageError: There is no such rate, or the cells lack the target or the decision that it needs.
    """
    if name not in RATES:
        raise UsageError(f"there is no rate {name!r}", fix=f"one of {', '.join(RATES)}")
    if not readable(cells, name):
        missing = "decision" if cells.has_target else "target"
        raise UsageError(f"the rate {name!r} needs a {missing}, and these rows have none")
    rate = RATES[name]
    numerator = cells.weights[:, list(rate.numerator)].sum(axis=1)
    denominator = cells.weights[:, list(rate.denominator)].sum(axis=1)
    share = np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)
    return rate.transform(share), numerator, denominator


def rate_estimates(cells: Cells, name: str) -> Estimates:
    """A metric of a binary decision in every group, with intervals.

    Args:
        cells: Count tables of G groups.
        name: A name in `BINARY_METRICS`.

    Raises:
        UsageError: There is no such metric, or the cells lack what it needs.
    """
    if name == "balanced_accuracy":
        return _balanced_accuracy(cells)
    if name == "matthews_correlation":
        return _matthews_correlation(cells)
    value, numerator, denominator = rate_values(cells, name)
    rate = RATES[name]
    effective = cells.effective(rate.denominator)
    successes = np.divide(numerator * effective, denominator, out=np.zeros(len(value)), where=denominator > 0)

    def limits(level: float) -> Bounds:
        low, high = proportion_interval(successes, effective, level)
        return rate.transform(low), rate.transform(high)

    rows = cells.counts[:, list(rate.denominator)].sum(axis=1)
    return Estimates(name, value, rows, limits, undefined=rate.undefined)


def _balanced_accuracy(cells: Cells) -> Estimates:
    """Mean of the true positive and true negative rates; MOVER of the two, which are independent given the target."""
    parts = [rate_estimates(cells, name) for name in ("true_positive_rate", "true_negative_rate")]
    value = (parts[0].value + parts[1].value) / 2

    def limits(level: float) -> Bounds:
        low, high = zip(*(part.bounds(level) for part in parts), strict=True)
        below = np.hypot(*(part.value - bound for part, bound in zip(parts, low, strict=True))) / 2
        above = np.hypot(*(bound - part.value for part, bound in zip(parts, high, strict=True))) / 2
        return value - below, value + above

    rarer = np.minimum(parts[0].n, parts[1].n)
    reason = "all rows have the same target"
    return Estimates("balanced_accuracy", value, cells.rows, limits, undefined=reason, support=rarer)


def matthews_values(tn: Floats, fp: Floats, fn: Floats, tp: Floats) -> Floats:
    """Matthews' correlation (1975, Biochim. Biophys. Acta 405:442) of count tables; NaN where a margin is empty."""
    margins = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return np.divide(tp * tn - fp * fn, margins, out=np.full(np.shape(margins), np.nan), where=margins > 0)


def _matthews_correlation(cells: Cells) -> Estimates:
    """Matthews' correlation with the delta-method interval of Fisher's z, valid where cells are empty.

    The interval is the hull of those on cells smoothed by 0.05 and by 0.5: the first reaches far enough up from a
    table almost without errors, the second far enough down.
    """
    value = matthews_values(cells.tn, cells.fp, cells.fn, cells.tp)
    total = cells.weight_sum
    scale = np.divide(cells.effective(ALL), total, out=np.zeros(len(value)), where=total > 0)
    tables = [cells.weights * scale[:, None] + smoothing for smoothing in MATTHEWS_SMOOTHING]
    shares = [table / table.sum(axis=1, keepdims=True) for table in tables]
    centres = [matthews_values(*share.T) for share in shares]
    deviations = [
        _matthews_deviation(share, centre) / np.sqrt(table.sum(axis=1)) / (1 - centre**2)
        for share, centre, table in zip(shares, centres, tables, strict=True)
    ]

    def limits(level: float) -> Bounds:
        z = normal_quantile(level)
        pairs = list(zip(np.arctanh(centres), deviations, strict=True))
        low = np.min([centre - z * deviation for centre, deviation in pairs], axis=0)
        high = np.max([centre + z * deviation for centre, deviation in pairs], axis=0)
        return np.tanh(low), np.tanh(high)

    counts = cells.counts
    margins = [counts[:, [a, b]].sum(axis=1) for a, b in ((FN, TP), (TN, FP), (FP, TP), (TN, FN))]
    reason = "all rows have the same target or the same decision"
    support = np.minimum.reduce(margins)
    return Estimates("matthews_correlation", value, cells.rows, limits, undefined=reason, support=support)


def _matthews_deviation(shares: Floats, centre: Floats) -> Floats:
    """Standard deviation of one row's influence on Matthews' correlation, from cell shares (G, 4) in column order.

    The correlation of two binaries is sum z_y z_d p over the cells, z standardised; the influence of a cell on a
    correlation r is z_y z_d - r (z_y^2 + z_d^2) / 2.
    """
    positive = shares[:, FN] + shares[:, TP]
    selected = shares[:, FP] + shares[:, TP]
    z_target = (np.array([0, 0, 1, 1]) - positive[:, None]) / np.sqrt(positive * (1 - positive))[:, None]
    z_decision = (np.array([0, 1, 0, 1]) - selected[:, None]) / np.sqrt(selected * (1 - selected))[:, None]
    influence = z_target * z_decision - centre[:, None] * (z_target**2 + z_decision**2) / 2
    return np.sqrt((shares * influence**2).sum(axis=1))
