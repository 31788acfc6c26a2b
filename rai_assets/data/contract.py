"""The contract of a data set: every column's roles, type and rules, and what they make of the task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from rai_assets.data.settings import ColumnSettings, DatasetSettings, DType, Role, SplitSettings
from rai_assets.provenance import digest_of

if TYPE_CHECKING:
    import pyarrow as pa

MISSING = "(missing)"
"""The group of missing values."""

Task = Literal["binary", "multiclass", "regression"]


def bin_labels(edges: Sequence[float]) -> tuple[str, ...]:
    """The names of the bins between edges, the outer ones unbounded."""
    texts = ["-inf", *(f"{edge:.15g}" for edge in edges), "inf"]
    return tuple(f"[{low}, {high})" for low, high in pairwise(texts))


def group_label(value: str) -> str:
    """The name of a value's group: one spelled like the mark of missing ones keeps its quotes."""
    return repr(value) if value == MISSING else value


@dataclass(frozen=True)
class Column:
    """One declared column.

    Attributes:
        name: Its name.
        settings: What was declared about it.
        utc: For a timestamp: True if its values carry an offset, and are kept in UTC.
    """

    name: str
    settings: ColumnSettings
    utc: bool = False

    @property
    def dtype(self) -> DType:
        """How its values are read."""
        return self.settings.dtype

    @property
    def roles(self) -> tuple[Role, ...]:
        """All its roles, in declared order."""
        return self.settings.roles

    @property
    def missing_allowed(self) -> bool:
        """Whether a value may be missing."""
        return self.settings.missing == "allowed"

    @property
    def group_labels(self) -> tuple[str, ...] | None:
        """The groups that its values can fall into, in order; None where any text may occur."""
        settings = self.settings
        labels: tuple[str, ...]
        if settings.edges is not None:
            labels = bin_labels(settings.edges)
        elif self.dtype == "boolean":
            labels = ("false", "true")
        elif settings.allowed is not None:
            labels = tuple(group_label(value) for value in settings.allowed)
        else:
            return None
        return (*labels, MISSING) if self.missing_allowed else labels

    @property
    def arrow_type(self) -> pa.DataType:
        """Its type in the stored table."""
        import pyarrow as pa

        return {
            "number": pa.float64(),
            "integer": pa.int64(),
            "boolean": pa.bool_(),
            "text": pa.string(),
            "category": pa.dictionary(pa.int32(), pa.string()),
            "timestamp": pa.timestamp("us", tz="UTC" if self.utc else None),
        }[self.dtype]


@dataclass(frozen=True)
class Contract:
    """The columns of the stored table, in order, and how its rows are split. Ignored columns are not among them.

    Attributes:
        columns: Every column of the table.
        split: How rows are split, or None where nothing was declared.
        labels: Values of the target (or of the prediction where there is no target) found in the data; empty
            until the data were read, and for regression.
    """

    columns: tuple[Column, ...]
    split: SplitSettings | None = None
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: DatasetSettings) -> Contract:
        """The contract that a data set declares."""
        kept = [(name, column) for name, column in settings.columns.items() if column.roles != ("ignored",)]
        return cls(tuple(Column(name, column) for name, column in kept), settings.split)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def with_role(self, role: Role) -> tuple[str, ...]:
        """Names of the columns that have a role, in declared order."""
        return tuple(column.name for column in self.columns if role in column.roles)

    def _single(self, role: Role) -> str | None:
        return next(iter(self.with_role(role)), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def target(self) -> str | None:
        """The column that is predicted."""
        return self._single("target")

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that a model may see."""
        return self.with_role("feature")

    @property
    def sensitive(self) -> tuple[str, ...]:
        """The columns whose groups are compared."""
        return self.with_role("sensitive")

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The columns that together name a row."""
        return self.with_role("identifier")

    @property
    def timestamp(self) -> str | None:
        """The column that says when."""
        return self._single("timestamp")

    @property
    def weight(self) -> str | None:
        """The column of row weights."""
        return self._single("weight")

    @property
    def prediction(self) -> str | None:
        """The column of logged decisions, or of predicted values for a regression."""
        return self._single("prediction")

    @property
    def score(self) -> str | None:
        """The column of logged scores."""
        return self._single("score")

    @property
    def threshold(self) -> float | None:
        """The score from which a logged decision is positive."""
        return None if self.score is None else self[self.score].settings.threshold

    @property
    def judged(self) -> str | None:
        """The column whose values decisions take: the target, or the prediction where there is no target."""
        return self.target or self.prediction

    @property
    def task(self) -> Task | None:
        """What kind of question the target asks; None where there is neither target, prediction nor score."""
        if self.judged is None:
            return None if self.score is None else "binary"
        column = self[self.judged]
        if column.settings.positive is not None or column.dtype == "boolean":
            return "binary"
        return "multiclass" if column.dtype == "category" else "regression"

    @property
    def positive(self) -> str | None:
        """The target's value that a decision of 1 means; `true` for a boolean that names none."""
        if self.task != "binary" or self.judged is None:
            return None
        return self[self.judged].settings.positive or "true"

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels in code order. Binary: the negative one, then the positive one, `not <positive>` where several are
        negative or none is known. Multiclass: as declared in `allowed`, else the sorted values found in the data.
        Regression: empty.
        """  # noqa: D205
        task, judged = self.task, self.judged
        if task in (None, "regression"):
            return ()
        if judged is None:
            return ("0", "1")
        known = tuple(self[judged].settings.allowed or ()) or self.labels
        if task == "multiclass":
            return known
        if self[judged].dtype == "boolean":
            known = ("false", "true")
        negative = [label for label in known if label != self.positive]
        return (negative[0] if len(negative) == 1 else f"not {self.positive}", str(self.positive))

    def schema(self) -> pa.Schema:
        """The Arrow schema of the stored table; every column is nullable."""
        import pyarrow as pa

        return pa.schema([pa.field(column.name, column.arrow_type) for column in self.columns])

    def with_labels(self, labels: tuple[str, ...]) -> Contract:
        """The contract with the target's values found in the data."""
        return replace(self, labels=labels)

    def with_utc(self, names: frozenset[str]) -> Contract:
        """The contract with the timestamps that carry an offset."""
        return replace(self, columns=tuple(replace(column, utc=column.name in names) for column in self.columns))

    def as_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back to an equal contract."""
        columns = {
            column.name: column.settings.model_dump(mode="json", exclude_unset=True)
            | ({"utc": True} if column.utc else {})
            for column in self.columns
        }
        split = None if self.split is None else self.split.model_dump(mode="json", exclude_unset=True)
        return {"columns": columns, "split": split, "labels": list(self.labels)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Contract:
        """The contract that `as_json` wrote."""
        columns = []
        for name, entry in value["columns"].items():
            declared = {key: item for key, item in entry.items() if key != "utc"}
            columns.append(Column(name, ColumnSettings.model_validate(declared), entry.get("utc", False)))
        split = None if value["split"] is None else SplitSettings.model_validate(value["split"])
        return cls(tuple(columns), split, tuple(value["labels"]))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the contract."""
        return digest_of(self.as_json())
