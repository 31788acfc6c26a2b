"""Exact Shapley values of tree ensembles from ONNX against shap's interventional TreeExplainer, in CPU seconds.

Three lines, each from a process of its own so that its peak memory is its own:

* boosted: 10,000 rows, 100 boosted trees, 100 background rows. Ours is everything from the bytes of the file on:
  reading the trees, the tables, the values of every row, and the check of every row against ONNX Runtime.
* million: the same model, 1,000,000 rows; `peer` is ten times our time for 100,000 rows, so `ratio` near 1 is linear.
* forest: a default random forest of 100 trees without a limit of depth, 10,000 rows, 100 background rows.

shap is measured on fewer rows and scaled, which the lines say; on these rows its values and ours must agree. The rows
are UCI Adult where `../shared/data/adult` is there, else made rows of the same shape.

    python benchmarks/shap_exact.py [boosted|million|forest]
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from _measure import SHARED_DATA, alone, line, measure

from rai_assets.analysis.explanation.attribution import Attributions, explain_trees
from rai_assets.model.runtime import BATCH_ROWS, open_session

ADULT = SHARED_DATA / "adult"
COLUMNS = 14
BACKGROUND = 100


def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Training matrix, target, other rows and where they are from: categories as codes, numbers as they are."""
    if not ADULT.is_dir():
        draw = np.random.default_rng(0)
        made = draw.integers(0, [70, 9, 20_000, 16, 16, 7, 15, 6, 5, 2, 100, 90, 99, 42], size=(48_842, COLUMNS))
        made = made.astype(np.float32)
        score = (
            made[:, 0] / 20 + made[:, 4] / 4 + (made[:, 5] == 2) * 2 + made[:, 10] / 50 + draw.normal(size=len(made))
        )
        return made[:32_561], (score[:32_561] > 6).astype(int), made[32_561:], "made"
    import pandas as pd

    parts = [
        pd.read_csv(ADULT / name, header=None, skipinitialspace=True, comment="|")
        for name in ("adult.data.gz", "adult.test.gz")
    ]
    both = pd.concat(parts)
    coded = both.apply(lambda column: column if column.dtype.kind in "if" else pd.factorize(column, sort=True)[0])
    matrix = np.ascontiguousarray(coded.iloc[:, :COLUMNS].to_numpy(np.float32))
    target = both[COLUMNS].str.startswith(">50K").to_numpy(int)
    cut = len(parts[0])
    return matrix[:cut], target[:cut], matrix[cut:], "adult"


def exported(estimator: Any, matrix: np.ndarray) -> bytes:
    """The estimator as an ONNX core: matrix -> label, probabilities."""
    from skl2onnx import to_onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        core = to_onnx(estimator, matrix[:1], options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3})
    del core.graph.output[0]  # the label
    return core.SerializeToString()


def explained(file: bytes, matrix: np.ndarray, background: np.ndarray, scores: np.ndarray) -> Attributions:
    """Ours, from the bytes on."""
    core = onnx.load_model_from_string(file)
    return explain_trees(core, matrix, background, np.arange(COLUMNS), COLUMNS, scores)


def scores_of(file: bytes, matrix: np.ndarray) -> np.ndarray:
    """The core's answers, (n, 2)."""
    session = open_session(file)
    feed = session.get_inputs()[0].name
    starts = range(0, len(matrix), BATCH_ROWS)
    return np.concatenate([session.run(None, {feed: matrix[start : start + BATCH_ROWS]})[0] for start in starts])


def shap_seconds(estimator: Any, matrix: np.ndarray, background: np.ndarray) -> tuple[float, np.ndarray]:
    """CPU time of shap's interventional explainer with exactly this background, and its values."""
    import shap

    masker = shap.maskers.Independent(background, max_samples=len(background))

    def work() -> np.ndarray:
        explainer = shap.TreeExplainer(estimator, masker, feature_perturbation="interventional")
        return explainer.shap_values(matrix, check_additivity=False)

    taken = measure(work)
    return taken.cpu, taken.value[:, :, 1] if taken.value.ndim == 3 else taken.value


