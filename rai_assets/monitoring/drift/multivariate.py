"""Drift that no single column shows: the domain classifier and the PCA reconstruction error of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.charts import horizontal_bars
from rai_assets.charts.text import how_many
from rai_assets.compute.kept import Kept
from rai_assets.errors import Undefined
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.estimates import SMALL, Estimates
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.intervals import Floats
from rai_assets.metrics.means import Groups, Moments, mean_estimates
from rai_assets.metrics.number import Number, measured
from rai_assets.model.encoding import Feature
from rai_assets.monitoring.drift.calibration import PValue, holm
from rai_assets.monitoring.drift.domain_classifier import FEWEST_FITTED, tell_apart
from rai_assets.monitoring.drift.order import MOST_BLOCKS, block_p, contiguous, larger, least_blocks, max_t
from rai_assets.monitoring.drift.permutation import mean_difference_p_value
from rai_assets.monitoring.drift.reconstruction import Halves, Reconstruction
from rai_assets.monitoring.drift.result import DriftRow

CLASSIFIER, RECONSTRUCTION = "domain_classifier_auc", "reconstruction_error"
FEWEST_ROWS = 20
"""Rows of either side below which there is no comparison."""
DRIVERS = 3
"""Columns that are named as what the classifier goes by."""
CONFIDENCE = 0.95
"""Level of the intervals."""


@dataclass(frozen=True)
class MultivariateDrift:
    """What was found, in two forms.

    Attributes:
        rows: One per method; `column` is empty.
        findings: The same as numbers, with a chart of what the classifier goes by, and notes.
    """

    rows: tuple[DriftRow, ...]
    findings: Findings


@dataclass(frozen=True)
class _Outcome:
    """One method's answer; None where there is none, and then `reason` says why.

    `by_rows` takes the rows as interchangeable. In an order `extremes` holds how extreme the batch is, and then every
    block of the reference.
    """

    name: str
    statistic: float | None = None
    by_rows: PValue | None = None
    extremes: NDArray[np.float64] | None = None
    effect: float | None = None
    numbers: Sequence[Number] = ()
    drivers: str = ""
    reason: str | None = None

    @property
    def p_value(self) -> PValue | None:
        """That of the rows; in an order the batch has to be beyond the blocks too."""
        if self.by_rows is None or self.extremes is None:
            return self.by_rows
        return larger(block_p(float(self.extremes[0]), self.extremes[1:]), self.by_rows)


@dataclass(frozen=True)
class _Sides:
    """A reference and a batch, and what is asked of them; arguments as of `multivariate_drift`."""

    reference: pa.Table
    current: pa.Table
    features: Sequence[Feature]
    ordered: bool
    seed: int
    rng: np.random.Generator
    kept: Kept

    @property
    def blocks(self) -> list[slice]:
        """Contiguous blocks of the reference, each of the batch's size."""
        return contiguous(self.reference.num_rows, self.current.num_rows, MOST_BLOCKS)

    def number(self, estimates: Estimates, **others: str) -> Number:
        """The one value of some estimates as a published number."""
        item = definition(estimates.metric)
        low, high = estimates.bounds(CONFIDENCE)
        return measured(
            item.id, estimates.value[0], low[0], high[0], level=CONFIDENCE, n=int(estimates.n[0]),
            small=bool(estimates.scarcest[0] < SMALL), coordinates=others, unit=item.unit,
        )  # fmt: skip


