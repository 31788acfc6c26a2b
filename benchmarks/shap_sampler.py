"""Sampled Shapley values of a network in ONNX against shap's PermutationExplainer, in CPU seconds at equal error.

A network of 64 and 32 units on 12 columns of UCI Adult and on the 30 of the breast cancer data. As in an audit, the
probability is explained, against 100 background rows, with two orders for each. The truth is enumerated (12 columns)
or sampled with a hundred times as many orders (30 columns; the line has the error that is left). Both sides ask the
same ONNX Runtime session. Equal error is reached, not computed: shap gets more and
more orders, twice as many each time, until its error is no larger than ours or 8 times its default is spent; the line
says where it stood, and scales by the square of the rest.

    python benchmarks/shap_sampler.py
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _measure import SHARED_DATA, alone, line, measure

from rai_assets.analysis.explanation.compute import SAMPLED_BACKGROUND
from rai_assets.analysis.explanation.sampling import REPEATS, Sampled, sample

ADULT = SHARED_DATA / "adult"
EXPLAINED = 60
GOAL = 20.0
NUMBERS = (0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)


def adult() -> tuple[np.ndarray, np.ndarray]:
    """12 columns of Adult as numbers, or made columns where the file is not there."""
    if not ADULT.is_dir():
        draw = np.random.default_rng(0)
        made = draw.integers(0, 9, size=(20_000, 12)).astype(float)
        return made, (made[:, 0] * made[:, 1] + 4 * made[:, 2] + draw.normal(size=20_000) * 9 > 36).astype(int)
    import pandas as pd

    table = pd.read_csv(ADULT / "adult.data.gz", header=None, skipinitialspace=True)
    coded = table.apply(lambda column: column if column.dtype.kind in "if" else pd.factorize(column, sort=True)[0])
    return coded.iloc[:, list(NUMBERS)].to_numpy(float), table[14].str.startswith(">50K").to_numpy(int)


def cancer() -> tuple[np.ndarray, np.ndarray]:
    """The 30 columns of the breast cancer data."""
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


def network(matrix: np.ndarray, target: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The probability of the second class by a fitted network in ONNX Runtime, on one thread."""
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier

    from rai_assets.model.runtime import open_session

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = MLPClassifier((64, 32), max_iter=30, random_state=0).fit(matrix, target)
        session = open_session(to_onnx(fitted, matrix[:1], options={"zipmap": False}).SerializeToString())
    feed, output = session.get_inputs()[0].name, session.get_outputs()[1].name

    def chance(rows: np.ndarray) -> np.ndarray:
        said = session.run([output], {feed: np.ascontiguousarray(rows, dtype=np.float32)})[0][:, 1]
        return said.astype(np.float64)

    return chance


def beside_shap(name: str, source: Callable[[], tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """One line."""
    import shap

    matrix, target = source()
    matrix = ((matrix - matrix.mean(axis=0)) / matrix.std(axis=0)).astype(np.float32)
    score = network(matrix, target)
    background, rows = matrix[:SAMPLED_BACKGROUND], matrix[-EXPLAINED:]
    columns = matrix.shape[1]
    players = np.arange(columns)

    def ours(seed: int, repeats: int = REPEATS) -> Sampled:
        return sample(score, rows, background, players, columns, seed=seed, repeats=repeats)

    ours(0)
    reference = ours(1, repeats=100_000 if columns <= 14 else 100 * REPEATS)
    truth = reference.values[0]

    def error(values: np.ndarray) -> float:
        return size(values - truth) / size(truth)

    runs = [measure(lambda seed=seed: ours(seed)) for seed in range(2, 12)]
    our_time = float(np.median([run.cpu for run in runs]))
    our_error = float(np.sqrt(np.mean([error(run.value.values[0]) ** 2 for run in runs])))
    explainer = shap.PermutationExplainer(
        score, shap.maskers.Independent(background, max_samples=len(background)), seed=0
    )
    explainer(rows[:2], silent=True)
    for orders in (10, 20, 40, 80):  # 10 is shap's default
        peer = measure(lambda most=orders * (2 * columns + 1): explainer(rows, max_evals=most, silent=True).values)
        peer_error = error(peer.value)
        if peer_error <= our_error:
            break
    return {
        "name": name,
        "ours": our_time / EXPLAINED * 1000,
        "peer": peer.cpu * (peer_error / our_error) ** 2 / EXPLAINED * 1000,
        "unit": "cpu-seconds per 1,000 rows at equal error",
        "goal": GOAL,
        "peer_is": f"shap.PermutationExplainer, {orders} orders, {peer.cpu:.2f} cpu-seconds for {EXPLAINED} rows",
        "our_relative_error": our_error,
        "peer_relative_error": peer_error,
        "reference_relative_error": size(reference.standard_error[0]) / size(truth),
    }


def size(values: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt((values**2).mean()))


def main() -> None:
    """Print both lines."""
    line(**alone(beside_shap, "sampled SHAP of a network, 12 columns", adult).value)
    line(**alone(beside_shap, "sampled SHAP of a network, 30 columns", cancer).value)


if __name__ == "__main__":
    main()
