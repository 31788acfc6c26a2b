"""Conformance, part 3: merges (cases 16-22, 24, 25 and a conflict of 28; 23 needs a server that stages)."""

from __future__ import annotations

import pytest

from rai_assets.errors import RaiError, UsageError
from rai_assets.store.protocol import (
    ChangeSet,
    MergeCandidate,
    MergeConflict,
    NoChanges,
    NotFound,
    VersionedRepository,
)
from rai_assets_tests.store.saying import content, write

BASE = {"both": "0", "edited-removed": "0", "removed-edited": "0", "kept": "0"}
SOURCE = {"both": "source", "edited-removed": "source", "removed-edited": None, "new": "source"}
DESTINATION = {"both": "destination", "edited-removed": None, "removed-edited": "destination", "new": "destination"}


@pytest.fixture
def contested(repository: VersionedRepository) -> VersionedRepository:
    """`work` and `main` changed the same four paths differently."""
    write(repository, "main", BASE)
    repository.create_branch("work", "main")
    write(repository, "work", SOURCE)
    write(repository, "main", DESTINATION)
    return repository


def test_16_disjoint_changes_merge(repository: VersionedRepository):
    base = write(repository, "main", {"a": "1", "d/x": "1", "gone": "1"}).id
    repository.create_branch("work", "main")
    source = write(repository, "work", {"d/y": "2", "gone": None}).id
    head = write(repository, "main", {"a": "2"}).id
    result = repository.merge("work", "main", "bring it over", {"run_id": "7"})
    assert content(repository, "main") == {"a": "2", "d/x": "1", "d/y": "2"}
    assert result.commit == repository.get_commit("main")
    assert result.base == base
    assert result.commit.parents == (head, source)
    assert result.commit.message == "bring it over"
    assert result.commit.metadata == {"run_id": "7", ".lakefs.merge.strategy": "default"}
    assert repository.resolve("work") == source


@pytest.mark.parametrize("strategy", ["source-wins", "dest-wins"])
def test_16_the_strategy_stands_in_the_metadata(repository: VersionedRepository, strategy):
    repository.create_branch("work", "main")
    write(repository, "work", {"a": "1"})
    made = repository.merge("work", "main", strategy=strategy).commit
    assert made.metadata == {".lakefs.merge.strategy": strategy}
    assert made.message == "Merge 'work' into 'main'"


def test_16_any_ref_can_be_the_source(repository: VersionedRepository):
    repository.create_branch("work", "main")
    commit = write(repository, "work", {"a": "1"}).id
    write(repository, "work", {"b": "1"})
    repository.create_tag("v1", commit)
    repository.merge("v1", "main")
    assert content(repository, "main") == {"a": "1"}
    repository.merge(repository.resolve("work"), "main")
    assert content(repository, "main") == {"a": "1", "b": "1"}
    with pytest.raises(NotFound):
        repository.merge("nowhere", "main")


def test_17_two_different_edits_conflict_and_change_nothing(repository: VersionedRepository):
    write(repository, "main", {"a": "1", "b": "1"})
    repository.create_branch("work", "main")
    source = write(repository, "work", {"a": "2", "b": "2"}).id
    head = write(repository, "main", {"a": "3"}).id
    with pytest.raises(MergeConflict) as conflict:
        repository.merge("work", "main")
    assert conflict.value.paths == ("a",)
    assert (repository.resolve("main"), repository.resolve("work")) == (head, source)


def test_17_contents_are_never_mixed(repository: VersionedRepository):
    """Lines that a merge of texts would put together stay a conflict."""
    lines = [str(number) for number in range(9)]
    write(repository, "main", {"a": "\n".join(lines)})
    repository.create_branch("work", "main")
    write(repository, "work", {"a": "\n".join(["first", *lines[1:]])})
    write(repository, "main", {"a": "\n".join([*lines[:-1], "last"])})
    with pytest.raises(MergeConflict):
        repository.merge("work", "main")


def test_17_a_change_of_metadata_conflicts_with_a_change_of_content(repository: VersionedRepository):
    write(repository, "main", {"a": "1"})
    repository.create_branch("work", "main")
    repository.commit("work", ChangeSet().put("a", b"1", metadata={"unit": "eur"}), "m")
    write(repository, "main", {"a": "2"})
    with pytest.raises(MergeConflict):
        repository.merge("work", "main")


def test_18_both_add_the_same(repository: VersionedRepository):
    repository.create_branch("work", "main")
    write(repository, "work", {"same": "1", "mine": "1"})
    write(repository, "main", {"same": "1"})
    repository.merge("work", "main")
    assert content(repository, "main") == {"same": "1", "mine": "1"}


