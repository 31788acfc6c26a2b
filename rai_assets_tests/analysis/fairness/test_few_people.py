"""Groups of few people: shown with their interval, marked small, or held back with the reason."""

from __future__ import annotations

import numpy as np
import pytest

from rai_assets.analysis.fairness.compute import compute
from rai_assets.analysis.fairness.settings import FairnessSettings
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.rows import Rows
from rai_assets_tests.analysis.fairness.conftest import made, pick


def test_a_rate_on_few_rows_of_a_large_group_is_held_back(found, whole):
    """19 women of a rare race, 3 of them with a positive target."""
    group = {"sex": "Female", "race": "Amer-Indian-Eskimo"}
    shown, held = pick(whole, "true_positive_rate", group), pick(found, "true_positive_rate", group)
    assert (shown.n, held.value) == (3, None)
    assert held.reason == "3 rows with a positive target, under the minimum size 5"
    assert pick(found, "selection_rate", group).value == pick(whole, "selection_rate", group).value
    gap = pick(found, "equalized_odds_difference", sensitive="sex,race")
    assert gap.reason == f"left out: sex=Female, race=Amer-Indian-Eskimo ({held.reason})"


def few_people() -> Findings:
    """Groups of 60, 11, 5, 4 and 1 people; of the 11, 3 are selected."""
    sizes = {"a": 60, "b": 11, "c": 5, "d": 4, "e": 1}
    labels = [label for label, size in sizes.items() for _ in range(size)]
    selected = {"a": 30, "b": 3, "c": 5, "d": 2, "e": 1}
    decision = np.concatenate([np.arange(size) < selected[label] for label, size in sizes.items()]).astype(np.int8)
    target = np.tile([0, 1], 41)[:81].astype(np.int8)
    return compute(made(Rows("binary", ("0", "1"), target, decision), {"origin": labels}), FairnessSettings())


def test_a_group_of_eleven_is_shown_with_its_interval_and_marked_small():
    number = pick(few_people(), "selection_rate", {"origin": "b"})
    assert (number.value, number.n, number.small) == (3 / 11, 11, True)
    # Clopper-Pearson of 3 in 11, as tables of the binomial distribution have it.
    assert (number.low, number.high) == pytest.approx((0.0602, 0.6097), abs=5e-5)


@pytest.mark.parametrize(("label", "size"), [("d", 4), ("e", 1)])
def test_a_group_under_the_minimum_size_shows_its_count_and_says_why_no_more(label, size):
    found = few_people()
    assert pick(found, "count", {"origin": label}).value == size
    for name in ("selection_rate", "true_positive_rate", "false_positives"):
        number = pick(found, name, {"origin": label})
        assert number.value is None
        assert number.reason == f"{size} {'rows' if size > 1 else 'row'}, under the minimum size 5"
    gap = pick(found, "selection_rate_difference", sensitive="origin")
    assert gap.value == pytest.approx(5 / 5 - 3 / 11)
    assert "origin=d (4 rows, under the minimum size 5)" in gap.reason


def test_few_people_are_named_in_the_notes():
    assert (
        "origin: 2 of 5 groups have fewer than 5 rows: no number but their count is shown. origin=d (4); origin=e (1)."
        in few_people().notes
    )
    assert (
        "origin: 2 of 5 groups have fewer than 30 rows: shown and marked small. origin=b (11); origin=c (5)."
        in few_people().notes
    )
