"""What only the embedded engine can get wrong: its files, its lock, its disk."""

from __future__ import annotations

import io
import os
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from rai_assets.store import git_layer
from rai_assets.store.git_objects import BLOB, TREE, GitObject, GitObjects
from rai_assets.store.open import first_commit, open_repository
from rai_assets.store.protocol import BackendUnavailable, ChangeSet, NotFound, VersionedRepository
from rai_assets.store.verify import verify
from rai_assets_tests.store.backends import NAME
from rai_assets_tests.store.processes import run
from rai_assets_tests.store.saying import change, content, git, write


def test_a_new_repository_has_one_empty_commit(store: VersionedRepository):
    (only,) = store.log("main")
    assert (only.parents, content(store, "main")) == ((), {})
    write(store, "main", {"a": "1"})
    assert first_commit(store) == only.id
    assert (store.repository, store.default_branch) == (NAME, "main")


def test_opening_again_finds_what_was_written(home: Path, store: VersionedRepository):
    write(store, "main", {"a": "1"})
    assert content(open_repository(home, NAME, create=False), "main") == {"a": "1"}
    with pytest.raises(NotFound):
        open_repository(home, "rai-other", create=False)


def test_a_creation_that_died_is_swept_by_the_next(home: Path):
    half = home / "store" / f".{NAME}.new"
    (half / "git" / "objects").mkdir(parents=True)
    assert content(open_repository(home, NAME), "main") == {}
    assert not half.exists()


def folders_of(objects: GitObjects, count: int, records: int = 1) -> list[GitObject]:
    made = [
        GitObject.make(TREE, b"".join(b"100644 %d-%d\0" % (number, row) + bytes(20) for row in range(records)))
        for number in range(count)
    ]
    objects.write(made)
    return made


def test_the_folders_asked_for_last_are_kept_and_no_more(tmp_path: Path):
    GitObjects.create(tmp_path)
    objects = GitObjects(tmp_path)
    folders = folders_of(objects, 9)
    for item in (*folders[:8], folders[0], folders[8]):  # the first is asked for again before the last comes
        assert objects.folder(item.id).raw == item.raw
    for file in tmp_path.glob("??/*"):
        file.unlink()
    assert [objects.folder(item.id).raw for item in (folders[0], *folders[2:])] == [
        item.raw for item in (folders[0], *folders[2:])
    ]
    with pytest.raises(BackendUnavailable):
        objects.folder(folders[1].id)


def test_large_folders_are_kept_as_far_as_there_is_room(tmp_path: Path):
    GitObjects.create(tmp_path)
    objects = GitObjects(tmp_path)
    folders = folders_of(objects, 3, records=100_000)  # about 3 MiB each, with room for two
    for item in folders:
        objects.folder(item.id)
    for file in tmp_path.glob("??/*"):
        file.unlink()
    assert [objects.folder(item.id).raw == item.raw for item in folders[1:]] == [True, True]
    with pytest.raises(BackendUnavailable):
        objects.folder(folders[0].id)


