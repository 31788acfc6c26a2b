"""A repository in another store: the same trees under every branch and tag, and the same history."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from rai_assets.errors import UsageError
from rai_assets.store import clone, history, migrate
from rai_assets.store.changes import ChangeSet
from rai_assets.store.copy import MADE, WORK, copy
from rai_assets.store.open import open_at, open_repository
from rai_assets.store.origins import ORIGIN
from rai_assets.store.protocol import (
    BackendUnavailable,
    InvalidRef,
    MergeConflict,
    NoChanges,
    NotFound,
    VersionedRepository,
)
from rai_assets.store.verify import verify
from rai_assets_tests.store.backends import BACKENDS, NAME
from rai_assets_tests.store.saying import content, read, write

BRANCHES = ("main", "work", "results-main", "run-1")
# Between folders commits are copied as they are, with their ids.
to_lakefs = pytest.mark.parametrize("backend", ["facade", "lakefs"], indirect=True)
PATHS = ("a", "b/x", "b/y", "c/d/e", "ünï %+ code")


def live(repository: VersionedRepository, seed: int, steps: int = 25) -> None:
    """A history by chance: commits, merges with and without strategy, reverts, squashes, tags, metadata."""
    chance = random.Random(seed)
    for name in BRANCHES[1:]:
        repository.create_branch(name, "main")
    for step in range(steps):
        branch, other = chance.sample(BRANCHES, 2)
        kind = chance.randrange(8)
        try:
            if kind < 4:
                changes = ChangeSet().put(
                    chance.choice(PATHS), chance.randbytes(chance.randrange(9)), metadata={"k": "ä"}
                )
                changes.delete(chance.choice(PATHS))
                repository.commit(branch, changes, f"step {step}\n\nwith ünïcode", {"run_id": str(step)})
            elif kind < 6:
                strategy = chance.choice([None, "source-wins", "dest-wins"])
                squash = chance.random() < 0.2
                repository.merge(other, branch, f"merge {step}", {"m": "1"}, strategy=strategy, squash=squash)
            elif kind == 6:
                repository.revert(branch, branch)
            else:
                repository.create_tag(f"v{step}", branch)
        except (MergeConflict, NoChanges):
            continue
        except InvalidRef:
            assert kind == 6, "a merge, or the first commit, cannot be taken back just so"


def trees(repository: VersionedRepository) -> dict[str, str]:
    heads = {**repository.branches(), **{f"tag {name}": head for name, head in repository.tags().items()}}
    return {name: repository.tree_digest(head) for name, head in heads.items()}


def messages(repository: VersionedRepository) -> dict[str, list[str]]:
    """What the log of each branch says, along first parents and in all; the first commit is each engine's own."""
    found = {}
    for name in repository.branches():
        found[name] = [commit.message for commit in repository.log(name, first_parent=True)][:-1]
        everything = [(commit.message, len(commit.parents)) for commit in repository.log(name) if commit.parents]
        found[f"{name}, all"] = sorted(map(str, everything))
    return found


def metadata(repository: VersionedRepository) -> Counter[str]:
    """What the commits of all branches carry, without what the copying added."""
    own = {ORIGIN, MADE, ".lakefs.merge.strategy"}
    return Counter(
        str(sorted((key, value) for key, value in commit.metadata.items() if key not in own))
        for name in repository.branches()
        for commit in repository.log(name)
        if commit.parents
    )


@pytest.fixture
def other(backend: str, tmp_path: Path) -> VersionedRepository:
    """A fresh repository in another place."""
    return BACKENDS[backend](str(tmp_path / "other"))


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 30))])
def test_trees_and_messages_are_equal_there_and_back(
    store: VersionedRepository, other: VersionedRepository, tmp_path: Path, seed: int
):
    live(store, seed)
    copy(store, other)
    back = open_repository(tmp_path / "back", NAME)
    copy(other, back)
    for made in (other, back):
        assert trees(made) == trees(store)
        assert messages(made) == messages(store)
        assert metadata(made) == metadata(store)
    assert verify(back).damages == ()


def test_a_second_copy_brings_what_is_new_and_nothing_else(store: VersionedRepository, other: VersionedRepository):
    live(store, 5, 8)
    copy(store, other)
    heads = other.branches()
    assert copy(store, other).commits == 0
    assert other.branches() == heads
    write(store, "main", {"new": "1"})
    write(store, "work", {"new": "2"})
    assert copy(store, other).commits == 2
    assert trees(other) == trees(store)
    # Back to where it came from, with what was made there meanwhile.
    write(other, "main", {"there": "1"})
    assert copy(other, store).commits == 1
    assert trees(other) == trees(store)


def test_between_folders_commits_keep_their_ids(store: VersionedRepository, tmp_path: Path):
    live(store, 3)
    target = open_at(f"embedded:{tmp_path / 'other'}", tmp_path, NAME)
    copied = copy(store, target)
    assert copied.lost == ()
    assert (target.branches(), target.tags()) == (store.branches(), store.tags())
    assert list(target.log("main")) == list(store.log("main"))


