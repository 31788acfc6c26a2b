"""When a table is taken whose rows name pictures: with these, once all of them have settled, and with nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest

from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.intake import Looked, Spool, file_key, look
from rai_assets.monitoring.batches.named import Naming, is_table
from rai_assets.monitoring.batches.settings import InboxSettings
from rai_assets.monitoring.batches.sources import FolderInbox


class Watch:
    """An inbox that is looked into at times of our choice; a line of a table is the name of a picture."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder / "inbox"
        self.folder.mkdir()
        self.settings = InboxSettings.model_validate({"path": "inbox", **settings})
        self.naming = Naming(lambda path: is_table(path, "csv"), self.names, self.settings.settle)
        self.inbox = FolderInbox(folder, self.settings, self.naming.is_table)
        self.ledger = Arrivals(folder / "state" / "arrivals.sqlite")
        self.spool = Spool(folder / "state" / "taken")
        self.now = 1_000_000.0

    def put(self, path: str, text: str = "x") -> Path:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    def names(self, _: str, sha256: str, keys: Sequence[str]) -> Mapping[str, Collection[str]]:
        kept = self.spool.find(sha256)
        assert kept is not None
        return {key: kept.read_text().split() for key in keys}

    def look(self, after: float = 0.0) -> Looked:
        self.now += after
        return look(
            self.inbox,
            self.ledger,
            self.spool,
            lambda found, _: [file_key(found.path, self.ledger)],
            settle=self.settings.settle if self.settings.complete == "unchanged" else 0.0,
            limit=50,
            naming=self.naming,
            now=lambda: self.now,
        )

    def taken(self, after: float = 0.0) -> dict[str, str]:
        looked = self.look(after)
        assert looked.problems == ()
        return looked.taken

    def files(self, key: str = "week") -> list[str]:
        return [source.path for source in self.ledger.sources(key)]

    def asked(self) -> list[str]:
        """The batches that wait for a verdict; each gets one."""
        found = self.ledger.pending(50, self.now)
        for request in found:
            self.ledger.decided(request.key, request.digest, "accepted")
        return sorted(request.key for request in found)


def test_a_table_waits_until_all_that_it_names_has_settled(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=30)
    watch.put("week.csv", "p/a.png p/b.png")
    watch.put("p/a.png", "a")
    watch.put("p/unnamed.png", "of a table to come")
    assert watch.taken() == {}
    watch.put("p/b.png", "b")
    assert watch.taken(20) == {}
    assert watch.taken(20) == {}, "the second picture came 20 seconds ago"
    assert watch.look(5).waiting == 1, "the table; its pictures wait with it"
    assert watch.taken(5) == {"week.csv": "new", "p/a.png": "new", "p/b.png": "new"}
    table, first, second = watch.ledger.sources("week")
    assert (table.path, table.named_by) == ("week.csv", "")
    assert [(item.path, item.named_by) for item in (first, second)] == [
        ("p/a.png", "week.csv"),
        ("p/b.png", "week.csv"),
    ]
    assert first.sha256 == hashlib.sha256(b"a").hexdigest()
    assert watch.taken(600) == {}
    assert watch.look().waiting == 0


def test_what_is_not_there_is_not_waited_for_and_makes_the_batch_again_when_it_comes(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=30)
    watch.put("week.csv", "a.png b.png c.png")
    watch.put("a.png")
    watch.look()
    assert set(watch.taken(30)) == {"week.csv", "a.png"}
    assert watch.files() == ["week.csv", "a.png"]
    assert watch.asked() == ["week"]
    # The rest comes one by one: the batch is asked for once, when no more comes.
    watch.put("b.png", "b")
    assert watch.taken(10) == {}
    watch.put("c.png", "c")
    assert watch.taken(25) == {}
    assert watch.taken(10) == {}
    assert watch.asked() == []
    assert watch.taken(20) == {"b.png": "new", "c.png": "new"}
    assert watch.asked() == ["week"]
    assert watch.files() == ["week.csv", "a.png", "b.png", "c.png"]


