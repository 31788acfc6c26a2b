"""How well a score ranks positives over negatives: ROC AUC and average precision of every group, from one sort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.intervals import Bounds, Floats, effective_size, wilson_at
from rai_assets.metrics.means import Groups
from rai_assets.metrics.rates import ONE_TARGET, POSITIVE, RARER_TARGET

TRUSTED = 20.0
"""Misranked rows at which an empirical variance that is below the model's counts as much as the model's."""


@dataclass(frozen=True)
class Ranking:
    """Rows merged into blocks of equal group and score, scores ascending in each group.

    Attributes:
        group: Group of each block, (blocks,).
        positive: Weight of the positives in each block, (blocks,).
        negative: Weight of the negatives, (blocks,).
        positive_square: Sum of squared weights of the positives, (blocks,).
        negative_square: Sum of squared weights of the negatives, (blocks,).
        positives: Unweighted positives per group, (G,).
        negatives: Unweighted negatives per group, (G,).
    """

    group: NDArray
    positive: Floats
    negative: Floats
    positive_square: Floats
    negative_square: Floats
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]

    @classmethod
    def of(cls, target: NDArray, score: NDArray, groups: Groups) -> Ranking:
        """Sort the rows once by score, then stably by group.

        Args:
            target: {0, 1}, (rows,).
            score: Finite scores, (rows,).
            groups: The groups of the rows.
        """
        order = np.argsort(score)
        if groups.codes is not None:
            narrow = groups.codes.astype("int16" if groups.n <= 32767 else "int32")
            order = order[np.argsort(narrow[order], kind="stable")]
        sorted_score, positive = score[order], np.asarray(target)[order] != 0
        code = np.zeros(len(order), np.int8) if groups.codes is None else narrow[order]
        first = np.ones(len(order), bool)
        first[1:] = (sorted_score[1:] != sorted_score[:-1]) | (code[1:] != code[:-1])
        starts = np.flatnonzero(first)
        weight = np.ones(len(order)) if groups.weight is None else groups.weight[order]

        def per_block(values: Floats) -> tuple[Floats, Floats]:
            return np.add.reduceat(values * positive, starts), np.add.reduceat(values * ~positive, starts)

        sums = per_block(weight)
        squares = sums if groups.weight is None else per_block(weight * weight)
        positives = groups.total(np.asarray(target, float)).astype(np.int64)
        return cls(code[starts], *sums, *squares, positives, groups.rows(score) - positives)

    def total(self, values: Floats) -> Floats:
        """Sum over the blocks of every group, (G,)."""
        return np.asarray(np.bincount(self.group, values, minlength=len(self.positives)), float)

    def below(self, values: Floats) -> Floats:
        """Sum over the lower blocks of the same group, (blocks,)."""
        running = np.cumsum(values) - values
        per_group = self.total(values)
        return running - (np.cumsum(per_group) - per_group)[self.group]


def ranking_estimates(target: NDArray, score: NDArray, groups: Groups) -> list[Estimates]:
    """ROC AUC and average precision in every group.

    Args:
        target: {0, 1}, (rows,).
        score: Any order-preserving score of the positive class, (rows,).
        groups: The groups of the rows.
    """
    ranking = Ranking.of(target, score, groups)
    return [_roc_auc(ranking), _average_precision(ranking)]


def _roc_auc(ranking: Ranking) -> Estimates:
    p, q = ranking.positive, ranking.negative
    total_p, total_q = ranking.total(p), ranking.total(q)
    m = effective_size(total_p, ranking.total(ranking.positive_square))
    n = effective_size(total_q, ranking.total(ranking.negative_square))
    with np.errstate(divide="ignore", invalid="ignore"):
        # Share of the negatives under a positive of the block, and of the positives over a negative of it.
        under = (ranking.below(q) + q / 2) / total_q[ranking.group]
        over = 1 - (ranking.below(p) + p / 2) / total_p[ranking.group]
        value = np.clip(ranking.total(p * under) / total_p, 0, 1)
        value = np.where((total_p > 0) & (total_q > 0), value, np.nan)
        centre = value[ranking.group]
        from_p = ranking.total(ranking.positive_square * (under - centre) ** 2) / total_p**2 * m / (m - 1)
        from_q = ranking.total(ranking.negative_square * (over - centre) ** 2) / total_q**2 * n / (n - 1)
    interval = _AucInterval(value, m, n, from_p, from_q)
    rarer = np.minimum(ranking.positives, ranking.negatives)
    rows = ranking.positives + ranking.negatives
    return Estimates("roc_auc", value, rows, interval.limits, undefined=ONE_TARGET, least=rarer, kind=RARER_TARGET)


@dataclass(frozen=True)
class _AucInterval:
    """Score interval of an AUC: all t with (value - t)^2 <= z^2 f V(t).

    V is Newcombe's (2006, Statist. Med. 25:559, method 5) form of Hanley & McNeil's variance, which is positive at
    0 and 1 for every t inside; f makes it DeLong's variance at the estimate. Where DeLong's is smaller it counts by the
    number of misranked rows it rests on. z is Student's with Satterthwaite's degrees of freedom of DeLong's two parts.

    Attributes:
        value: The estimates, (G,).
        m: Effective positives, (G,).
        n: Effective negatives, (G,).
        from_p: DeLong's variance part of the positives, (G,).
        from_q: DeLong's variance part of the negatives, (G,).
    """

    value: Floats
    m: Floats
    n: Floats
    from_p: Floats
    from_q: Floats

    def variance(self, t: Floats) -> Floats:
        """Newcombe's variance of an AUC of t, (G,)."""
        half = (self.m + self.n) / 2 - 1
        return t * (1 - t) * (1 + half * ((1 - t) / (2 - t) + t / (1 + t))) / (self.m * self.n)

    def limits(self, level: float) -> Bounds:
        """Bounds at a level, by bisection; NaN where there is no estimate."""
        from scipy.special import stdtrit

        with np.errstate(divide="ignore", invalid="ignore"):
            delong, scarce = self.from_p + self.from_q, np.minimum(self.m, self.n)
            factor = delong / self.variance(self.value)
            misranked = scarce * np.minimum(self.value, 1 - self.value)
            factor = np.where(factor < 1, factor ** (misranked / (misranked + TRUSTED)), factor)
            degrees = delong**2 / (self.from_p**2 / (self.m - 1) + self.from_q**2 / (self.n - 1))
        # One row of a class gives no variance of its own, and neither does an estimate of 0 or 1 but for rounding.
        trusted = (scarce > 1.5) & (misranked > 1e-9) & (delong > 0) & np.isfinite(degrees)
        factor = np.where(trusted, factor, 1.0)
        degrees = np.where(trusted, degrees, np.maximum(scarce - 1, 1.0))
        bound = stdtrit(degrees, (1 + level) / 2) ** 2 * factor
        return self._edge(bound, 0.0), self._edge(bound, 1.0)

    def _edge(self, bound: Floats, end: float) -> Floats:
        inside, outside = self.value.copy(), np.full(self.value.shape, end)
        for _ in range(60):
            middle = (inside + outside) / 2
            holds = (self.value - middle) ** 2 <= bound * self.variance(middle)
            inside, outside = np.where(holds, middle, inside), np.where(holds, outside, middle)
        return np.where(np.isnan(self.value), np.nan, inside)


