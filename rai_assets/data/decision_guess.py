"""What logged decisions, scores and row weights are, from their values and what the user said."""

from __future__ import annotations

from typing import Any

from rai_assets.data.evidence import Evidence, Wishes
from rai_assets.data.label_guess import (
    FALSE,
    TRUE,
    labelled,
    likely_positive,
    match,
    same_label,
    say_constant,
    some_labels,
)
from rai_assets.data.rules import shown
from rai_assets.errors import UsageError


def prediction_of(column: Evidence, wishes: Wishes, target: dict[str, Any] | None) -> dict[str, Any]:
    """The declaration of a column of decisions.

    Args:
        column: The evidence about it.
        wishes: What the user said.
        target: The target's declaration, whose values the decisions take; None where there is none.

    Raises:
        UsageError: A decision is none of the target's values.
    """
    column.refuse_missing()
    say_constant(column)
    if target is None:
        if column.kind is None or column.many or column.quantity:
            return {"role": "prediction", "dtype": "number"}
        if len(column.labels) > 2 and wishes.positive is None:
            return {"role": "prediction", "dtype": "category", "allowed": column.labels}
        positive = likely_positive(column, column.labels) if wishes.positive is None else match(wishes.positive, column)
        column.found.say(f"{shown(positive)} is the positive value of {column.name}")
        return {"role": "prediction", **labelled(column, column.labels, positive)}
    if target["dtype"] == "boolean":
        if column.kind != "boolean":
            _take_spelling(column, ["false", "true"], "true")
        return {"role": "prediction", "dtype": "boolean"}
    if "allowed" not in target:
        return {"role": "prediction", "dtype": "number"}
    _take_spelling(column, target["allowed"], target.get("positive"))
    return {"role": "prediction", "dtype": target["dtype"], "allowed": target["allowed"]}


def _take_spelling(column: Evidence, allowed: list[str], positive: str | None) -> None:
    """Alias every decision to the target's value that it means.

    Raises:
        UsageError: It means none.
    """
    labels = column.labels
    truth: dict[str, str] = {}
    if positive is not None and len(allowed) == 2 and not any(same_label(label, allowed) for label in labels):
        negative = next(label for label in allowed if label != positive)
        truth = {**dict.fromkeys(TRUE, positive), **dict.fromkeys(FALSE, negative)}
    for label in labels:
        meant = same_label(label, allowed) or truth.get(label.strip().casefold())
        if meant is None:
            raise UsageError(
                f"the prediction {column.name!r} has the value {label!r}, which the target never has",
                fix=f"write decisions in the file as {', '.join(map(shown, allowed[:20]))}; "
                "of a score that is a number, --score and --threshold make decisions",
            )
        if meant != label:
            column.found.aliases.setdefault(column.name, {})[label] = meant
            column.found.say(f"{shown(label)} in {column.name} means {shown(meant)}")


def score_of(column: Evidence, wishes: Wishes) -> dict[str, Any]:
    """The declaration of a column of scores.

    Raises:
        UsageError: They are no numbers, or no threshold is known.
    """
    column.refuse_missing()
    if column.kind not in ("integer", "number"):
        raise UsageError(f"the score {column.name!r} is no number", fix=f"its values are {some_labels(column)}")
    settings = {"role": "score", "dtype": "number"}
    low, high = column.profile.low, column.profile.high
    if wishes.threshold is not None:
        _say_one_sided(column, wishes.threshold)
        return {**settings, "threshold": wishes.threshold}
    if wishes.prediction is not None:
        return settings
    if low < 0 or high > 1:
        raise UsageError(
            f"the scores {column.name!r} run from {low:g} to {high:g}, so no threshold can be guessed",
            fix="add --threshold",
        )
    column.found.say(f"a score in {column.name} of 0.5 and more is a positive decision; --threshold names another")
    _say_one_sided(column, 0.5)
    return {**settings, "threshold": 0.5}


def _say_one_sided(column: Evidence, threshold: float) -> None:
    """Say that a threshold makes all decisions the same."""
    low, high = column.profile.low, column.profile.high
    run = f"they run from {low:g} to {high:g}"
    if high < threshold:
        column.found.say(f"no score in {column.name} reaches {threshold:g} ({run}): every decision is negative")
    elif low >= threshold:
        column.found.say(f"every score in {column.name} reaches {threshold:g} ({run}): every decision is positive")


def weight_of(column: Evidence) -> dict[str, Any]:
    """The declaration of a column of row weights.

    Raises:
        UsageError: They are no numbers, or negative.
    """
    column.refuse_missing()
    if column.kind not in ("integer", "number"):
        raise UsageError(f"the weight {column.name!r} is no number", fix=f"its values are {some_labels(column)}")
    if column.profile.low < 0:
        raise UsageError(
            f"the weight {column.name!r} has negative values, the least is {column.profile.low:g}",
            fix="name a column of weights that are 0 or more",
        )
    return {"role": "weight", "dtype": column.kind}