@to_lakefs
def test_a_copy_tells_the_original_id_and_time(store: VersionedRepository, backend: str, tmp_path: Path):
    target = BACKENDS[backend](str(tmp_path / "other"))
    original = write(store, "main", {"a": "1"})
    copied = copy(store, target)
    words = target.get_commit("main").metadata
    assert target.resolve(original.id) == target.resolve("main")
    assert content(target, original.id) == {"a": "1"}
    assert target.resolve(f"{original.id}~1") == target.resolve("main~1")
    with pytest.raises(NotFound):
        target.resolve("0" * 40)
    assert (words[ORIGIN], words[MADE]) == (original.id, original.time.isoformat())
    assert [sentence.partition(":")[0] for sentence in copied.lost] == [
        "the ids of commits", "the times of commits", "which branches are protected",
    ]  # fmt: skip


def test_an_interrupted_copy_goes_on(
    store: VersionedRepository, other: VersionedRepository, monkeypatch: pytest.MonkeyPatch
):
    live(store, 4)
    monkeypatch.setattr(clone, "_BATCH_ITEMS", 2)
    for patience in range(3, 200, 3):
        left = iter(range(patience))

        def interrupt(what: str, done: int, _: int, left: Iterator[int] = left) -> None:
            if what in ("commits copied", "bytes copied") and next(left, None) is None:
                raise KeyboardInterrupt

        try:
            copy(store, other, interrupt)
            break
        except KeyboardInterrupt:
            continue
    assert trees(other) == trees(store)
    assert messages(other) == messages(store)
    assert not other.branches(WORK)
    assert verify(other).damages == ()


def test_a_repository_with_commits_of_its_own_is_refused(store: VersionedRepository, other: VersionedRepository):
    write(store, "main", {"a": "1"})
    own = write(other, "main", {"b": "1"}).id
    with pytest.raises(UsageError, match="holds commits that the store to copy has not"):
        copy(store, other)
    assert other.branches() == {"main": own}


def test_two_histories_without_a_common_beginning_are_not_mixed(store: VersionedRepository, tmp_path: Path):
    target = open_repository(tmp_path / "other", NAME)
    target.create_branch("results-main", "main")
    write(target, "results-main", {"b": "1"})
    write(store, "main", {"a": "1"})
    with pytest.raises(UsageError, match="a history of its own"):
        copy(store, target)
    assert content(target, "main") == {}


def test_a_branch_or_tag_that_stands_elsewhere_is_left_and_told(store: VersionedRepository, other: VersionedRepository):
    live(store, 6, 4)
    copy(store, other)
    own = write(other, "work", {"own": "1"}).id
    write(store, "work", {"other": "1"})
    copied = copy(store, other)
    assert any(sentence.startswith("branch work") for sentence in copied.lost)
    assert "branch work" not in copied.placed
    assert other.resolve("work") == own


@to_lakefs
def test_a_merge_settled_by_hand_becomes_an_ordinary_commit(repository: VersionedRepository, tmp_path: Path):
    """Nothing but its parents tells such a merge; what it holds is kept."""
    source = open_repository(tmp_path / "source", NAME)
    write(source, "main", {"a": "1"})
    source.create_branch("work", "main")
    write(source, "work", {"a": "2"})
    write(source, "main", {"a": "3"})
    head = source.merge("work", "main", strategy="source-wins").commit.id
    # The strategy is not kept: as if a program had chosen each side itself.
    git = source._git  # type: ignore[attr-defined]
    node = history.read(git.objects, head)
    parents = [history.read(git.objects, parent) for parent in node.commit.parents]
    made, again = history.make(node.tree, parents, "by hand", {})
    with git.writing():
        git.store([made])
        git.set_branch("main", head, again.id)
    copied = copy(source, repository)
    assert "1 merges" in copied.lost[-1]
    assert content(repository, "main") == {"a": "2"}
    assert trees(repository) == trees(source)


def test_a_damaged_source_is_told_with_its_path(store: VersionedRepository, other: VersionedRepository, root: Path):
    write(store, "main", {"a": "1", "b/c": "2"})
    write(store, "main", {"b/c": "3"})
    digest = store.stat("main~1", "b/c").sha256
    path = root / "objects" / "sha256" / digest[:2] / digest
    path.chmod(0o644)
    path.write_text("9")
    with pytest.raises(BackendUnavailable, match="digest") as fault:
        copy(store, other)
    assert digest in fault.value.where or fault.value.where == "b/c"


@pytest.mark.parametrize("backend", ["lakefs"], indirect=True)  # the slowest; folders are copied by another way
def test_many_objects_in_one_commit(store: VersionedRepository, other: VersionedRepository):
    """More than a process may have open."""
    write(store, "main", {f"d/{number}": str(number) for number in range(1100)})
    copy(store, other)
    assert trees(other) == trees(store)
    assert read(other, "main", "d/1099") == "1099"


def test_a_store_of_a_newer_format_is_not_copied_to(store: VersionedRepository, tmp_path: Path):
    open_repository(tmp_path / "newer", NAME)
    (tmp_path / "newer" / "store" / NAME / "format").write_text(f"{migrate.FORMAT + 1}\n")
    with pytest.raises(UsageError, match="newer version"):
        open_at(f"embedded:{tmp_path / 'newer'}", tmp_path, NAME)


@pytest.mark.parametrize("location", ["", "embedded", "embedded:", "http://h:1", "/srv/.rai", "lakefs+ftp://h"])
def test_what_names_no_store(location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAI_LAKEFS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("RAI_LAKEFS_SECRET_ACCESS_KEY", "s")
    with pytest.raises(UsageError, match="names no store"):
        open_at(location, tmp_path, NAME)
