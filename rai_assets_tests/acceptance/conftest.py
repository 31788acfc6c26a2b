"""The product as its users meet it: commands in a folder of their own, real files, a real web server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import psutil
import pytest

Rai = Callable[..., subprocess.CompletedProcess[str]]
RAI = [sys.executable, "-c", "from rai_assets.cli import main; main()"]


def environment(folder: Path, settings: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """The test's environment without any state of its own, with these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAI_", "DAGSTER_"))}
    return {**kept, **settings, "RAI_HOME": str(folder / ".rai")}


def wait_until_alone(session: int) -> None:
    """No process of the session is left soon after its first one ended."""
    until = time.monotonic() + 20
    while left := [item for item in psutil.process_iter() if of_session(item, session)]:
        assert time.monotonic() < until, f"orphans: {left}"
        time.sleep(0.1)


def of_session(process: psutil.Process, session: int) -> bool:
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


@pytest.fixture
def rai(tmp_path: Path) -> Rai:
    """Calls `rai` in an empty folder."""

    def call(
        *words: str | Path, code: int = 0, settings: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[str]:
        command, variables = [*RAI, *map(str, words)], environment(tmp_path, settings)
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return call
