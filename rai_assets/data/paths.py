"""The one place where a declared path becomes a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from rai_assets.errors import InputRefused

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def resolve(base: Path, path: str) -> Path:
    """The regular file that a declaration names.

    Args:
        base: The folder relative paths start from: the declaration's own.
        path: Relative or absolute; never an address on a network.

    Raises:
        InputRefused: It is no path, or there is no such file.
    """
    return _found(base, path, Path.is_file, "this is not a regular file", "name the files one by one")


def resolve_folder(base: Path, path: str) -> Path:
    """The folder that a declaration names; as `resolve`.

    Raises:
        InputRefused: It is no path, or there is no such folder.
    """
    return _found(base, path, Path.is_dir, "this is not a folder", "name the folder that holds the files")


def _found(base: Path, path: str, fits: Callable[[Path], bool], otherwise: str, fix: str) -> Path:
    if _URI.match(path):
        raise InputRefused(
            "addresses are not read, only files",
            where=path[:200],
            fix="fetch the file and name its path",
        )
    if "\0" in path or len(path) > 4096:
        raise InputRefused("this is not the name of a file", where=repr(path[:80]), fix="name the path of a file")
    try:
        found = (base / path).resolve(strict=True)
    except FileNotFoundError as error:
        place = (base / path).absolute()
        raise InputRefused(
            "there is no such file", where=str(place), fix=f"relative paths start at {base.absolute()}"
        ) from error
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "its links lead in a circle"
        raise InputRefused(
            f"the file cannot be reached: {reason}", where=path[:200], fix="check the path, and that you may read it"
        ) from error
    if not fits(found):
        raise InputRefused(otherwise, where=str(found), fix=fix)
    return found
