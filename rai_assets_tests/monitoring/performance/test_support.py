"""Rows unlike any calibration row, against distances of all pairs, one by one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.metrics.intervals import proportion_interval
from rai_assets.model.encoding import Feature
from rai_assets.monitoring.performance import support
from rai_assets.monitoring.performance.support import MOST_ROWS, Support

FEATURES = [Feature("x", "number"), Feature("y", "number"), Feature("town", "category")]
Side = tuple[pa.Table, np.ndarray]


def side(n: int, seed: int, spread: float = 1.0, towns: str = "ab") -> Side:
    """Two numbers of different units, a town, and scores."""
    rng = np.random.default_rng(seed)
    town = rng.choice(list(towns), n)
    table = pa.table({"x": spread * rng.normal(size=n), "y": 500 + 100 * spread * rng.standard_t(3, n), "town": town})
    return table, rng.uniform(0.2, 0.8, n)


def by_hand(known: Side, asked: Side) -> np.ndarray:
    """The fifth nearest of all calibration rows is farther than that of 99 in 100 of them among the others."""
    numbers = [np.column_stack([table["x"], table["y"]]) for table, _ in (known, asked)]
    scaled = [(values - numbers[0].mean(axis=0)) / numbers[0].std(axis=0) for values in numbers]
    towns = [
        np.array([[word == town for town in "ab"] for word in table["town"].to_pylist()]) for table, _ in (known, asked)
    ]
    one, other = (np.column_stack(pair) for pair in zip(scaled, towns, strict=True))
    apart = np.linalg.norm(one[:, None] - one, axis=2)
    np.fill_diagonal(apart, np.inf)
    usual = np.quantile(np.sort(apart, axis=1)[:, 4], 0.99)
    nearest = np.sort(np.linalg.norm(other[:, None] - one, axis=2), axis=1)[:, 4]
    unseen = np.array([word not in "ab" for word in asked[0]["town"].to_pylist()])
    score = asked[1]
    return (nearest > usual * (1 + 1e-6)) | unseen | (score < known[1].min()) | (score > known[1].max())


def test_rows_beyond_the_calibration_rows_are_those_of_all_pairs() -> None:
    known, asked = side(400, 0), side(300, 1, spread=1.6, towns="abc")
    asked[1][:3], asked[1][3:5], asked[1][5] = 0.9, 0.1, known[1].min()
    found, wanted = Support.of(known, asked, FEATURES, seed=0), by_hand(known, asked)
    assert found.rows.tolist() == list(range(300))
    assert found.beyond.tolist() == wanted.tolist()
    usual = (asked[1] >= known[1].min()) & (asked[1] <= known[1].max())
    seen = np.array([word != "c" for word in asked[0]["town"].to_pylist()])
    assert 5 < (wanted & usual & seen).sum() < 100, "rows that are far and nothing else"


def test_the_share_and_its_bounds_are_of_the_members() -> None:
    known, asked = side(300, 2), side(200, 3, spread=2.0)
    found, wanted = Support.of(known, asked, FEATURES, seed=0), by_hand(known, asked)
    members = np.arange(200) % 3 == 1
    assert found.share() == (200, wanted.mean())
    assert found.share(members) == (67, wanted[members].mean())
    for level in (0.8, 0.95):
        low, high = proportion_interval(wanted[members].sum(), 67, level)
        assert found.bounds(level, members) == pytest.approx((float(low), float(high)))
    assert found.share(np.zeros(200, bool)) == (0, 0.0)


def test_where_not_every_category_has_a_column_an_unknown_one_is_as_a_rare_one() -> None:
    towns = [f"town {number}" for number in range(600)]
    known = pa.table({"town": towns}), np.linspace(0, 1, 600)
    asked = pa.table({"town": ["elsewhere"] * 40}), np.full(40, 0.5)
    assert Support.of(known, asked, [Feature("town", "category")], seed=0).share() == (40, 0.0)
    few = known[0][:200], known[1][200:400]
    assert Support.of(few, asked, [Feature("town", "category")], seed=0).share() == (40, 1.0)


def test_without_columns_the_score_decides() -> None:
    known, asked = side(100, 4), side(50, 5)
    asked[1][7] = 0.95
    assert np.flatnonzero(Support.of(known, asked, [], seed=0).beyond).tolist() == [7]


def test_of_many_rows_some_are_drawn_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_ROWS == 5_000
    monkeypatch.setattr(support, "MOST_ROWS", 100)
    known, asked = side(500, 6), side(700, 7)
    asked[1][350:] = 0.9
    one, again, other = (Support.of(known, asked, FEATURES, seed=seed) for seed in (0, 0, 1))
    assert len(one.rows) == 100
    assert (np.diff(one.rows) > 0).all()
    assert one.rows.tolist() == again.rows.tolist() != other.rows.tolist()
    assert one.beyond[one.rows >= 350].all()
    assert one.beyond[one.rows < 350].mean() < 0.2
    late = np.arange(700) >= 350
    assert one.share(late) == ((one.rows >= 350).sum(), 1.0)


def test_a_batch_without_rows_has_none_beyond() -> None:
    known = side(100, 8)
    found = Support.of(known, (known[0][:0], np.zeros(0)), FEATURES, seed=0)
    assert found.share() == (0, 0.0)
