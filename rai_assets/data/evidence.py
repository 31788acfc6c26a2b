"""What is known of a column before its role is decided: the user's words, the evidence, and what was found out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from rai_assets.charts.text import how_many
from rai_assets.data.columns import ColumnSettings
from rai_assets.data.profiling import Profile
from rai_assets.data.rules import label_order
from rai_assets.errors import UsageError

FEW = 10  # distinct numbers that are groups rather than a quantity

_UNREAD = (
    (re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+),[0-9]+"), "numbers with a decimal comma; a point is read"),
    (re.compile(r"[0-9]{1,2}([./-])[0-9]{1,2}\1([0-9]{2}|[0-9]{4})"), "dates; those like 2024-05-31 are read"),
)

Kind = Literal["integer", "number", "boolean", "timestamp", "text"]


@dataclass(frozen=True)
class Wishes:
    """What the user said about the columns.

    Attributes:
        target: Column that is predicted.
        positive: Its value that a decision of 1 predicts.
        sensitive: Columns whose groups are compared.
        prediction: Column of logged decisions.
        score: Column of logged scores.
        threshold: Score from which a decision is positive.
        weight: Column of row weights.
        missing: Spellings that mean a missing value, besides the empty text.
    """

    target: str | None = None
    positive: str | None = None
    sensitive: tuple[str, ...] = ()
    prediction: str | None = None
    score: str | None = None
    threshold: float | None = None
    weight: str | None = None
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.threshold is not None and self.score is None:
            raise UsageError("a threshold needs the column of scores", fix="add --score COLUMN")
        if len(set(self._single)) != len(self._single):
            raise UsageError(
                "target, prediction, score and weight are different columns", fix="name a column once among them"
            )

    @property
    def named(self) -> tuple[str, ...]:
        """All columns the user spoke of."""
        return (*self._single, *self.sensitive)

    @property
    def _single(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.target, self.prediction, self.score, self.weight)))

    @property
    def logged(self) -> bool:
        """Whether the data carry decisions or scores, so that there is no model to make."""
        return self.prediction is not None or self.score is not None


@dataclass
class Guesses:
    """What was found out.

    Attributes:
        columns: The declaration of every column.
        missing: Spellings that mean a missing value in every column.
        aliases: {column: {spelling: meaning}}.
        sentences: What of it was guessed.
    """

    columns: dict[str, ColumnSettings] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        """Tell the user of a guess."""
        self.sentences.append(sentence)


class Evidence:
    """The evidence about one column, once it is settled what means missing."""

    def __init__(self, profile: Profile, found: Guesses) -> None:
        self.name = profile.name
        self.profile = profile
        self.found = found
        marked = {*found.missing, *(found.aliases.get(profile.name, {}))}
        self.missing = profile.empty + sum(rows for text, rows in profile.markers.items() if text in marked)
        self._real_markers = {text: rows for text, rows in profile.markers.items() if text not in marked}

    @property
    def labels(self) -> list[str]:
        """Its distinct values as they are meant, in order; not all of them if there are too many."""
        aliases = self.found.aliases.get(self.name, {})
        texts = {*self.profile.values, *self._real_markers}
        return sorted({aliases.get(text, text) for text in texts}, key=label_order)

    @property
    def many(self) -> bool:
        """Whether there are more values than are remembered."""
        return self.profile.overflowed

    @property
    def kind(self) -> Kind | None:
        """What all its values are; None where there is none."""
        profile = self.profile
        if not profile.known:
            return "text" if self._real_markers else None
        if self._real_markers:
            return "text"
        if profile.booleans:
            return "boolean"
        if profile.numbers and profile.quantiles.count and not profile.leading_zero:
            return "integer" if profile.integers else "number" if profile.fractions or profile.endless else "text"
        return "timestamp" if profile.local_times or profile.utc_times else "text"

    @property
    def quantity(self) -> bool:
        """Whether its values are numbers, and more than a few."""
        return self.kind in ("integer", "number") and (self.many or len(self.labels) > FEW)

    def say_unread(self) -> None:
        """Say that texts look like numbers or dates in a form that is not read."""
        for form, words in _UNREAD:
            if self.kind == "text" and all(form.fullmatch(label.strip()) for label in self.labels):
                self.found.say(f"{self.name} is text: its values, like {self.labels[0]!r}, look like {words}")

    def say_endless(self) -> None:
        """Say which values will stop the data because they are no finite numbers."""
        first = self.profile.first_endless
        if self.kind == "number" and first is not None:
            values = how_many(self.profile.endless, "value that is", "values that are")
            self.found.say(
                f"{self.name} has {values} no finite number, which the contract refuses: first {first[0]!r} {first[1]}"
            )

    def policy(self) -> dict[str, Any]:
        """Whether values may be missing, as the data are."""
        return {"missing": "allowed"} if self.missing else {}

    def refuse_missing(self) -> None:
        """Say that missing values will stop the data, where a column cannot have them."""
        if self.missing:
            self.found.say(f"{self.name} has {how_many(self.missing, 'missing value')}, which the contract refuses")
