"""The declaration of a data set: its files, how to read them, and what every column is and may hold."""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SplitName = Literal["train", "calibration", "test"]
Format = Literal["csv", "parquet", "jsonl", "excel"]
Role = Literal[
    "target", "feature", "sensitive", "identifier", "timestamp", "weight", "prediction", "score", "context", "ignored"
]
DType = Literal["number", "integer", "category", "boolean", "text", "timestamp"]

MAX_NAME = 200  # characters of a column name
_SINGLE_ROLES: tuple[Role, ...] = ("target", "timestamp", "weight", "prediction", "score")
_NEVER_MISSING: tuple[Role, ...] = ("target", "weight", "prediction", "score", "timestamp", "identifier")
_NUMERIC: tuple[DType, ...] = ("number", "integer")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


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


def _check_distinct(names: dict[str, ColumnSettings]) -> dict[str, ColumnSettings]:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name_key(name), name)
        if other != name:
            raise ValueError(f"the column names {other!r} and {name!r} look the same; rename one of them")
    return names


def _check_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
        "".encode(name)
    except LookupError as error:
        raise ValueError(f"{name!r} is not the name of a text encoding; utf-8, latin-1 and utf-16 are") from error
    return name


Label = Annotated[str, BeforeValidator(_as_label)]
ColumnName = Annotated[str, AfterValidator(check_column_name)]


class FileSettings(_Strict):
    """One source: a file, or a function that makes a table.

    Attributes:
        path: Where the file lies, relative to the declaration's folder or absolute.
        factory: `module:function` in the declaration's folder or an installed package, instead of a path. The function
            returns an Arrow table, the same one every time for the same parameters.
        parameters: Keyword arguments of the factory.
        split: The split that all its rows belong to.
    """

    path: Annotated[str, Field(max_length=4096)] = ""
    factory: Annotated[str, Field(max_length=400)] = ""
    parameters: dict[str, Any] = {}
    split: SplitName | None = None

    @model_validator(mode="after")
    def _one_source(self) -> FileSettings:
        if bool(self.path) == bool(self.factory):
            raise ValueError("a source has either `path` or `factory`")
        if self.factory and self.factory.count(":") != 1:
            raise ValueError(f"`factory` reads `module:function`, not {self.factory!r}")
        if self.parameters and not self.factory:
            raise ValueError("`parameters` are those of a `factory`")
        return self

    @property
    def name(self) -> str:
        """The path or the factory, for people."""
        return self.path or self.factory


class ColumnSettings(_Strict):
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
        numeric = self.dtype in _NUMERIC
        if {"weight", "score"} & set(roles) and not numeric:
            raise ValueError("a weight or a score has dtype number or integer")
        if "timestamp" in roles and self.dtype not in ("timestamp", *_NUMERIC):
            raise ValueError("a column with role `timestamp` has dtype timestamp, integer or number")
        if "sensitive" in roles and self.dtype in ("text", "timestamp"):
            raise ValueError("a sensitive column has dtype category, boolean, or a number with `edges`")
        if "sensitive" in roles and numeric and self.edges is None:
            raise ValueError("a numeric sensitive column needs `edges`, e.g. [25, 45]; or give it dtype category")

    def _check_values(self) -> None:
        numeric = self.dtype in _NUMERIC
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


