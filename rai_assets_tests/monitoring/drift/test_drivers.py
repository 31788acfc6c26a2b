"""Which values are named beside an alarm, and when an alarm is called the order of the rows."""

from __future__ import annotations

import numpy as np
import pytest

from rai_assets.monitoring.drift.columns import EMPTY, Sample, freeze
from rai_assets.monitoring.drift.drivers import cells_of, drivers, gathered, row_order
from rai_assets.monitoring.drift.methods import Column

COLUMN = Column("town", "category", ["a", "b", "c", "d", "e", "f"])


def sample(*counts: int) -> Sample:
    rows = np.array(counts, np.int64)
    return Sample(np.flatnonzero(rows).astype(float), rows[rows > 0])


def test_the_three_largest_parts_of_the_index_are_named() -> None:
    before, now = sample(200, 200, 200, 200, 200), sample(400, 250, 100, 190, 60)
    # (q - p) ln(q / p) of a .139, e .169, c .069, b .011, d .001, all .389.
    assert drivers(cells_of(COLUMN, before), before, now) == (
        "e: 20.0 % -> 6.00 %; a: 20.0 % -> 40.0 %; c: 20.0 % -> 10.0 %"
    )


def test_what_is_less_than_a_twentieth_of_the_whole_is_not_named() -> None:
    before, now = sample(300, 400, 300), sample(500, 430, 70)
    # a .102, b .002, c .335.
    assert drivers(cells_of(COLUMN, before), before, now) == "c: 30.0 % -> 7.00 %; a: 30.0 % -> 50.0 %"


@pytest.mark.parametrize(("grown", "said"), [(160, "; b: 20.0 % -> 21.6 %"), (155, "")])
def test_a_twentieth_is_of_the_whole(grown: int, said: str) -> None:
    """Beside a growth of 30 %, one of 1.6 % is 5.06 % of both together, and one of 1.55 % is 4.91 %."""
    before, now = sample(2000, 2000, 6000), sample(5000, 2000 + grown, 3000 - grown)
    assert gathered(cells_of(COLUMN, before), before, now) == f"a: 20.0 % -> 50.0 %{said}"


def test_where_nothing_is_left_there_are_no_shares() -> None:
    before = sample(300, 700)
    assert drivers(cells_of(COLUMN, before), before, EMPTY) == "b: 70.0 % -> 0 %; a: 30.0 % -> 0 %"
    assert gathered(cells_of(COLUMN, before), before, EMPTY) == ""


def test_unseen_values_are_one_cell_and_what_is_gone_has_no_share() -> None:
    before, now = sample(500, 500), sample(0, 500, 0, 250, 250)
    assert drivers(cells_of(COLUMN, before), before, now) == "a: 50.0 % -> 0 %; (unseen): 0 % -> 50.0 %"
    assert gathered(cells_of(COLUMN, before), before, now) == "(unseen): 0 % -> 50.0 %", "only what has grown"


def test_a_number_is_named_by_the_bins_between_the_deciles_of_the_reference() -> None:
    before = Sample(np.arange(1.0, 101), np.full(100, 5))
    cells = freeze(before, "number")
    assert cells.edges.tolist() == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert cells.labels[:2] == ("up to 10", "above 10 to 20")
    assert cells.labels[-1] == "above 90"
    assert cells.counts(before).tolist() == [50] * 10
    assert cells.counts(Sample(np.array([-5.0, 10.0, 10.5, 90.0, 1e9]), np.arange(1, 6))).tolist() == [
        3, 3, 0, 0, 0, 0, 0, 0, 4, 5,
    ]  # fmt: skip
    now = Sample(np.array([5.0, 95.0]), np.array([100, 100]))
    # A bin that is gone weighs .1 ln 1000, one that holds half of the rows .4 ln 5.
    assert drivers(cells_of(Column("age", "number"), before), before, now) == (
        "above 10 to 20: 10.0 % -> 0 %; above 20 to 30: 10.0 % -> 0 %; above 30 to 40: 10.0 % -> 0 %"
    )


def order(*chunks: Sample, timed: bool = False) -> str | None:
    reference = sample(3000, 3000)
    named = [(f"c{at}", chunk) for at, chunk in enumerate(chunks)]
    return row_order(COLUMN, cells_of(COLUMN, reference), reference, named, timed=timed)


def test_chunks_that_differ_and_cancel_are_called_the_order_of_the_rows() -> None:
    said = order(sample(100, 0), sample(0, 100), sample(60, 40), sample(40, 60))
    # They differ by 50, 50, 10 and 10 % of their rows, all rows together by nothing.
    assert said is not None
    assert said.startswith("town: chunks differ from the reference by 30.0 % of their rows on average")
    assert "all rows together by 0 %: this is the order of the rows, not a drift" in said
    assert said.endswith("What lies together in c0: a: 50.0 % -> 100 %")
    assert "like a season" in (order(sample(100, 0), sample(0, 100), sample(50, 50), timed=True) or "")


def test_larger_chunks_weigh_more() -> None:
    said = order(sample(300, 0), sample(0, 300), sample(30, 70))
    # (300 * .5 + 300 * .5 + 100 * .2) / 700; of all rows 330 against 370.
    assert said is not None
    assert "by 45.7 % of their rows on average, all rows together by 2.86 %" in said


@pytest.mark.parametrize(
    "chunks",
    [
        (sample(100, 0), sample(0, 100)),  # two chunks have no order
        (sample(100, 0), sample(100, 0), sample(0, 100)),  # 16.7 % of all rows is more than a quarter of 50 %
        (sample(54, 46), sample(46, 54), sample(50, 50)),  # as much as chunks of 100 random rows: 4 % on average
    ],
)
def test_a_change_that_stays_and_chance_are_not(chunks: tuple[Sample, ...]) -> None:
    assert order(*chunks) is None


def test_twice_what_chance_makes_is_needed() -> None:
    """Chunks of 1,000 random rows differ by sqrt(2 * .25 / (pi * 1000)) = 1.262 % on average, twice that is 2.523 %."""
    assert order(*[sample(525, 475), sample(475, 525)] * 2) is None
    assert order(*[sample(526, 474), sample(474, 526)] * 2) is not None


def test_what_is_left_over_all_rows_is_a_quarter_at_most() -> None:
    # They differ by (50 + 50 + 33) / 3 = 44.3 %, a quarter of which is 11.1 %; left are 33 / 3 = 11.0 %.
    assert order(sample(100, 0), sample(0, 100), sample(83, 17)) is not None
    # (50 + 50 + 34) / 3 = 44.7 %, a quarter of it is 11.2 %; left are 11.3 %.
    assert order(sample(100, 0), sample(0, 100), sample(84, 16)) is None


def test_a_long_label_is_cut_and_a_share_has_a_floor() -> None:
    long = Column("town", "category", ["x" * 60, "b", "c"])
    before, now = sample(5000, 5000), sample(2500, 5000, 2500)
    named = drivers(cells_of(long, before), before, now)
    # The floor of 1e-4: (.25 - .0001) ln 2500 = 1.96 of what is new, .25 ln 2 = .17 of what is less.
    assert named.startswith("(unseen): 0 % -> 25.0 %; xxx")
    assert "x" * 40 in named and "x" * 41 not in named
    rare = sample(49_999, 0, 0, 1), sample(47_500, 0, 0, 2_501)
    assert drivers(cells_of(COLUMN, rare[0]), *rare) == "d: 0 % -> 5.00 %", "1 row of 50,000 counts as 5 of them"
