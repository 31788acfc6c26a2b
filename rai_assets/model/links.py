"""From sums to probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def logistic(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds of the second of two classes (n, 1) as the probabilities of both (n, 2)."""
    # exp overflows to infinity for large log-odds, and 1 / infinity is the 0 that is meant.
    with np.errstate(over="ignore"):
        return np.concatenate([1.0 / (1.0 + np.exp(sums)), 1.0 / (1.0 + np.exp(-sums))], axis=1)


def softmax(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """One sum per class (n, k) as probabilities (n, k)."""
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
