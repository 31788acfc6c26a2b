"""Whether a model still goes by the same columns: importances of a batch beside those of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from rai_assets.charts import grouped_interval_bars
from rai_assets.charts.text import how_many
from rai_assets.errors import UsageError
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.intervals import Floats
from rai_assets.metrics.means import SIZE_REACH, Groups, Moments, mean_estimates
from rai_assets.metrics.number import Number, measured
from rai_assets.monitoring.drift.calibration import holm
from rai_assets.monitoring.drift.permutation import mean_difference_p_value
from rai_assets.monitoring.drift.result import DriftRow
from rai_assets.monitoring.performance.settings import PerformanceSettings

EFFECT = "effect of "
"""How the columns of a table of attributions begin; what follows is the feature."""
AGREEMENTS = ("attribution_ndcg", "attribution_rank_agreement")
DRAWS = 999
MOST_ROWS = 5_000
"""Rows of either side that are redrawn; of more, so many at random."""
FEWEST_ROWS = 20


@dataclass(frozen=True)
class AttributionDrift:
    """What was found, in two forms.

    Attributes:
        rows: One for each of the two agreements, then one per feature, the largest change first; `column` is the
            feature.
        findings: The same as numbers, with a chart and notes.
    """

    rows: tuple[DriftRow, ...]
    findings: Findings


def attribution_drift(
    reference: pa.Table,
    current: pa.Table,
    settings: PerformanceSettings,
    *,
    seed: int,
    unit: str = "",
    output: str = "",
) -> AttributionDrift:
    """Compare the mean |Shapley value| of every feature between the reference and a batch.

    The agreement of the importances is their nDCG, as Amazon SageMaker Clarify defines it, and Kendall's tau. Whether
    they are lower than chance makes them is told by 999 redraws of both sides from all rows together.

    Args:
        reference: One row per row, as `explanations` keeps them: columns `effect of <feature>`; others are passed over.
        current: The batch's, explained in the same way against the same background.
        settings: Level, the least nDCG and the p-value that count as drift.
        seed: Of the rows drawn.
        unit: Of the Shapley values.
        output: The class that is explained; empty where there is one output.

    Raises:
        UsageError: The two do not explain the same features.
    """
    features = _features(reference)
    if features != _features(current):
        raise UsageError(
            "the reference and the batch do not explain the same features", fix="explain both by the same model"
        )
    rng = np.random.default_rng(seed)
    places = {"class": output} if output else {}
    before, now = (_sizes(table, features) for table in (reference, current))
    frame = DriftRow("", "all", n_reference=len(before), n_current=len(now), rule="calibrated")
    why = _cannot_tell(before, now)
    if why:
        return _unknown(why, frame, places)
    drawn = _redrawn(before, now, rng)
    agreements = _agreements(before, now, drawn, frame, settings)
    rows = (*agreements, *_moved(before, now, features, frame, settings, rng))
    importances = _importance(now, features, settings.level, places, unit)
    baseline = _importance(before, features, settings.level, places, unit)
    agreed = [Number(row.definition, row.statistic, n=len(now), coordinates=places) for row in agreements]
    chart = {f"attributions_{output or 'score'}": _chart(baseline, importances)}
    return AttributionDrift(rows, Findings([*agreed, *importances], chart, notes=_notes(drawn, settings)))


def _features(table: pa.Table) -> list[str]:
    return [name.removeprefix(EFFECT) for name in table.column_names if name.startswith(EFFECT)]


def _unknown(why: str, frame: DriftRow, places: dict[str, str]) -> AttributionDrift:
    numbers = [Number(f"{name}@1", None, coordinates=places, reason=why) for name in AGREEMENTS]
    rows = tuple(replace(frame, method=name, definition=f"{name}@1", reason=why) for name in AGREEMENTS)
    return AttributionDrift(rows, Findings(numbers, notes=[f"Attributions cannot be compared: {why}."]))


def _agreements(
    before: Floats, now: Floats, drawn: Floats, frame: DriftRow, settings: PerformanceSettings
) -> list[DriftRow]:
    """A row for each of the two agreements, beside those of redraws, (draws, 2)."""
    importance = before.mean(axis=0), now.mean(axis=0)
    agreed = float(ndcg(*importance)), float(rank_agreement(*importance))
    low_enough = agreed[0] < settings.least_ndcg, True
    rows = []
    for name, value, redrawn, low in zip(AGREEMENTS, agreed, drawn.T, low_enough, strict=True):
        p_value = float((redrawn <= value + 1e-12).sum() + 1) / (DRAWS + 1)
        rows.append(
            replace(
                frame,
                method=name,
                definition=f"{name}@1",
                statistic=value,
                p_value=p_value,
                threshold=settings.false_alarms,
                effect=1 - value,
                drifted=low and p_value <= settings.false_alarms,
                null=f"permutation, {DRAWS} draws",
            )
        )
    return rows


def _notes(drawn: Floats, settings: PerformanceSettings) -> list[str]:
    by_chance = float((drawn[:, 0] < settings.least_ndcg).mean())
    return [
        f"The alarm is an nDCG below {settings.least_ndcg:.2f} that chance does not explain. Without any drift an "
        f"nDCG of rows as many as these is below {settings.least_ndcg:.2f} in {by_chance:.1%} of {DRAWS} redraws.",
        "An importance changes when the batch's rows change, also where the model and the world do not.",
    ]


def ndcg(before: Floats, now: Floats) -> Floats:
    """Normalised discounted cumulative gain of the features' order now, the gains being the importances before.

    Args:
        before: Importance of every feature in the reference, >= 0, not all 0, (..., p).
        now: Importance in the batch, (..., p); of equal ones the first comes first.

    Returns:
        In (0, 1], (...); 1 where the order is the same.
    """
    discount = 1 / np.log2(np.arange(before.shape[-1]) + 2)
    gained = np.take_along_axis(before, np.argsort(-now, axis=-1, kind="stable"), axis=-1) @ discount
    return np.asarray(gained / (np.sort(before, axis=-1)[..., ::-1] @ discount))


def rank_agreement(before: Floats, now: Floats) -> Floats:
    """Kendall's tau-b of the importances, (..., p): 1 for the same order, -1 for the reverse; (...)."""
    first, second = np.triu_indices(before.shape[-1], 1)
    one, two = (np.sign(side[..., first] - side[..., second]) for side in (before, now))
    return np.asarray((one * two).sum(axis=-1) / np.sqrt((one**2).sum(axis=-1) * (two**2).sum(axis=-1)))