def _average_precision(ranking: Ranking) -> Estimates:
    """Average precision with Wilson's interval on as many trials as its variance amounts to.

    The trials are the positives (Boyd et al. 2013, ECML PKDD, 451), or fewer where the influence function's variance is
    larger; where it is smaller it counts by the number of misranked rows it rests on.
    """
    p, q = ranking.positive, ranking.negative
    total_p, total_q = ranking.total(p), ranking.total(q)
    own_p = total_p[ranking.group]
    with np.errstate(divide="ignore", invalid="ignore"):
        selected_p = own_p - ranking.below(p)
        selected_q = total_q[ranking.group] - ranking.below(q)
        selected = selected_p + selected_q
        precision = np.where(selected > 0, selected_p / selected, 0.0)
        value = np.where(total_p > 0, ranking.total(p * precision) / total_p, np.nan)
        # Influence of more weight in a block: on its own term, and on the precision of this and every lower block.
        # A group without positives must not carry its NaN into the running sums of the next.
        pull_p = np.nan_to_num(p * selected_q / selected**2 / own_p)
        pull_q = np.nan_to_num(p * selected_p / selected**2 / own_p)
        of_p = (precision - value[ranking.group]) / own_p + ranking.below(pull_p) + pull_p
        of_q = ranking.below(pull_q) + pull_q
        variance = ranking.total(ranking.positive_square * of_p**2 + ranking.negative_square * of_q**2)
        positives = effective_size(total_p, ranking.total(ranking.positive_square))
        trials = value * (1 - value) / variance
        misranked = positives * np.minimum(value, 1 - value)
        blended = positives * (trials / positives) ** (misranked / (misranked + TRUSTED))
    trials = np.where(trials > positives, blended, trials)
    trials = np.where(np.isfinite(trials) & (trials > 0), trials, positives)

    def limits(level: float) -> Bounds:
        from scipy.special import stdtrit

        with np.errstate(divide="ignore", invalid="ignore"):
            return wilson_at(value * trials, trials, stdtrit(np.maximum(positives - 1, 1.0), (1 + level) / 2))

    rows = ranking.positives + ranking.negatives
    return Estimates(
        "average_precision",
        value,
        rows,
        limits,
        undefined=f"no row {POSITIVE}",
        least=ranking.positives,
        kind=POSITIVE,
    )
