"""Decisions among several classes: averages over the classes, and each class against the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.class_averages import table_estimates
from rai_assets.metrics.class_table import ClassTable, against_rest
from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.intervals import Bounds, Floats
from rai_assets.metrics.means import Groups
from rai_assets.metrics.rates import BINARY_METRICS, ONE_TARGET, rate_estimates, readable
from rai_assets.metrics.scores import log_loss, not_a_probability, score_estimates

Placed = tuple[Estimates, Mapping[str, str]]


def multiclass_estimates(
    target: NDArray | None,
    decision: NDArray | None,
    score: Floats | None,
    classes: Sequence[str],
    groups: Groups,
    *,
    probability: bool = True,
) -> list[Placed]:
    """Every metric of a target with several classes: averages, then each class against the rest.

    Args:
        target: Class codes, (rows,), or None.
        decision: Class codes, (rows,), or None.
        score: (rows, k), one column per class, or None.
        classes: Labels, k of them.
        groups: The groups of the rows.
        probability: The scores are probabilities.
    """
    found: list[Placed] = []
    scored: list[list[Estimates]] = []
    if target is not None and decision is not None:
        table = ClassTable.of(target, decision, len(classes), groups)
        found += [(estimates, {}) for estimates in table_estimates(table)]
    if score is not None:
        # The log loss of several classes is one number, not one per class.
        hits = [None if target is None else (target == of_class).astype(np.int8) for of_class in range(len(classes))]
        per_score = [
            score_estimates(hit, column, groups, probability=probability)
            for hit, column in zip(hits, score.T, strict=True)
        ]
        scored = [[part for part in parts if part.metric != "log_loss"] for parts in per_score]
    if score is not None and target is not None:
        aucs = [next(part for part in parts if part.metric == "roc_auc") for parts in scored]
        loss = log_loss(list(score.T), target, groups) if probability else not_a_probability("log_loss", groups, target)
        found += [(estimates, {}) for estimates in (*_auc_averages(aucs, target, groups), loss)]
    per_class = against_rest(target, decision, len(classes), groups)
    for of_class, label in enumerate(classes):
        places = {"class": label}
        if per_class:
            cells = per_class[of_class]
            found += [(rate_estimates(cells, name), places) for name in BINARY_METRICS if readable(cells, name)]
        if scored:
            found += [(part, places) for part in scored[of_class]]
    return found


def _auc_averages(aucs: Sequence[Estimates], target: NDArray, groups: Groups) -> list[Estimates]:
    """Mean ROC AUC over the classes of the target, unweighted and by the rows of each class.

    The classes' AUCs rest on the same rows. The bounds are the means of the classes' bounds, which hold whatever the
    dependence: no mean has a larger standard error than the mean of the standard errors.
    """
    rows = np.stack([groups.sums((target == of_class).astype(float)) for of_class in range(len(aucs))], axis=1)
    values = np.stack([auc.value for auc in aucs], axis=1)
    found = []
    for prefix, weights in (("macro", (rows > 0).astype(float)), ("weighted", rows)):
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = weights / weights.sum(axis=1, keepdims=True)

        def average(of: Floats, shares: Floats = shares) -> Floats:
            return np.where(shares > 0, shares * of, 0.0).sum(axis=1)

        def limits(level: float, average: Callable[[Floats], Floats] = average) -> Bounds:
            low, high = zip(*(auc.bounds(level) for auc in aucs), strict=True)
            return average(np.stack(low, axis=1)), average(np.stack(high, axis=1))

        value = np.where((rows > 0).sum(axis=1) > 1, average(values), np.nan)
        each = np.stack([auc.scarcest for auc in aucs], axis=1)
        fewest = np.where(rows > 0, each, np.iinfo(np.int64).max).min(axis=1)
        found.append(Estimates(f"{prefix}_roc_auc", value, aucs[0].n, limits, undefined=ONE_TARGET, support=fewest))
    return found
