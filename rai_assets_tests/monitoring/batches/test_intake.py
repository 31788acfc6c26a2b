"""When a file is taken out of an inbox, and that a half-written one never is."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from rai_assets.errors import RaiError
from rai_assets.monitoring.batches import sources
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.intake import Looked, Spool, bring, file_key, look, slug
from rai_assets.monitoring.batches.settings import InboxSettings
from rai_assets.monitoring.batches.sources import Copied, FolderInbox, Found


class Watch:
    """An inbox that is looked into at times of our choice."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder / "inbox"
        self.folder.mkdir()
        self.settings = InboxSettings.model_validate({"path": "inbox", **settings})
        self.inbox = FolderInbox(folder, self.settings)
        self.ledger = Arrivals(folder / "state" / "arrivals.sqlite")
        self.spool = Spool(folder / "state" / "taken")
        self.now = 1_000_000.0

    def look(self, after: float = 0.0, limit: int = 50, together: int = 4) -> Looked:
        self.now += after
        settle = self.settings.settle if self.settings.complete == "unchanged" else 0.0
        return look(
            self.inbox,
            self.ledger,
            self.spool,
            lambda found, _: [file_key(found.path, self.ledger)],
            settle=settle,
            limit=limit,
            together=together,
            now=lambda: self.now,
        )

    def taken(self, after: float = 0.0) -> list[str]:
        looked = self.look(after)
        assert looked.problems == ()
        return sorted(looked.taken)


def test_a_file_is_taken_when_it_kept_its_size_and_time_for_the_settling_time(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=30)
    path = watch.folder / "a.csv"
    path.write_text("x")
    assert watch.taken() == []
    assert watch.taken(20) == []
    path.write_text("x,y")
    assert watch.taken(20) == [], "it grew: the time begins again"
    assert watch.taken(29) == []
    assert watch.taken(1) == ["a.csv"]
    assert watch.taken(60) == []


@pytest.mark.parametrize("change", ["other bytes of the same size", "more bytes at the same time"])
def test_a_file_that_changed_in_size_or_in_time_is_waited_for_anew(tmp_path: Path, change: str) -> None:
    """A tool that copies times as well writes more bytes into a file that seems as old as before."""
    watch = Watch(tmp_path, settle=30)
    path = watch.folder / "a.csv"
    path.write_text("x")
    os.utime(path, (500_000, 500_000))
    assert watch.taken() == []
    same_size = change.startswith("other")
    path.write_text("y" if same_size else "x,y")
    os.utime(path, (500_000 + same_size, 500_000 + same_size))
    assert watch.taken(31) == []
    assert watch.taken(29) == []
    assert watch.taken(1) == ["a.csv"]


def test_a_file_that_changed_since_it_was_looked_at_is_waited_for_anew(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=30)
    path = watch.folder / "a.csv"
    path.write_text("x")
    watch.look()

    class Written(FolderInbox):
        """Somebody writes on between the look and the copy."""

        def copy(self, path: str, destination: Path) -> Copied | None:
            (watch.folder / path).write_text("x,y")
            return super().copy(path, destination)

    quiet, watch.inbox = watch.inbox, Written(tmp_path, watch.settings)
    assert watch.taken(30) == []
    watch.inbox = quiet
    assert watch.taken() == []
    assert watch.taken(29) == []
    assert watch.taken(1) == ["a.csv"]


@pytest.mark.parametrize("together", [1, 4])
@pytest.mark.parametrize(("seconds", "taken"), [(15, 2), (100, 1), (4, 5)])
def test_a_look_takes_what_it_can_in_its_time_and_one_file_at_least(
    tmp_path: Path, seconds: float, taken: int, together: int
) -> None:
    """20 seconds, as Dagster ends a tick after a minute; nothing is begun after them."""
    watch = Watch(tmp_path, settle=0)
    for number in range(5):
        (watch.folder / f"{number}.csv").write_text(str(number))
        os.utime(watch.folder / f"{number}.csv", (500_000, 500_000))

    class Slow(FolderInbox):
        def copy(self, path: str, destination: Path) -> Copied | None:
            watch.now += seconds
            return super().copy(path, destination)

    watch.inbox = Slow(tmp_path, watch.settings)
    looked = watch.look(together=together)
    assert (list(looked.taken), looked.waiting) == ([f"{number}.csv" for number in range(taken)], 5 - taken)


def test_with_markers_a_file_waits_for_its_own(tmp_path: Path) -> None:
    watch = Watch(tmp_path, complete="marker")
    (watch.folder / "a.csv").write_text("x")
    (watch.folder / "b.csv.done").write_text("")
    assert watch.taken(100) == []
    (watch.folder / "a.csv.done").write_text("")
    assert watch.taken() == ["a.csv"]


