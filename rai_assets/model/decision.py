"""From scores to decisions: the one rule that every caller uses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def decide(scores: NDArray[np.float64], threshold: float | None) -> NDArray:
    """Class codes for probabilities.

    Args:
        scores: Probabilities (n, k).
        threshold: Binary target: in [0, 1]; None for several classes.

    Returns:
        Shape (n,). With a threshold int8, 1 where the second class's probability reaches it. Without int32, the most
        probable class, the first of several equal ones.
    """
    if threshold is not None:
        return (scores[:, 1] >= threshold).astype(np.int8)
    return scores.argmax(axis=1).astype(np.int32)
