"""The declaration of an inbox."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rai_assets.data.columns import Strict
from rai_assets.data.settings import Format


class InboxSettings(Strict):
    """Where new data of production arrive.

    Files whose name begins with `.` or `_`, or ends with `.part`, `.tmp` or `.done`, are never data.

    Attributes:
        path: A folder, relative to the declaration's folder or absolute; its subfolders are part of it.
        format: How the files are written; as the `dataset` says, or told by the extension, when left out.
        complete: When a file is taken: `unchanged` for `settle` seconds; `marker`, when an empty file with its name and
            `.done` lies beside it; `rename`, at once, as its writer gives it its name when it is whole.
        settle: Seconds for which a file has kept its size and time of change before it is taken as `unchanged`.
    """

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    format: Format | None = None
    complete: Literal["unchanged", "marker", "rename"] = "unchanged"
    settle: Annotated[float, Field(ge=0, le=86_400)] = 30