def test_with_renames_a_file_is_taken_at_once_and_an_unfinished_name_never(tmp_path: Path) -> None:
    watch = Watch(tmp_path, complete="rename")
    for name in (".a.csv", "_a.csv", "a.csv.part", "a.csv.tmp"):
        (watch.folder / name).write_text("x")
    assert watch.taken(100) == []
    (watch.folder / "a.csv.part").rename(watch.folder / "a.csv")
    assert watch.taken() == ["a.csv"]


@pytest.mark.parametrize("change", ["shrinks", "grows", "goes away", "is replaced"])
def test_a_file_that_changes_while_it_is_read_is_not_taken(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(tmp_path, settle=0)
    path = watch.folder / "a.csv"
    path.write_bytes(b"x" * 3_000_000)
    other = tmp_path / "other"
    other.write_bytes(b"y" * 3_000_000)
    changes: dict[str, Callable[[], object]] = {
        "shrinks": lambda: os.truncate(path, 1_500_000),
        "grows": lambda: path.write_bytes(b"x" * 4_000_000),
        "goes away": path.unlink,
        "is replaced": lambda: other.replace(path),
    }

    class Digest:
        """SHA-256 that has the file changed once, after its first megabyte."""

        def __init__(self) -> None:
            self.real, self.first = hashlib.sha256(), True

        def update(self, chunk: bytes) -> None:
            self.real.update(chunk)
            if self.first:
                self.first = False
                changes[change]()

        def hexdigest(self) -> str:
            return self.real.hexdigest()

    with monkeypatch.context() as patch:
        patch.setattr(sources, "hashlib", SimpleNamespace(sha256=Digest))
        assert watch.taken() == []
    assert not list(watch.spool._folder.glob("*")), "nothing half-read is kept"
    assert watch.taken(60) == ([] if change == "goes away" else ["a.csv"])
    if change != "goes away":
        (taken,) = watch.ledger.sources("a")
        assert taken.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_links_are_not_followed(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    (tmp_path / "secret.csv").write_text("x")
    (watch.folder / "a.csv").symlink_to(tmp_path / "secret.csv")
    (watch.folder / "folder").symlink_to(tmp_path)
    assert watch.taken() == []


def test_a_folder_that_became_a_link_since_it_was_looked_at_is_not_followed(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").write_text("secret")
    (watch.folder / "in").mkdir()
    (watch.folder / "in" / "a.csv").write_text("x")
    assert watch.inbox.copy("in/a.csv", tmp_path / "copy") is not None
    (watch.folder / "in").rename(tmp_path / "before")
    (watch.folder / "in").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RaiError, match="the file cannot be copied"):
        watch.inbox.copy("in/a.csv", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "x"
    with pytest.raises(RaiError, match="the file cannot be copied"):
        watch.inbox.copy("in/a.csv/b.csv", tmp_path / "copy")


def test_an_inbox_that_is_away_says_so_and_nothing_is_forgotten(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    (watch.folder / "a.csv").write_text("x")
    assert watch.taken() == ["a.csv"]
    watch.folder.rename(tmp_path / "away")
    with pytest.raises(RaiError, match="no such file"):
        watch.look()
    (tmp_path / "away").rename(watch.folder)
    assert watch.taken(600) == []


def test_no_more_than_the_limit_is_taken_at_once_the_oldest_first(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    for number in range(5):
        path = watch.folder / f"{number}.csv"
        path.write_text(str(number))
        os.utime(path, (500_000 - number, 500_000 - number))
    looked = watch.look(limit=2)
    assert sorted(looked.taken) == ["3.csv", "4.csv"]
    assert looked.waiting == 3


def test_the_pause_before_a_batch_is_asked_for_again_doubles(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    (watch.folder / "a.csv").write_text("x")
    watch.taken()
    ledger, now = watch.ledger, watch.now
    numbers = []
    for pause in (30, 60, 120):
        (request,) = ledger.pending(10, now)
        numbers.append(request.number)
        ledger.ended_without_verdict("a", now)
        assert ledger.pending(10, now + pause - 1) == []
        now += pause
    assert sorted(set(numbers)) == numbers


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2026-01-05.csv", "2026-01-05"),
        ("Orders Jänner.csv.gz", "orders-janner"),
        ("in/2026/a.b.parquet", "a-b"),
        ("../../etc/passwd", "passwd"),
        ("--.csv", ""),
        ("\n.csv", ""),
        ("x" * 300, "x" * 80),
        ("x" * 79 + "-y.csv", "x" * 79),
    ],
)
def test_a_name_becomes_a_key_of_our_grammar(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_names_with_one_slug_and_names_without_one_are_batches_of_their_own(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    paths = ["north/May.csv", "south/may.csv", "west/MAY.csv", "--.csv", "++.csv"]
    keys = []
    for number, path in enumerate(paths):
        keys.append(file_key(path, watch.ledger))
        watch.ledger.take(Found(path, 1, "stamp", 0.0), str(number), [keys[-1]], 0.0)
    assert keys[0] == "may"
    assert [key[:-8] for key in keys[1:]] == ["may-", "may-", "batch-", "batch-"]
    assert len(set(keys)) == 5
    assert [file_key(path, watch.ledger) for path in paths] == keys, "and stay what they are"


def test_bytes_are_brought_from_where_they_are_kept_else_from_the_inbox_if_it_has_them(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    path = watch.folder / "a.csv"
    path.write_text("x,y")
    watch.look()
    (source,) = watch.ledger.sources("a")
    kept = watch.spool.find(source.sha256)
    assert kept is not None

    path.write_text("others")
    assert bring(watch.inbox, watch.spool, source) == kept
    kept.unlink()
    for there in (True, False):
        if not there:
            path.unlink()
        with pytest.raises(RaiError, match="not in the inbox any more as it was") as refused:
            bring(watch.inbox, watch.spool, source)
        assert "a.csv" in str(refused.value)
        assert list(kept.parent.iterdir()) == [], "nothing half-copied is left"
    path.write_text("x,y")
    assert bring(watch.inbox, watch.spool, source) == kept
    assert kept.read_text() == "x,y"
    assert list(kept.parent.iterdir()) == [kept]


def test_what_no_batch_waits_for_is_swept_after_an_hour(tmp_path: Path) -> None:
    spool, now = Spool(tmp_path), 1_000_000.0
    for name, age in (("used", 9000), ("old", 3601), ("young", 3599)):
        (tmp_path / name).write_text("x")
        spool.sliced(name).mkdir()
        for path in (tmp_path / name, spool.sliced(name)):
            os.utime(path, (now - age, now - age))
    spool.sweep({"used"}, now)
    assert {path.name for path in tmp_path.iterdir()} == {"used", "used.sliced", "young", "young.sliced"}


def test_what_a_dead_process_left_among_the_taken_files_is_removed(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    (watch.folder / "a.csv").write_text("x")
    watch.look()
    left = tmp_path / "state" / "taken" / "tmp1"
    left.mkdir()
    (left / "half").write_text("x")
    watch.spool.sweep({"of another file"}, time.time())
    assert left.exists(), "it may be of a process that lives"
    watch.spool.sweep({"of another file"}, time.time() + 7200)
    assert not list((tmp_path / "state" / "taken").iterdir())


def test_files_are_noted_together(tmp_path: Path) -> None:
    watch = Watch(tmp_path, complete="rename")
    for number in range(25):
        (watch.folder / f"{number}.csv").write_text(f"x\n{number}\n")
    said: list[str] = []
    watch.ledger._connection.set_trace_callback(said.append)
    assert len(watch.look(together=10).taken) == 25
    assert said.count("COMMIT") == 4, "what is there, and three groups"


def test_a_process_that_dies_within_a_group_has_taken_none_of_it(tmp_path: Path) -> None:
    watch = Watch(tmp_path, complete="rename")
    for number in range(10):
        (watch.folder / f"{number}.csv").write_text(f"x\n{number}\n")

    def dies(found: Found, _: str) -> list[str]:
        if found.path == "7.csv":
            raise KeyboardInterrupt
        return [file_key(found.path, watch.ledger)]

    with pytest.raises(KeyboardInterrupt):
        look(watch.inbox, watch.ledger, watch.spool, dies, settle=0, limit=50, together=5)
    taken = {path for path, (*_, state) in watch.ledger.known().items() if state == "taken"}
    assert taken == {f"{number}.csv" for number in range(5)}
    with Arrivals(tmp_path / "state" / "arrivals.sqlite") as other:  # nobody is locked out
        assert {entry.key for entry in other.entries()} == {str(number) for number in range(5)}
    assert set(watch.look().taken) == {f"{number}.csv" for number in range(5, 10)}
    assert watch.look().taken == {}


def test_a_file_whose_batches_cannot_be_told_holds_up_no_other_of_its_group(tmp_path: Path) -> None:
    watch = Watch(tmp_path, complete="rename")
    for number in range(3):
        (watch.folder / f"{number}.csv").write_text(f"x\n{number}\n")

    def refuses(found: Found, _: str) -> list[str]:
        if found.path == "1.csv":
            raise RaiError("the store is away")
        return [file_key(found.path, watch.ledger)]

    looked = look(watch.inbox, watch.ledger, watch.spool, refuses, settle=0, limit=50, together=5)
    assert (set(looked.taken), looked.waiting, looked.problems) == ({"0.csv", "2.csv"}, 1, ("the store is away",))
    assert set(watch.look().taken) == {"1.csv"}