def test_threads_that_create_at_once_get_the_same_repository(home: Path):
    roots: list[str] = []
    threads = [
        threading.Thread(target=lambda: roots.append(open_repository(home, NAME).resolve("main"))) for _ in "1234"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(roots) == 4
    assert len(set(roots)) == 1


def test_git_shows_the_history(store: VersionedRepository, root: Path):
    store.commit("main", change({"a": "1", "d/b": "2"}), "Audit of main\n\nwith a body", {"run_id": "0b7f"})
    shown = git(root, "log", "-1", "--format=%s%n%b", "main")
    assert shown.startswith("Audit of main\nwith a body\n")
    assert '"run_id": "0b7f"' in shown
    assert git(root, "fsck", "--full", "--strict") == ""
    assert git(root, "symbolic-ref", "HEAD") == "refs/heads/main\n"
    pointer = git(root, "show", "main:a")
    assert pointer.startswith("sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b 1 ")
    assert pointer.count("\n") == 1


def test_contents_are_files_named_by_their_digest_and_read_only(store: VersionedRepository, root: Path):
    write(store, "main", {"a": "1", "b": "1"})
    (file,) = (path for path in (root / "objects").rglob("*") if path.is_file())
    assert file.relative_to(root).as_posix() == f"objects/sha256/6b/{store.stat('main', 'a').sha256}"
    assert file.stat().st_mode & 0o777 == 0o444
    assert list((root / "tmp").iterdir()) == []


def test_an_adopted_file_is_moved_not_copied(store: VersionedRepository, root: Path):
    with store.scratch() as folder:
        (folder / "big").write_bytes(b"content")
        inode = (folder / "big").stat().st_ino
        store.commit("main", ChangeSet().adopt("a", folder / "big"), "m")
    path = root / "objects" / "sha256" / store.stat("main", "a").sha256[:2] / store.stat("main", "a").sha256
    assert path.stat().st_ino == inode
    assert path.stat().st_mode & 0o777 == 0o444


def test_a_link_is_not_adopted(store: VersionedRepository, tmp_path: Path):
    (tmp_path / "target").write_bytes(b"content")
    with store.scratch() as folder:
        (folder / "link").symlink_to(tmp_path / "target")
        store.commit("main", ChangeSet().adopt("a", folder / "link"), "m")
    assert (tmp_path / "target").read_bytes() == b"content"
    assert content(store, "main") == {"a": "content"}


@pytest.mark.parametrize("lock", ["refs/heads/main.lock", "objects/{first}/{rest}.lock"])
def test_a_lock_file_of_a_dead_writer_is_no_obstacle(store: VersionedRepository, root: Path, lock: str):
    pointer = b"sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b 1 "
    pointer += b'{"content_type":"application/octet-stream"}\n'
    identity = GitObject.make(BLOB, pointer).id.decode()
    left = root / "git" / lock.format(first=identity[:2], rest=identity[2:])
    left.parent.mkdir(exist_ok=True)
    left.touch()
    write(store, "main", {"a": "1"})
    assert content(store, "main") == {"a": "1"}
    store.collect_garbage()
    assert not left.exists()


@pytest.mark.parametrize("holder", ["", "999999999", "1", "itself"])
def test_a_lock_is_the_systems_not_the_files(store: VersionedRepository, root: Path, holder: str):
    """A lock file that names a dead process, or one whose number another process has now, holds nobody up."""
    (root / "lock").write_text(str(os.getpid()) if holder == "itself" else holder)
    write(store, "main", {"a": "1"})
    assert content(store, "main") == {"a": "1"}


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)])
def test_a_jump_of_the_clock_does_not_change_the_order(
    store: VersionedRepository, monkeypatch: pytest.MonkeyPatch, jump: timedelta
):
    """Commits stand in the order of their parents, and merges find the same base, whatever the clock says."""
    store.create_branch("work", "main")
    made = [write(store, "main", {"a": "1"}), write(store, "work", {"b": "1"})]
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump.total_seconds())
    made += [write(store, "main", {"a": "2"}), write(store, "work", {"b": "2"})]
    monkeypatch.setattr(time, "time", now)
    made += [write(store, "main", {"a": "3"}), write(store, "work", {"b": "3"})]
    merged = store.merge("work", "main")
    assert [commit.id for commit in store.log("main", first_parent=True)][:4] == [
        merged.commit.id,
        *(commit.id for commit in reversed(made[::2])),
    ]
    position = {commit.id: number for number, commit in enumerate(store.log("main"))}
    assert all(position[commit.id] < position[up] for commit in store.log("main") for up in commit.parents)
    assert merged.base == made[0].parents[0]


def test_a_clock_far_ahead_does_not_sweep_what_a_writer_holds(
    store: VersionedRepository, root: Path, monkeypatch: pytest.MonkeyPatch
):
    write(store, "main", {"a": "1"})
    now = time.time
    with store.scratch() as folder:
        (folder / "big").write_bytes(b"content")
        monkeypatch.setattr(time, "time", lambda: now() + 400 * 86_400)
        swept = store.collect_garbage(expire_runs=timedelta(days=30))
        monkeypatch.setattr(time, "time", now)
        assert swept.leftovers == 0
        store.commit("main", ChangeSet().adopt("big", folder / "big"), "m")
    assert content(store, "main") == {"a": "1", "big": "content"}


def test_readers_do_not_wait_for_a_writer(home: Path, store: VersionedRepository, monkeypatch: pytest.MonkeyPatch):
    write(store, "main", {"a": "1"})
    monkeypatch.setattr(git_layer, "LOCK_SECONDS", 0.05)
    other = open_repository(home, NAME)
    seen: list[object] = []

    class Waiting(Exception):
        pass

    def use() -> None:
        seen.append(content(other, "main"))
        try:
            write(other, "main", {"b": "2"})
        except BackendUnavailable as fault:
            seen.append(fault.retryable)

    with store._git.writing():
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    assert seen == [{"a": "1"}, True]


