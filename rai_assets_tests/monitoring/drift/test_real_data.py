"""Drift that is known to be there, or known not to be: electricity prices and a census."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rai_assets.monitoring.drift import DriftResult, DriftSettings, drift
from rai_assets_tests.metrics.published_data import ACS, ELEC2, LAST_ACS

DAY, BREAK, KNOWN = 48, 17_424, 12_000  # rows of a day; where three columns begin to vary; rows of the reference
ON = ("vicprice", "vicdemand", "transfer")


@pytest.fixture(scope="module")
def electricity(shared_data: Path) -> DriftResult:
    rows = pd.read_csv(shared_data / ELEC2)
    return drift(rows[:KNOWN], rows[KNOWN:], DriftSettings(chunks=DAY))


def start(label: str) -> int:
    return KNOWN + int(label.split(":")[0])


def test_the_break_of_the_electricity_data_is_found_at_its_row(electricity: DriftResult) -> None:
    for column in ON:
        assert min(start(row.chunk) for row in electricity.drifted if row.column == column) == BREAK


def test_the_stable_days_of_the_electricity_data_are_quiet(electricity: DriftResult) -> None:
    stable = {row.chunk for row in electricity.rows if start(row.chunk) + DAY <= BREAK}
    alarmed = {row.chunk for row in electricity.drifted} & stable
    assert len(stable) == 113
    assert len(alarmed) <= 0.05 * len(stable)
    (said,) = (note for note in electricity.notes if "250 contiguous blocks of the reference" in note)
    # Beta(12, 239): the share beyond the twelfth largest of 250 blocks, its 95 % point.
    assert said.endswith("by one in twenty of these at least 7 % of unchanged chunks alarm.")


def test_interchangeable_rows_would_call_every_stable_day_drifted(shared_data: Path) -> None:
    rows = pd.read_csv(shared_data / ELEC2)[:BREAK]
    settings = DriftSettings(chunks=1000, null="permutation", only=["nswprice", "nswdemand"])
    found = drift(rows[:KNOWN], rows[KNOWN:], settings)
    assert {row.chunk for row in found.drifted} == {row.chunk for row in found.rows}


def test_the_drift_of_the_census_is_called_the_order_of_its_rows(shared_data: Path) -> None:
    settings = DriftSettings(chunks=5000, categorical=["RELP"], only=["RELP", "AGEP", "ANC"])
    found = drift(shared_data / ACS, shared_data / LAST_ACS, settings)
    (said,) = [note for note in found.notes if note.startswith("RELP")]
    assert "this is the order of the rows, not a drift" in said
    # Group quarters: 16 institutions, 17 others. They lie in rows 133,619 to 143,889.
    assert "lies together in 135000:139999: 17: 5.23 % -> 69.6 %; 16: 2.24 % -> 30.4 %" in said
    assert not any(note.startswith("ANC") for note in found.notes)  # the question of ancestry did change
