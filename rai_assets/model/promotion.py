"""When the champion moves: the gate holds, and the challenger is not shown to be worse on the same rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rai_assets.metrics.rows import Rows


@dataclass(frozen=True)
class Comparison:
    """The paired difference of two models' losses on the same rows, challenger minus champion.

    Attributes:
        mean: Mean difference; negative where the challenger loses less.
        low: Lower bound of the 95 % interval.
        high: Upper bound.
        n: Rows compared.
        loss: Name of the loss: `share of wrong decisions` or `squared error`.
    """

    mean: float
    low: float
    high: float
    n: int
    loss: str


@dataclass(frozen=True)
class Decision:
    """Whether the champion moves, and the sentence that says why."""

    promote: bool
    reason: str


def compare(challenger: Rows, champion: Rows) -> Comparison:
    """Compare two models on the same rows.

    The interval is that of the mean of paired differences (normal; for decisions the Wald form of McNemar's test with
    one half added to each discordant count, so that it has a width when the models never disagree).

    Args:
        challenger: Rows with the challenger's decisions or values.
        champion: The same rows with the champion's.
    """
    loss, ours, theirs = _losses(challenger, champion)
    weight = np.ones(len(ours)) if challenger.weight is None else challenger.weight
    difference = ours - theirs
    mean = float(np.average(difference, weights=weight))
    variance = float(np.average((difference - mean) ** 2, weights=weight))
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    smoothed = variance + (1 / effective if loss != "squared error" else 0.0)
    half = 1.959963984540054 * float(np.sqrt(smoothed / effective))
    return Comparison(mean, mean - half, mean + half, len(ours), loss)


def _losses(challenger: Rows, champion: Rows) -> tuple[str, NDArray[np.float64], NDArray[np.float64]]:
    target = challenger.target
    if target is None:
        raise ValueError("models are compared on rows with a known target")
    if challenger.task == "regression":
        if challenger.score is None or champion.score is None:
            raise ValueError("regression models are compared on their predictions")
        return "squared error", (challenger.score - target) ** 2, (champion.score - target) ** 2
    if challenger.decision is None or champion.decision is None:
        raise ValueError("models are compared on their decisions")
    return (
        "share of wrong decisions",
        (challenger.decision != target).astype(float),
        (champion.decision != target).astype(float),
    )


def decide(*, gate_holds: bool, same_model: bool, comparison: Comparison | None, obstacle: str = "") -> Decision:
    """The promotion rule, a pure function of what was measured.

    Args:
        gate_holds: Every blocking requirement has the verdict `pass`.
        same_model: Challenger and champion are the same file.
        comparison: Challenger against champion; None where there is no champion yet, or it cannot be compared.
        obstacle: Why the champion cannot score the present data, e.g. a column that it reads is gone. It could not
            serve this contract any more, so the gate alone decides.
    """
    if not gate_holds:
        return Decision(False, "The gate does not hold: a blocking requirement fails or cannot be told.")
    if same_model:
        return Decision(False, "The challenger is the present champion.")
    if obstacle:
        return Decision(True, f"The gate holds; the champion cannot be compared and gives way: {obstacle}.")
    if comparison is None:
        return Decision(True, "The gate holds and there was no champion.")
    measured = (
        f"{comparison.loss}, challenger minus champion: {comparison.mean:+.4g} "
        f"(95 % interval {comparison.low:+.4g} to {comparison.high:+.4g}, {comparison.n:,} rows)"
    )
    if comparison.low > 0:
        return Decision(False, f"The challenger is worse than the champion: {measured}.")
    return Decision(True, f"The gate holds and the challenger is not shown to be worse: {measured}.")
