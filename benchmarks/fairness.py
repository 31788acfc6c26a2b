"""The fairness audit of a million rows against Fairlearn's MetricFrame, in CPU seconds of one process.

Ours is the whole room: both sensitive columns and their intersection, every rate of a binary decision with its
interval, every gap with its interval, reference comparisons, notes and charts, from the dictionary codes that the
store holds. Fairlearn computes six metrics of the intersection (by group, overall, difference, ratio), once without
intervals, and once by the bootstrap with few draws, whose cost per draw is scaled to 100 draws.

    python benchmarks/fairness.py [rows]

Prints one JSON line. `ratio` is peer / ours without intervals on the peer's side; the goal is at least 1, and with
intervals on both sides 300. `largest_difference` is that of the values that both publish. Each side has a process of
its own.
"""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
from _measure import Taken, alone, line, measure

from rai_assets.analysis.fairness.compute import compute
from rai_assets.analysis.fairness.settings import FairnessSettings
from rai_assets.data.contract import Column, Contract
from rai_assets.data.settings import ColumnSettings
from rai_assets.metrics.rows import Rows
from rai_assets.model.inputs import AuditInputs

GROUPS = {"sex": ("Female", "Male"), "race": ("Amer-Indian-Eskimo", "Asian-Pac-Islander", "Black", "Other", "White")}
MEASURED_DRAWS, SCALED_DRAWS = 3, 100
GOAL, GOAL_WITH_INTERVALS = 1.0, 300.0
SAME = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "true_positive_rate",
    "false_positive_rate": "false_positive_rate",
    "selection_rate": "selection_rate",
    "count": "count",
}
"""Fairlearn's names and ours."""


def inputs(n: int) -> AuditInputs:
    """Random rows in ten groups with different base rates and decisions."""
    rng = np.random.default_rng(0)
    codes = {name: rng.integers(0, len(labels), n).astype(np.int32) for name, labels in GROUPS.items()}
    target = (rng.random(n) < 0.2 + 0.05 * codes["race"]).astype(np.int8)
    decision = (rng.random(n) < 0.15 + 0.5 * target + 0.05 * codes["sex"]).astype(np.int8)
    table = pa.table(
        {name: pa.DictionaryArray.from_arrays(codes[name], pa.array(labels)) for name, labels in GROUPS.items()}
    )
    settings = ColumnSettings(role="sensitive", dtype="category")
    contract = Contract(tuple(Column(name, settings) for name in GROUPS))
    return AuditInputs(table, Rows("binary", ("0", "1"), target, decision), contract)


def fairlearn_frame(audited: AuditInputs, draws: int | None) -> object:
    """Six metrics of the intersection: everything a MetricFrame offers of them."""
    from fairlearn.metrics import MetricFrame, count, false_positive_rate, selection_rate
    from sklearn.metrics import accuracy_score, precision_score, recall_score

    metrics = {
        "accuracy": accuracy_score,
        "precision": precision_score,
        "recall": recall_score,
        "false_positive_rate": false_positive_rate,
        "selection_rate": selection_rate,
        "count": count,
    }
    bootstrap = {"n_boot": draws, "ci_quantiles": [0.025, 0.975], "random_state": 0} if draws else {}
    frame = MetricFrame(
        metrics=metrics,
        y_true=audited.rows.target,
        y_pred=audited.rows.decision,
        sensitive_features=audited.table.to_pandas().astype(object),
        **bootstrap,
    )
    return frame.by_group, frame.overall, frame.difference(), frame.ratio()


def ours(rows: int) -> Taken:
    compute(inputs(1_000), FairnessSettings())  # libraries are loaded
    audited = inputs(rows)
    return measure(lambda: compute(audited, FairnessSettings()).numbers, repeats=5)


def peer(rows: int, draws: int | None) -> Taken:
    fairlearn_frame(inputs(1_000), None)  # libraries are loaded
    audited = inputs(rows)
    return measure(lambda: fairlearn_frame(audited, draws))


def differences(mine: Taken, plain: Taken) -> list[float]:
    """Between the values that both publish of the intersection: of every group, its differences and ratios."""
    published = {}
    for number in mine.value:
        crossed = len(number.group) == 2 or dict(number.coordinates) == {"sensitive": "sex,race"}
        if crossed and number.reference is None and number.value is not None:
            published[number.definition.partition("@")[0], *number.group.values()] = number.value
    by_group, _, difference, ratio = plain.value
    expected: dict[tuple[str, ...], float] = {}
    for theirs, name in SAME.items():
        expected |= {(name, *group): value for group, value in by_group[theirs].items()}
        expected |= {(f"{name}_difference",): difference[theirs], (f"{name}_ratio",): ratio[theirs]}
    return [abs(published[key] - expected[key]) for key in published.keys() & expected.keys()]


def main() -> None:
    """Measure both and print the line."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    mine = alone(ours, rows).value
    plain, drawn = (alone(peer, rows, draws).value for draws in (None, MEASURED_DRAWS))
    scaled = plain.cpu + (drawn.cpu - plain.cpu) / MEASURED_DRAWS * SCALED_DRAWS
    apart = differences(mine, plain)
    line(
        "fairness, 2 sensitive columns and their intersection, all rates with intervals",
        ours=mine.cpu,
        peer=plain.cpu,
        unit="cpu-s",
        goal=GOAL,
        peer_is="fairlearn MetricFrame, 6 metrics, no intervals",
        holds=scaled / mine.cpu >= GOAL_WITH_INTERVALS and max(apart) < 1e-12,
        rows=rows,
        our_mib_beyond_inputs=mine.beyond_mib,
        peer_with_intervals=scaled,
        peer_with_intervals_is=f"{SCALED_DRAWS} bootstrap draws, scaled from {MEASURED_DRAWS} measured",
        ratio_with_intervals=scaled / mine.cpu,
        goal_with_intervals=GOAL_WITH_INTERVALS,
        values_compared=len(apart),
        largest_difference=max(apart),
    )


if __name__ == "__main__":
    main()
