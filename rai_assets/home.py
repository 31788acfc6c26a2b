"""The one folder that holds all state, and where use cases are found."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rai_assets.errors import RaiError

_WRITABLE = "make the folder writable, or set RAI_HOME to one that is"


def home() -> Path:
    """The state folder: `RAI_HOME`, default `./.rai`, absolute."""
    return Path(os.environ.get("RAI_HOME", ".rai")).absolute()


def definitions_folder() -> Path:
    """Where use cases are found: `RAI_DEFS`, default `./defs`, else the package's own (the demo)."""
    local = new_definitions_folder()
    return local if local.is_dir() or "RAI_DEFS" in os.environ else Path(__file__).parent / "defs"


def demo_definition() -> Path:
    """The declaration of the demo, in the package."""
    return Path(__file__).parent / "defs" / "lending" / "defs.yaml"


def demo_in_production() -> Path:
    """The declaration of the demo's year of production, in the package."""
    return Path(__file__).parent / "defs" / "lending_served" / "defs.yaml"


def demo_inbox() -> Path:
    """Where the demo's batches arrive: the package's own folder is not written to."""
    return home() / "inbox" / "lending_served"


def new_definitions_folder() -> Path:
    """Where a new use case is written: `RAI_DEFS`, default `./defs`."""
    return Path(os.environ.get("RAI_DEFS", "defs")).absolute()


def prepare() -> Path:
    """Make the state folder with Dagster's home in it, and point Dagster at it.

    Returns:
        The state folder.

    Raises:
        RaiError: The folder cannot be written.
    """
    folder = home()
    dagster_home = folder / "dagster"
    try:
        dagster_home.mkdir(parents=True, exist_ok=True)
        demo_inbox().mkdir(parents=True, exist_ok=True)
        settings = dagster_home / "dagster.yaml"
        if not settings.exists():
            fresh = settings.with_name(f"dagster.yaml.{os.getpid()}")
            shutil.copyfile(shipped("dagster.yaml"), fresh)
            fresh.replace(settings)
    except OSError as error:
        raise RaiError(
            f"the state folder cannot be written: {error.strerror}",
            where=str(folder),
            fix=_WRITABLE,
        ) from error
    if not os.access(folder, os.W_OK):
        raise RaiError("the state folder cannot be written", where=str(folder), fix=_WRITABLE)
    os.environ["RAI_HOME"] = str(folder)
    os.environ["DAGSTER_HOME"] = str(dagster_home)
    return folder


def shipped(name: str) -> Path:
    """`dagster.yaml` or `workspace.yaml` as it ships; in a checkout it stands at the project's root."""
    packaged = Path(__file__).parent / name
    return packaged if packaged.exists() else Path(__file__).parents[1] / name
