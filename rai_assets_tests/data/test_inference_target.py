"""What `rai init` makes of the target and of wishes: values matched or guessed, and what does not fit refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rai_assets.errors import UsageError
from rai_assets_tests.data.conftest import look, rows


@pytest.mark.parametrize(
    ("values", "wish", "positive", "dtype"),
    [
        (["0", "1"], None, "1", "integer"),
        (["yes", "no"], None, "yes", "category"),
        (["Low", "High", "High"], None, "Low", "category"),
        (["1.0", "0.0"], "1", "1.0", "category"),
        (["1", "2", "2"], None, "1", "integer"),
        (["true", "false"], None, "true", "boolean"),
        (["Good", "bad"], "good", "Good", "category"),
        (["<30", ">30", "NO"], "<30", "<30", "category"),
    ],
)
def test_the_positive_value_is_matched_or_guessed_and_said(
    tmp_path: Path, values: list[str], wish: str | None, positive: str, dtype: str
) -> None:
    found, guesses = look(
        tmp_path, rows("x,y", *(f"{at},{value}" for at, value in enumerate(values))), target="y", positive=wish
    )
    assert (found.columns["y"].positive, found.columns["y"].dtype) == (positive, dtype)
    assert ("positive value of y" in guesses) == (wish is None)


def test_few_numbers_are_classes_and_many_are_a_quantity(tmp_path: Path) -> None:
    few, said = look(tmp_path, rows("x,y", *(f"1,{at % 3}" for at in range(30))), target="y")
    assert (few.columns["y"].dtype, few.columns["y"].allowed) == ("category", ["0", "1", "2"])
    assert "3 classes" in said
    many, said = look(tmp_path, rows("x,y", *(f"1,{at}" for at in range(30))), target="y")
    assert (many.columns["y"].dtype, many.columns["y"].allowed) == ("integer", None)
    assert "regression" in said


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"target": "Y"}, "no column 'Y'"),
        ({"target": "y", "sensitive": ("sx",)}, "no column 'sx'"),
        ({"target": "y", "positive": "maybe"}, "'y' never is 'maybe'"),
        ({"target": "y", "prediction": "x"}, "which the target never has"),
        ({"target": "y", "prediction": "y"}, "are different columns"),
        ({"target": "y", "weight": "x"}, "the weight 'x' is no number"),
        ({"target": "y", "threshold": 0.5}, "needs the column of scores"),
        ({"target": "empty"}, "has no values"),
        ({"target": "y", "sensitive": ("empty",)}, "has no values"),
    ],
)
def test_wishes_that_do_not_fit_the_data_are_refused(tmp_path: Path, wishes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        look(tmp_path, rows("x,y,empty", "a,0,", "b,1,"), **wishes)


def test_a_target_or_a_decision_that_never_varies_is_said_or_refused(tmp_path: Path) -> None:
    content = rows("x,y,p", "1,no,yes", "2,no,yes", "3,no,no")
    with pytest.raises(UsageError, match="the target 'y' is 'no' in every row, so there is nothing to learn"):
        look(tmp_path, content, target="y")
    with pytest.raises(UsageError, match="the target 'y' is 'no' in every row"):
        look(tmp_path, content, target="y", positive="no")
    _, said = look(tmp_path, rows("y,p", "no,no", "yes,no"), target="y", prediction="p")
    assert "p is 'no' in every row" in said


def test_a_model_needs_a_column_to_learn_from(tmp_path: Path) -> None:
    texts = rows("text,y", *(f"word {at},{at % 2}" for at in range(100)))
    with pytest.raises(UsageError, match="no column is left that a model could learn from"):
        look(tmp_path, texts, target="y")
    with pytest.raises(UsageError, match="no column is left"):
        look(tmp_path, rows("sex,y", "F,0", "M,1"), target="y", sensitive=("sex",))


def test_a_sensitive_column_may_be_the_target_or_the_score_too(tmp_path: Path) -> None:
    content = rows("y,s", *(f"{at % 2},{at}" for at in range(40)))
    found, _ = look(tmp_path, content, target="y", score="s", threshold=5, sensitive=("y", "s"))
    assert (found.columns["y"].roles, found.columns["y"].dtype) == (("target", "sensitive"), "category")
    assert (found.columns["s"].roles, found.columns["s"].edges) == (("score", "sensitive"), [10, 20, 30])


@pytest.mark.parametrize("wished", [("race, sex",), ("race", "sex")])
def test_a_sensitive_column_with_a_comma_in_its_name_is_refused(tmp_path: Path, wished: tuple[str, ...]) -> None:
    content = rows('x,"race, sex",y', "1,a,0", "2,b,1")
    with pytest.raises(UsageError, match="'race, sex' has a comma in its name"):
        look(tmp_path, content, target="y", sensitive=wished)
    found, _ = look(tmp_path, content, target="y")
    assert found.columns["race, sex"].roles == ("feature",)