def test_a_content_swept_while_the_same_is_on_its_way_comes_back(store: VersionedRepository, root: Path):
    """A writer that finds a content in its place must not count on it before it holds the lock."""
    store.create_branch("gone", "main")
    write(store, "gone", {"a": "same"})
    digest = store.stat("gone", "a").sha256
    os.utime(root / "objects" / "sha256" / digest[:2] / digest, (0, 0))
    store.delete_branch("gone")
    swept = []

    class Sweeping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            swept.append(store.collect_garbage(timedelta(hours=1)).objects)
            return super().read(size)

    store.commit("main", ChangeSet().put("early", b"same").put("late", Sweeping(b"late")), "m")
    assert swept == [1, 0]
    assert content(store, "main") == {"early": "same", "late": "late"}


def test_a_young_content_survives_a_sweep(store: VersionedRepository, root: Path):
    stray = root / "objects" / "sha256" / "00" / ("0" * 64)
    stray.parent.mkdir()
    stray.write_bytes(b"stray")
    assert store.collect_garbage(timedelta(hours=1)).objects == 0
    os.utime(stray, (0, 0))
    assert store.collect_garbage(timedelta(hours=1)).objects == 1


def test_what_dead_writers_left_is_swept_by_age(store: VersionedRepository, root: Path):
    left = root / "tmp" / "dead"
    left.mkdir()
    (left / "1").write_bytes(b"half")
    assert store.collect_garbage(timedelta(hours=1)).leftovers == 0
    for path in (left / "1", left):
        os.utime(path, (0, 0))
    assert store.collect_garbage(timedelta(hours=1)).leftovers == 1
    assert not left.exists()


def test_a_sweep_packs_many_small_files_of_git(store: VersionedRepository, root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(git_layer, "LOOSE_LIMIT", 10)
    for number in range(12):
        write(store, "main", {f"f{number}": str(number)})
    before = content(store, "main")
    store.collect_garbage()
    assert len(list((root / "git" / "objects" / "pack").glob("*.pack"))) == 1
    assert content(store, "main") == before
    assert len(list(store.log("main"))) == 13
    assert git(root, "fsck", "--full") == ""
    write(store, "main", {"after": "1"})


def test_big_commits_become_one_pack(store: VersionedRepository, root: Path):
    write(store, "main", {f"d{number % 7}/f{number}": str(number) for number in range(500)})
    assert len(list((root / "git" / "objects" / "pack").glob("*.pack"))) == 1
    assert git(root, "count-objects").split()[0] == "2"


@pytest.mark.parametrize("count", [2000, pytest.param(100_000, marks=pytest.mark.nightly)])
def test_many_objects(store: VersionedRepository, count: int):
    """Generous limits: they catch a change in the order of growth, not a slow disk."""
    files = {f"d{number % 100}/f{number}": f"{number}" for number in range(count)}
    began = time.perf_counter()
    write(store, "main", files)
    committed = time.perf_counter()
    write(store, "main", {"d5/f105": "changed"})
    changed = time.perf_counter()
    store.create_branch("work", "main~1")
    write(store, "work", {"d7/f107": "changed"})
    merging = time.perf_counter()
    store.merge("work", "main")
    merged = time.perf_counter()
    assert committed - began < 10 * count / 2000
    assert changed - committed < 2
    assert merged - merging < 2


@pytest.mark.parametrize("count", [6, pytest.param(60, marks=pytest.mark.nightly)])
def test_sweeps_without_grace_take_nothing_that_a_ref_reaches(store: VersionedRepository, home: Path, count: int):
    """Eight processes: two sweep, six write the same few contents, and keep or delete what they wrote."""
    said = [line.split() for lines in run("swept", "embedded", str(home), count, seed=count) for line in lines]
    assert {tag for tag, _ in said} == store.tags().keys()
    for tag, text in said:
        assert content(store, tag) == {"a": text, f"d/{tag[1:].partition('-')[0]}": text * 2}
    found = verify(store)
    assert (found.damages, found.commits) == ((), 1 + len(said))
