"""A disk that is full, forbidden or damaged: the embedded engine says so, and nothing is half-visible."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from rai_assets.store import durable, git_layer, git_objects
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import BackendUnavailable, ChangeSet, NotFound, VersionedRepository
from rai_assets_tests.store.backends import NAME
from rai_assets_tests.store.saying import content, git, write

ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "make the folder writable",
    errno.EIO: "check the disk",
}


OPERATIONS: dict[str, Callable[[VersionedRepository], object]] = {
    "commit": lambda store: write(store, "main", {"a": "new", "d/b": "other"}),
    "pack": lambda store: write(store, "main", {f"many/{number}": str(number) for number in range(5)}),
    "merge": lambda store: store.merge("work", "main"),
    "revert": lambda store: store.revert("main", "main"),
    "branch": lambda store: store.create_branch("new", "main"),
    "tag": lambda store: store.create_tag("v1", "main"),
    "protect": lambda store: store.protect(["work"]),
    "sweep": lambda store: store.collect_garbage(timedelta(0)),
}


CASES = [(operation, errno.ENOSPC) for operation in OPERATIONS]
CASES += [("commit", number) for number in ADVICE if number != errno.ENOSPC]


@pytest.mark.parametrize(("operation", "number"), CASES)
def test_a_disk_that_refuses_any_write_leaves_the_old_state(
    store: VersionedRepository, root: Path, monkeypatch: pytest.MonkeyPatch, operation: str, number: int
):
    """The disk refuses the first write or flush of a file, then the second, until the operation goes through."""
    monkeypatch.setattr(git_objects, "PACK_FROM", 4)
    monkeypatch.setattr(git_layer, "LOOSE_LIMIT", 0)
    write(store, "main", {"a": "0"})
    store.create_branch("work", "main")
    write(store, "work", {"c": "1", "a": "1"})
    write(store, "main", {"b": "2"})
    store.create_branch("gone", "main")
    write(store, "gone", {"g": "1"})
    store.delete_branch("gone")
    disk = FailingDisk(monkeypatch, number)
    before = everything(store)
    for allowed in range(60):
        disk.left = allowed
        try:
            OPERATIONS[operation](store)
            break
        except BackendUnavailable as refusal:
            assert os.strerror(number) in refusal.what
            assert refusal.where == str(root)
            assert ADVICE[number] in refusal.fix
        disk.left = -1
        assert everything(store) == before
        assert list((root / "tmp").iterdir()) == []
        assert list(root.rglob("*.lock")) == []
    assert allowed > 0
    disk.left = -1
    assert (everything(store) == before) == (operation in ("protect", "sweep"))
    assert git(root, "fsck", "--full", "--no-dangling") == ""


class FailingDisk:
    """A disk that takes `left` more writes and flushes of files, then writes half and refuses; -1: it works."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        self.left = -1
        self._number = number
        self._write, self._flush = durable.write_all, os.fsync
        monkeypatch.setattr(durable, "write_all", self.write)
        monkeypatch.setattr(os, "fsync", self.flush)

    def write(self, out: BinaryIO, data: bytes) -> None:
        if not self.left:
            self._write(out, data[: len(data) // 2])
        self._count()
        self._write(out, data)

    def flush(self, descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            self._count()
        self._flush(descriptor)

    def _count(self) -> None:
        if not self.left:
            raise OSError(self._number, os.strerror(self._number))
        self.left -= 1


def everything(store: VersionedRepository) -> object:
    """All that a reader can see."""
    return store.tags(), {name: (head, content(store, head)) for name, head in store.branches().items()}


def test_a_new_repository_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is made whole or not at all, and the next attempt makes it."""
    disk = FailingDisk(monkeypatch, errno.ENOSPC)
    for allowed in range(60):
        disk.left = allowed
        try:
            store = open_repository(tmp_path, NAME)
            break
        except BackendUnavailable as refusal:
            assert "free some space" in refusal.fix
            assert str(tmp_path) in refusal.where
        with pytest.raises(NotFound):
            open_repository(tmp_path, NAME, create=False)
    assert allowed > 3
    assert content(store, "main") == {}


def test_a_disk_that_fills_up_at_any_point(tmp_path: Path):
    """On a real file system of 1 MiB: whatever write comes too late, the branch stands at the last whole commit."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can make a small disk")
    try:
        store = open_repository(disk, NAME)
        state: dict[str, str] = {}
        for number in range(1000):
            new = {f"d{number % 3}/f{number}": "x" * (4000 * (number % 5) + number)}
            try:
                write(store, "main", new)
            except BackendUnavailable as refusal:
                assert "No space left" in refusal.what
                break
            state |= new
        assert 0 < len(state) < 999
        assert content(store, "main") == state
    finally:
        subprocess.run(["umount", disk], check=True)


NOT_WRITABLE = """
import os, sys
from pathlib import Path
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import BackendUnavailable, ChangeSet
home = Path(sys.argv[1])
warm = open_repository(home, "rai-warm")
warm.commit("main", ChangeSet().put("a", b"1"), "m")
for folder, _, files in os.walk(home):
    os.chmod(folder, 0o555)
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
store = open_repository(home, "rai-warm")
calls = {
    "commit": lambda: store.commit("main", ChangeSet().put("a", b"2"), "m"),
    "branch": lambda: store.create_branch("work", "main"),
    "tag": lambda: store.create_tag("v1", "main"),
    "protect": lambda: store.protect(["main"]),
    "sweep": lambda: store.collect_garbage(),
    "scratch": lambda: store.scratch().__enter__(),
    "create": lambda: open_repository(home, "rai-new"),
}
for name, call in calls.items():
    try:
        call()
    except BackendUnavailable as refusal:
        assert "writ" in refusal.fix and not refusal.retryable, refusal
    else:
        raise AssertionError(name)
with store.open("main", "a") as stream:
    assert stream.read() == b"1"
assert list(store.branches()) == ["main"]
"""


def test_29_a_folder_that_cannot_be_written_is_still_read():
    home = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    try:
        subprocess.run([sys.executable, "-c", NOT_WRITABLE, home], check=True)
    finally:
        subprocess.run(["chmod", "-R", "u+w", home], check=True)
        subprocess.run(["rm", "-r", home], check=True)


@pytest.mark.parametrize("how", ["missing", "short", "altered"])
def test_a_damaged_content_is_said_not_served(store: VersionedRepository, root: Path, tmp_path: Path, how: str):
    write(store, "main", {"a": "content", "b": "fine"})
    digest = store.stat("main", "a").sha256
    file = root / "objects" / "sha256" / digest[:2] / digest
    if how == "missing":
        file.unlink()
    else:
        file.chmod(0o644)
        file.write_bytes(b"cont" if how == "short" else b"CONTENT")
    with pytest.raises(BackendUnavailable, match="content (is missing|has 4 bytes|does not have the digest)"):
        store.download("main", "a", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    with store.open("main", "b") as stream:
        assert stream.read() == b"fine"
    if how != "altered":
        with pytest.raises(BackendUnavailable):
            store.open("main", "a")
        # The same content written again heals it.
        store.commit("main", ChangeSet().put("c", b"content"), "m")
        store.download("main", "a", tmp_path / "copy")


@pytest.mark.parametrize("how", ["missing", "cut", "a folder"])
@pytest.mark.parametrize("what", ["main^{tree}", "main:a"])
def test_a_damaged_history_is_said_and_the_rest_served(store: VersionedRepository, root: Path, what: str, how: str):
    write(store, "main", {"a": "content"})
    store.create_branch("fine", "main~1")
    write(store, "fine", {"b": "fine"})
    name = git(root, "rev-parse", what).strip()
    file = root / "git" / "objects" / name[:2] / name[2:]
    half = file.read_bytes()[:-9]
    file.unlink()
    if how == "cut":
        file.write_bytes(half)
    elif how == "a folder":
        file.mkdir()
    with pytest.raises(BackendUnavailable, match="the history is damaged") as refusal:
        content(store, "main")
    assert refusal.value.where == str(file)
    assert content(store, "fine") == {"b": "fine"}
