"""Predictions that were logged when it was decided: kept, and compared with what the champion says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from rai_assets.errors import InputRefused, UsageError
from rai_assets.monitoring.batches.scoring import with_logged
from rai_assets.monitoring.batches.settings import LoggedSettings

SCORED = pa.table({"score": [0.25, 0.5, 0.75], "decision": pa.array([0, 1, 1], pa.int8())})
BINARY: Any = SimpleNamespace(task="binary", classes=("no", "yes"), threshold=0.5)


def test_logged_values_take_the_place_of_the_champions_which_stand_beside_them() -> None:
    batch = pa.table({"p": [0.25, None, 0.875], "said": ["no", "no", "yes"]})
    found, differences = with_logged(SCORED, batch, LoggedSettings(score="p", decision="said"), BINARY)
    assert found.to_pydict() == {
        "score": [0.25, 0.5, 0.875],
        "decision": [0, 0, 1],
        "champion_score": [0.25, 0.5, 0.75],
        "champion_decision": [0, 1, 1],
    }
    assert [(item["rows"], item["share"], item["largest"]) for item in differences] == [
        (2, 0.5, 0.125),
        (3, 1 / 3, 1.0),
    ]
    assert differences[0]["sentence"] == "50.00% of 2 logged values of 'p' differ from the champion's, by up to 0.125."


@pytest.mark.parametrize("batch", [pa.table({}), pa.table({"p": pa.nulls(3, pa.float64())})])
def test_without_logged_values_they_are_the_champions(batch: pa.Table) -> None:
    assert with_logged(SCORED, batch, LoggedSettings(score="p"), BINARY) == (SCORED, [])


def test_a_decision_for_a_class_that_the_champion_does_not_know_is_refused() -> None:
    three: Any = SimpleNamespace(task="multiclass", classes=("a", "b", "c"))
    scored = pa.table({"score_0": [0.5], "decision": pa.array([0], pa.int32())})
    with pytest.raises(InputRefused, match="'d' is no class of the champion\n  Fix: log one of a, b, c, or leave"):
        with_logged(scored, pa.table({"said": ["d"]}), LoggedSettings(decision="said"), three)


def test_a_logged_score_is_decided_by_the_threshold_where_no_decision_was_logged() -> None:
    batch = pa.table({"p": [0.75, None, 0.125]})
    found, differences = with_logged(SCORED, batch, LoggedSettings(score="p"), BINARY)
    assert found.to_pydict() == {
        "score": [0.75, 0.5, 0.125],
        "decision": [1, 1, 0],
        "champion_score": [0.25, 0.5, 0.75],
        "champion_decision": [0, 1, 1],
    }
    assert [(item["column"], item["rows"], item["share"]) for item in differences] == [("p", 2, 1.0)]


def test_of_one_among_several_classes_no_single_score_is_taken() -> None:
    three: Any = SimpleNamespace(task="multiclass", classes=("a", "b", "c"))
    scored = pa.table({"score_0": [0.5], "decision": pa.array([0], pa.int32())})
    with pytest.raises(UsageError, match="one among several classes"):
        with_logged(scored, pa.table({"p": [0.5]}), LoggedSettings(score="p"), three)
