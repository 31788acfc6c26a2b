"""The format of the embedded store's folder: which one it has, and how an older one becomes today's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from rai_assets.errors import UsageError
from rai_assets.store.durable import sync_folder, write_file
from rai_assets.store.errors import BackendUnavailable
from rai_assets.store.git_layer import GitLayer

FORMAT = 2
_FILE = "format"
_BACKED_UP = ("git", "settings.json", _FILE)  # all but contents, which no step may change


def _say_the_format(root: Path) -> None:
    """1 to 2: the folder says its format. Nothing else changes."""


STEPS: Mapping[int, Callable[[Path], None]] = {1: _say_the_format}
"""For each former format, what makes the next one of it. A step that died is begun again, so it must bear that; it puts
new files in the place of old ones and never writes into one, for the backup may be a second name of it."""


def mark(root: Path) -> None:
    """Let a new folder say that it has today's format."""
    _write(root, FORMAT)


def bring_up_to_date(root: Path) -> None:
    """Make sure that a repository's folder has today's format; refs, commits and trees are backed up before a change.

    The backup is the folder `backup/format-<number>`, made of hard links where it can be. The number is raised after
    each step, so that an interrupted migration goes on when the folder is opened again.

    Raises:
        UsageError: A newer version of the product wrote the folder; it is left as it is.
        BackendUnavailable: The folder does not say its format, or cannot be written.
    """
    if _read(root) == FORMAT:
        return
    with GitLayer(root).writing():
        # Another process may have been faster.
        while (number := _read(root)) < FORMAT:
            _back_up(root, number)
            STEPS[number](root)
            _write(root, number + 1)


def _read(root: Path) -> int:
    path = root / _FILE
    try:
        text = path.read_text("ascii", "replace").strip()
    except FileNotFoundError:
        return 1
    if not text.isdecimal() or int(text) == 0:
        raise BackendUnavailable(
            f"the store's format is {text[:20]!r}, not a number", where=str(path), fix="restore this file from a backup"
        )
    if int(text) > FORMAT:
        raise UsageError(
            f"the store was written by a newer version of this product (format {text[:20]}, not {FORMAT})",
            where=str(root),
            fix="install that version, or set RAI_HOME to another folder; nothing was changed",
        )
    return int(text)


def _write(root: Path, number: int) -> None:
    write_file(root / _FILE, f"{number}\n".encode())
    sync_folder(root)


def _back_up(root: Path, number: int) -> None:
    """Copy everything but contents, once; a copy that died is begun again."""
    backup = root / "backup" / f"format-{number}"
    if backup.exists():
        return
    partial = backup.with_suffix(".new")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in _BACKED_UP:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, partial / name, copy_function=_link_or_copy)
        elif source.exists():
            _link_or_copy(str(source), str(partial / name))
    os.sync()
    partial.replace(backup)
    sync_folder(backup.parent)


def _link_or_copy(source: str, target: str) -> None:
    """A second name is a copy, for this store never writes into a file that is there."""
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
