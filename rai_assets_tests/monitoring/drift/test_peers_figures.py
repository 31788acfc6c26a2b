"""Figures that NannyML prints in its notebooks, of files of which whole months or tenths are chunks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rai_assets.monitoring.drift import DriftResult, DriftSettings, drift

MONTHLY = DriftSettings(methods=["ks"], chunks="monthly", timestamp="timestamp", rule="reference_chunks")


@pytest.fixture(scope="module")
def months(shared_data: Path) -> tuple[DriftResult, DriftResult]:
    """The reference against itself, and the months after it."""
    before, later = (
        shared_data / "california_housing" / f"california_housing_{name}.csv.gz" for name in ("reference", "analysis")
    )
    return drift(before, before, MONTHLY), drift(before, later, MONTHLY)


@pytest.mark.parametrize(
    ("column", "published"),
    [
        ("id", 0.87428), ("Longitude", 0.712709), ("Latitude", 0.672904), ("HouseAge", 0.201638), ("MedInc", 0.154952),
        ("AveOccup", 0.14389), ("AveRooms", 0.129277), ("AveBedrms", 0.0891403), ("Population", 0.0735623),
    ],
)  # fmt: skip
def test_the_mean_ks_statistic_of_twenty_months_of_houses(
    months: tuple[DriftResult, DriftResult], column: str, published: float
) -> None:
    found = [row.statistic for side in months for row in side.rows if row.column == column]
    assert len(found) == 20
    assert np.mean(np.array(found, np.float64)) == pytest.approx(published, abs=6e-7)


def test_the_alarms_of_the_houses(months: tuple[DriftResult, DriftResult]) -> None:
    """Its ranking by alarms: three months of Longitude, one of Latitude, none of the other features."""
    found = Counter(row.column for row in months[1].drifted)
    assert {name: count for name, count in found.items() if not name.startswith("y_")} == {
        "Longitude": 3,
        "Latitude": 1,
    }


@pytest.mark.parametrize(
    ("column", "chunk", "published"),
    [("Age", "82:122", 0.292683), ("Age", "410:417", 0.5), ("Fare", "123:163", 0.0243902), ("Cabin", "0:40", 0.853659)],
)
def test_missing_values_of_passengers_in_tenths(shared_data: Path, column: str, chunk: str, published: float) -> None:
    before, later = (shared_data / "titanic" / f"titanic_{name}.csv" for name in ("reference", "analysis"))
    found = drift(before, later, DriftSettings(methods=["missing"], chunks=41, rule="reference_chunks"))
    (row,) = [row for row in found.rows if (row.column, row.chunk) == (column, chunk)]
    assert row.statistic == pytest.approx(published, abs=6e-7)
    assert row.drifted == (chunk in ("410:417", "123:163"))


def test_limits_from_tenths_of_the_reference_and_unseen_values_of_passengers(shared_data: Path) -> None:
    before, later = (shared_data / "titanic" / f"titanic_{name}.csv" for name in ("reference", "analysis"))
    tenths = drift(before, later, DriftSettings(methods=["missing"], chunks=89, rule="reference_chunks"))
    limits = {row.column: (row.lower_threshold, row.threshold) for row in tenths.rows}
    assert limits["Age"] == (None, pytest.approx(0.374409, abs=6e-7))
    assert limits["Cabin"][0] == pytest.approx(0.55096, abs=6e-7)
    settings = DriftSettings(methods=["missing", "unseen"], chunks=41, rule="reference_chunks")
    found = {(row.column, row.chunk, row.method): row for row in drift(before, later, settings).rows}
    assert found["Ticket", "0:40", "unseen"].statistic == pytest.approx(0.609756, abs=6e-7)
    # Its rate is over all rows, ours over those that have a value.
    of_present, missing = (found["Cabin", "0:40", method].statistic for method in ("unseen", "missing"))
    assert of_present is not None and missing is not None
    assert of_present * (1 - missing) == pytest.approx(0.0731707, abs=6e-7)
