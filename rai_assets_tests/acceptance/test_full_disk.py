"""A state folder that is full or may not be written: one sentence, the right code, and the last results stand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rai_assets_tests.acceptance.conftest import RAI, environment
from rai_assets_tests.use_case.conftest import DECLARATION, put_loans


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put_loans(tmp_path / "defs")
    return tmp_path


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """The state folder as a disk of 12 MiB."""
    disk = folder / ".rai"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", disk], capture_output=True).returncode:
        pytest.skip("only root can make a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


def rai(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RAI, *words], cwd=folder, env=environment(folder), capture_output=True, text=True)


def fill(disk: Path, leave: int) -> Path:
    """A file that leaves so many bytes free."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(b"x" * max(free - leave, 0))
    return filler


@pytest.mark.parametrize(
    "leave", [pytest.param(0, marks=pytest.mark.nightly), 100_000]
)  # a run cannot begin; it is broken off
def test_on_a_full_disk_the_last_results_stand(folder: Path, small_disk: Path, leave: int) -> None:
    assert rai(folder, "run", "loans").returncode == 0
    before = rai(folder, "metrics", "loans").stdout
    filler = fill(small_disk, leave)
    (folder / "defs" / "loans" / "defs.yaml").write_text(DECLARATION.replace("at_least: 0.6", "at_least: 0.61"))
    done = rai(folder, "run", "loans")
    assert done.returncode == 4, done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("rai: ")]
    assert "disk" in line or "No space left" in line
    assert "Traceback" not in done.stderr
    assert rai(folder, "metrics", "loans").stdout == before
    filler.unlink()
    assert "Requirements: pass" in rai(folder, "run", "loans").stdout


# Imports first: the interpreter may lie where only its owner reads.
AS_NOBODY = """
import os
import rai_assets.cli, rai_assets.use_case.run
rai_assets.use_case.declaration.load_all()
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
rai_assets.cli.main()
"""


def test_a_folder_of_somebody_else_is_one_sentence(folder: Path) -> None:
    (folder / ".rai").mkdir(mode=0o555)
    for place in (folder, *folder.parents):
        if place.parts[:2] == ("/", "tmp") and len(place.parts) > 2:
            place.chmod(0o755)
    command = [sys.executable, "-c", AS_NOBODY, "run", "loans"]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert done.returncode == 4, done.stderr
    assert "the state folder cannot be written" in done.stderr
    assert "Fix: make the folder writable, or set RAI_HOME" in done.stderr
