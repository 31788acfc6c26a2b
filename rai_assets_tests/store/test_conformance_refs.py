"""Conformance, part 1: branches, tags, refs, protection (cases 1-5, 27, 29)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rai_assets.errors import RaiError
from rai_assets.store.protocol import (
    AlreadyExists,
    ChangeSet,
    InvalidRef,
    NotFound,
    ProtectedBranch,
    VersionedRepository,
)
from rai_assets_tests.store.saying import change, content, read, write


def test_01_a_branch_starts_at_the_commit_of_its_source(repository: VersionedRepository):
    head = write(repository, "main", {"a": "1"}).id
    assert repository.create_branch("work", "main") == head
    assert repository.create_branch("older", "main~1") == repository.resolve(f"{head}~1")
    assert repository.branches() == {"main": head, "older": repository.resolve("main~1"), "work": head}
    assert list(repository.branches("wo")) == ["work"]


def test_01_a_branch_that_exists_is_refused_unless_that_is_fine(repository: VersionedRepository):
    first = repository.create_branch("work", "main")
    write(repository, "main", {"a": "1"})
    with pytest.raises(AlreadyExists):
        repository.create_branch("work", "main")
    assert repository.create_branch("work", "main", exist_ok=True) == first


def test_01_an_unknown_source_is_not_found(repository: VersionedRepository):
    with pytest.raises(NotFound):
        repository.create_branch("work", "nowhere")
    assert list(repository.branches()) == ["main"]


@pytest.mark.parametrize("name", ["a-b_1", "_a", "9a", "A", "x" * 200])
def test_02_branch_names_that_fit(repository: VersionedRepository, name: str):
    repository.create_branch(name, "main")
    assert name in repository.branches()


@pytest.mark.parametrize("name", ["a.b", "a/b", "a..b", "a~b", "-a", "é", "", "a b", "a\n", "../a", "x" * 201])
def test_02_branch_names_that_do_not(repository: VersionedRepository, name: str):
    for call in (
        lambda: repository.create_branch(name, "main"),
        lambda: repository.delete_branch(name),
        lambda: repository.commit(name, ChangeSet(), "m"),
        lambda: repository.merge("main", name),
    ):
        with pytest.raises(InvalidRef):
            call()


def test_03_tags_name_commits_for_good(repository: VersionedRepository):
    commit = write(repository, "main", {"a": "1"}).id
    assert repository.create_tag("v1.0", "main") == commit
    write(repository, "main", {"a": "2"})
    assert repository.resolve("v1.0") == commit
    assert repository.tags() == {"v1.0": commit}
    with pytest.raises(AlreadyExists):
        repository.create_tag("v1.0", "main")
    with pytest.raises(NotFound):
        repository.create_tag("v2.0", "nowhere")
    repository.delete_tag("v1.0")
    assert repository.tags() == {}
    with pytest.raises(NotFound):
        repository.delete_tag("v1.0")


@pytest.mark.parametrize("name", ["a/b", "x.lock", "a..b", "a.", "a b", "@", "", "-a", ".a", "a~1", "é", "a^1", "a\0"])
def test_03_tag_names_that_do_not_fit(repository: VersionedRepository, name: str):
    with pytest.raises(InvalidRef):
        repository.create_tag(name, "main")


def test_03_branches_tags_and_commits_do_not_share_names(repository: VersionedRepository):
    commit = write(repository, "main", {"a": "1"}).id
    repository.create_tag("release", "main")
    for name in ("release", commit, commit[:12]):
        with pytest.raises(AlreadyExists):
            repository.create_branch(name, "main")
    for name in ("main", commit):
        with pytest.raises(AlreadyExists):
            repository.create_tag(name, "main")


def test_04_the_default_branch_stays(repository: VersionedRepository):
    with pytest.raises(ProtectedBranch):
        repository.delete_branch("main")
    assert "main" in repository.branches()


def test_04_a_deleted_branch_leaves_its_commits_readable_by_id(repository: VersionedRepository):
    repository.create_branch("work", "main")
    commit = write(repository, "work", {"a": "1"}).id
    repository.delete_branch("work")
    with pytest.raises(NotFound):
        repository.resolve("work")
    with pytest.raises(NotFound):
        repository.delete_branch("work")
    assert read(repository, commit, "a") == "1"


def test_05_every_kind_of_ref_resolves(repository: VersionedRepository):
    first = write(repository, "main", {"a": "1"}).id
    second = write(repository, "main", {"a": "2"}).id
    repository.create_tag("v1", "main")
    assert repository.resolve("main") == repository.resolve("v1") == second
    assert repository.resolve(second) == repository.resolve(second[:8]) == second
    assert {repository.resolve(f"{name}~1") for name in ("main", "v1", second, second[:10])} == {first}
    assert repository.resolve("main~0") == second
    assert repository.get_commit("main~1").id == first


@pytest.mark.parametrize("ref", ["nowhere", "v9", "0" * 40, "deadbeef", "main~99", "abc"])
def test_05_an_unknown_ref_is_not_found(repository: VersionedRepository, ref: str):
    for call in (
        lambda: repository.resolve(ref),
        lambda: repository.get_commit(ref),
        lambda: list(repository.log(ref)),
        lambda: list(repository.list_objects(ref)),
        lambda: repository.open(ref, "a"),
        lambda: repository.tree_digest(ref),
        lambda: list(repository.diff("main", ref)),
    ):
        with pytest.raises(NotFound):
            call()


@pytest.mark.parametrize(
    "ref", ["", "main^", "main~", "~1", "main~-1", "main@{1}", "refs/heads/main", "main:a", "HEAD~x"]
)
def test_05_what_is_no_ref_is_refused(repository: VersionedRepository, ref: str):
    with pytest.raises(InvalidRef):
        repository.resolve(ref)


def test_05_a_short_prefix_of_a_commit_is_no_ref(repository: VersionedRepository):
    with pytest.raises(NotFound):
        repository.resolve(repository.resolve("main")[:7])


def test_05_nothing_is_written_to_a_tag_or_a_commit(repository: VersionedRepository):
    commit = write(repository, "main", {"a": "1"}).id
    repository.create_tag("v1", "main")
    for ref in ("v1", commit):
        with pytest.raises(NotFound):
            write(repository, ref, {"a": "2"})
        with pytest.raises(NotFound):
            repository.merge("main", ref)


@pytest.mark.parametrize(("pattern", "branch"), [("main", "main"), ("rel-*", "rel-1"), ("*", "any")])
def test_27_a_protected_branch_takes_merges_only(repository: VersionedRepository, pattern: str, branch: str):
    repository.create_branch(branch, "main", exist_ok=True)
    repository.create_branch("source", "main")
    write(repository, "source", {"a": "1"})
    repository.protect([pattern])
    with pytest.raises(ProtectedBranch):
        write(repository, branch, {"b": "2"})
    with pytest.raises(ProtectedBranch):
        repository.delete_branch(branch)
    merged = repository.merge("source", branch)
    assert content(repository, branch) == {"a": "1"}
    repository.revert(branch, merged.commit.id, 1)
    assert content(repository, branch) == {}


def test_27_patterns_replace_those_before(repository: VersionedRepository):
    repository.protect(["main"])
    repository.protect(["rel-*"])
    write(repository, "main", {"a": "1"})
    with pytest.raises(InvalidRef):
        repository.protect(["rel/*"])
    repository.protect([])
    repository.create_branch("rel-1", "main")
    write(repository, "rel-1", {"a": "2"})


def test_27_a_refused_commit_leaves_the_branch_as_it_was(repository: VersionedRepository):
    head = write(repository, "main", {"a": "1"}).id
    repository.protect(["main"])
    with pytest.raises(ProtectedBranch):
        repository.commit("main", change({"a": None}), "m")
    assert repository.resolve("main") == head


REFUSED: dict[str, Callable[[VersionedRepository], object]] = {
    "a branch from nowhere": lambda store: store.create_branch("new", "nowhere"),
    "a branch that exists": lambda store: store.create_branch("work", "main"),
    "deleting no branch": lambda store: store.delete_branch("nowhere"),
    "deleting the default branch": lambda store: store.delete_branch("main"),
    "a tag of nothing": lambda store: store.create_tag("v2", "nowhere"),
    "a tag that exists": lambda store: store.create_tag("v1", "main"),
    "deleting no tag": lambda store: store.delete_tag("v2"),
    "the log of nothing": lambda store: list(store.log("nowhere")),
    "a commit before the first": lambda store: store.get_commit("main~9"),
    "a difference from nothing": lambda store: list(store.diff("nowhere", "main")),
    "a difference to nothing": lambda store: list(store.diff("main", "nowhere")),
    "listing nothing": lambda store: list(store.list_objects("nowhere")),
    "no object": lambda store: store.stat("main", "nowhere"),
    "no branch to commit to": lambda store: write(store, "nowhere", {"a": "1"}),
    "a commit that changes nothing": lambda store: write(store, "main", {"a": "1"}),
    "a commit on another head": lambda store: store.commit("main", change({"b": "1"}), "m", expected_head="0" * 40),
    "an object that exists": lambda store: store.commit("main", ChangeSet().put("a", b"2", if_absent=True), "m"),
    "a clash": lambda store: write(store, "main", {"a/b": "1"}),
    "merging nothing": lambda store: store.merge("work", "main"),
    "merging a branch into itself": lambda store: store.merge("main", "main"),
    "merging from nowhere": lambda store: store.merge("nowhere", "main"),
    "merging to nowhere": lambda store: store.merge("main", "nowhere"),
    "taking back the first commit": lambda store: store.revert("main", "main~1"),
    "taking back by a parent that is not there": lambda store: store.revert("main", "main", 3),
    "protecting by what matches nothing": lambda store: store.protect(["a b"]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_every_refusal_names_what_can_be_done(repository: VersionedRepository, what: str):
    repository.create_branch("work", "main")
    write(repository, "main", {"a": "1"})
    repository.create_tag("v1", "main")
    heads = repository.branches(), repository.tags()
    with pytest.raises(RaiError) as refused:
        REFUSED[what](repository)
    assert refused.value.what and refused.value.fix
    assert (repository.branches(), repository.tags()) == heads