def boosted() -> dict[str, Any]:
    """10,000 rows, 100 boosted trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    train, target, other, origin = rows()
    estimator = HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=0).fit(train, target)
    name = "exact SHAP, 10,000 rows, 100 boosted trees, 100 background rows"
    return beside_shap(name, estimator, train, other[:10_000], peer_rows=2_000, goal=100.0, origin=origin)


def forest() -> dict[str, Any]:
    """10,000 rows, 100 trees of unlimited depth."""
    from sklearn.ensemble import RandomForestClassifier

    train, target, other, origin = rows()
    estimator = RandomForestClassifier(100, random_state=0).fit(train, target)
    name = "exact SHAP, 10,000 rows, a default random forest of 100 deep trees, 100 background rows"
    return beside_shap(name, estimator, train, other[:10_000], peer_rows=40, goal=1.0, origin=origin)


def beside_shap(
    name: str, estimator: Any, train: np.ndarray, other: np.ndarray, *, peer_rows: int, goal: float, origin: str
) -> dict[str, Any]:
    """One line: ours on all rows, the better of two runs; shap on the first `peer_rows`, scaled."""
    background, file = train[:BACKGROUND], exported(estimator, train)
    scores = scores_of(file, other)
    explained(file, other[:100], background, scores[:100])  # compiled code is loaded
    ours = measure(lambda: explained(file, other, background, scores), repeats=2)
    taken, values = shap_seconds(estimator, other[:peer_rows], background)
    residual = float((ours.value.residual / ours.value.span).max())
    difference = float(np.abs(ours.value.values[0, :peer_rows] - values).max())
    return {
        "name": name,
        "ours": ours.cpu,
        "peer": taken * len(other) / peer_rows,
        "unit": "cpu-seconds",
        "goal": goal,
        "peer_is": f"shap.TreeExplainer interventional, scaled from {peer_rows} rows",
        "holds": max(residual, difference / ours.value.span[0]) < 1e-5 and ours.beyond_mib < 2048,
        "rows_of": origin,
        "additivity_error_of_range": residual,
        "largest_difference_to_peer": difference,
        "range_of_output": float(ours.value.span[0]),
        "mib_beyond_inputs": round(ours.beyond_mib),
    }


def million() -> dict[str, Any]:
    """1,000,000 rows: linear in time, and little memory beyond the inputs."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    train, target, other, origin = rows()
    estimator = HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=0).fit(train, target)
    background, file = train[:1000], exported(estimator, train)
    matrix = np.resize(other, (1_000_000, COLUMNS))
    scores = scores_of(file, matrix)
    explained(file, matrix[:100], background, scores[:100])  # compiled code is loaded
    part = measure(lambda: explained(file, matrix[:100_000], background, scores[:100_000]))
    ours = measure(lambda: explained(file, matrix, background, scores))
    return {
        "name": "exact SHAP, 1,000,000 rows, 100 boosted trees, 1,000 background rows: linear and below 1 GiB",
        "ours": ours.cpu,
        "peer": 10 * part.cpu,
        "unit": "cpu-seconds",
        "goal": 0.8,
        "peer_is": "ours, ten times 100,000 rows",
        "holds": ours.beyond_mib < 1024,
        "rows_of": origin,
        "additivity_error_of_range": float((ours.value.residual / ours.value.span).max()),
        "mib_beyond_inputs": round(ours.beyond_mib),
    }


PARTS: dict[str, Callable[[], dict[str, Any]]] = {"boosted": boosted, "million": million, "forest": forest}


def main() -> None:
    """Print the line of every part, or of the one that is named."""
    for part in sys.argv[1:] or PARTS:
        line(**alone(PARTS[part]).value)


if __name__ == "__main__":
    main()
