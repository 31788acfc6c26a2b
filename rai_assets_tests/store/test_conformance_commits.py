"""Conformance, part 2: commits, log, isolation and diff (cases 6-15)."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime, timedelta

import pytest

from rai_assets.errors import InputRefused
from rai_assets.store.protocol import ChangeSet, InvalidPath, NoChanges, StaleHead, VersionedRepository
from rai_assets_tests.store.saying import change, content, read, write


@pytest.mark.parametrize(
    "message",
    [
        "one line",
        "",
        "two\n\nparagraphs\n",
        "ends in blanks \n\n\n",
        "é 日本 🎉",
        "x" * 100_000,
        "a\n\nrai-commit: {}",
        "\n",
    ],
)
def test_06_message_and_metadata_come_back_as_given(repository: VersionedRepository, message: str):
    metadata = {
        "run_id": "0b7f",
        "ü": "日本",
        "empty": "",
        "long": "v" * 1000,
        "lines": 'a\n\nb "quoted" \\',
        ".dot": "1",
    }
    before = repository.resolve("main")
    made = repository.commit("main", change({"a": "1"}), message, metadata)
    assert repository.get_commit("main") == made
    assert (made.message, made.metadata, made.parents) == (message, metadata, (before,))
    assert abs(datetime.now(UTC) - made.time) < timedelta(minutes=5)


def test_06_metadata_must_be_texts(repository: VersionedRepository):
    for metadata in ({"n": 1}, {1: "n"}, {"n": None}, {"n": "\ud800"}):
        with pytest.raises(InputRefused):
            repository.commit("main", change({"a": "1"}), "m", metadata)  # type: ignore[arg-type]
        with pytest.raises(InputRefused):
            ChangeSet().put("a", b"1", metadata=metadata)  # type: ignore[arg-type]
    with pytest.raises(InputRefused):
        repository.commit("main", change({"a": "1"}), "\ud800")
    assert content(repository, "main") == {}


def test_06_two_commits_made_alike_are_two(repository: VersionedRepository):
    first = repository.commit("main", ChangeSet(), "same", allow_empty=True)
    repository.create_branch("other", "main~1")
    second = repository.commit("other", ChangeSet(), "same", allow_empty=True)
    assert first.parents == second.parents
    assert first.id != second.id


def test_06_the_log_goes_back_to_the_first_commit(repository: VersionedRepository):
    made = [write(repository, "main", {"a": str(number)}).id for number in range(20)]
    logged = [commit.id for commit in repository.log("main")]
    assert logged[:-1] == made[::-1]
    assert repository.get_commit(logged[-1]).parents == ()
    assert [commit.id for commit in repository.log("main", limit=3)] == made[:-4:-1]
    assert [commit.id for commit in repository.log("main~5", limit=1)] == [made[-6]]


def test_06_the_log_of_merges(repository: VersionedRepository):
    repository.create_branch("work", "main")
    on_main = write(repository, "main", {"a/1": "1"}).id
    on_work = [write(repository, "work", {"b/1": "1"}).id, write(repository, "work", {"b/2": "1"}).id]
    merged = repository.merge("work", "main").commit.id
    every = [commit.id for commit in repository.log("main")]
    assert every[0] == merged
    assert set(every) >= {merged, on_main, *on_work}
    assert every.index(on_work[1]) < every.index(on_work[0])
    assert [commit.id for commit in repository.log("main", first_parent=True)][:2] == [merged, on_main]
    # Merges are commits like others: they show where a folder changed on this line of history.
    assert [commit.id for commit in repository.log("main", first_parent=True, prefixes=["b/"])] == [merged]
    assert [commit.id for commit in repository.log("main", prefixes=["a/1", "nothing"])] == [on_main]
    assert {commit.id for commit in repository.log("main", prefixes=["b/"])} == {merged, *on_work}


def test_07_an_empty_commit_is_made_only_when_asked_for(repository: VersionedRepository):
    head = repository.resolve("main")
    with pytest.raises(NoChanges):
        repository.commit("main", ChangeSet(), "m")
    assert repository.resolve("main") == head
    assert repository.commit("main", ChangeSet(), "m", allow_empty=True).parents == (head,)


def test_08_the_same_content_again_is_no_change(repository: VersionedRepository):
    def put(content_type: str, **metadata: str) -> ChangeSet:
        return ChangeSet().put("a", b"1", content_type, metadata)

    head = repository.commit("main", put("text/plain", unit="eur"), "m").id
    with pytest.raises(NoChanges):
        repository.commit("main", put("text/plain", unit="eur"), "m")
    assert repository.resolve("main") == head
    repository.commit("main", put("text/csv", unit="eur"), "another type")
    repository.commit("main", put("text/csv", unit="usd"), "other metadata")
    (moved,) = repository.diff("main~1", "main", two_dot=True)
    assert moved.kind == "changed"
    assert moved.before is not None
    assert moved.after is not None
    assert moved.before.sha256 == moved.after.sha256
    assert repository.tree_digest("main") == repository.tree_digest("main~2")


def test_09_a_deleted_object_stays_in_the_commits_before(repository: VersionedRepository):
    old = write(repository, "main", {"a": "1", "b": "2"}).id
    write(repository, "main", {"a": None})
    assert content(repository, "main") == {"b": "2"}
    assert read(repository, old, "a") == "1"


def test_09_deleting_what_is_not_there_is_no_change(repository: VersionedRepository):
    write(repository, "main", {"a/b": "1"})
    for path in ("nothing", "a", "a/b/c", "x/y"):
        with pytest.raises(NoChanges):
            repository.commit("main", change({path: None}), "m")


def test_10_put_then_delete_in_one_change_set_leaves_no_trace(repository: VersionedRepository):
    with pytest.raises(NoChanges):
        repository.commit("main", ChangeSet().put("a", b"1").delete("a"), "m")
    with pytest.raises(NoChanges):
        repository.commit("main", ChangeSet().put("f/a", b"1").delete_prefix("f/"), "m")


def test_10_the_last_word_about_a_path_holds(repository: VersionedRepository):
    write(repository, "main", {"f/old": "1", "f/kept": "1", "g": "1"})
    changes = ChangeSet().delete("g").put("g", b"2").delete_prefix("f/").put("f/kept", b"1").put("f/new", b"3")
    repository.commit("main", changes, "m")
    assert content(repository, "main") == {"f/kept": "1", "f/new": "3", "g": "2"}


def test_11_paths_list_in_byte_order_with_prefix_and_delimiter(repository: VersionedRepository):
    paths = [f"d/{number}" for number in range(1200)]
    paths += ["a", "a.b", "a-b", "b/a", "b/a.c", "b/a/x", "b/ab/x", "d.txt", "d0", "é", "z/\uffff", "z/\U0001f600", "Z"]
    paths = [path for path in paths if path != "b/a"]
    random.Random(7).shuffle(paths)
    write(repository, "main", dict.fromkeys(paths, "x"))
    ordered = sorted(paths, key=str.encode)
    assert [item.path for item in repository.list_objects("main")] == ordered
    for prefix in ("d", "d/", "d/11", "b/a", "b/", "nothing", "nothing/", "d/1/", "a", "é", "z/", "\ud800/\ud800"):
        assert [item.path for item in repository.list_objects("main", prefix)] == [
            path for path in ordered if path.startswith(prefix)
        ]
    folded = [(item.path, item.is_prefix) for item in repository.list_objects("main", delimiter="/")]
    top = [path for path in ordered if "/" not in path]
    assert folded == sorted(
        [(path, False) for path in top] + [(f"{name}/", True) for name in "bdz"], key=lambda row: row[0].encode()
    )
    inner = [(item.path, item.is_prefix) for item in repository.list_objects("main", "b/a", "/")]
    assert inner == [("b/a.c", False), ("b/a/", True), ("b/ab/", True)]


@pytest.mark.parametrize(
    "path",
    [
        *("", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", ".git/config", "a/.GIT/b"),
        *("a\nb", "a\0", "\x7f", "x" * 1025, "é" * 513, "\ud800", "_lakefs_actions/x.yaml"),
    ],
)
def test_11_paths_that_do_not_fit(repository: VersionedRepository, path: str):
    with pytest.raises(InvalidPath):
        ChangeSet().put(path, b"")
    with pytest.raises(InvalidPath):
        ChangeSet().delete(path)
    with pytest.raises(InvalidPath):
        repository.open("main", path)


def test_11_a_name_is_an_object_or_a_folder_but_not_both(repository: VersionedRepository):
    write(repository, "main", {"a": "1", "f/g/h": "2"})
    head = repository.resolve("main")
    for files in ({"a/b": "x"}, {"f": "x"}, {"f/g": "x"}, {"n": "x", "n/m": "y"}, {"a/b/c/d": "x"}):
        with pytest.raises(InvalidPath, match="at once"):
            write(repository, "main", files)
    assert repository.resolve("main") == head
    write(repository, "main", {"a": None, "a/b": "x", "f/g/h": None, "f": "y"})
    assert content(repository, "main") == {"a/b": "x", "f": "y"}


class _Failing(io.RawIOBase):
    """A stream that gives some bytes and then fails."""

    def __init__(self) -> None:
        self.left = 3

    def read(self, size: int = -1) -> bytes:
        self.left -= 1
        if not self.left:
            raise RuntimeError("the sender went away")
        return b"x" * 1000


def test_12_a_failed_upload_leaves_the_branch_as_it_was(repository: VersionedRepository, tmp_path):
    head = write(repository, "main", {"a": "1"}).id
    with pytest.raises(RuntimeError, match="went away"):
        repository.commit("main", ChangeSet().put("b", b"2").put("c", _Failing()).delete("a"), "m")  # type: ignore[arg-type]
    gone = tmp_path / "gone"
    gone.write_bytes(b"")
    changes = ChangeSet().put("b", b"2").put("c", gone)
    gone.unlink()
    with pytest.raises(InputRefused, match="cannot be read"):
        repository.commit("main", changes, "m")
    assert repository.resolve("main") == head
    assert content(repository, "main") == {"a": "1"}
    write(repository, "main", {"b": "2"})
    assert content(repository, "main") == {"a": "1", "b": "2"}


def test_12_a_file_that_is_not_there_is_refused_at_once(tmp_path):
    with pytest.raises(InputRefused, match="no such file"):
        ChangeSet().put("a", tmp_path / "nothing")


def test_13_a_stale_expected_head_is_refused(repository: VersionedRepository):
    old = repository.resolve("main")
    head = repository.commit("main", change({"a": "1"}), "m", expected_head=old).id
    with pytest.raises(StaleHead):
        repository.commit("main", change({"b": "1"}), "m", expected_head=old)
    repository.create_branch("work", "main")
    write(repository, "work", {"c": "1"})
    with pytest.raises(StaleHead):
        repository.merge("work", "main", expected_head=old)
    assert repository.resolve("main") == head
    assert repository.merge("work", "main", expected_head=head).commit.parents[0] == head


def test_14_a_run_branch_is_invisible_until_it_is_merged(repository: VersionedRepository):
    write(repository, "main", {"a": "1"})
    repository.create_branch("run-1", "main")
    before = repository.resolve("main")
    write(repository, "run-1", {"a": "2", "b": "3"})
    assert content(repository, "main") == {"a": "1"}
    repository.merge("run-1", "main")
    assert content(repository, "main") == {"a": "2", "b": "3"}
    assert content(repository, before) == {"a": "1"}


def test_15_three_dots_show_what_the_source_changed(repository: VersionedRepository):
    write(repository, "main", {"kept": "1", "changed": "1", "removed": "1", "both": "1"})
    repository.create_branch("work", "main")
    write(repository, "work", {"changed": "2", "removed": None, "added": "1", "both": "2"})
    write(repository, "main", {"elsewhere": "1", "both": "2"})
    shown = {item.path: item.kind for item in repository.diff("main", "work")}
    # `both` was changed alike on both sides, so there is nothing to bring over.
    assert shown == {"added": "added", "changed": "changed", "removed": "removed"}
    straight = {item.path: item.kind for item in repository.diff("main", "work", two_dot=True)}
    assert straight == {**shown, "elsewhere": "removed"}
    assert [item.path for item in repository.diff("main", "work", "ch")] == ["changed"]
    assert list(repository.diff("main", "main")) == []
    (added,) = repository.diff("main", "work", "added")
    assert added.before is None
    assert added.after == repository.stat("work", "added")


def test_15_a_path_changed_on_both_sides_differently_is_a_conflict(repository: VersionedRepository):
    write(repository, "main", {"a": "1", "b": "1"})
    repository.create_branch("work", "main")
    write(repository, "work", {"a": "2", "b": None})
    write(repository, "main", {"a": "3", "b": "2"})
    assert [(item.path, item.kind) for item in repository.diff("main", "work")] == [
        ("a", "conflict"),
        ("b", "conflict"),
    ]


def test_15_an_object_that_becomes_a_folder(repository: VersionedRepository):
    write(repository, "main", {"a": "1"})
    write(repository, "main", {"a": None, "a/b": "1"})
    assert [(item.path, item.kind) for item in repository.diff("main~1", "main", two_dot=True)] == [
        ("a", "removed"),
        ("a/b", "added"),
    ]
