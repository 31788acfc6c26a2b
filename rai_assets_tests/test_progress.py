"""Progress lines: what stands in them, and how often they come."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rai_assets import progress
from rai_assets.progress import Progress, listening


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass on the clock that progress looks at."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def test_a_line_says_how_far_how_fast_and_how_long(wait: Callable[[float], None]) -> None:
    lines: list[str] = []
    tell = Progress(lines.append)
    tell("rows read", 0, 9_000)
    wait(3)
    tell("rows read", 3_000, 9_000)
    wait(1)
    tell("rows read", 4_000, 9_000)
    wait(1)
    tell("rows read", 5_000, 0)
    wait(5)
    tell("batches", 0, 4)
    wait(10)
    tell("batches", 1, 4)
    assert lines == [
        "rows read: 3,000 of 9,000 (1,000/s, 6 s left)",
        "rows read: 5,000 (1,000/s)",
        "batches: 1 of 4 (0.1/s, 30 s left)",
    ]


def test_a_part_has_its_own_clock_and_leaves_that_of_the_whole(wait: Callable[[float], None]) -> None:
    lines: list[str] = []
    heard: list[str] = []
    tell = Progress(lines.append)
    with listening(heard.append):
        for at, key in enumerate(("one", "two", "three")):
            tell("batches", at, 3)
            wait(1.5)
            tell.of(key)("rows", 10, 10)
        of_three = tell.of("three")
        of_three("rows", 0, 30)
        wait(2)
        of_three("rows", 20, 30)
    assert lines == ["batches: 2 of 3 (0.67/s, 2 s left)", "three: rows: 20 of 30 (10/s, 1 s left)"]
    assert heard == ["batches: 2 of 3 (0.67/s, 2 s left)", "rows: 20 of 30 (10/s, 1 s left)"]
