"""Batches of no row, of one, with only missing values or one decision: an answer or a reason, never a fault."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.monitoring.drift.multivariate import multivariate_drift
from rai_assets.monitoring.performance.attribution import attribution_drift
from rai_assets.monitoring.performance.estimated import estimated_performance
from rai_assets.monitoring.performance.fairness import fairness_drift
from rai_assets.monitoring.performance.labels import join_labels
from rai_assets.monitoring.performance.realized import realized_performance
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets_tests.monitoring.performance.conftest import FEATURES, NUMBERS, Scored, scored, taken
from rai_assets_tests.monitoring.performance.test_realized import with_target

SETTINGS = PerformanceSettings()


@pytest.mark.parametrize("rows", [0, 1, 4])
def test_few_rows(adult: Scored, rows: int) -> None:
    batch = taken(adult.batch, np.arange(rows))
    hidden = scored(batch.table, replace(batch.rows, target=None))
    estimated = estimated_performance(adult.calibration, hidden, adult.contract, FEATURES, SETTINGS, seed=0)
    assert all(n.value is None for n in estimated.numbers if n.definition.startswith("estimated_"))
    changes = fairness_drift(adult.calibration, batch, adult.contract, SETTINGS).changes
    assert all(change.verdict == "cannot tell" and change.reason for change in changes)
    found = multivariate_drift(adult.calibration.table, batch.table, FEATURES, seed=0)
    assert all(row.drifted is None and row.reason for row in found.rows)
    labels = pa.table({"id": pa.array(range(rows), pa.int64()), "income": pa.array([">50K"] * rows, pa.string())})
    given = batch.table.append_column("id", labels["id"])
    arrived = join_labels(given, labels, ["id"], "income")
    realized = realized_performance(
        scored(given, hidden.rows), labels, arrived, with_target(adult.contract), SETTINGS, seed=0
    )
    assert all(n.value is None for n in realized.findings.numbers if n.definition == "accuracy@1")
    none = pa.table({"effect of a": pa.array([0.0] * rows), "effect of b": pa.array([1.0] * rows)})
    assert attribution_drift(none, none, SETTINGS, seed=0).rows[0].drifted is None


def test_a_column_without_a_single_value(adult: Scored) -> None:
    batch = taken(adult.batch, np.arange(300))
    place = batch.table.column_names.index("age")
    empty = batch.table.set_column(place, "age", pa.nulls(300, pa.float64()))
    found = multivariate_drift(adult.calibration.table, empty, FEATURES, seed=0)
    assert found.rows[0].drifted and found.rows[0].drivers.startswith("age")
    estimated = estimated_performance(
        adult.calibration, scored(empty, batch.rows), adult.contract, FEATURES, SETTINGS, seed=0
    )
    assert estimated.numbers[0].definition == "unsupported_rate@1"


def test_a_reference_column_without_a_single_value(adult: Scored) -> None:
    nothing = {name: pa.nulls(200, pa.float64()) for name in NUMBERS}
    known = adult.calibration.table[:200]
    for name, column in nothing.items():
        known = known.set_column(known.column_names.index(name), name, column)
    found = multivariate_drift(known, adult.batch.table[:200], FEATURES, seed=0)
    assert all(row.p_value is not None for row in found.rows)


def test_everybody_gets_the_same_decision(adult: Scored) -> None:
    batch = taken(adult.batch, np.arange(500))
    rejected = scored(batch.table, replace(batch.rows, target=None, decision=np.zeros(500, np.int8)))
    found = {
        n.definition: n
        for n in estimated_performance(adult.calibration, rejected, adult.contract, FEATURES, SETTINGS, seed=0).numbers
        if not n.group
    }
    assert found["estimated_precision@1"].value is None and "decision" in found["estimated_precision@1"].reason
    assert found["estimated_true_positive_rate@1"].value == 0.0
    assert found["estimated_accuracy@1"].value == pytest.approx(1 - found["estimated_base_rate@1"].value)
