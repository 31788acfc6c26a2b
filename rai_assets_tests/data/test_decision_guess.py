"""Logged decisions, scores and weights as `rai init` declares them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rai_assets.errors import UsageError
from rai_assets_tests.data.conftest import look, rows


def test_logged_decisions_take_the_targets_spelling(tmp_path: Path) -> None:
    content = rows("y,p,s", "0,0.0,0.1", "1,1.0,0.9", "1,0.0,0.2")
    found, said = look(tmp_path, content, target="y", prediction="p", score="s")
    assert found.aliases == {"p": {"0.0": "0", "1.0": "1"}}
    assert found.columns["p"].allowed == ["0", "1"]
    assert found.columns["s"].threshold is None
    assert found.split is None
    assert "'1.0' in p means '1'" in said


@pytest.mark.parametrize(
    ("targets", "positive", "decisions", "aliases"),
    [
        (["0", "1"], "1", ["False", "True"], {"False": "0", "True": "1"}),
        (["good", "bad"], "good", ["1", "0"], {"1": "good", "0": "bad"}),
        (["no", "yes"], "no", ["0.0", "1.0"], {"0.0": "yes", "1.0": "no"}),
        (["True", "False"], None, ["1", "0"], {"1": "true", "0": "false"}),
        (["Good", "bad"], "Good", ["good", "Bad"], {"good": "Good", "Bad": "bad"}),
    ],
)
def test_a_decision_that_says_yes_means_the_positive_value(
    tmp_path: Path, targets: list[str], positive: str | None, decisions: list[str], aliases: dict[str, str]
) -> None:
    content = rows("y,p", *(f"{target},{decision}" for target, decision in zip(targets, decisions, strict=True)))
    found, said = look(tmp_path, content, target="y", positive=positive, prediction="p")
    assert found.aliases == {"p": aliases}
    assert all(f"{decision!r} in p means {meant!r}" in said for decision, meant in aliases.items())


def test_decisions_0_and_1_of_a_target_1_and_2_are_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has the value '0', which the target never has"):
        look(tmp_path, rows("y,p", "1,0", "2,1"), target="y", prediction="p")


def test_scores_alone_get_a_threshold_or_are_asked_for_one(tmp_path: Path) -> None:
    found, said = look(tmp_path, rows("y,s", "0,0.1", "1,0.9"), target="y", score="s")
    assert found.columns["s"].threshold == 0.5
    assert "0.5 and more is a positive decision" in said
    with pytest.raises(UsageError, match="no threshold can be guessed"):
        look(tmp_path, rows("y,s", "0,1", "1,9"), target="y", score="s")
    found, _ = look(tmp_path, rows("y,s", "0,1", "1,9"), target="y", score="s", threshold=5)
    assert found.columns["s"].threshold == 5


@pytest.mark.parametrize(
    ("scores", "threshold", "said"),
    [
        (["0.1", "0.9"], 5, "no score in s reaches 5 (they run from 0.1 to 0.9): every decision is negative"),
        (["1", "10"], 1, "every score in s reaches 1 (they run from 1 to 10): every decision is positive"),
        (["0.6", "0.9"], None, "every score in s reaches 0.5 (they run from 0.6 to 0.9): every decision is positive"),
        (["1", "10"], 10, None),
    ],
)
def test_a_threshold_that_decides_all_rows_alike_is_said(
    tmp_path: Path, scores: list[str], threshold: float | None, said: str | None
) -> None:
    content = rows("y,s", f"0,{scores[0]}", f"1,{scores[1]}")
    _, guesses = look(tmp_path, content, target="y", score="s", threshold=threshold)
    assert said in guesses if said else "every decision" not in guesses


def test_a_weight_is_declared_as_one(tmp_path: Path) -> None:
    found, _ = look(tmp_path, rows("w,x,y", "0.5,1,0", "2,2,1"), target="y", weight="w")
    assert (found.columns["w"].roles, found.columns["w"].dtype) == (("weight",), "number")
    with pytest.raises(UsageError, match="the weight 'w' has negative values, the least is -2"):
        look(tmp_path, rows("w,x,y", "-2,1,0", "2,2,1"), target="y", weight="w")
