"""Figures that others published come out of the product's functions, each within the digits it was published with."""

from __future__ import annotations

from pathlib import Path

import pytest

from rai_assets_tests.metrics.published import REPRODUCED, WAITING, rows

ROWS = rows()


@pytest.mark.parametrize("figure", sorted((ROWS or REPRODUCED).keys() - WAITING.keys()))
def test_a_published_figure_is_reproduced(shared_data: Path, figure: str) -> None:
    assert figure in REPRODUCED, "a new row: reproduce it, or say in WAITING what it waits for"
    published, tolerance = float(ROWS[figure]["published"]), float(ROWS[figure]["tolerance"])
    assert abs(REPRODUCED[figure].value(shared_data) - published) <= tolerance


def test_every_figure_that_is_spoken_of_is_in_the_file(shared_data: Path) -> None:
    assert REPRODUCED.keys() | WAITING.keys() == ROWS.keys()
    assert not REPRODUCED.keys() & WAITING.keys()
