"""A classifier that tries to tell the rows of a batch from those of the reference, and what it goes by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.metrics.estimates import Estimates
from rai_assets.metrics.means import Groups
from rai_assets.metrics.ranking import ranking_estimates
from rai_assets.model.boosting import Boosted, RankedRows, fitted_rows
from rai_assets.model.encoding import Encoding, Feature, together

FEWEST_FITTED = 40
"""Rows of both sides together below which it cannot be fitted: a leaf of its trees has 20 rows or more."""
EXACT_ROWS = 100
"""Rows up to which the rank sum's distribution is counted out; beyond, the normal limit stands in."""
SHUFFLED_ROWS, SHUFFLES = 5_000, 3
ROUNDS = 50
"""Trees of the classifier."""


@dataclass(frozen=True)
class ToldApart:
    """What a classifier made of the rows that it was not fitted on.

    Attributes:
        auc: ROC AUC, the batch's rows being the positive ones.
        p_value: Probability of as large an AUC if all rows come from one distribution.
        importance: By feature, how much of the AUC is lost when its values are shuffled.
    """

    auc: Estimates
    p_value: float
    importance: dict[str, float]


def tell_apart(
    reference: pa.Table,
    current: pa.Table,
    features: Sequence[Feature],
    rng: np.random.Generator,
    *,
    importance: bool = True,
) -> ToldApart:
    """Fit on a random half of either side and measure on the other halves (Lopez-Paz & Oquab 2017, ICLR).

    Of a half with more than 20,000 rows, or more than 50 to a row of the other, fewer are fitted on and more measured.

    Given the classifier, the rows it is measured on are exchangeable when nothing drifted: the p-value of the rank sum
    is exact however well or badly it fits.

    Args:
        reference: Rows before, at least 4.
        current: Rows of the batch, at least 4.
        features: Columns that the classifier may use.
        rng: Of the halves and the shuffles.
        importance: Also measure what the classifier goes by.
    """
    most = fitted_rows(reference.num_rows // 2, current.num_rows // 2)
    fitted, held = zip(*(_cut(*side, rng) for side in zip((reference, current), most, strict=True)), strict=True)
    encoding = Encoding.fit(together(fitted, features).combine_chunks(), features, "codes_nan")
    sides = _sides(*fitted)
    matrix = np.concatenate([encoding.matrix(part) for part in (*fitted, *held)])
    classifier = Boosted.fit(RankedRows.of(matrix), np.arange(len(sides)), sides, rounds=ROUNDS)
    codes, side = classifier.codes[:, len(sides) :], _sides(*held)
    score = classifier.predict(codes)
    auc = replace(ranking_estimates(side, score, Groups())[0], metric="domain_classifier_auc")
    used = {}
    if importance:
        chosen = np.sort(rng.permutation(len(side))[:SHUFFLED_ROWS])
        used = _importance(classifier, encoding, codes.take(chosen, axis=1), side[chosen], rng)
    return ToldApart(auc, mann_whitney_p_value(side, score), used)


def _importance(
    classifier: Boosted, encoding: Encoding, codes: NDArray[np.uint8], side: NDArray, rng: np.random.Generator
) -> dict[str, float]:
    """AUC lost by shuffling each feature, mean of three shuffles; empty where the rows are all of one side."""
    if not 0 < side.sum() < len(side):
        return {}

    def auc(*scores: NDArray) -> NDArray[np.float64]:
        case = Groups(len(scores), np.repeat(np.arange(len(scores)), len(side)))
        return ranking_estimates(np.tile(side, len(scores)), np.concatenate(scores), case)[0].value

    before, lost = auc(classifier.predict(codes))[0], {}
    for own, player in zip(codes, encoding.players.tolist(), strict=True):
        kept, after = own.copy(), []
        for _ in range(SHUFFLES):
            own[:] = rng.permutation(kept)
            after.append(classifier.predict(codes))
        own[:] = kept
        lost[encoding.names[player]] = float(before - auc(*after).mean())
    return lost


def mann_whitney_p_value(side: NDArray, score: NDArray) -> float:
    """P-value that scores of one side tend to be higher, by the rank sum (Mann & Whitney 1947, Ann. Math. Stat. 18:50).

    Counted out over every way in which the sides could have fallen on the ranks, ties included, up to 100 rows; beyond,
    the normal limit with its correction for ties and for continuity.

    Args:
        side: 1 for the rows that are asked about, 0 for the others, (n,). Both occur.
        score: Their scores, (n,).
    """
    from scipy.special import ndtr
    from scipy.stats import rankdata

    # Twice the mid-ranks are whole numbers.
    ranks = np.rint(2 * rankdata(score)).astype(np.int64)
    n, ones = len(ranks), int(side.sum())
    observed = int(ranks[side == 1].sum())
    if n <= EXACT_ROWS:
        ways = np.zeros((ones + 1, int(ranks.sum()) + 1))
        ways[0, 0] = 1.0
        for rank in ranks.tolist():
            ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
        return float(ways[ones, observed:].sum() / ways[ones].sum())
    centred = ranks - ranks.mean()
    deviation = np.sqrt(ones * (n - ones) / (n * (n - 1)) * float(centred @ centred))
    if deviation == 0:
        return 1.0
    return float(ndtr(-(observed - ones * ranks.mean() - 1) / deviation))


def _cut(table: pa.Table, rows: int, rng: np.random.Generator) -> tuple[pa.Table, pa.Table]:
    """So many rows of a table, drawn, and the others."""
    order = rng.permutation(table.num_rows)
    return table.take(pa.array(np.sort(order[:rows]))), table.take(pa.array(np.sort(order[rows:])))


def _sides(reference: pa.Table, current: pa.Table) -> NDArray[np.int8]:
    return np.repeat(np.array([0, 1], np.int8), [reference.num_rows, current.num_rows])
