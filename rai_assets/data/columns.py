"""The declaration of one column: what it is, and what it may hold."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Role = Literal[
    "target", "feature", "sensitive", "identifier", "timestamp", "weight", "prediction", "score", "context", "ignored"
]
DType = Literal["number", "integer", "category", "boolean", "text", "timestamp"]

MAX_NAME = 200  # characters of a column name
_NEVER_MISSING: tuple[Role, ...] = ("target", "weight", "prediction", "score", "timestamp", "identifier")
NUMERIC: tuple[DType, ...] = ("number", "integer")


class Strict(BaseModel):
    """Settings that name nothing unknown, coerce nothing and do not change."""

    # A trace shows no value: a secret may stand where the name of its variable belongs.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def _as_label(value: object) -> object:
    """Write a whole number as the text it has in a file; a fraction or a truth value has more than one."""
    if isinstance(value, bool | float):
        raise ValueError(f"put {value} in quotes, spelled as in the data")
    return str(value) if isinstance(value, int) else value


def _is_integer(text: str) -> bool:
    return re.fullmatch(r"0|-?[1-9][0-9]{0,18}", text) is not None


def check_column_name(name: str) -> str:
    """A column name that people can read and tell apart.

    Raises:
        ValueError: It is empty, too long, or has characters that cannot be seen.
    """
    if not name or len(name) > MAX_NAME:
        raise ValueError(f"a column name has 1 to {MAX_NAME} characters, this one has {len(name):,}")
    hidden = next((sign for sign in name if unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"}), None)
    if hidden is not None:
        raise ValueError(f"the column name {name[:80]!r} has the invisible character U+{ord(hidden):04X}")
    return name


def name_key(name: str) -> str:
    """What two column names have in common when people would take one for the other."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


Label = Annotated[str, BeforeValidator(_as_label)]
ColumnName = Annotated[str, AfterValidator(check_column_name)]


class ColumnSettings(Strict):
    """What one column is, and what it may hold.

    Attributes:
        role: One role or several; a sensitive column is no feature unless it says so: `[feature, sensitive]`. A
            `context` column is kept for comparisons and not seen by a model; an `ignored` one is not read.
        dtype: How its values are read; nothing is guessed from the values. Only an ignored column has none.
        allowed: The values of a category, in the order they are shown.
        minimum: Least value of a number.
        maximum: Greatest value of a number.
        missing: Whether a value may be missing.
        positive: The target's value that a decision of 1 predicts; makes the task binary.
        edges: Inner bounds that cut a numeric sensitive column into groups, each with its lower bound.
        threshold: Score from which the logged decision is positive.
        description: What the column says, for people.
    """

    role: Role | list[Role] = "feature"
    dtype: DType = "text"
    allowed: Annotated[list[Label], Field(min_length=1, max_length=10_000)] | None = None
    minimum: float | None = None
    maximum: float | None = None
    missing: Literal["allowed", "refused"] = "refused"
    positive: Label | None = None
    edges: Annotated[list[float], Field(min_length=1, max_length=100)] | None = None
    threshold: float | None = None
    description: Annotated[str, Field(max_length=2000)] = ""

    @property
    def roles(self) -> tuple[Role, ...]:
        """All roles, in the order they were declared."""
        return tuple(self.role) if isinstance(self.role, list) else (self.role,)

    @model_validator(mode="after")
    def _fits_together(self) -> ColumnSettings:
        self._check_roles()
        self._check_values()
        if self.positive is not None and not {"target", "prediction"} & set(self.roles):
            raise ValueError("`positive` stands on the target (or on the prediction where there is no target)")
        if self.threshold is not None and "score" not in self.roles:
            raise ValueError("`threshold` stands on the column with role `score`")
        if self.missing == "allowed":
            strict = next((role for role in self.roles if role in _NEVER_MISSING), None)
            if strict is not None:
                raise ValueError(
                    f"a column with role `{strict}` has a value in every row: `missing: allowed` cannot be"
                )
        return self

    def _check_roles(self) -> None:
        roles = self.roles
        if "dtype" not in self.model_fields_set and roles != ("ignored",):
            raise ValueError("`dtype` is missing: number, integer, category, boolean, text or timestamp")
        if not roles or len(set(roles)) != len(roles):
            raise ValueError("name each role once")
        if "ignored" in roles and len(roles) > 1:
            raise ValueError("`ignored` is the only role of a column that has it")
        if "feature" in roles and {"target", "prediction", "score", "weight"} & set(roles):
            raise ValueError("a column that a model may see is not target, prediction, score or weight as well")
        numeric = self.dtype in NUMERIC
        if {"weight", "score"} & set(roles) and not numeric:
            raise ValueError("a weight or a score has dtype number or integer")
        if "timestamp" in roles and self.dtype not in ("timestamp", *NUMERIC):
            raise ValueError("a column with role `timestamp` has dtype timestamp, integer or number")
        if "sensitive" in roles and self.dtype in ("text", "timestamp"):
            raise ValueError("a sensitive column has dtype category, boolean, or a number with `edges`")
        if "sensitive" in roles and numeric and self.edges is None:
            raise ValueError("a numeric sensitive column needs `edges`, e.g. [25, 45]; or give it dtype category")

    def _check_values(self) -> None:
        numeric = self.dtype in NUMERIC
        if not numeric and (self.minimum is not None or self.maximum is not None):
            raise ValueError("`minimum` and `maximum` are for numbers and integers")
        bounds = [
            bound for bound in (self.minimum, self.maximum, self.threshold, *(self.edges or [])) if bound is not None
        ]
        if not all(math.isfinite(bound) for bound in bounds):
            raise ValueError("`minimum`, `maximum`, `edges` and `threshold` are finite numbers")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("`minimum` is above `maximum`")
        if self.edges is not None and (not numeric or "sensitive" not in self.roles):
            raise ValueError("`edges` cut a numeric sensitive column")
        if self.edges is not None and any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("`edges` rise")
        if self.dtype == "boolean" and self.positive not in (None, "true", "false"):
            raise ValueError('the positive value of a boolean is "true" or "false"')
        if self.dtype == "integer" and not all(
            _is_integer(label) for label in (*(self.allowed or []), self.positive or "0")
        ):
            raise ValueError(
                "`allowed` and `positive` of an integer are whole numbers without sign + and leading zeros"
            )
        if self.allowed is not None:
            if self.dtype not in ("category", "integer"):
                raise ValueError("`allowed` lists the values of a category or an integer")
            if len(set(self.allowed)) != len(self.allowed):
                raise ValueError("`allowed` names a value twice")
