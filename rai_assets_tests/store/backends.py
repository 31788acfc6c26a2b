"""The engines that the conformance suite runs against. An engine is added here and nowhere else.

* `embedded`: in the test's own folder.
* `facade`: the lakeFS engine, spoken to `facade.py` in the test's process. It tests our reading of lakeFS only.
* `lakefs`: the lakeFS engine on a real server: the one of `RAI_TEST_LAKEFS_ENDPOINT`, `RAI_TEST_LAKEFS_ACCESS_KEY_ID`
  and `RAI_TEST_LAKEFS_SECRET_ACCESS_KEY`, or one that the suite starts from the `lakefs` executable on PATH.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from rai_assets.store.lakefs_opening import open_lakefs
from rai_assets.store.lakefs_settings import LakeFSSettings
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.store.lakefs_server import ACCESS_KEY_ID, SECRET_ACCESS_KEY, executable

NAME = "rai-lending"
FACADE = "RAI_TEST_FACADE_ENDPOINT"
ENDPOINT = "RAI_TEST_LAKEFS_ENDPOINT"
CREDENTIALS = ("RAI_TEST_LAKEFS_ACCESS_KEY_ID", "RAI_TEST_LAKEFS_SECRET_ACCESS_KEY")
NO_SERVER = f"no lakeFS server: {ENDPOINT} is not set, and no `lakefs` executable is on PATH"


def server_there() -> bool:
    """True if there is a real lakeFS server, or an executable to start one from."""
    return ENDPOINT in os.environ or executable() is not None


def lakefs_settings(variable: str = ENDPOINT) -> LakeFSSettings:
    """The server whose address an environment variable holds; processes that a test starts inherit it."""
    keys = (ACCESS_KEY_ID, SECRET_ACCESS_KEY)
    if variable == ENDPOINT:
        keys = tuple(os.environ.get(name, default) for name, default in zip(CREDENTIALS, keys, strict=True))
    return LakeFSSettings(os.environ[variable], *keys, timeout=60)


def repository_of(location: str) -> str:
    """A name of its own for the repository of a test, for they share the server."""
    return f"rai-{hashlib.sha256(location.encode()).hexdigest()[:16]}"


def _embedded(location: str) -> VersionedRepository:
    return open_repository(Path(location), NAME)


def _facade(location: str) -> VersionedRepository:
    return open_lakefs(lakefs_settings(FACADE), Path(location), repository_of(location))


def _lakefs(location: str) -> VersionedRepository:
    return open_lakefs(lakefs_settings(), Path(location), repository_of(location))


BACKENDS: dict[str, Callable[[str], VersionedRepository]] = {
    "embedded": _embedded,
    "facade": _facade,
    "lakefs": _lakefs,
}
"""Engine to a function that opens the repository at a location, a folder."""

SWEEPING = {"embedded"}
"""Engines that remove contents themselves; lakeFS leaves that to a job of its administrator."""


def counted(reports: Iterable[tuple[str, str]]) -> list[str]:
    """For the closing lines: which engines were tested, from (test id, outcome).

    Only what is parametrised by engine counts.
    """
    counts = {name: Counter[str]() for name in sorted(BACKENDS)}
    for test, outcome in reports:
        match = re.search(r"/store/test_.*\[(.*)\]", test)
        words = match[1].split("-") if match else []
        for name in counts.keys() & words:
            counts[name][outcome] += 1
    lines = []
    for name, outcomes in counts.items():
        if outcomes["passed"] or outcomes["failed"]:
            lines.append(f"store on {name}: {outcomes['passed']} passed, {outcomes['failed']} failed")
        elif outcomes["skipped"]:
            lines.append(f"store on {name}: not tested, {NO_SERVER}")
    return lines
