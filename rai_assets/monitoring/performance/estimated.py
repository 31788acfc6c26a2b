"""How well a model does on rows whose labels have not arrived, in all and by group, or why that cannot be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rai_assets.charts.text import how_many
from rai_assets.data.contract import Contract
from rai_assets.data.groups import groupings
from rai_assets.errors import UsageError
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.estimates import SMALL, too_small
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.gaps import group_name
from rai_assets.metrics.intervals import effective_size
from rai_assets.metrics.number import Number, measured
from rai_assets.metrics.rows import Rows
from rai_assets.model.encoding import Feature
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.confidence import BINARY, SEVERAL, Placed, estimates_of
from rai_assets.monitoring.performance.expected import Expected
from rai_assets.monitoring.performance.likeness import likeness
from rai_assets.monitoring.performance.loss import LOSSES, PredictedLoss, about, predicted_losses
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets.monitoring.performance.support import Support

FEWEST_CALIBRATION, FEWEST_OF_A_LABEL = 500, 20
"""Calibration rows, in all and of either label, below which nothing is estimated; coverage is simulated from there."""
FEWEST_ALIKE = 200
"""Effective calibration rows, weighted by likeness, below which nothing is estimated."""
ASSUMES = "estimated without labels: holds only if a score still means what it meant on the calibration rows"
BLIND = (
    "Performance without labels is estimated from what the scores meant on the calibration rows ({rows:,} rows of the "
    "{split} split). It follows a change in who is scored. It cannot see a change in what becomes of them: if the "
    "outcome of rows with equal columns has changed, every estimate is wrong and nothing here shows it."
)


def estimated_performance(
    calibration: ScoredRows,
    current: ScoredRows,
    contract: Contract,
    features: Sequence[Feature],
    settings: PerformanceSettings,
    *,
    seed: int,
) -> Findings:
    """Estimate what the labels of a batch will show: by calibrated confidence (CBPE), or by predicted losses (DLE).

    Every interval is for the metric as the batch's own labels will show it: it allows for the chance of these labels
    and for the doubt about the calibration. A group is estimated with a calibration on its own rows. Calibration rows
    count by how much they resemble the batch.

    Args:
        calibration: Rows with labels that the model was not fitted on.
        current: Rows of the batch, scored, without labels (those given are not looked at).
        contract: Roles of the columns; says which groups there are.
        features: Columns that place a row among the calibration rows.
        settings: Level, sizes and limits.
        seed: Of the folds and of the rows drawn.
    """
    problem = _Problem(calibration, current, features, settings, seed)
    found = Findings(notes=[BLIND.format(rows=calibration.rows.n, split=calibration.rows.split)])
    everyone = np.ones(calibration.rows.n, bool), np.ones(current.rows.n, bool)
    numbers, note = problem.answer(*everyone, {})
    found.numbers.extend(numbers)
    found.notes.append(note)
    by_columns = {item.columns: item for item in groupings(calibration.table, contract, settings.intersections)}
    for grouping in groupings(current.table, contract, settings.intersections):
        known = by_columns[grouping.columns]
        codes = {tuple(group.items()): code for code, group in enumerate(known.groups)}
        for code, group in enumerate(grouping.groups):
            members = known.codes == codes.get(tuple(group.items()), -1)
            numbers, note = problem.answer(members, grouping.codes == code, group)
            found.numbers.extend(numbers)
            found.notes.append(f"{group_name(group)}: {note}")
    return found


@dataclass(frozen=True)
class _Problem:
    """Calibration rows and a batch, and how they are asked about; arguments as of `estimated_performance`."""

    calibration: ScoredRows
    current: ScoredRows
    features: Sequence[Feature]
    settings: PerformanceSettings
    seed: int

    @cached_property
    def support(self) -> Support:
        """Rows of the batch beyond the calibration rows."""
        known, asked = ((side.table, _confidence(side.rows)) for side in (self.calibration, self.current))
        return Support.of(known, asked, self.features, seed=self.seed)

    @cached_property
    def alike(self) -> NDArray[np.float64]:
        """How much every calibration row resembles the batch."""
        return likeness(self.calibration, self.current, self.features, seed=self.seed)

    @cached_property
    def losses(self) -> dict[str, PredictedLoss]:
        """The losses that a second model predicts, of a regression."""
        return predicted_losses(self.calibration, self.current, self.features, seed=self.seed)

    def answer(
        self, known: NDArray[np.bool_], members: NDArray[np.bool_], group: Mapping[str, str]
    ) -> tuple[list[Number], str]:
        """The numbers of some rows by the calibration rows that speak for them, and a sentence on the calibration."""
        rows, settings = self.current.rows.take(members), self.settings
        looked_at, share = self.support.share(members)
        low, high = self.support.bounds(settings.level, members)
        beyond = measured(
            "unsupported_rate@1", share, low, high, level=settings.level, n=looked_at, small=looked_at < SMALL,
            group=group, split=rows.split, unit="rate",
        ) if looked_at else Number(
            "unsupported_rate@1", None, group=group, reason="no row was looked at"
        )  # fmt: skip
        weight = self.alike if self.calibration.rows.weight is None else self.alike * self.calibration.rows.weight
        labelled = replace(self.calibration.rows, weight=weight).take(known)
        why = _cannot_tell(labelled, rows.n, share, low, settings)
        if why:
            numbers = [
                self._number(Expected(name, np.nan, np.nan, np.nan, 0.0), {}, group, rows.split, why)
                for name in {"binary": BINARY, "multiclass": SEVERAL, "regression": tuple(LOSSES)}[rows.task]
            ]
            return [beyond, *numbers], f"nothing is estimated, because {why.removeprefix('cannot tell: ')}."
        if rows.task == "regression":
            losses = self.losses.items()
            estimates: list[Placed] = [
                (loss.estimate(name, known, members, weight, settings.level), {}) for name, loss in losses
            ]
            note = about(self.losses, known)
        else:
            estimates, note = estimates_of(labelled, rows, settings.level, self.seed)
        worth = (
            f"{how_many(labelled.n, 'calibration row')}, worth {_worth(labelled):,.0f} that are like the batch; {note}"
        )
        return [beyond, *(self._number(item, places, group, rows.split) for item, places in estimates)], worth

    def _number(
        self, item: Expected, places: Mapping[str, str], group: Mapping[str, str], split: str, why: str = ""
    ) -> Number:
        kind = definition(f"estimated_{item.name}")
        where: dict[str, Any] = {
            "group": group, "coordinates": dict(places), "split": split, "unit": kind.unit
        }  # fmt: skip
        if not why and not np.isfinite(item.value):
            why = f"no row {item.kind}".rstrip()
        if not why and item.rows < self.settings.minimum_size:
            why = too_small(int(item.rows), self.settings.minimum_size, item.kind)
        if why:
            return Number(kind.id, None, reason=why, **where)
        return measured(
            kind.id, item.value, item.low, item.high, level=self.settings.level, n=round(item.rows),
            small=item.rows < SMALL, reason=ASSUMES, **where,
        )  # fmt: skip


def _cannot_tell(labelled: Rows, n: int, share: float, least: float, settings: PerformanceSettings) -> str:
    """Why nothing is estimated; empty where it is."""
    if n < settings.minimum_size:
        return too_small(n, settings.minimum_size)
    if labelled.n < FEWEST_CALIBRATION:
        return f"cannot tell: {how_many(labelled.n, 'calibration row')}, and at least {FEWEST_CALIBRATION} are needed"
    if labelled.target is None or labelled.score is None:
        return "cannot tell: the calibration rows have no labels or no scores"
    if labelled.task != "regression":
        by_label = np.bincount(labelled.target.astype(int), minlength=len(labelled.classes))
        if by_label.min() < FEWEST_OF_A_LABEL:
            return (
                f"cannot tell: {by_label.min()} calibration rows have the rarest label, and at least "
                f"{FEWEST_OF_A_LABEL} are needed"
            )
    if _worth(labelled) < FEWEST_ALIKE:
        return (
            f"cannot tell: the {labelled.n:,} calibration rows are worth {_worth(labelled):.0f} that are like the "
            f"batch, and at least {FEWEST_ALIKE} are needed"
        )
    if least > settings.most_unsupported:
        return (
            f"cannot tell: {share:.0%} of the rows are unlike any calibration row, and at most "
            f"{settings.most_unsupported:.0%} may be"
        )
    return ""


def _worth(labelled: Rows) -> float:
    """Effective number of weighted calibration rows."""
    weight = labelled.weight if labelled.weight is not None else np.ones(labelled.n)
    return float(effective_size(weight.sum(), (weight**2).sum()))


def _confidence(rows: Rows) -> NDArray[np.float64]:
    """One score per row: of the positive class, or of the most probable one."""
    if rows.score is None:
        raise UsageError("rows without scores have no estimated performance", fix="give a column the role score")
    return rows.score if rows.score.ndim == 1 else rows.score.max(axis=1)
