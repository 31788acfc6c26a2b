"""The gate between an estimator and its export: the same answer on every row, or no model.

Three ways to the same number are compared: the estimator itself, the full ONNX file fed with source values, and the
numeric core fed with the matrix. Rows: all training rows, and rows generated from them with missing and unseen values
in every column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.charts.text import how_many
from rai_assets.errors import RaiError
from rai_assets.metrics.rows import Task
from rai_assets.model.columns import as_dictionary
from rai_assets.model.decision import decide
from rai_assets.model.encoding import Feature

TOLERANCE = 1e-5
UNSEEN_CATEGORY = "\N{REPLACEMENT CHARACTER} no such category"
_PER_FEATURE = 16
_MIXED = 512


class ParityFailed(RaiError):
    """The exported model does not say what the estimator says; `report` holds the worst row."""

    def __init__(self, report: dict[str, Any]) -> None:
        worst = report["worst"]
        super().__init__(
            f"the exported model differs from the estimator by up to {report['max_difference']:.3g} "
            f"(allowed: {report['tolerance']:g}) and decides {how_many(report['label_flips'], 'row')} differently; "
            f"worst is {worst['rows']} row {worst['row']}: estimator {worst['native']}, ONNX file {worst['full']}, "
            f"core {worst['core']}",
            where=", ".join(f"{name}={value!r}" for name, value in worst["values"].items()),
            fix="choose another estimator or other parameters; this export would audit a different model",
        )
        self.report = report


@dataclass(frozen=True)
class Probe:
    """The three answers on one set of rows.

    Attributes:
        name: `training` or `generated`.
        table: The rows, n of them.
        native: The estimator's answer, (n, k) probabilities or (n,) values.
        full: The full ONNX file's answer, same shape.
        core: The core's answer, same shape.
        labels: The class codes that the full ONNX file decides, (n,); None for regression.
    """

    name: str
    table: pa.Table
    native: NDArray[np.float64]
    full: NDArray[np.float64]
    core: NDArray[np.float64]
    labels: NDArray[np.int64] | None


def generated_rows(table: pa.Table, features: Sequence[Feature], seed: int) -> pa.Table:
    """Rows that training did not have: missing and unseen values, one column at a time, all at once, and mixed.

    Args:
        table: Training rows.
        features: The columns to disturb.
        seed: Seed of the rows that are drawn.

    Returns:
        A table of the feature columns, strings dictionary-encoded.
    """
    random = np.random.default_rng(seed)
    count = len(features) * 2 * _PER_FEATURE + 2 + _MIXED
    base = table.select([item.name for item in features]).unify_dictionaries()
    base = base.take(random.integers(0, table.num_rows, count))
    absent = random.random((count, len(features))) < 0.25
    unseen = random.random((count, len(features))) < 0.25
    for index in range(len(features)):
        start = index * 2 * _PER_FEATURE
        absent[start : start + 2 * _PER_FEATURE] = unseen[start : start + 2 * _PER_FEATURE] = False
        absent[start : start + _PER_FEATURE, index] = True
        unseen[start + _PER_FEATURE : start + 2 * _PER_FEATURE, index] = True
    everything = len(features) * 2 * _PER_FEATURE
    absent[everything], unseen[everything] = True, False
    absent[everything + 1], unseen[everything + 1] = False, True
    columns = [
        _disturbed(base.column(item.name).combine_chunks(), item, absent[:, index], unseen[:, index], random)
        for index, item in enumerate(features)
    ]
    return pa.table(columns, names=[item.name for item in features])


def check(
    probes: Sequence[Probe], *, task: Task, threshold: float | None, spread: float, tolerance: float = TOLERANCE
) -> dict[str, Any]:
    """Compare the answers.

    Args:
        probes: Answers on sets of rows, each of one row or more.
        task: Kind of target.
        threshold: Binary: decide for the second class from this probability on; else None.
        spread: Regression: standard deviation of the target. A difference is relative to the predicted value, or to
            `spread` where that is larger: a prediction near 0 has no relative error to speak of.
        tolerance: Largest difference allowed.

    Returns:
        The report: `rows` per set, `max_difference`, `label_flips` (rows decided differently, all within the
        tolerance of a tie), `worst` row, `tolerance`, `measure`.

    Raises:
        ParityFailed: A difference is larger than the tolerance, or a row is decided differently without a tie.
    """
    report: dict[str, Any] = {
        "tolerance": tolerance,
        "measure": "relative difference" if task == "regression" else "difference of probabilities",
        "rows": {probe.name: probe.table.num_rows for probe in probes},
        "max_difference": 0.0,
        "label_flips": 0,
        "worst": None,
    }
    failed = False
    for probe in probes:
        difference = _difference(probe, task, spread)
        flips, ties = _flips(probe, task, threshold, tolerance)
        report["label_flips"] += int(flips.sum())
        # Worst first: a row decided differently without a tie, then the largest difference.
        row = int(np.argmax(np.where(flips & ~ties, np.inf, difference)))
        wrong = bool((flips & ~ties)[row]) or not difference[row] <= tolerance
        largest = float(difference.max())
        larger = largest > report["max_difference"]
        if report["worst"] is None or (wrong and not failed) or (wrong == failed and larger):
            report["worst"] = _row(probe, row, float(difference[row]))
        report["max_difference"] = max(report["max_difference"], largest)
        failed = failed or wrong
    if failed:
        raise ParityFailed(report)
    # A passed gate needs no copy of somebody's row.
    report["worst"].pop("values")
    return report


def _difference(probe: Probe, task: Task, spread: float) -> NDArray[np.float64]:
    """Largest difference of each row, shape (n,); infinite where an answer is not finite."""
    gap = np.maximum(np.abs(probe.full - probe.native), np.abs(probe.core - probe.native))
    if task == "regression":
        gap = gap / np.maximum(np.abs(probe.native), spread if spread > 0 else 1.0)
    else:
        gap = gap.max(axis=1)
    return np.where(np.isfinite(gap), gap, np.inf)


def _flips(
    probe: Probe, task: Task, threshold: float | None, tolerance: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows decided differently, and rows whose decision is a tie within the tolerance; both of shape (n,)."""
    if task == "regression":
        nothing = np.zeros(len(probe.native), bool)
        return nothing, nothing
    labels = decide(probe.native, threshold)
    flips = (probe.labels != labels) | (decide(probe.core, threshold) != labels)
    if threshold is not None:
        return flips, np.abs(probe.native[:, 1] - threshold) <= tolerance
    first, second = np.sort(probe.native, axis=1)[:, -1], np.sort(probe.native, axis=1)[:, -2]
    return flips, first - second <= 2 * tolerance


