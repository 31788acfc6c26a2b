"""Verification finds whatever is not as it was stored, and says where."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from rai_assets.store import git_layer
from rai_assets.store.lakefs_opening import open_lakefs
from rai_assets.store.lakefs_settings import LakeFSSettings
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import BackendUnavailable, VersionedRepository
from rai_assets.store.verify import Verified, verify
from rai_assets_tests.store.backends import NAME
from rai_assets_tests.store.lakefs_server import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Server, executable
from rai_assets_tests.store.saying import write


def _history(repository: VersionedRepository) -> None:
    """Two branches, a merge, a tag, a deleted object and one in a folder."""
    write(repository, "main", {"a": "1", "folder/b": "22"})
    repository.create_branch("work", "main")
    write(repository, "work", {"a": None, "folder/c": "333"})
    write(repository, "main", {"folder/d": "4444"})
    repository.merge("work", "main")
    repository.create_tag("v1", "work")


def test_a_sound_repository(repository: VersionedRepository):
    _history(repository)
    assert verify(repository) == Verified(commits=5, contents=4, bytes=10, damages=())


def test_progress_is_told_in_commits_and_bytes(store: VersionedRepository):
    _history(store)
    said: list[tuple[str, int, int]] = []
    verify(store, lambda what, done, total: said.append((what, done, total)))
    assert ("commits read", 5, 0) in said
    assert ("bytes verified", 10, 10) in said


def _files(root: Path) -> list[Path]:
    """The files that a reader needs."""
    ours = [*(root / "objects").rglob("*"), *(root / "git" / "refs").rglob("*"), *(root / "git" / "objects").rglob("*")]
    return sorted(path for path in ours if path.is_file())


@pytest.fixture(params=["loose", "packed"])
def stored(request: pytest.FixtureRequest, home: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a repository, with git's objects in a file each or in one pack."""
    store = open_repository(home, NAME)
    _history(store)
    if request.param == "packed":
        monkeypatch.setattr(git_layer, "LOOSE_LIMIT", 0)
        store.collect_garbage()
        assert len(list((root / "git" / "objects" / "pack").iterdir())) == 2
    return root


@pytest.mark.parametrize("flips", [12, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_every_changed_byte_is_found(home: Path, stored: Path, flips: int):
    """`flips` bytes of each file, or all of them."""
    chance = random.Random(1)
    for path in _files(stored):
        content = path.read_bytes()
        path.chmod(0o644)
        for place in sorted(chance.sample(range(len(content)), min(flips, len(content)))):
            path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
            assert verify(open_repository(home, NAME)).damages, (path, place)
        path.write_bytes(content)
    assert verify(open_repository(home, NAME)).damages == ()


def test_every_missing_or_cut_file_is_found(home: Path, stored: Path):
    main = stored / "git" / "refs" / "heads" / "main"
    for path in _files(stored):
        content = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(content[:-1])
        assert verify(open_repository(home, NAME)).damages, path
        path.unlink()
        # Without its file a branch is as one that was deleted; but `main` cannot be.
        if path == main or "refs" not in path.parts:
            assert verify(open_repository(home, NAME)).damages, path
        path.write_bytes(content)
    assert verify(open_repository(home, NAME)).damages == ()


def test_what_is_damaged_is_told_by_commit_and_path(home: Path, root: Path, store: VersionedRepository):
    _history(store)
    old = write(store, "main", {"folder/d": "5"}).parents[0]
    item = store.stat(old, "folder/d")
    (root / "objects" / "sha256" / item.sha256[:2] / item.sha256).unlink()
    other = store.stat("main", "folder/b")
    path = root / "objects" / "sha256" / other.sha256[:2] / other.sha256
    path.chmod(0o644)
    path.write_text("23")
    head = store.resolve("main")
    assert {str(damage) for damage in verify(store).damages} == {
        f"commit {old[:12]}, folder/d: the content is missing",
        f"commit {head[:12]}, folder/b: the content does not have the digest it was stored with",
    }


def test_a_missing_folder_hides_nothing_beside_it(home: Path, root: Path, store: VersionedRepository):
    write(store, "main", {"a/x": "1", "b/y": "2"})
    digest = store.stat("main", "b/y").sha256
    (root / "objects" / "sha256" / digest[:2] / digest).unlink()
    tree = _tree(store, "a")
    (root / "git" / "objects" / tree[:2] / tree[2:]).unlink()
    head = store.resolve("main")[:12]
    said = sorted(map(str, verify(open_repository(home, NAME)).damages))
    assert said == [
        f"commit {head}, a/: its record is missing (git object {tree})",
        f"commit {head}, b/y: the content is missing",
    ]


def test_a_content_that_nothing_leads_to_is_looked_at_too(root: Path, store: VersionedRepository):
    """The next commit of the same bytes would take it for what it stores."""
    stray = root / "objects" / "sha256" / "00" / ("0" * 64)
    stray.parent.mkdir()
    stray.write_bytes(b"stray")
    (damage,) = verify(store).damages
    assert damage.path == f"objects/sha256/00/{'0' * 64}"


def _tree(store: VersionedRepository, folder: str) -> str:
    from rai_assets.store import history, trees

    git = store._git  # type: ignore[attr-defined]
    node = history.read(git.objects, store.resolve("main"))
    return next(entry[2].decode() for entry in trees.entries(git.objects, node.tree) if entry[0] == folder.encode())


def test_a_sweep_does_not_take_a_damaged_branch_for_a_deleted_one(home: Path, root: Path, store: VersionedRepository):
    _history(store)
    (root / "git" / "refs" / "heads" / "work").write_bytes(b"")
    with pytest.raises(BackendUnavailable, match="holds no commit id"):
        store.collect_garbage(timedelta(0))
    assert [str(damage) for damage in verify(store).damages] == ["branch work: the file holds no commit id"]


def test_a_sweep_of_a_damaged_history_removes_nothing(home: Path, root: Path, store: VersionedRepository):
    _history(store)
    before = len(_files(root))
    tip = store.resolve("work")
    (root / "git" / "objects" / tip[:2] / tip[2:]).unlink()
    with pytest.raises(BackendUnavailable, match="a part of the history is missing, so nothing was removed"):
        open_repository(home, NAME).collect_garbage(timedelta(0))
    assert len(_files(root)) == before - 1


def test_what_lakefs_lost_or_changed_is_told_by_commit_and_path(tmp_path: Path):
    if executable() is None:
        pytest.skip("no `lakefs` executable is on PATH to start a server whose storage may be spoiled")
    server = Server(tmp_path / "server").start()
    try:
        settings = LakeFSSettings(server.endpoint, ACCESS_KEY_ID, SECRET_ACCESS_KEY)
        repository = open_lakefs(settings, tmp_path / "home", NAME)
        head = write(repository, "main", {"a": "first content", "b/c": "second content"}).id[:12]
        assert verify(repository).damages == ()
        for path in (tmp_path / "server" / "objects").rglob("*"):
            if path.is_file() and path.read_bytes() == b"first content":
                path.write_bytes(b"First content")
            elif path.is_file() and path.read_bytes() == b"second content":
                path.unlink()
        assert [str(damage) for damage in verify(repository).damages] == [
            f"commit {head}, a: the content does not have the digest it was stored with",
            f"commit {head}, b/c: the content of object 'b/c' is gone from lakeFS's storage",
        ]
    finally:
        server.stop()
