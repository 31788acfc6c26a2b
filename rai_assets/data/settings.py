"""The declaration of a data set: its files, how to read them, and what every column is and may hold."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from rai_assets.data.columns import NUMERIC, ColumnName, ColumnSettings, DType, Label, Role, Strict, name_key
from rai_assets.data.media.settings import FACTS, MediaSettings
from rai_assets.data.split_settings import SplitName, SplitSettings

__all__ = ["ColumnSettings", "DType", "DatasetSettings", "FileSettings", "Format", "Role", "SplitName", "SplitSettings"]

Format = Literal["csv", "parquet", "jsonl", "excel"]
_SINGLE_ROLES: tuple[Role, ...] = ("target", "timestamp", "weight", "prediction", "score")


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


def _is_cut(cut: str | float, *, of_times: bool) -> bool:
    try:
        datetime.fromisoformat(str(cut)) if of_times else float(cut)
    except ValueError:
        return False
    return True


class FileSettings(Strict):
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
    parameters: dict[str, Any] = Field(default_factory=dict)
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


class DatasetSettings(Strict):
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
        media: A folder of files that the rows name; its columns `media_…` are `context` unless declared otherwise.
        split: How rows are split; by file where files name their splits, else a quarter for test.
        columns: {name: what it is}; every column of the files, `ignored` ones too.
    """

    files: Annotated[list[FileSettings], Field(min_length=1, max_length=10_000)]
    format: Format | None = None
    header: bool = True
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    comment: Annotated[str, Field(min_length=1, max_length=10)] | None = None
    trim: bool = False
    missing: list[Label] = Field(default_factory=lambda: [""])
    aliases: dict[str, dict[str, Label]] = Field(default_factory=dict)
    encoding: Annotated[str, AfterValidator(_check_encoding)] = "utf-8"
    media: MediaSettings | None = None
    split: SplitSettings | None = None
    columns: Annotated[dict[ColumnName, ColumnSettings], Field(min_length=1), AfterValidator(_check_distinct)]

    @model_validator(mode="before")
    @classmethod
    def _with_media_columns(cls, value: Any) -> Any:
        if (
            not isinstance(value, Mapping)
            or value.get("media") is None
            or not isinstance(value.get("columns"), Mapping)
        ):
            return value
        made = {name: column for name, column in FACTS.items() if name not in value["columns"]}
        return {**value, "columns": {**value["columns"], **made}}

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
        for name in self.with_role("sensitive"):
            if "," in name:  # `race,sex` means the crossing of two columns
                raise ValueError(
                    f"the sensitive column {name!r} has a comma in its name; rename it in the file and here"
                )
        if all(column.roles == ("ignored",) for column in self.columns.values()):
            raise ValueError("every column is `ignored`")
        if self.format is not None and any(file.factory for file in self.files):
            raise ValueError("`format` is said of files; a factory returns a table")
        self._check_media()
        self._check_split()
        self._check_decisions()
        return self

    def _check_media(self) -> None:
        if self.media is None:
            return
        for key, name in (("path", self.media.path), ("label", self.media.label)):
            if name is not None and (name not in self.columns or name in FACTS):
                raise ValueError(f"`media: {{{key}: {name}}}` names no column that `columns` declares")
        if self.columns[self.media.path].roles == ("ignored",):
            raise ValueError(f"the column {self.media.path!r} names the media files, so it is not `ignored`")
        if self.media.path == self.media.label:
            raise ValueError("`path` and `label` of `media` are two columns")

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
        if by == "time" and declared.dtype not in ("timestamp", *NUMERIC):
            raise ValueError(f"`split` by time needs a timestamp or a number, and {column!r} is {declared.dtype}")
        for cut in (self.split.calibration_from, self.split.test_from):
            if cut is not None and not _is_cut(cut, of_times=declared.dtype == "timestamp"):
                form = "a time as 2026-01-31 or 2026-01-31T12:00:00" if declared.dtype == "timestamp" else "a number"
                raise ValueError(f"{str(cut)[:40]!r} is no place to split {column!r} at; write {form}")

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

    @property
    def file_columns(self) -> tuple[str, ...]:
        """Names of the columns that stand in the files, in order: all but those made of media."""
        made = set() if self.media is None else {*FACTS, self.media.label}
        return tuple(name for name in self.columns if name not in made)

    @property
    def has_calibration(self) -> bool:
        """Whether rows are kept for calibration, as far as the declaration tells."""
        split = self.split
        if split is not None and (split.calibration or split.calibration_from is not None):
            return True
        by_value = split is not None and "calibration" in (split.values or {})
        return by_value or any(file.split == "calibration" for file in self.files)

    def with_role(self, role: Role) -> list[str]:
        """Names of the columns that have a role, in declared order."""
        return [name for name, column in self.columns.items() if role in column.roles]
