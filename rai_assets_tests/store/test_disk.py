"""A disk that is full, forbidden or damaged: the embedded engine says so, and nothing is half-visible."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rai_assets.store import blobs
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import BackendUnavailable, ChangeSet, VersionedRepository
from rai_assets_tests.store.backends import NAME
from rai_assets_tests.store.saying import content, git, write


def test_a_disk_full_at_any_write_leaves_the_branch_as_it_was(
    store: VersionedRepository, root: Path, monkeypatch: pytest.MonkeyPatch
):
    """The disk is full at the first write of a commit, then at the second, until the commit goes through."""
    head = write(store, "main", {"a": "1"}).id
    write_all = blobs.write_all
    writes_left = 0

    def full(out, data) -> None:
        nonlocal writes_left
        if not writes_left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        writes_left -= 1
        write_all(out, data)

    monkeypatch.setattr(blobs, "write_all", full)
    for refused in range(20):
        writes_left = refused
        try:
            write(store, "main", {"a": f"new {refused}", "d/b": f"other {refused}"})
            break
        except BackendUnavailable as refusal:
            assert "No space left on device" in refusal.what
            assert "free some space" in refusal.fix
        assert (store.resolve("main"), content(store, "main")) == (head, {"a": "1"})
        assert list((root / "tmp").iterdir()) == []
    # Two contents, two pointers, two folders, the commit, the branch: all of them were refused once.
    assert refused == 8
    assert content(store, "main") == {"a": "new 8", "d/b": "other 8"}
    assert git(root, "fsck", "--full", "--no-dangling") == ""


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