def test_a_corrected_picture_makes_its_batch_again_and_the_same_bytes_do_not(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    watch.put("week.csv", "a.png b.png")
    watch.put("other.csv", "b.png c.png")
    for name in "abc":
        watch.put(f"{name}.png", name)
    watch.look()
    assert watch.asked() == ["other", "week"]
    before = watch.ledger.sources("week")
    watch.put("a.png", "a again, better")
    assert watch.taken(1) == {"a.png": "corrected"}
    assert watch.asked() == ["week"]
    assert watch.ledger.sources("week") != before
    watch.put("b.png", "b again")
    assert watch.taken(1) == {"b.png": "corrected"}
    assert watch.asked() == ["other", "week"], "both name it"
    os.utime(watch.folder / "a.png", (5, 5))
    assert watch.taken(1) == {"a.png": "same bytes"}
    assert watch.asked() == []


def test_pictures_with_the_same_bytes_are_each_taken(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    watch.put("week.csv", "a.png b.png")
    watch.put("a.png", "black")
    watch.put("b.png", "black")
    watch.look()
    assert watch.files() == ["week.csv", "a.png", "b.png"]


def test_a_corrected_table_is_made_of_what_it_names_then(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    for name in "abc":
        watch.put(f"{name}.png", name)
    watch.put("week.csv", "a.png b.png")
    watch.look()
    watch.put("week.csv", "b.png c.png and more")
    assert watch.taken(1) == {"week.csv": "corrected", "c.png": "new"}
    assert watch.files() == ["week.csv", "b.png", "c.png"]
    watch.asked()
    watch.put("a.png", "named by no table any more")
    assert watch.taken(1) == {}


def test_only_what_lies_in_the_inbox_is_taken(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0)
    secret = tmp_path / "secret.png"
    secret.write_text("secret")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").write_text("secret")
    (watch.folder / "soft.png").symlink_to(secret)
    (watch.folder / "hard.png").hardlink_to(secret)
    (watch.folder / "linked").symlink_to(tmp_path / "folder")
    for name in (".hidden.png", "_hidden.png", "half.png.part"):
        watch.put(name)
    names = [
        "../secret.png", str(secret), f"file://{secret}", "./../secret.png", "p/../../secret.png", "soft.png",
        "hard.png", "linked/a.png", ".hidden.png", "_hidden.png", "half.png.part", "%2e%2e/secret.png",
        "..\\secret.png", "week.csv", "\0",
    ]  # fmt: skip
    watch.put("week.csv", "\n".join(names))
    assert watch.taken() == {"week.csv": "new"}
    assert watch.files() == ["week.csv"]
    kept = [path.read_text() for path in (tmp_path / "state" / "taken").glob("*")]
    assert len(kept) == 1 and "secret" not in kept


def test_with_renames_all_is_taken_at_once_and_with_markers_pictures_settle(tmp_path: Path) -> None:
    (tmp_path / "renamed").mkdir()
    renamed = Watch(tmp_path / "renamed", complete="rename")
    renamed.put("week.csv", "a.png")
    renamed.put("a.png")
    assert set(renamed.taken()) == {"week.csv", "a.png"}

    marked = Watch(tmp_path, complete="marker", settle=30)
    marked.put("week.csv", "a.png")
    marked.put("a.png")
    assert marked.taken(100) == {}
    marked.put("week.csv.done")
    assert set(marked.taken(30)) == {"week.csv", "a.png"}
    marked.put("a.png", "written again, half")
    assert marked.taken(1) == {}, "the marker was about the picture before"
    assert marked.taken(30) == {"a.png": "corrected"}


def test_a_picture_that_changes_while_it_is_read_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(tmp_path, settle=0)
    watch.put("week.csv", "a.png b.png")
    watch.put("a.png", "a")
    place = watch.put("b.png", "b")
    copy = watch.inbox.copy

    def growing(path: str, destination: Path) -> object:
        if path == "b.png":
            place.write_text("b, and the rest of it")
        return copy(path, destination)

    with monkeypatch.context() as patch:
        patch.setattr(watch.inbox, "copy", growing)
        assert watch.taken() == {"a.png": "new"}, "and the table waits"
    assert watch.taken(1) == {"week.csv": "new", "b.png": "new"}
    assert watch.ledger.sources("week")[2].sha256 == hashlib.sha256(b"b, and the rest of it").hexdigest()


@pytest.mark.parametrize(
    ("path", "declared", "expected"),
    [("a.csv", None, True), ("A.CSV.GZ", None, True), ("a.parquet", None, True), ("a.txt", None, False),
     ("a.jsonl", "csv", False), ("a.tsv", "csv", True), ("a.png", None, False)],
)  # fmt: skip
def test_a_table_is_told_by_its_extension(path: str, declared: str | None, expected: bool) -> None:
    assert is_table(path, declared) is expected  # type: ignore[arg-type]
