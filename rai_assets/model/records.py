"""A few rows as Python values: what-if questions and single requests, without the fixed costs of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.data.contract import Column, Contract
from rai_assets.errors import InputRefused, UsageError
from rai_assets.model.column_encoding import UNSEEN, too_large
from rai_assets.model.encoding import Encoding

if TYPE_CHECKING:
    from rai_assets.model.scoring import ScoringSession

# Beyond this many rows a table's fixed costs are the smaller ones.
FEW_ROWS = 16
_PLAIN = frozenset({float, int, bool})
# Up to here a whole number is the same by way of double, which is Python's way to float32, and directly.
_EXACT = 2**53
_ARROW = {"number": pa.float64(), "boolean": pa.bool_(), "category": pa.string()}


class RecordEncoder:
    """`Encoding.matrix` for a few rows of Python values: the same numbers, prepared once and looked up in dictionaries.

    Args:
        encoding: How source columns become the matrix.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._numbers = [(item.feature, math.nan if item.fill is None else item.fill) for item in encoding.numbers]
        self._offset = np.array([item.offset for item in encoding.numbers], np.float32)
        self._factor = np.array([item.factor for item in encoding.numbers], np.float32)
        self._categories: list[tuple[str, dict[Any, int]]] = []
        for item in encoding.categories:
            missing = len(item.categories) if item.missing else UNSEEN
            codes = {word: code for code, word in enumerate(item.categories)}
            self._categories.append((item.feature, {**codes, None: missing, "": missing}))

    def coded(self, values: Mapping[str, Sequence[Any]]) -> tuple[NDArray[np.float32], list[list[int]]]:
        """Encoded numbers and the codes of the categories.

        Args:
            values: The values of every feature, n each: numbers, booleans, texts, None or NaN for a missing one.

        Returns:
            float32 (n, numbers) in the order of `Encoding.numbers`, and per category of `Encoding.categories` the
            n codes: an index into its levels, or -1 where unseen.

        Raises:
            UsageError: A number was expected and the value is something else.
            InputRefused: A number is infinite or beyond float32.
        """
        rows = len(next(iter(values.values())))
        columns = [_floats(name, values[name], fill) for name, fill in self._numbers]
        numbers = np.array(columns, np.float32).reshape(len(columns), rows).T
        codes = [_codes(known, values[name]) for name, known in self._categories]
        return (numbers - self._offset) * self._factor, codes

    def matrix(self, numbers: NDArray[np.float32], codes: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """`Encoding.matrix` of the rows: float32 (n, m), C order.

        Args:
            numbers: As `coded` returns them, (n, p).
            codes: As `coded` returns them.
        """
        out = np.zeros((len(numbers), self._encoding.width), np.float32)
        out[:, : len(self._numbers)] = numbers
        for category, start, mine in zip(self._encoding.categories, self._encoding.starts, codes, strict=True):
            for row, code in enumerate(mine):
                if not category.one_hot:
                    out[row, start] = code
                elif code != UNSEEN:
                    out[row, start + code] = 1.0
        return out


def _floats(name: str, values: Sequence[Any], fill: float) -> list[float]:
    # Of a comparison with NaN nothing is true, so it is one of the values that `_float` looks at.
    return [
        value if type(value) in _PLAIN and -_EXACT <= value <= _EXACT else _float(name, value, fill) for value in values
    ]


def _float(name: str, value: Any, fill: float) -> float:
    """A number that is missing, large, or of another type than Python's own."""
    if value is None:
        return fill
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise UsageError(
            f"a number was expected and the value is {value!r}",
            where=f"column {name!r}",
            fix="give a number without quotes, or None where it is missing",
        )
    try:
        with np.errstate(over="ignore"):
            whole = type(value) is int and -(2**63) <= value < 2**63
            number = float(np.float32(np.int64(value) if whole else float(value)))
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise too_large(name, 1)
    return fill if math.isnan(number) else number


def _codes(known: Mapping[Any, int], values: Sequence[Any]) -> list[int]:
    return [known.get(value if value is None or isinstance(value, str) else _text(value), UNSEEN) for value in values]


def _text(value: Any) -> str:
    """Another value as the category that it would be in a table."""
    return pc.cast(pa.scalar(value), pa.string()).as_py()


@dataclass(frozen=True)
class Answers:
    """What a model says of n records.

    Attributes:
        scores: Probabilities (n, k) in the order of the version's classes, or predicted values (n,).
        decisions: Class codes (n,); None for a regression.
        unseen: Per record the columns whose category no training row has (or that no training row lacks): the answer
            treats it as no category. Always empty for a supplied file, which does not tell.
    """

    scores: NDArray[np.float64]
    decisions: NDArray | None
    unseen: tuple[tuple[str, ...], ...]


class RecordScorer:
    """Scores records that somebody typed: every value is held against the contract first.

    Args:
        session: The model, open.
        contract: What the columns may hold: types, `minimum`, `maximum`, `allowed`, `missing`.
    """

    def __init__(self, session: ScoringSession, contract: Contract) -> None:
        self._session = session
        self._rules = [_Rule.of(contract[name]) for name in session.features]
        categories = () if session.encoding is None else session.encoding.categories
        self._known = [
            (item.feature, frozenset((*item.categories, *((None, "") if item.missing else ())))) for item in categories
        ]

    def score(self, records: Sequence[Mapping[str, Any]]) -> Answers:
        """Score records.

        Args:
            records: Each with a value per feature, None for a missing one; other keys are not read.

        Raises:
            InputRefused: A record lacks a feature, a value is not what the contract declares, or the model answers no
                finite number or probability.
        """
        for place, record in enumerate(records):
            problems = [problem for rule in self._rules if (problem := rule.problem(record))]
            if problems:
                raise InputRefused("; ".join(problems), where=f"record {place + 1}")
        scores = self._scores(records)
        unseen = tuple(tuple(name for name, known in self._known if record[name] not in known) for record in records)
        return Answers(scores, self._session.decisions(scores), unseen)

    def _scores(self, records: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        values = {rule.name: [record[rule.name] for record in records] for rule in self._rules}
        if len(records) <= FEW_ROWS and self._session.encoding is not None:
            return self._session.value_scores(values)
        kinds = {item.name: _ARROW[item.kind] for item in self._session.version.features}
        return self._session.scores(pa.table({name: pa.array(values[name], kinds[name]) for name in values}))


@dataclass(frozen=True)
class _Rule:
    """What one column of a record may hold."""

    name: str
    dtype: str
    missing: bool
    low: float
    high: float
    allowed: frozenset[str] | None

    @classmethod
    def of(cls, column: Column) -> _Rule:
        declared = column.settings
        low, high = (declared.minimum, declared.maximum)
        return cls(
            column.name,
            column.dtype,
            column.missing_allowed,
            -math.inf if low is None else low,
            math.inf if high is None else high,
            None if declared.allowed is None else frozenset(declared.allowed),
        )

    def problem(self, record: Mapping[str, Any]) -> str | None:
        """What is wrong with the record's value, in words; None where nothing is."""
        if self.name not in record:
            return f"{self.name!r} is not in the record"
        value = record[self.name]
        if value is None or value == "" or value != value:
            return None if self.missing else f"{self.name!r} is missing, which is refused here"
        fault = self._text(value) if self.dtype == "category" else self._number(value)
        return f"{self.name!r} is {value!r}, {fault}" if fault else None

    def _text(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return "not a text"
        return "not among the allowed values" if self.allowed is not None and value not in self.allowed else None

    def _number(self, value: Any) -> str | None:
        if self.dtype == "boolean":
            return None if isinstance(value, bool) else "neither true nor false"
        if isinstance(value, bool) or not isinstance(value, int | float) or value in (math.inf, -math.inf):
            return "not a finite number"
        if value < self.low:
            return f"below the minimum {self.low:g}"
        if value > self.high:
            return f"above the maximum {self.high:g}"
        if self.dtype == "integer" and value != int(value):
            return "not a whole number"
        return (
            "not among the allowed values" if self.allowed is not None and str(int(value)) not in self.allowed else None
        )
