"""What may be declared about drift: methods, chunks, the rule that raises an alarm, and its level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from rai_assets.data.columns import ColumnName, Strict
from rai_assets.errors import UsageError, near_names

Method = Literal[
    "ks",
    "wasserstein",
    "psi",
    "jensen_shannon",
    "hellinger",
    "chi_squared",
    "l_infinity",
    "missing",
    "unseen",
    "vocabulary",
    "length",
]
Rule = Literal["calibrated", "textbook", "reference_chunks", "evidently", "fixed"]

DEFINITIONS: dict[Method, str] = {
    "ks": "ks_statistic@1",
    "wasserstein": "wasserstein_distance@1",
    "psi": "population_stability_index@1",
    "jensen_shannon": "jensen_shannon_distance@1",
    "hellinger": "hellinger_distance@1",
    "chi_squared": "chi_squared@1",
    "l_infinity": "l_infinity@1",
    "missing": "missing_rate@1",
    "unseen": "unseen_rate@1",
    "vocabulary": "jensen_shannon_distance@1",
    "length": "ks_statistic@1",
}
"""The definition that each method computes: `vocabulary` of the words of a text, `length` of its characters."""

_SYNONYMS: dict[str, Method] = {
    "kolmogorov_smirnov": "ks",
    "population_stability_index": "psi",
    "js": "jensen_shannon",
    "chi2": "chi_squared",
    **{identifier.partition("@")[0]: method for method, identifier in reversed(DEFINITIONS.items())},
}

_EVIDENTLY_LEVEL, _DEVIATIONS = 0.05, 3.0

_MOST_ROWS = 10**12
UNBOUNDED: frozenset[Method] = frozenset({"psi", "wasserstein"})
"""Methods whose effect may be above 1."""

_NUMBERS: frozenset[Method] = frozenset({"ks", "wasserstein", "psi", "jensen_shannon", "hellinger", "missing"})
_TEXTS: frozenset[Method] = frozenset(
    {"chi_squared", "psi", "jensen_shannon", "hellinger", "l_infinity", "unseen", "missing", "vocabulary", "length"}
)
COMPARING: Mapping[str, frozenset[Method]] = {"number": _NUMBERS, "time": _NUMBERS, "category": _TEXTS}
"""{what a column holds: the methods that compare it}; texts, truth values and codes are categories."""
OF_CODES: frozenset[Method] = frozenset({"chi_squared", "l_infinity", "unseen"})
"""Methods that compare numbers of few values, too, where nothing else was asked of these."""


def _check_chunks(value: object) -> object:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value not in ("daily", "monthly") and not (whole and 1 <= int(str(value)) <= _MOST_ROWS):
        raise ValueError(f"is {value!r:.80}, and may be `daily`, `monthly` or a whole number of rows, at least 1")
    return value


Chunks = Annotated[Literal["daily", "monthly"] | int, BeforeValidator(_check_chunks)]


class DriftSettings(Strict):
    """How two samples of the same columns are compared.

    Attributes:
        methods: Methods for every column that they fit; if there are none those with `limits`, else fitted to type and
            values of each column.
        columns: {column: its own methods}.
        only: The columns that are compared; all that both sides have if there are none.
        categorical: Columns of numbers that are codes: their values are compared as categories.
        missing: Spellings that mean a missing value in files of text, besides the empty one.
        chunks: The current rows are compared in chunks: of so many rows, or of a day or a month (in the time zone of
            `timestamp`). All at once if left out.
        timestamp: The column that says when; the rows are taken in its order.
        rule: What raises an alarm. `calibrated`: a p-value, family-wise over the columns of one chunk, that holds its
            level at any size. `textbook`: the same with the p-values of the textbook however small the counts.
            `reference_chunks`: outside mean ± `deviations` standard deviations of the reference's own chunks.
            `evidently`: the methods and limits that Evidently chooses by default. `fixed`: above `limits`.
        level: Family-wise level of the p-values, from 0.00001 to below 1.
        limits: {method: the largest value that raises no alarm}, for the rule `fixed`.
        deviations: Of the rule `reference_chunks`.
        minimum_effect: Smaller effects raise no alarm.
        null: Where p-values come from: `permutation`, rows are interchangeable; `blocks`, the larger of that p-value
            and the one from contiguous blocks of the reference; or `auto`: blocks where the rows have an order and the
            reference has at least 20 of them, more for a level below 5 %.
        importance: {column: weight}; columns are ranked by effect times importance, 1 if not named.
    """

    methods: list[Method] = Field(default_factory=list)
    columns: dict[ColumnName, Annotated[list[Method], Field(min_length=1)]] = Field(default_factory=dict)
    only: list[ColumnName] = Field(default_factory=list)
    categorical: list[ColumnName] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)
    chunks: Chunks | None = None
    timestamp: ColumnName | None = None
    rule: Rule = "calibrated"
    level: Annotated[float, Field(ge=1e-5, lt=1)] = 0.05
    limits: dict[Method, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    deviations: Annotated[float, Field(gt=0)] = _DEVIATIONS
    minimum_effect: Annotated[float, Field(ge=0)] = 0.0
    null: Literal["auto", "permutation", "blocks"] = "auto"
    importance: dict[ColumnName, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)

    @property
    def named_columns(self) -> Mapping[str, Sequence[str]]:
        """{setting: the columns that it names}."""
        return {
            "columns": list(self.columns),
            "only": self.only,
            "categorical": self.categorical,
            "importance": list(self.importance),
            "timestamp": [] if self.timestamp is None else [self.timestamp],
        }

    @field_validator("methods", mode="before")
    @classmethod
    def _known(cls, names: object) -> object:
        try:
            return [method_named(name) for name in names] if isinstance(names, list) else names
        except UsageError as error:
            raise ValueError(f"{error.what}; {error.fix}") from error

    @field_validator("columns", mode="before")
    @classmethod
    def _known_of_columns(cls, columns: object) -> object:
        if not isinstance(columns, dict):
            return columns
        return {
            column: [_plain(name) for name in names] if isinstance(names, list) else names
            for column, names in columns.items()
        }

    @field_validator("limits", mode="before")
    @classmethod
    def _known_of_limits(cls, limits: object) -> object:
        return {_plain(name): value for name, value in limits.items()} if isinstance(limits, dict) else limits

    @model_validator(mode="after")
    def _fits_together(self) -> DriftSettings:
        if isinstance(self.chunks, str) and self.timestamp is None:
            raise ValueError(f"`chunks: {self.chunks}` needs `timestamp`, the column that says when")
        if self.rule == "reference_chunks" and self.chunks is None:
            raise ValueError("`rule: reference_chunks` needs `chunks`")
        if (self.rule == "fixed") != bool(self.limits):
            raise ValueError("`rule: fixed` and `limits` belong together")
        used = {*self.methods, *(method for methods in self.columns.values() for method in methods)}
        if self.methods and (idle := [method for method in self.limits if method not in used]):
            raise ValueError(f"`limits` names {', '.join(idle)}, by which `methods` compares no column")
        if self.limits and (unlimited := [method for method in DEFINITIONS if method in used - self.limits.keys()]):
            raise ValueError(f"`limits` names no limit for {', '.join(unlimited)}: it would never be told")
        if self.null != "auto" and self.rule != "calibrated":
            raise ValueError(
                f"`null: {self.null}` says where the p-values of `rule: calibrated` come from; `rule: {self.rule}` "
                "has none of these"
            )
        if self.deviations != _DEVIATIONS and self.rule != "reference_chunks":
            raise ValueError("`deviations` are those of `rule: reference_chunks`")
        if self.rule == "evidently" and (self.methods or self.columns or self.level != _EVIDENTLY_LEVEL):
            raise ValueError("`rule: evidently` chooses the methods and the level, 0.05, itself")
        return self


def settings_of(values: object) -> DriftSettings:
    """The settings of plain values, {name: value}.

    Raises:
        UsageError: They do not fit; `where` is the setting.
    """
    if not isinstance(values, Mapping):
        raise UsageError(
            f"the settings of drift are a {type(values).__name__}",
            where="settings",
            fix='give DriftSettings, or a dict of the same names, e.g. {"chunks": 100}',
        )
    try:
        return DriftSettings.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            said = f"there is no such setting; {near_names(str(first['loc'][0]), list(DriftSettings.model_fields))}"
        where = str(first["loc"][0]) if first["loc"] else ""
        raise UsageError(said, where=where, fix="help(DriftSettings) says what each setting may be") from error


def method_named(name: object) -> Method:
    """The method of a name, which may also be that of its definition.

    Raises:
        UsageError: There is no such method; names all.
    """
    plain = _plain(name)
    if plain not in DEFINITIONS:
        raise UsageError(f"there is no method {str(name)[:40]!r}", fix=f"one of {', '.join(DEFINITIONS)}")
    return plain


def _plain(name: object) -> object:
    """The method of a name or of that of its definition; what is neither, as it is."""
    plain = str(name).strip().lower().replace("-", "_").partition("@")[0]
    return plain if plain in DEFINITIONS else _SYNONYMS.get(plain, name)