def test_18_both_change_or_delete_alike(repository: VersionedRepository):
    write(repository, "main", {"a": "1", "b": "1"})
    repository.create_branch("work", "main")
    write(repository, "work", {"a": "2", "b": None})
    write(repository, "main", {"a": "2", "b": None})
    repository.merge("work", "main")
    assert content(repository, "main") == {"a": "2"}


def test_18_19_every_kind_of_conflict_is_named(contested: VersionedRepository):
    with pytest.raises(MergeConflict) as conflict:
        contested.merge("work", "main")
    assert conflict.value.paths == ("both", "edited-removed", "new", "removed-edited")
    assert content(contested, "main") == {
        "both": "destination",
        "removed-edited": "destination",
        "kept": "0",
        "new": "destination",
    }


def test_20_source_wins_deletes_included(contested: VersionedRepository):
    contested.merge("work", "main", strategy="source-wins")
    assert content(contested, "main") == {"both": "source", "edited-removed": "source", "kept": "0", "new": "source"}


def test_20_dest_wins_deletes_included(contested: VersionedRepository):
    before = content(contested, "main")
    head = contested.resolve("main")
    made = contested.merge("work", "main", strategy="dest-wins").commit
    assert content(contested, "main") == before
    assert made.parents[0] == head


@pytest.mark.parametrize("strategy", [None, "source-wins", "dest-wins"])
def test_20_an_object_against_a_folder_is_a_conflict_that_no_strategy_settles(
    repository: VersionedRepository, strategy
):
    repository.create_branch("work", "main")
    write(repository, "work", {"a/b": "1"})
    head = write(repository, "main", {"a": "1"}).id
    with pytest.raises(MergeConflict) as conflict:
        repository.merge("work", "main", strategy=strategy)
    assert conflict.value.paths == ("a",)
    assert repository.resolve("main") == head


def test_21_an_unknown_strategy_is_refused_before_anything(contested: VersionedRepository):
    head = contested.resolve("main")
    for word in ("default", "ours", ""):
        with pytest.raises(UsageError):
            contested.merge("work", "main", strategy=word)  # type: ignore[arg-type]
    assert contested.resolve("main") == head


def test_22_nothing_new_is_no_merge(repository: VersionedRepository):
    write(repository, "main", {"a": "1"})
    repository.create_branch("work", "main")
    repository.create_branch("net-zero", "main")
    write(repository, "net-zero", {"b": "1"})
    write(repository, "net-zero", {"b": None})
    head = write(repository, "main", {"c": "1"}).id
    for source in ("main", "work", "main~1", "net-zero"):
        with pytest.raises(NoChanges):
            repository.merge(source, "main")
    assert repository.resolve("main") == head
    assert repository.merge("work", "main", allow_empty=True).commit.parents == (head, repository.resolve("work"))
    assert content(repository, "main") == {"a": "1", "c": "1"}


def test_22_the_second_merge_of_a_source_has_nothing_new(repository: VersionedRepository):
    repository.create_branch("work", "main")
    write(repository, "work", {"a": "1"})
    repository.merge("work", "main")
    with pytest.raises(NoChanges):
        repository.merge("work", "main")
    write(repository, "work", {"a": "2"})
    repository.merge("work", "main")
    assert content(repository, "main") == {"a": "2"}


def test_22_a_merge_back_and_forth_moves_the_base(repository: VersionedRepository):
    repository.create_branch("work", "main")
    write(repository, "work", {"a": "1"})
    write(repository, "main", {"b": "1"})
    repository.merge("main", "work")
    write(repository, "work", {"b": "2"})
    repository.merge("work", "main")
    assert content(repository, "main") == {"a": "1", "b": "2"}


def test_24_a_squash_has_one_parent(repository: VersionedRepository):
    repository.create_branch("work", "main")
    for number in range(3):
        write(repository, "work", {f"a{number}": "1"})
    head = write(repository, "main", {"b": "1"}).id
    assert repository.merge("work", "main", squash=True).commit.parents == (head,)
    assert len(content(repository, "main")) == 4
    # The source stays unmerged, as in lakeFS: its history is not part of the destination's.
    repository.merge("work", "main")


def test_25_a_rename_is_a_delete_and_an_add(repository: VersionedRepository):
    write(repository, "main", {"old": "1"})
    repository.create_branch("work", "main")
    write(repository, "work", {"old": None, "new": "1"})
    assert [(item.path, item.kind) for item in repository.diff("main", "work")] == [
        ("new", "added"),
        ("old", "removed"),
    ]
    write(repository, "main", {"old": "2"})
    with pytest.raises(MergeConflict) as conflict:
        repository.merge("work", "main")
    assert conflict.value.paths == ("old",)


def test_28_conflicts_come_before_the_gate(contested: VersionedRepository):
    def gate(candidate: MergeCandidate) -> None:
        raise RaiError("not asked")

    contested.before_merge(gate)
    with pytest.raises(MergeConflict):
        contested.merge("work", "main")