def multivariate_drift(
    reference: pa.Table,
    current: pa.Table,
    features: Sequence[Feature],
    *,
    seed: int,
    ordered: bool = False,
    level: float = 0.05,
    minimum_effect: float = 0.0,
    kept: Kept | None = None,
    importance: bool = True,
) -> MultivariateDrift:
    """Compare the joint distribution of some columns between a reference and a batch.

    Without an order the p-values hold for rows drawn independently: the rank sum of the classifier's held-out scores,
    and a permutation of the rows' reconstruction errors under components fitted on the other half of the reference.
    With an order the batch is also compared with at most 40 contiguous blocks of the reference of its own size, each
    treated as the batch is, and the larger p-value counts. Then the least p-value is 1 / (blocks + 1): those of both
    methods are adjusted by their maximum over the blocks, where Holm's factor would need twice as many.

    Args:
        reference: Rows before; the features typed as in `current`.
        current: Rows of the batch.
        features: Columns that enter.
        seed: Of every random choice.
        ordered: The rows of the reference stand in their order of time, and neighbours may resemble each other.
        level: Family-wise level of both methods.
        minimum_effect: Least size of the effect of a drift. The effect is, of the classifier, AUC - 0.5; of the error,
            the distance of the means in deviations of the reference rows' errors.
        kept: What was made of these very rows of the reference for other batches.
        importance: Also tell which columns the classifier goes by.
    """
    names = [item.name for item in features]
    reference, current = reference.select(names), current.select(names)
    rng, kept = np.random.default_rng(seed), kept or Kept()
    sides = _Sides(reference, current, features, ordered, seed, rng, kept)
    findings, why = Findings(), _cannot_tell(sides, least_blocks(level))
    if why:
        outcomes = [_without(name, why, sides) for name in (CLASSIFIER, RECONSTRUCTION)]
        findings.notes.append(f"Drift of columns together cannot be told: {why}.")
    else:
        outcomes = [_classified(sides, importance=importance), _reconstructed(sides)]
        lost = [item for item in outcomes[0].numbers if "feature" in item.coordinates]
        if lost:
            findings.charts["domain_classifier"] = _driving(lost)
        findings.notes.append(_about_null(sides))
    for outcome in outcomes:
        findings.numbers.extend(outcome.numbers)
    family = _family(outcomes)
    rows = (_row(item, p, sides, level, minimum_effect) for item, p in zip(outcomes, family, strict=True))
    return MultivariateDrift(tuple(rows), findings)


def _cannot_tell(sides: _Sides, blocks: int) -> str:
    """Why there is no comparison; empty where there is one. With fewer blocks of the reference no p-value is small."""
    if not sides.features:
        return "there is no column to compare"
    for name, table in (("reference", sides.reference), ("batch", sides.current)):
        if table.num_rows < FEWEST_ROWS:
            return f"the {name} has {how_many(table.num_rows, 'row')}, and at least {FEWEST_ROWS} are needed"
    if sides.ordered and len(sides.blocks) < blocks:
        return (
            f"the reference has an order and holds {how_many(len(sides.blocks), 'block')} of the batch's size; "
            f"at least {blocks} are needed"
        )
    return ""


def _without(name: str, why: str, sides: _Sides) -> _Outcome:
    number = Number(definition(name).id, None, reason=why)
    return _Outcome(name, numbers=[number], reason=why)


def _classified(sides: _Sides, *, importance: bool) -> _Outcome:
    """The domain classifier: batch against reference, and in an order every block against the rest."""
    fitted = sides.reference.num_rows // 2 + sides.current.num_rows // 2
    if fitted < FEWEST_FITTED:
        why = f"the classifier is fitted on half of the rows, {fitted}, and at least {FEWEST_FITTED} are needed"
        return _without(CLASSIFIER, why, sides)
    told = tell_apart(sides.reference, sides.current, sides.features, sides.rng, importance=importance)
    auc, extremes = float(told.auc.value[0]), None
    if sides.ordered:
        key = "blocks told apart", tuple(sides.features), sides.current.num_rows, sides.seed
        extremes = np.array([auc, *sides.kept.once(key, lambda: _blocks_told_apart(sides))])
    ranked = sorted(told.importance.items(), key=lambda item: -item[1])
    item = definition("domain_classifier_importance")
    numbers = [
        Number(item.id, value, n=int(told.auc.n[0]), coordinates={"feature": feature}) for feature, value in ranked
    ]
    drivers = ", ".join(feature for feature, value in ranked[:DRIVERS] if value > 0) if auc > 0.5 else ""
    by_rows = PValue(told.p_value, "rank sum of rows outside the fit")
    return _Outcome(CLASSIFIER, auc, by_rows, extremes, auc - 0.5, [sides.number(told.auc), *numbers], drivers)


def _blocks_told_apart(sides: _Sides) -> list[float]:
    """The AUC of every block of the reference against the rest of it; no row of the batch has a part in it."""
    rng, found = np.random.default_rng(sides.seed), []
    for block in sides.blocks:
        rest = pa.concat_tables([sides.reference[: block.start], sides.reference[block.stop :]])
        apart = tell_apart(rest, sides.reference[block], sides.features, rng, importance=False)
        found.append(float(apart.auc.value[0]))
    return found