class SplitSettings(_Strict):
    """How rows are assigned to train, calibration and test.

    Attributes:
        by: `file` (each file names its split), `fraction` (at random, stratified by the target of a classification),
            `time` (cut points on the timestamp), `column` (values of a column).
        test: Share of the rows, for `fraction`.
        calibration: Share of the rows, for `fraction`.
        seed: Seed of the random assignment.
        column: The column looked at; for `time` the one with role timestamp when left out.
        calibration_from: First time (ISO, or a number for a numeric column) that belongs to calibration.
        test_from: First time that belongs to test.
        values: For `column`: {split: [values]}; every value of the column stands in one list.
    """

    by: Literal["file", "fraction", "time", "column"]
    test: Annotated[float, Field(gt=0, lt=1)] | None = None
    calibration: Annotated[float, Field(gt=0, lt=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    column: str | None = None
    calibration_from: str | int | float | None = None
    test_from: str | int | float | None = None
    values: dict[SplitName, list[Label]] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> SplitSettings:
        own = {
            "file": set(),
            "fraction": {"test", "calibration", "seed"},
            "time": {"column", "calibration_from", "test_from"},
            "column": {"column", "values"},
        }[self.by]
        stray = sorted(self.model_fields_set - own - {"by"})
        if stray:
            raise ValueError(f"`{stray[0]}` does not go with `by: {self.by}`")
        if self.by == "fraction":
            if self.test is None:
                raise ValueError("`by: fraction` needs `test`, the share of the rows to test on")
            if self.test + (self.calibration or 0.0) >= 1:
                raise ValueError("`test` and `calibration` leave no rows to train on")
        if self.by == "time" and self.test_from is None:
            raise ValueError("`by: time` needs `test_from`, the first time that belongs to test")
        if self.by == "column" and (self.column is None or not self.values):
            raise ValueError("`by: column` needs `column` and `values`")
        listed = [value for values in (self.values or {}).values() for value in values]
        if len(set(listed)) != len(listed):
            raise ValueError("`values` gives one value to two splits")
        return self


class DatasetSettings(_Strict):
    """Where the rows of a use case come from, and their contract.

    Attributes:
        files: Source files; their rows stand one after the other, in this order.
        format: How the files are written; told by the extension when left out.
        header: Whether a text file or a sheet begins with the column names; if not, `columns` names them all in order.
        separator: What separates the fields of a text file; a comma, or a tab for .tsv, when left out.
        comment: Lines of a text file that begin with this are skipped.
        trim: Whether blanks around values are no part of them.
        missing: The values, spelled exactly, that mean a missing value.
        aliases: {column: {value in the file: value meant}}, applied after trimming and before `missing`.
        encoding: Text encoding of the files; UTF-8 with or without a byte order mark when left out.
        split: How rows are split; by file where files name their splits, else a quarter for test.
        columns: {name: what it is}; every column of the files, `ignored` ones too.
    """

    files: Annotated[list[FileSettings], Field(min_length=1, max_length=10_000)]
    format: Format | None = None
    header: bool = True
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    comment: Annotated[str, Field(min_length=1, max_length=10)] | None = None
    trim: bool = False
    missing: list[Label] = [""]
    aliases: dict[str, dict[str, Label]] = {}
    encoding: Annotated[str, AfterValidator(_check_encoding)] = "utf-8"
    split: SplitSettings | None = None
    columns: Annotated[dict[ColumnName, ColumnSettings], Field(min_length=1), AfterValidator(_check_distinct)]

    @model_validator(mode="after")
    def _fits_together(self) -> DatasetSettings:
        if self.separator in {'"', "\n", "\r", "\0"} or (self.separator and not self.separator.isascii()):
            raise ValueError("`separator` is one ASCII character, and neither a quote nor a line end")
        if self.comment and not self.comment.strip('"\n\r\0'):
            raise ValueError("`comment` is neither a quote nor a line end")
        for name in self.aliases:
            if name not in self.columns:
                raise ValueError(f"`aliases` names the column {name!r}, which `columns` does not declare")
        for role in _SINGLE_ROLES:
            having = self.with_role(role)
            if len(having) > 1:
                raise ValueError(f"{', '.join(having)}: only one column has role `{role}`")
        if all(column.roles == ("ignored",) for column in self.columns.values()):
            raise ValueError("every column is `ignored`")
        if self.format is not None and any(file.factory for file in self.files):
            raise ValueError("`format` is said of files; a factory returns a table")
        self._check_split()
        self._check_decisions()
        return self

    def _check_split(self) -> None:
        named = [file.split is not None for file in self.files]
        by = self.split.by if self.split is not None else None
        if any(named) and by not in (None, "file"):
            raise ValueError(f"files name their splits, which does not go with `split: {{by: {by}}}`")
        if (by == "file" or any(named)) and not all(named):
            raise ValueError("when one file names its split, all do")
        if self.split is None or by not in ("time", "column"):
            return
        column = self.split.column or next(iter(self.with_role("timestamp")), None)
        if column is None:
            raise ValueError("`split: {by: time}` needs a `column`, or a column with role `timestamp`")
        declared = self.columns.get(column)
        if declared is None or declared.roles == ("ignored",):
            raise ValueError(f"`split` names the column {column!r}, which `columns` does not declare or ignores")
        if by == "time" and declared.dtype not in ("timestamp", *_NUMERIC):
            raise ValueError(f"`split` by time needs a timestamp or a number, and {column!r} is {declared.dtype}")

    def _check_decisions(self) -> None:
        target, prediction = (next(iter(self.with_role(role)), None) for role in ("target", "prediction"))
        if target is not None:
            column = self.columns[target]
            if column.dtype in ("text", "timestamp"):
                raise ValueError(f"the target {target!r} has dtype category, boolean, integer or number")
            if column.positive is not None and column.dtype == "number":
                raise ValueError(f"the target {target!r} has `positive`, so its dtype is category, boolean or integer")
            positive_elsewhere = prediction is not None and self.columns[prediction].positive is not None
            if positive_elsewhere and prediction != target:
                raise ValueError("`positive` stands on the target; the prediction has the same values")
        for name in filter(None, (target, prediction)):
            column = self.columns[name]
            if column.positive is not None and column.allowed is not None and column.positive not in column.allowed:
                raise ValueError(f"{name}: `positive` is {column.positive!r}, which `allowed` does not name")

    def with_role(self, role: Role) -> list[str]:
        """Names of the columns that have a role, in declared order."""
        return [name for name, column in self.columns.items() if role in column.roles]
