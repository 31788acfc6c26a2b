"""Sources that a function makes: called, and written to a file that is then read like any other."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pyarrow as pa

from rai_assets.data.settings import DatasetSettings, FileSettings
from rai_assets.errors import DeclarationError, InputRefused


def materialized(settings: DatasetSettings, base: Path, folder: Path) -> DatasetSettings:
    """The declaration with every factory's table as a Parquet file in `folder`.

    Args:
        settings: The declared sources.
        base: The declaration's folder, searched for modules before the installed packages.
        folder: Where the files go.

    Raises:
        DeclarationError: There is no such function, or it does not take the parameters.
        InputRefused: It does not return an Arrow table.
    """
    files = [
        FileSettings(path=str(_write(file, base, folder / f"made-{index}.parquet")), split=file.split)
        if file.factory
        else file
        for index, file in enumerate(settings.files)
    ]
    return settings.model_copy(update={"files": files})


def _write(file: FileSettings, base: Path, path: Path) -> Path:
    from pyarrow import parquet

    table = _call(file, base)
    if not isinstance(table, pa.Table):
        raise InputRefused(
            f"it returned {type(table).__name__}, not an Arrow table", where=file.factory, fix="return a pyarrow.Table"
        )
    parquet.write_table(table, path)
    return path


def _call(file: FileSettings, base: Path) -> object:
    module, _, name = file.factory.partition(":")
    sys.path.insert(0, str(base))
    try:
        return getattr(importlib.import_module(module), name)(**file.parameters)
    except (ImportError, AttributeError, TypeError) as error:
        raise DeclarationError(
            f"the factory cannot be called: {error}",
            where=file.factory,
            fix=f"put {module}.py with a function {name} into the declaration's folder, and check its parameters",
        ) from error
    finally:
        sys.path.remove(str(base))
