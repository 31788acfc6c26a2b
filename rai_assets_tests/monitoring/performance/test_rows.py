"""Rows of a batch: what the model says of them, whatever their target column holds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.data.contract import Column, Contract
from rai_assets.data.settings import ColumnSettings
from rai_assets.monitoring.performance.rows import unlabelled_rows


def contract(**columns: dict) -> Contract:
    return Contract(tuple(Column(name, ColumnSettings(**settings)) for name, settings in columns.items()))


def test_a_decision_is_made_at_the_threshold_and_the_target_is_not_needed() -> None:
    declared = contract(y={"role": "target", "dtype": "category", "positive": "yes", "allowed": ["no", "yes"]})
    found = unlabelled_rows(declared, pa.table({"x": [1, 2]}), np.array([[0.3, 0.7], [0.6, 0.4]]), 0.5)
    assert found.rows.target is None
    assert found.rows.classes == ("no", "yes")
    assert found.rows.decision.tolist() == [1, 0] and found.rows.score.tolist() == [0.7, 0.4]


def test_rows_without_a_weight_are_left_out_and_counted() -> None:
    declared = contract(y={"role": "target", "dtype": "number"}, w={"role": "weight", "dtype": "number"})
    found = unlabelled_rows(declared, pa.table({"w": [1.0, None, 2.0]}), np.array([5.0, 6.0, 7.0]), None)
    assert found.rows.score.tolist() == [5.0, 7.0] and found.rows.decision is None
    assert found.table.num_rows == 2 and found.excluded == {"weight missing": 1}


@pytest.mark.parametrize("k", [3, 4])
def test_the_most_probable_of_several_classes_is_decided(k: int) -> None:
    labels = [chr(97 + at) for at in range(k)]
    declared = contract(y={"role": "target", "dtype": "category", "allowed": labels})
    found = unlabelled_rows(declared, pa.table({"x": range(k)}), np.eye(k), None)
    assert found.rows.decision.tolist() == list(range(k)) and found.rows.score.shape == (k, k)
