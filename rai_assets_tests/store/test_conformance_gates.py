"""Conformance, part 4: gates before merges, and reverts (cases 28, 30)."""

from __future__ import annotations

import pytest

from rai_assets.errors import InputRefused
from rai_assets.store.protocol import (
    ChangeSet,
    HookRejected,
    InvalidRef,
    MergeCandidate,
    MergeConflict,
    NoChanges,
    VersionedRepository,
)
from rai_assets_tests.store.saying import change, content, write


def test_28_a_gate_that_refuses_leaves_the_destination(repository: VersionedRepository):
    asked: list[MergeCandidate] = []

    def gate(candidate: MergeCandidate) -> None:
        asked.append(candidate)
        raise InputRefused("selection_rate_ratio@1 is 0.61", fix="read the scorecard")

    repository.create_branch("work", "main")
    source = write(repository, "work", {"a": "1"}).id
    head = repository.resolve("main")
    repository.before_merge(gate)
    with pytest.raises(HookRejected, match=r"selection_rate_ratio@1 is 0\.61") as refusal:
        repository.merge("work", "main")
    assert repository.resolve("main") == head
    (candidate,) = asked
    assert (candidate.source, candidate.destination, candidate.head) == (source, "main", head)
    assert refusal.value.run_id == candidate.run_id
    assert candidate.run_id in str(refusal.value)


def test_28_a_gate_reads_the_merged_state_and_lets_it_pass(repository: VersionedRepository):
    seen: list[dict[str, str]] = []
    write(repository, "main", {"a": "1"})
    repository.create_branch("work", "main")
    write(repository, "work", {"b": "2"})
    write(repository, "main", {"c": "3"})
    repository.before_merge(lambda candidate: seen.append(content(repository, candidate.commit)))
    made = repository.merge("work", "main").commit
    assert seen == [{"a": "1", "b": "2", "c": "3"}] == [content(repository, made.id)]


def test_28_a_gate_may_write_and_is_asked_again_when_the_destination_moved(repository: VersionedRepository):
    heads: list[str] = []

    def gate(candidate: MergeCandidate) -> None:
        heads.append(candidate.head)
        if len(heads) == 1:
            write(repository, "main", {"meanwhile": "1"})

    repository.create_branch("work", "main")
    write(repository, "work", {"a": "1"})
    repository.before_merge(gate)
    made = repository.merge("work", "main").commit
    assert len(heads) == 2
    assert made.parents[0] == heads[1] == repository.get_commit("main").parents[0]
    assert content(repository, "main") == {"a": "1", "meanwhile": "1"}


def test_30_a_revert_restores_what_was(repository: VersionedRepository):
    write(repository, "main", {"a": "1", "b": "1"})
    bad = write(repository, "main", {"a": "2", "b": None, "c": "1"}).id
    head = write(repository, "main", {"d": "1"}).id
    made = repository.revert("main", bad)
    assert content(repository, "main") == {"a": "1", "b": "1", "d": "1"}
    assert (made.parents, made.message) == ((head,), f"Revert {bad}")
    with pytest.raises(NoChanges):
        repository.revert("main", bad)


def test_30_a_revert_says_who_and_why(repository: VersionedRepository):
    bad = write(repository, "main", {"a": "2"}).id
    made = repository.revert("main", bad, message="Roll back", metadata={"by": "ana"})
    assert (made.message, made.metadata) == ("Roll back", {"by": "ana"})


def test_30_a_merge_is_reverted_against_a_named_parent(repository: VersionedRepository):
    write(repository, "main", {"a": "1"})
    repository.create_branch("work", "main")
    write(repository, "work", {"b": "1"})
    write(repository, "main", {"c": "1"})
    merged = repository.merge("work", "main").commit.id
    for number in (0, 3, -1):
        with pytest.raises(InvalidRef):
            repository.revert("main", merged, number)
    assert repository.resolve("main") == merged
    repository.revert("main", merged, 1)
    assert content(repository, "main") == {"a": "1", "c": "1"}
    repository.create_branch("other", merged)
    repository.revert("other", merged, 2)
    assert content(repository, "other") == {"a": "1", "b": "1"}


def test_30_a_revert_that_meets_later_edits_is_a_conflict(repository: VersionedRepository):
    write(repository, "main", {"a": "1"})
    bad = write(repository, "main", {"a": "2"}).id
    head = write(repository, "main", {"a": "3"}).id
    with pytest.raises(MergeConflict) as conflict:
        repository.revert("main", bad)
    assert conflict.value.paths == ("a",)
    assert repository.resolve("main") == head


def test_30_the_first_commit_has_nothing_to_revert(repository: VersionedRepository):
    root = repository.resolve("main")
    repository.commit("main", change({"a": "1"}), "m")
    with pytest.raises(InvalidRef, match="nothing that could be taken back"):
        repository.revert("main", root)
    empty = repository.commit("main", ChangeSet(), "m", allow_empty=True)
    with pytest.raises(NoChanges):
        repository.revert("main", empty.id)
