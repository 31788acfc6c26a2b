"""The declaration of an inbox, and of what one batch is."""

from __future__ import annotations

from os.path import normpath, realpath
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from rai_assets.data.columns import ColumnName, Role, Strict
from rai_assets.data.settings import Format
from rai_assets.data.times import Zone
from rai_assets.keys import MAIN
from rai_assets.store.errors import InvalidRef
from rai_assets.store.names import check_branch, check_repository, reserved

COMPARED: tuple[Role, ...] = ("feature", "sensitive", "context", "target", "prediction", "score")
"""Roles of the columns whose drift is looked at."""
MODEL_DECISION, MODEL_SCORE = "decision of the model", "score of the model"
"""The columns of drift with what the model said."""


class InboxSettings(Strict):
    """Where new data of production arrive: a folder, a place in S3, or a branch of a repository of the store.

    Files whose name begins with `.` or `_`, or ends with `.part`, `.tmp` or `.done`, are never data.

    Attributes:
        path: A folder, relative to the declaration's folder or absolute; its subfolders are part of it.
        s3: `s3://bucket/prefix`; the credentials are those of the environment, as for every AWS client.
        endpoint: Address of the S3 server, where it is not AWS.
        branch: A branch that others commit files to.
        repository: The repository of that branch; the use case's own when left out.
        prefix: The folder of its files there; all of the branch when left out.
        format: How the files are written; as the `dataset` says, or told by the extension, when left out.
        complete: When a file is taken: `unchanged` for `settle` seconds; `marker`, when an empty file with its name and
            `.done` lies beside it; `rename`, at once, as its writer gives it its name when it is whole.
        settle: Seconds for which a file has kept its size and time of change before it is taken as `unchanged`.
    """

    path: Annotated[str, Field(max_length=4096)] = ""
    s3: Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,62}(/.*)?$", max_length=1100)] | None = None
    endpoint: Annotated[str, Field(pattern=r"^https?://[^/@\s]+$", max_length=500)] | None = None
    branch: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    repository: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    prefix: Annotated[str, Field(max_length=1000)] = ""
    format: Format | None = None
    complete: Literal["unchanged", "marker", "rename"] = "unchanged"
    settle: Annotated[float, Field(ge=0, le=86_400)] = 30

    @model_validator(mode="after")
    def _one_place(self) -> InboxSettings:
        if sum(map(bool, (self.path, self.s3, self.branch))) != 1:
            raise ValueError("an inbox has one of `path`, `s3` and `branch`")
        if self.endpoint and not self.s3:
            raise ValueError("`endpoint` is that of `s3`")
        if (self.repository or self.prefix) and not self.branch:
            raise ValueError("`repository` and `prefix` go with `branch`")
        try:
            check_branch(self.branch or "incoming")
            check_repository(self.repository or "repository")
        except InvalidRef as error:
            raise ValueError(f"{error.what}; {error.fix}") from error
        if self.branch and not self.repository and (self.branch == MAIN or reserved(self.branch)):
            raise ValueError(f"`branch: {self.branch}` holds what the product writes; files arrive on one of their own")
        if not self.path and self.model_fields_set & {"complete", "settle"}:
            raise ValueError("`complete` and `settle` are about a folder; elsewhere a file is whole or not there")
        return self

    def placed(self, folder: Path) -> InboxSettings:
        """The same with its folder as it stands on this machine, if it is one: absolute, and no link."""
        return self.model_copy(update={"path": realpath(folder / self.path)}) if self.path else self

    def overlaps(self, other: InboxSettings) -> bool:
        """Whether files of one are also files of the other, as far as the declaration tells."""
        mine, theirs = self._place(), other._place()
        return mine[0] == theirs[0] and (mine[1].is_relative_to(theirs[1]) or theirs[1].is_relative_to(mine[1]))

    def _place(self) -> tuple[tuple[str | None, ...], PurePosixPath]:
        """What holds the folder of the files, and the folder."""
        if self.path:
            return ("path",), PurePosixPath(normpath(self.path))
        if self.s3:
            bucket, _, prefix = self.s3.removeprefix("s3://").partition("/")
            return ("s3", self.endpoint, bucket), PurePosixPath(normpath(prefix))
        return ("branch", self.repository, self.branch), PurePosixPath(normpath(self.prefix))


class LoggedSettings(Strict):
    """Columns with what the serving model said when it decided, where the batches' files have them.

    Attributes:
        score: Column with the probability of the positive value, or with the predicted value.
        decision: Column with the decided value of the target.
    """

    score: ColumnName | None = None
    decision: ColumnName | None = None

    @model_validator(mode="after")
    def _two_columns(self) -> LoggedSettings:
        if self.score is not None and self.score == self.decision:
            raise ValueError(f"{self.score!r} cannot be both the score and the decision; name one of them")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are declared."""
        return tuple(name for name in (self.score, self.decision) if name is not None)


class BatchSettings(Strict):
    """What one batch is.

    Attributes:
        rule: `per file`, the rows of one file; or the rows of one hour or day of UTC: `hourly`, `daily`.
        by: Whose hour or day: that of a row's timestamp (`event time`), or of its file's last change (`arrival time`).
        time_zone: IANA name of the zone of times that have no offset; such times are refused without it. Of an hour
            that comes twice, the first is meant.
        lateness: Hours after the end of its hour or day for which rows of a further file still make an accepted batch
            again; corrected files always do.
    """

    rule: Literal["per file", "hourly", "daily"] = "per file"
    by: Literal["event time", "arrival time"] = "event time"
    time_zone: Zone | None = None
    lateness: Annotated[float, Field(ge=0, le=876_000)] = 48

    @property
    def by_event(self) -> bool:
        """Whether rows of one file may belong to several batches."""
        return self.rule != "per file" and self.by == "event time"

    @model_validator(mode="after")
    def _fits_together(self) -> BatchSettings:
        if self.rule == "per file" and self.model_fields_set & {"by", "lateness"}:
            raise ValueError("`by` and `lateness` are said of `hourly` and `daily` batches")
        return self


def _short(value: Any) -> Any:
    return {"rule": value} if isinstance(value, str) else value


BatchRule = Annotated[BatchSettings, BeforeValidator(_short)]
