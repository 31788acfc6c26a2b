"""The edges that are guessed for a numeric sensitive column, against their definition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rai_assets_tests.data.conftest import look, rows

whole_numbers = st.lists(st.integers(-1000, 100_000), min_size=12, max_size=400)
fractions = st.lists(st.floats(-1e9, 1e9).map(lambda value: float(f"{value:.6g}")), min_size=12, max_size=400)


@settings(max_examples=150)
@given(values=whole_numbers | fractions)
def test_guessed_edges_are_rounded_quartiles_and_leave_no_group_empty(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    assume(len(set(values)) > 10)
    found, _ = look(
        tmp_path_factory.mktemp("edges"), rows("a,b", *(f"{value!r},x" for value in values)), sensitive=("a",)
    )
    edges = found.columns["a"].edges
    assert edges is not None
    assert 1 <= len(edges) <= 3
    assert np.histogram(values, [-np.inf, *edges, np.inf])[0].min() > 0
    # By definition: the least value that a quarter, a half, three quarters of the rows do not exceed.
    quartiles = np.quantile(values, [0.25, 0.5, 0.75], method="inverted_cdf")
    spread = (quartiles[2] - quartiles[0]) or np.ptp(values)
    for edge in edges:
        nearest = np.abs(quartiles - edge).min()
        # The unit is the nearest of 1, 2, 5, 10, ... to a quarter of the spread by ratio, at most sqrt(5 / 2) times it.
        unit = max(np.sqrt(2.5) * spread / 4, 1.0 if isinstance(values[0], int) else 0.0)
        assert nearest <= unit / 2 + 1e-9 * abs(edge) or edge == max(values)


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        (range(18, 91), [40, 50, 70]),  # of 36, 54, 72 by tens
        ([*range(20)] * 3, [4, 8, 14]),  # of 4, 9, 14 by twos
        ([value / 100 for value in range(101)], [0.2, 0.5, 0.8]),
        ([1000 * value for value in range(1, 41)], [10_000, 20_000, 30_000]),
        ([9.6] * 50 + [20.4] * 50 + [*range(40, 52)], [10]),  # of 9.6 and 20.4; from 10 to 20 there is no row
    ],
)
def test_guessed_edges_are_numbers_that_people_remember(
    tmp_path: Path, values: Sequence[float], edges: list[float]
) -> None:
    found, _ = look(tmp_path, rows("a,b", *(f"{value!r},x" for value in values)), sensitive=("a",))
    assert found.columns["a"].edges == edges