def _row(probe: Probe, row: int, difference: float) -> dict[str, Any]:
    values = {name: probe.table.column(name)[row].as_py() for name in probe.table.column_names}
    return {
        "rows": probe.name,
        "row": row,
        "difference": difference if np.isfinite(difference) else None,
        "native": _plain(probe.native[row]),
        "full": _plain(probe.full[row]),
        "core": _plain(probe.core[row]),
        "values": {name: _plain(value) for name, value in values.items()},
    }


def _plain(values: Any) -> Any:
    """The value as JSON has it: numbers that are not finite as text."""
    if values is None or isinstance(values, str | bool):
        return values
    if isinstance(values, np.ndarray) and values.ndim:
        return [_plain(value) for value in values]
    return float(values) if np.isfinite(float(values)) else str(float(values))


def _disturbed(
    column: pa.Array,
    feature: Feature,
    absent: NDArray[np.bool_],
    unseen: NDArray[np.bool_],
    random: np.random.Generator,
) -> pa.Array:
    if feature.kind == "category":
        encoded = as_dictionary(column)
        codes = np.array(encoded.indices.to_pylist(), dtype=object)
        codes[unseen] = len(encoded.dictionary)
        codes[absent] = None
        words = pa.array([*encoded.dictionary.to_pylist(), UNSEEN_CATEGORY], pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(codes.tolist(), pa.int32()), words)
    if feature.kind == "number":
        column = pc.cast(column, pa.float64(), safe=False)  # the model reads floats, however long an integer is
    values = np.array(column.to_pylist(), dtype=object)
    if feature.kind == "number":
        # A number's "unseen": beyond the training rows on either side, by up to half their range.
        known = np.array([value for value in values if value is not None and value == value], dtype=float)
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        reach = (high - low or 1.0) / 2
        values[unseen] = random.uniform(low - reach, high + reach, int(unseen.sum())).tolist()
    values[absent] = None
    kind = pa.bool_() if feature.kind == "boolean" else pa.float64()
    return pa.array(values.tolist(), kind)
