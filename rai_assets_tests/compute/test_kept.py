"""What is kept: made once, the newest few."""

from __future__ import annotations

from rai_assets.compute.kept import Kept


def test_a_thing_is_made_once_also_where_it_is_none() -> None:
    made = []
    kept = Kept()
    for _ in range(3):
        assert kept.once("nothing", lambda: made.append(1)) is None  # type: ignore[func-returns-value]
    assert made == [1]


def test_the_thing_that_was_asked_for_longest_ago_goes_first() -> None:
    kept, made = Kept(most=2), list[str]()
    for key in ("a", "b", "a", "c", "a", "b"):
        kept.once(key, lambda key=key: made.append(key) or key)  # type: ignore[misc, func-returns-value]
    assert made == ["a", "b", "c", "b"]
