"""A published number carries a value or a reason, never a NaN."""

from __future__ import annotations

import json
import math

import pytest

from rai_assets.metrics.number import Number, measured
from rai_assets.provenance import Provenance


def test_a_number_without_a_value_says_why() -> None:
    with pytest.raises(ValueError, match="neither a value nor a reason"):
        Number("accuracy@1", None)
    with pytest.raises(ValueError, match="value is nan"):
        Number("accuracy@1", math.nan)


def test_bounds_that_are_not_finite_are_left_out() -> None:
    number = measured("median_absolute_error@1", 2.0, 0.0, math.inf, level=0.95)
    assert (number.low, number.high, number.level) == (0.0, None, 0.95)
    assert measured("count@1", 2.0, level=0.95).level is None


def test_json_goes_both_ways() -> None:
    number = Number("accuracy@1", 0.5, 0.4, 0.6, 0.95, n=20, small=True, group={"sex": "F"}, split="test")
    assert Number.from_json(json.loads(json.dumps(number.as_json()))) == number


def test_an_address_tells_groups_from_coordinates() -> None:
    number = Number("accuracy@1", 0.5, group={"feature": "x"}, coordinates={"feature": "age"}, reference={"sex": "M"})
    pinned = number.pinned(Provenance("lending", "main", "3f2a", "ab12"))
    assert (pinned.branch, pinned.commit, pinned.model) == ("main", "3f2a", "ab12")
    address = pinned.addressed("lending", "beef", "fairness_audit").address
    assert address == "lending@beef:fairness_audit#accuracy@1[feature=x,.feature=age,.reference=sex%3DM]"
