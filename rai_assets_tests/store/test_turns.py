"""One run at a time on a data branch, seen by real processes; what dead processes leave stands in nobody's way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from rai_assets.errors import RaiError
from rai_assets.store.turns import dead_runs, mark_alive, mark_ended, turn

HOLD = """
import sys, time
from pathlib import Path
from rai_assets.store.turns import mark_alive, turn
home, run = Path(sys.argv[1]), sys.argv[2]
mark_alive(home, run)
with turn(home, "loans", "main", run, wait=0, report=print):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(home: Path, run: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the turn."""
    command = [sys.executable, "-c", HOLD, home, run]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def take(home: Path, run: str = "mine", wait: float = 0.0, said: list[str] | None = None, branch: str = "main") -> None:
    with turn(home, "loans", branch, run, wait=wait, report=(said if said is not None else []).append):
        pass


def test_another_run_is_refused_and_told_whom_it_waits_for(tmp_path: Path) -> None:
    with holder(tmp_path, "0f3b19c2-run"):
        with pytest.raises(RaiError, match=r"another run of loans on branch 'main' is under way \(0f3b19c2\)"):
            take(tmp_path)
        take(tmp_path, branch="trial")


def test_a_run_that_waits_goes_on_when_the_other_ends(tmp_path: Path) -> None:
    said: list[str] = []
    with holder(tmp_path, "0f3b19c2-run") as other:
        assert other.stdin is not None
        other.stdin.close()
        take(tmp_path, wait=30, said=said)
    assert not said or "waiting until it ends" in said[0]


def test_the_steps_of_one_run_share_its_turn(tmp_path: Path) -> None:
    with turn(tmp_path, "loans", "main", "mine", wait=0, report=print):
        take(tmp_path, "mine")
        with pytest.raises(RaiError, match="under way"):
            take(tmp_path, "other")
    take(tmp_path, "other")


def test_what_a_step_itself_cannot_read_is_not_taken_for_the_lock(tmp_path: Path) -> None:
    mine = partial(turn, tmp_path, "loans", "main", "mine", wait=0, report=print)
    with mine(), pytest.raises(FileNotFoundError), mine():
        (tmp_path / "nowhere").read_bytes()


def test_a_killed_process_keeps_nobody_out(tmp_path: Path) -> None:
    with holder(tmp_path, "dead") as other:
        other.kill()
        other.wait()
        take(tmp_path)


@pytest.mark.parametrize("text", ["", "no run at all", str(os.getpid()), "\x00\xff"])
def test_what_a_lock_file_says_locks_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "loans.main.lock").write_text(text, "utf-8")
    take(tmp_path)


@pytest.mark.parametrize("years", [-30, 30])
def test_the_clock_may_jump(tmp_path: Path, years: int) -> None:
    """A held turn stays held and a free one free, however old or new their files look."""
    moment = time.time() + years * 365 * 86400
    with holder(tmp_path, "alive"):
        for path in (tmp_path / "locks").iterdir():
            os.utime(path, (moment, moment))
        with pytest.raises(RaiError, match="under way"):
            take(tmp_path)
        assert list(dead_runs(tmp_path)) == []
    take(tmp_path)


def test_only_runs_whose_process_is_gone_are_dead(tmp_path: Path) -> None:
    mark_alive(tmp_path, "mine")
    with holder(tmp_path, "theirs") as other:
        assert list(dead_runs(tmp_path)) == []
        other.kill()
        other.wait()
        assert list(dead_runs(tmp_path)) == ["theirs"]
    assert list(dead_runs(tmp_path)) == [], "told once"
    mark_ended(tmp_path, "mine")
    assert list(dead_runs(tmp_path)) == []


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from rai_assets.errors import RaiError
from rai_assets.store.turns import turn
home = Path(sys.argv[1])
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    with turn(home, "loans", "main", "mine", wait=0, report=print):
        print("taken")
except RaiError as error:
    print(error)
"""


@pytest.mark.parametrize("locks_exist", [False, True])
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, locks_exist: bool) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    home = tmp_path / "home"
    (home / "locks" if locks_exist else home).mkdir(parents=True)
    for folder in (home, home / "locks"):
        if folder.exists():
            folder.chmod(0o555)
    done = subprocess.run([sys.executable, "-c", UNPRIVILEGED, home], capture_output=True, text=True)
    assert done.stdout.startswith(f"{home}/locks"), done.stderr
    assert "the file system refused: Permission denied\n  Fix:" in done.stdout