def _cannot_tell(before: Floats, now: Floats) -> str:
    if before.shape[1] < 2:
        return "fewer than two features have attributions"
    if min(len(before), len(now)) < FEWEST_ROWS:
        return (
            f"the smaller side has {how_many(min(len(before), len(now)), 'row')}, and at least {FEWEST_ROWS} are needed"
        )
    if any(np.ptp(side.mean(axis=0)) == 0 for side in (before, now)):
        return "every feature has the same importance: they have no order"
    return ""


def _sizes(table: pa.Table, features: Sequence[str]) -> Floats:
    """|Shapley value| of every row and feature, (n, p)."""
    columns = [np.abs(table.column(EFFECT + name).to_numpy().astype(float)) for name in features]
    return np.column_stack(columns) if columns else np.empty((table.num_rows, 0))


def _redrawn(before: Floats, now: Floats, rng: np.random.Generator) -> Floats:
    """Both agreements of 999 redraws of the two sides from all their rows, (draws, 2).

    Sides of more than 5,000 rows are cut to 5,000. Their redraws scatter more than those of all rows would, so that
    the p-value errs to the side of no alarm.
    """
    sides = [side[rng.permutation(len(side))[:MOST_ROWS]] for side in (before, now)]
    pooled, n = np.concatenate(sides), len(sides[1])
    chosen = np.array(
        [pooled[rng.choice(len(pooled), n, replace=False, shuffle=False)].sum(axis=0) for _ in range(DRAWS)]
    )
    pair = (pooled.sum(axis=0) - chosen) / (len(pooled) - n), chosen / n
    return np.stack([ndcg(*pair), rank_agreement(*pair)], axis=1)


def _moved(
    before: Floats,
    now: Floats,
    features: Sequence[str],
    frame: DriftRow,
    settings: PerformanceSettings,
    rng: np.random.Generator,
) -> list[DriftRow]:
    """A row per feature, largest change first: p-values by permutation, judged by Holm over the features."""
    p_values = np.array([mean_difference_p_value(before[:, j], now[:, j], rng) for j in range(len(features))])
    together = holm(p_values)
    change = now.mean(axis=0) - before.mean(axis=0)
    return [
        replace(
            frame,
            column=features[j],
            method="mean_absolute_shap_value",
            definition="mean_absolute_shap_value@1",
            statistic=float(now[:, j].mean()),
            p_value=float(p_values[j]),
            family_p_value=float(together[j]),
            threshold=settings.false_alarms,
            effect=float(change[j]),
            drifted=float(together[j]) <= settings.false_alarms,
            rank=place + 1,
            null="permutation",
        )
        for place, j in enumerate(np.argsort(-np.abs(change), kind="stable").tolist())
    ]


def _importance(
    sizes: Floats, features: Sequence[str], level: float, places: dict[str, str], unit: str
) -> list[Number]:
    numbers = []
    for j, feature in enumerate(features):
        estimates = mean_estimates(
            "mean_absolute_shap_value", Moments.of(sizes[:, j], Groups()), positive=True, reach=SIZE_REACH
        )
        low, high = estimates.bounds(level)
        numbers.append(
            measured(
                "mean_absolute_shap_value@1", estimates.value[0], low[0], high[0], level=level, n=len(sizes),
                coordinates={**places, "feature": feature}, unit=unit,
            )
        )  # fmt: skip
    return numbers


def _chart(before: Sequence[Number], now: Sequence[Number]) -> dict[str, Any]:
    pairs = sorted(zip(before, now, strict=True), key=lambda pair: -(pair[0].value or 0.0))
    bars = [
        {"label": number.coordinates["feature"], "group": series, "value": number.value, "low": number.low,
         "high": number.high, "n": number.n}
        for pair in pairs
        for series, number in zip(("reference", "this batch"), pair, strict=True)
    ]  # fmt: skip
    return grouped_interval_bars(bars, title="What moves the score, before and now", x_title="Mean |effect|")