def _reconstructed(sides: _Sides) -> _Outcome:
    """The reconstruction error of the batch beside that of reference rows that the components were not fitted on."""
    try:
        before, now = _errors(sides)
    except Undefined as undefined:
        return _without(RECONSTRUCTION, undefined.what, sides)
    distance, deviation = float(now.mean() - before.mean()), float(before.std())
    extremes = None
    if sides.ordered:
        means = np.array([now.mean(), *(before[block].mean() for block in sides.blocks)], np.float64)
        extremes = np.abs(means - np.median(means))
    estimates = mean_estimates(RECONSTRUCTION, Moments.of(now, Groups()), positive=True)
    number = sides.number(estimates)
    effect = distance / deviation if deviation > 0 else None
    by_rows = PValue(mean_difference_p_value(before, now, sides.rng), "permutation of rows outside the fit")
    return _Outcome(RECONSTRUCTION, float(now.mean()), by_rows, extremes, effect, [number])


def _errors(sides: _Sides) -> tuple[Floats, Floats]:
    """Errors of reference rows, in an order of all of them, and of the batch's, each under components of other rows."""
    reference, features, size = sides.reference, sides.features, sides.current.num_rows
    if sides.ordered:
        halves = sides.kept.once(("halves", tuple(features), size), lambda: Halves.of(reference, features, size))
        return halves.errors, halves.errors_of(sides.current)
    order = sides.rng.permutation(reference.num_rows)
    fitted, held = (reference.take(pa.array(np.sort(half))) for half in np.array_split(order, 2))
    reconstruction = Reconstruction.fit(fitted, features)
    return reconstruction.errors(held), reconstruction.errors(sides.current)


def _family(outcomes: Sequence[_Outcome]) -> list[float | None]:
    """P-value of each outcome adjusted for all; None where there is none."""
    told = [item for item in outcomes if item.by_rows is not None]
    adjusted = holm(np.array([item.by_rows.value for item in told if item.by_rows]))
    extremes = [item.extremes for item in told if item.extremes is not None]
    if extremes:
        every = np.stack(extremes, axis=1)
        adjusted = np.maximum(adjusted, max_t(every[0], every[1:]))
    found = iter(adjusted.tolist())
    return [None if item.by_rows is None else next(found) for item in outcomes]


def _row(outcome: _Outcome, family: float | None, sides: _Sides, level: float, minimum_effect: float) -> DriftRow:
    p_value, large = outcome.p_value, outcome.effect is None or abs(outcome.effect) >= minimum_effect
    return DriftRow(
        column="",
        chunk="all",
        method=outcome.name,
        definition=definition(outcome.name).id,
        statistic=outcome.statistic,
        p_value=p_value.value if p_value else None,
        family_p_value=family,
        threshold=level,
        effect=outcome.effect,
        drifted=None if family is None else family <= level and large,
        n_reference=sides.reference.num_rows,
        n_current=sides.current.num_rows,
        rule="calibrated",
        null=p_value.null if p_value else "",
        drivers=outcome.drivers,
        reason=outcome.reason,
    )


def _driving(importance: Sequence[Number]) -> dict[str, Any]:
    return horizontal_bars(
        [{"label": item.coordinates["feature"], "value": item.value} for item in importance],
        title="What tells the batch from the reference",
        x_title="ROC AUC lost without the column",
        note="By shuffling the column's values among held-out rows; columns that say the same share it",
    )


def _about_null(sides: _Sides) -> str:
    if sides.ordered:
        return (
            f"Columns together: the batch is judged against {len(sides.blocks)} contiguous blocks of the reference of "
            f"its own size, because rows that follow each other resemble each other, and also with rows taken as "
            f"interchangeable; the larger p-value counts. None can be below {1 / (len(sides.blocks) + 1):.3f}."
        )
    return (
        "Columns together: p-values hold for rows that do not depend on each other. The domain classifier is fitted on "
        "half of the rows and measured on the others; the reconstruction error is that of rows outside the fit."
    )
