"""How often the interval of a column's importance holds its true value, through the whole room."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import pyarrow as pa

from rai_assets.analysis.explanation.compute import compute
from rai_assets.analysis.explanation.settings import ExplanationSettings
from rai_assets.model.inputs import AuditInputs
from rai_assets.model.rows import scored_rows
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.settings import ModelSettings
from rai_assets.model.training import train
from rai_assets_tests.model.people import contract, population

SIZES = (5, 12, 30, 100)
DRAWS, POOL = 300, 5000


@cache
def importance_coverage() -> Mapping[int, Mapping[str, float]]:
    """By sample size and column: share of the samples with an interval whose interval holds the pool's importance.

    A logistic regression is explained on samples from a pool of rows; the truth is the importance over the pool.
    """
    declared = contract("binary")
    version = train(population(600), declared, ModelSettings(estimator="logistic_regression"))
    session, pool, background = ScoringSession(version), population(POOL, seed=1), population(600)

    def importance(rows: np.ndarray) -> dict[str, tuple[float | None, float | None, float | None]]:
        table = pool.take(pa.array(rows))
        scored = scored_rows(declared, table, "test", session.scores(table), version.threshold)
        found = compute(
            AuditInputs(scored.table, scored.rows, declared, session=session, background=background),
            ExplanationSettings(),
        )
        return {
            number.coordinates["feature"]: (number.value, number.low, number.high)
            for number in found.numbers
            if number.definition == "mean_absolute_shap_value@1"
        }

    truth = {name: value for name, (value, _, _) in importance(np.arange(POOL)).items()}
    rng = np.random.default_rng(0)
    told = {}
    for size in SIZES:
        held: dict[str, list[bool]] = {}
        for _ in range(DRAWS):
            for name, (_, low, high) in importance(rng.integers(0, POOL, size)).items():
                if low is not None and high is not None:
                    held.setdefault(name, []).append(low <= (truth[name] or 0.0) <= high)
        told[size] = {name: float(np.mean(holds)) for name, holds in held.items()}
    return told
