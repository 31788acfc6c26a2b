"""Rates of a binary decision, read from count tables: each formula once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rai_assets.errors import UsageError
from rai_assets.metrics.class_statistics import table_statistic
from rai_assets.metrics.counts import FALSE_NEGATIVE as FN
from rai_assets.metrics.counts import FALSE_POSITIVE as FP
from rai_assets.metrics.counts import TRUE_NEGATIVE as TN
from rai_assets.metrics.counts import TRUE_POSITIVE as TP
from rai_assets.metrics.counts import Cells
from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.intervals import Bounds, Floats, proportion_interval

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
        kind: What the rows of the denominator are, for people; empty for any rows.
        needs_target: Cannot be read without a target.
        needs_decision: Cannot be read without a decision.
        transform: Increasing function from the proportion to the rate.
    """

    numerator: tuple[int, ...]
    denominator: tuple[int, ...]
    kind: str = ""
    needs_target: bool = True
    needs_decision: bool = True
    transform: Callable[[Floats], Floats] = _same


POSITIVE, NEGATIVE = "with a positive target", "with a negative target"
SELECTED, REJECTED = "with a positive decision", "with a negative decision"
ONE_TARGET = "all rows have the same target"
RARER_TARGET = "of the rarer target"

RATES: dict[str, Rate] = {
    "base_rate": Rate((FN, TP), ALL, needs_decision=False),
    "selection_rate": Rate((FP, TP), ALL, needs_target=False),
    "accuracy": Rate((TN, TP), ALL),
    "true_positive_rate": Rate((TP,), (FN, TP), POSITIVE),
    "false_positive_rate": Rate((FP,), (TN, FP), NEGATIVE),
    "true_negative_rate": Rate((TN,), (TN, FP), NEGATIVE),
    "false_negative_rate": Rate((FN,), (FN, TP), POSITIVE),
    "precision": Rate((TP,), (FP, TP), SELECTED),
    "negative_predictive_value": Rate((TN,), (TN, FN), REJECTED),
    "false_discovery_rate": Rate((FP,), (FP, TP), SELECTED),
    "false_omission_rate": Rate((FN,), (TN, FN), REJECTED),
    "f1": Rate((TP,), (FP, FN, TP), "with a positive target or decision", transform=_dice),
}
COMPOSITES = ("balanced_accuracy", "matthews_correlation")
BINARY_METRICS = (*RATES, *COMPOSITES)


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
        raise UsageError(
            f"the rate {name!r} needs a {missing}, and these rows have none",
            fix=f"give the rows their {missing}s, or choose another rate",
        )
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
    return Estimates(name, value, rows, limits, undefined=f"no row {rate.kind}".rstrip(), kind=rate.kind)


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
    return Estimates(
        "balanced_accuracy", value, cells.rows, limits, undefined=ONE_TARGET, least=rarer, kind=RARER_TARGET
    )


def _matthews_correlation(cells: Cells) -> Estimates:
    """Matthews' correlation, which is Gorodkin's of two classes."""
    shape = (len(cells.counts), 2, 2)
    counts, weights, squares = cells.counts.reshape(shape), cells.weights.reshape(shape), cells.squares.reshape(shape)
    return table_statistic("matthews_correlation", counts, weights, squares)
