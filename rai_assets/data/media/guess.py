"""The declaration of a media folder from the folder and a table alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from rai_assets.data.columns import ColumnSettings
from rai_assets.data.media.settings import MediaSettings
from rai_assets.data.paths import resolve, resolve_folder
from rai_assets.data.readers import read_parts
from rai_assets.data.readers.batch import Layout
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import UsageError

_ROWS = 200  # that are looked at


def with_media(
    settings: DatasetSettings, data: Sequence[Path], folder: Path, declared: str
) -> tuple[DatasetSettings, str, str]:
    """A declaration with a media folder: the column that names its files is the one most of whose values do.

    Args:
        settings: The declaration of the table alone.
        data: The table's files, as the user named them.
        folder: The media folder, as the user named it.
        declared: How the declaration names it.

    Returns:
        The declaration, the column, and what was guessed in a sentence.

    Raises:
        InputRefused: There is no such folder.
        UsageError: No column names files of the folder.
    """
    root = resolve_folder(Path.cwd(), str(folder))
    path = resolve(Path.cwd(), str(data[0]))
    part = next(read_parts(path, Layout.of(settings, settings.format or "csv", settings.separator or ",")))
    rows = part.columns.slice(0, _ROWS)
    hits = {name: _existing(root, rows.column(name), trim=settings.trim) for name in rows.schema.names}
    column = max(hits, key=hits.__getitem__)
    if not hits[column]:
        raise UsageError(
            f"no column of {path.name} names files of {folder}",
            fix="one column has each row's path inside the folder, like cats/1.png; compare: " + _some(root),
        )
    names = {**settings.columns, column: ColumnSettings(role="identifier", dtype="text")}
    fields = settings.model_dump(exclude_unset=True) | {"columns": names}
    found = DatasetSettings.model_validate({**fields, "media": MediaSettings(folder=declared, path=column)})
    some = "all" if hits[column] == len(rows) else f"{hits[column]:,}"
    looked_at = f"the first {_ROWS} rows" if len(rows) == _ROWS else f"the {len(rows)} rows"
    said = f"{column} names the row's file in {folder}: {some} of {looked_at} do"
    return found, column, said


def _existing(root: Path, values: pa.Array, *, trim: bool) -> int:
    texts = [text.strip() if trim else text for text in values.cast(pa.string()).to_pylist() if text]
    return sum(_is_file(root, text) for text in texts)


def _is_file(root: Path, text: str) -> bool:
    try:
        return not Path(text).is_absolute() and (root / text).is_file()
    except (OSError, ValueError):
        return False


def _some(root: Path) -> str:
    return next((path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()), "it holds no file")
