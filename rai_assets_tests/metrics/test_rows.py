"""Rows that cannot be measured are refused by name, before anything is computed."""

from __future__ import annotations

import numpy as np
import pytest

from rai_assets.errors import InputRefused
from rai_assets.metrics.rows import Grouping, Rows


def test_the_number_of_rows_is_that_of_whatever_is_known() -> None:
    assert Rows("binary", ("no", "yes"), decision=np.array([0, 1, 1])).n == 3
    assert Rows("regression", score=np.array([1.0, 2.0])).n == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target": np.array([0, 1]), "decision": np.array([0])}, "differ in length"),
        ({"target": np.array([0, 2])}, "target of row 1 is 2"),
        ({"target": np.array([0, 1]), "score": np.array([0.5, np.nan])}, "score of row 1 is nan"),
        (
            {"score": np.array([0.5, 1.5]), "probability": True},
            "score of row 1 is 1.5, not a finite number from 0 to 1",
        ),
        ({"target": np.array([0, 1]), "weight": np.array([-1.0, 1.0])}, "weight of row 0 is -1.0"),
        ({"target": np.array([0, 1]), "weight": np.array([1.0, np.inf])}, "weight of row 1 is inf"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_row(fields: dict, message: str) -> None:
    with pytest.raises(InputRefused, match=message):
        Rows("binary", ("no", "yes"), **fields)


def test_large_finite_values_are_accepted() -> None:
    assert Rows("regression", target=np.array([-1e308, 1e308])).n == 2


def test_a_code_without_a_group_is_refused() -> None:
    with pytest.raises(InputRefused, match="group code of row 1 is 1"):
        Grouping(("sex",), np.array([0, 1], np.int32), ({"sex": "F"},))


def test_the_name_of_an_intersection_joins_its_columns() -> None:
    groups = ({"race": "a", "sex": "F"},)
    assert Grouping(("race", "sex"), np.zeros(2, np.int32), groups).name == "race,sex"
