"""Whether groups are farther apart in a batch than they were in the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from rai_assets.charts import grouped_interval_bars
from rai_assets.data.contract import Contract
from rai_assets.data.groups import groupings
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.estimates import SMALL, Estimates
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.gaps import Comparison, Gap, difference_gap, group_name, join
from rai_assets.metrics.intervals import difference_interval
from rai_assets.metrics.number import Number, measured
from rai_assets.metrics.rows import Grouping, Rows
from rai_assets.metrics.table import estimate
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.performance.settings import PerformanceSettings

WATCHED: Mapping[str, Sequence[str]] = {
    "binary": ("selection_rate", "true_positive_rate", "false_positive_rate", "precision", "accuracy"),
    "multiclass": ("accuracy", "macro_true_positive_rate"),
    "regression": ("mean_error", "mean_absolute_error", "mean_prediction"),
}
"""Metrics whose gaps are watched; those that need labels only where both sides have them."""
BASELINE = "baseline"
"""Coordinate `chunk` of the baseline's numbers."""


@dataclass(frozen=True)
class GapChange:
    """The gap of one metric between the groups of some columns, before and now.

    Attributes:
        sensitive: The columns, joined by commas.
        definition: Id of the gap.
        baseline: The gap before; None where there is none, then `reason` says why.
        current: The gap now.
        change: Now less before.
        low: Lower bound of the change, all changes of the batch holding at once.
        high: Upper bound.
        verdict: `grew`, `shrank`, `no change seen` or `cannot tell`.
        reason: Why it cannot be told, or which groups were left out.
    """

    sensitive: str
    definition: str
    baseline: float | None = None
    current: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: str = "cannot tell"
    reason: str = ""


@dataclass(frozen=True)
class FairnessDrift:
    """What was found: one change per gap, and the same as numbers with a chart, a table and notes."""

    changes: tuple[GapChange, ...]
    findings: Findings


def fairness_drift(
    baseline: ScoredRows,
    current: ScoredRows,
    contract: Contract,
    settings: PerformanceSettings,
    *,
    labelled: ScoredRows | None = None,
) -> FairnessDrift:
    """Compare the largest gap between groups of a batch with that of the baseline, metric by metric.

    Only groups that can be measured on both sides enter, so that both gaps are of the same groups. The gap's interval
    is the one of every other gap; that of the change is made from the two (MOVER), which are of different rows. A
    verdict is given at the level at which all changes of the batch hold at once (Bonferroni).

    Args:
        baseline: The reference's rows, scored.
        current: The batch's rows, scored; what is decided of them is compared.
        labelled: Those of them whose labels have arrived, with these; whether they were decided rightly is compared.
        contract: Says which groups there are.
        settings: Level, sizes and the share of false alarms.
    """
    found = Findings()
    if not contract.sensitive:
        found.notes.append("No column has the role `sensitive`: there are no groups to compare.")
        return FairnessDrift((), found)
    every = _pairs(baseline, current, contract, settings)
    of_labels = [] if labelled is None else _pairs(baseline, labelled, contract, settings)
    asked: dict[tuple[str, str], _Question] = {}
    for pair in [*every, *of_labels]:
        if len(pair.now[1].groups) > 1:
            before, now = pair.measured
            for name in WATCHED[current.rows.task]:
                if name in before and name in now:
                    asked.setdefault(
                        (pair.now[1].name, name), _Question(name, before[name], now[name], pair.comparison)
                    )
    together = 1 - settings.false_alarms / max(len(asked), 1)
    changes = []
    for question in asked.values():
        change, numbers = question.answer(settings.level, together)
        changes.append(change)
        found.numbers.extend(numbers)
    found.notes.extend(_notes(every, changes, current.rows, labelled, together))
    if changes:
        found.tables["gap_changes"] = pa.Table.from_pylist([vars(change) for change in changes], _SCHEMA)
        found.charts["gaps_before_and_now"] = _chart(found.numbers)
    return FairnessDrift(tuple(changes), found)


_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("sensitive", "definition")]
    + [(name, pa.float64()) for name in ("baseline", "current", "change", "low", "high")]
    + [(name, pa.string()) for name in ("verdict", "reason")]
)


@dataclass(frozen=True)
class _Pair:
    """The rows of the groups that both sides have, the groups in one order."""

    before: tuple[Rows, Grouping]
    now: tuple[Rows, Grouping]
    missing: tuple[str, ...]
    minimum_size: int

    @property
    def comparison(self) -> Comparison:
        """How the batch's groups are compared."""
        rows, grouping = self.now
        sizes = np.bincount(grouping.codes, minlength=len(grouping.groups))
        return Comparison(grouping, sizes, minimum_size=self.minimum_size, split=rows.split)

    @property
    def measured(self) -> tuple[dict[str, Estimates], dict[str, Estimates]]:
        """Every metric of the groups by its name, before and now."""
        before, now = (
            {item.metric: item for item, places in estimate(*side).estimates if not places}
            for side in (self.before, self.now)
        )
        return before, now


def _pairs(baseline: ScoredRows, current: ScoredRows, contract: Contract, settings: PerformanceSettings) -> list[_Pair]:
    known = {item.columns: item for item in groupings(baseline.table, contract, settings.intersections)}
    pairs = []
    for grouping in groupings(current.table, contract, settings.intersections):
        before = known[grouping.columns]
        order = [dict(group) for group in before.groups if dict(group) in [dict(item) for item in grouping.groups]]
        gone = [group_name(group) for group in (*before.groups, *grouping.groups) if dict(group) not in order]
        sides = (_only(order, baseline.rows, before), _only(order, current.rows, grouping))
        pairs.append(_Pair(*sides, tuple(gone), settings.minimum_size))
    return pairs


def _only(order: Sequence[Mapping[str, str]], rows: Rows, grouping: Grouping) -> tuple[Rows, Grouping]:
    """The rows of some groups, these in a given order."""
    place = {tuple(group.items()): code for code, group in enumerate(order)}
    lookup = np.array([place.get(tuple(group.items()), -1) for group in grouping.groups], np.int32)
    codes = lookup[grouping.codes]
    return rows.take(codes >= 0), Grouping(grouping.columns, codes[codes >= 0], tuple(order))


@dataclass(frozen=True)
class _Question:
    """One gap before and now."""

    metric: str
    before: Estimates
    now: Estimates
    comparison: Comparison

    def answer(self, level: float, together: float) -> tuple[GapChange, list[Number]]:
        """The change with its verdict; the gap before, now and the change as numbers."""
        gap = definition(f"{self.metric}_difference")
        places = {"sensitive": self.comparison.grouping.name}
        at = {"before": {**places, "chunk": BASELINE}, "now": places}
        of_change = {**at["now"], "of": gap.id}
        reasons = {code: why for code in range(len(self.now.value)) if (why := self._why_not(code))}
        kept = np.array([code not in reasons for code in range(len(self.now.value))], bool)
        out = join(*(f"{group_name(self.comparison.grouping.groups[code])}: {why}" for code, why in reasons.items()))
        if kept.sum() < 2:
            reason = join("fewer than two groups can be measured on both sides", out)
            numbers = [
                Number(item, None, coordinates=where, reason=reason)
                for item, where in ((gap.id, at["before"]), (gap.id, at["now"]), ("change_from_baseline@1", of_change))
            ]
            return GapChange(places["sensitive"], gap.id, reason=reason), numbers
        sides = self.before.take(kept), self.now.take(kept)
        gaps = [difference_gap(side, level) for side in sides]
        change, strict = _change(*gaps), _change(*(difference_gap(side, together) for side in sides))
        verdict = "grew" if strict.low > 0 else "shrank" if strict.high < 0 else "no change seen"
        verdict = verdict if np.isfinite([strict.low, strict.high]).all() else "cannot tell"
        small = [bool(side.scarcest.min() < SMALL) for side in sides]
        left_out = f"left out: {out}" if out else None

        def number(item: str, value: Gap, where: Mapping[str, str], size: int, *, small: bool) -> Number:
            return measured(
                item, value.value, value.low, value.high, level=level, n=size, small=small, coordinates=where,
                unit=gap.unit, split=self.comparison.split, reason=_reason(value, left_out),
            )  # fmt: skip

        sizes = [int(side.n.sum()) for side in sides]
        numbers = [
            number(gap.id, gaps[0], at["before"], sizes[0], small=small[0]),
            number(gap.id, gaps[1], at["now"], sizes[1], small=small[1]),
            number("change_from_baseline@1", change, of_change, min(sizes), small=any(small)),
        ]
        found = GapChange(
            places["sensitive"], gap.id, gaps[0].value, gaps[1].value, change.value, _finite(strict.low),
            _finite(strict.high), verdict, _reason(strict, left_out) or "",
        )  # fmt: skip
        return found, numbers

    def _why_not(self, code: int) -> str:
        """Why a group is not measured on both sides; empty where it is."""
        now = self.comparison.why_not(self.now, code)
        before = self.before.withheld(code, self.comparison.minimum_size)
        return join(now and f"{now} in the batch", before and f"{before} in the baseline")


def _change(before: Gap, now: Gap) -> Gap:
    bounds = [(np.asarray(gap.low), np.asarray(gap.high)) for gap in (now, before)]
    low, high = difference_interval(now.value, bounds[0], before.value, bounds[1])
    return Gap(now.value - before.value, float(low), float(high))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _reason(gap: Gap, left_out: str | None) -> str | None:
    return left_out if np.isfinite([gap.low, gap.high]).all() else join("no interval: a group has none", left_out or "")


def _notes(
    pairs: Sequence[_Pair], changes: Sequence[GapChange], rows: Rows, labelled: ScoredRows | None, together: float
) -> list[str]:
    notes = [
        f"A change is called one at {together:.2%} confidence, so that all {len(changes)} hold at once. "
        "A gap that is not seen to change may have changed by as much as its interval allows."
    ]
    if labelled is not None and labelled.rows.n < rows.n:
        notes.append(
            f"Whether decisions were right is compared on the {labelled.rows.n:,} of {rows.n:,} rows with a label."
        )
    elif labelled is None and rows.target is None:
        notes.append("No label has arrived: what was decided is compared, not whether it was right.")
    notes += [
        f"{pair.now[1].name}: not on both sides, and left out: {', '.join(pair.missing[:5])}"
        + (f" and {len(pair.missing) - 5} more." if len(pair.missing) > 5 else ".")
        for pair in pairs
        if pair.missing
    ]
    return notes


def _chart(numbers: Sequence[Number]) -> dict[str, Any]:
    bars = [
        {
            "label": f"{definition(number.definition).name} · {number.coordinates['sensitive']}",
            "group": "baseline" if number.coordinates.get("chunk") == BASELINE else "this batch",
            **{name: getattr(number, name) for name in ("value", "low", "high", "n", "small", "reason")},
        }
        for number in numbers
        if number.definition != "change_from_baseline@1"
    ]
    return grouped_interval_bars(
        bars, title="Largest gap between groups, before and now", x_title="largest less smallest",
        note="Interval from 0 on: all groups may be equal",
    )  # fmt: skip
