"""The ledger and the gate: a verdict belongs to the data, whoever carries them where; nothing else passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rai_assets.metrics.requirements import Requirement
from rai_assets.store import ledger
from rai_assets.store.gate import GateRefused, merge_data
from rai_assets.store.ledger import data_digest, standing
from rai_assets.store.protocol import MergeConflict, NoChanges, VersionedRepository
from rai_assets_tests.store import processes
from rai_assets_tests.store.saying import content, write

ACCURATE = Requirement("R1", "accuracy", at_least=0.9)
FAIR = Requirement("R2", "demographic_parity_difference", sensitive=["sex"], at_most=0.1)
REQUIRED = [ACCURATE, FAIR]


def audited(repository: VersionedRepository, branch: str, holds: bool = True) -> str:
    """The digest of a branch's data, with a verdict on their contract in the ledger."""
    digest = data_digest(repository, branch)
    ledger.record(repository, branch, digest, "contract", {"holds": holds, "failed": []}, run_id="r")
    return digest


def judged(
    repository: VersionedRepository, branch: str, gate: str, requirements: list[Requirement] | None = None
) -> None:
    verdicts = [{"id": "R2", "verdict": gate, "blocking": True, "sentence": "The gap is 0.3, above 0.1."}]
    facts = {"data": data_digest(repository, branch), "gate": gate, "verdicts": verdicts}
    ledger.record_requirements(repository, branch, facts, requirements or REQUIRED, scorecard="c" * 40, run_id="r")


@pytest.fixture
def experiment(repository: VersionedRepository) -> VersionedRepository:
    """Audited data on `main`, and other data, audited, on `trial`."""
    write(repository, "main", {"dataset/table": "1"})
    audited(repository, "main")
    repository.create_branch("trial", "main")
    write(repository, "trial", {"dataset/table": "2"})
    audited(repository, "trial")
    return repository


def merge(repository: VersionedRepository, source: str = "trial", destination: str = "main", **words: object) -> str:
    done = merge_data(
        repository,
        source,
        destination,
        REQUIRED,
        run_id="m",
        use_case="loans",
        **words,  # type: ignore[arg-type]
    )
    return done.id


def test_a_repository_without_data_has_nothing_to_gate(repository: VersionedRepository) -> None:
    found = standing(repository, "main", REQUIRED)
    assert (found.gated, found.mergeable, found.sentence) == (True, False, "There are no data.")


def test_a_verdict_stands_for_the_data_wherever_they_are(experiment: VersionedRepository) -> None:
    judged(experiment, "trial", "pass")
    experiment.create_branch("copy", "trial")
    write(experiment, "copy", {"notes.txt": "beside the data"})
    for ref in ("trial", "copy", experiment.resolve("copy")):
        found = standing(experiment, ref, REQUIRED)
        assert (found.gated, found.mergeable, found.contract, found.requirements) == (True, True, True, "pass")
    write(experiment, "copy", {"dataset/table": "3"})
    changed = standing(experiment, "copy", REQUIRED)
    assert (changed.gated, changed.contract, changed.requirements) == (False, None, None)
    assert changed.sentence == "These data were not audited."


def test_a_verdict_counts_for_the_requirements_declared_now_only(experiment: VersionedRepository) -> None:
    judged(experiment, "trial", "pass", [ACCURATE])
    assert standing(experiment, "trial", [ACCURATE]).requirements == "pass"
    found = standing(experiment, "trial", REQUIRED)
    assert (found.gated, found.mergeable, found.requirements) == (True, False, None)
    assert "not judged on them as they are declared now" in found.sentence
    reported = [Requirement("R3", "accuracy", at_least=0.99, blocking=False)]
    assert standing(experiment, "trial", reported).mergeable, "nothing blocking is declared"


def test_where_two_branches_judge_the_same_data_the_worse_verdict_counts(experiment: VersionedRepository) -> None:
    judged(experiment, "trial", "pass")
    experiment.create_branch("copy", "trial")
    judged(experiment, "copy", "cannot tell")
    assert standing(experiment, "trial", REQUIRED).requirements == "cannot tell"


def test_the_same_verdict_again_writes_nothing(experiment: VersionedRepository) -> None:
    judged(experiment, "trial", "fail")
    head = experiment.resolve("results-trial")
    judged(experiment, "trial", "fail")
    audited(experiment, "trial")
    assert experiment.resolve("results-trial") == head


def test_metadata_of_a_commit_are_no_verdict(experiment: VersionedRepository) -> None:
    write(experiment, "trial", {"dataset/table": "3"})
    experiment.commit("trial", processes.ChangeSet(), "trust me", {"rules": "5 of 5 hold"}, allow_empty=True)
    assert not standing(experiment, "trial", REQUIRED).gated


@pytest.mark.parametrize(("gate", "fix"), [("fail", "mitigate"), ("cannot tell", "mitigate"), (None, "rai run loans")])
def test_data_reach_main_only_with_their_requirements(
    experiment: VersionedRepository, gate: str | None, fix: str
) -> None:
    before = experiment.resolve("main")
    if gate:
        judged(experiment, "trial", gate)
    with pytest.raises(GateRefused) as refused:
        merge(experiment)
    assert fix in refused.value.fix and "--branch trial" in refused.value.fix
    assert (f"R2 ({gate}): The gap is 0.3, above 0.1." in refused.value.what) == (gate is not None)
    assert experiment.resolve("main") == before
    assert not experiment.branches("run-")

    judged(experiment, "trial", "pass")
    head = merge(experiment)
    assert experiment.resolve("main") == head
    assert content(experiment, "main")["dataset/table"] == "2"


def test_what_a_merge_brings_to_main_outlives_its_branch(experiment: VersionedRepository) -> None:
    judged(experiment, "trial", "pass")
    merge(experiment)
    for branch in ("trial", "results-trial"):
        experiment.delete_branch(branch)
    assert standing(experiment, "main", REQUIRED).mergeable


def test_another_data_branch_wants_the_contract_only(experiment: VersionedRepository) -> None:
    experiment.create_branch("other", "main")
    judged(experiment, "trial", "fail")
    merge(experiment, "trial", "other")
    assert content(experiment, "other")["dataset/table"] == "2"
    write(experiment, "trial", {"dataset/table": "3"})
    audited(experiment, "trial", holds=False)
    with pytest.raises(GateRefused, match="break their contract"):
        merge(experiment, "trial", "other")


def test_the_merged_state_is_judged_not_its_two_sides(experiment: VersionedRepository) -> None:
    judged(experiment, "trial", "pass")
    write(experiment, "main", {"dataset/more": "x"})
    audited(experiment, "main")
    judged(experiment, "main", "pass")
    with pytest.raises(GateRefused, match="not audited") as refused:
        merge(experiment)
    assert refused.value.fix.startswith("`rai merge loans main trial`, then `rai run loans --branch trial`")

    looked_at: list[dict[str, str]] = []

    def audit(commit: str) -> None:
        looked_at.append(content(experiment, commit))
        ledger.record(experiment, "trial", data_digest(experiment, commit), "contract", {"holds": True})

    merge(experiment, "main", "trial", audit=audit)
    assert looked_at == [{"dataset/table": "2", "dataset/more": "x"}], "exactly what is published"
    assert content(experiment, "trial") == looked_at[0]
    judged(experiment, "trial", "pass")
    merge(experiment)
    assert content(experiment, "main") == looked_at[0]


def test_two_sides_that_changed_the_same_are_for_people_to_decide(experiment: VersionedRepository) -> None:
    judged(experiment, "trial", "pass")
    write(experiment, "main", {"dataset/table": "9"})
    with pytest.raises(MergeConflict) as conflict:
        merge(experiment)
    assert conflict.value.paths == ("dataset/table",)
    merge(experiment, strategy="source-wins")
    assert content(experiment, "main")["dataset/table"] == "2"
    with pytest.raises(NoChanges):
        merge(experiment)
    assert not experiment.branches("run-")


class Moving:
    """The repository, with something that happens each time before a merge into `main`."""

    def __init__(self, inner: VersionedRepository, events: list[Callable[[], object]]) -> None:
        self._inner, self._events = inner, events

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def merge(self, source: str, destination: str, *rest: object, **words: object) -> object:
        if destination == "main" and self._events:
            self._events.pop()()
        return self._inner.merge(source, destination, *rest, **words)  # type: ignore[arg-type]


def test_a_head_that_moved_is_merged_in_and_judged_again(experiment: VersionedRepository) -> None:
    judged(experiment, "trial", "pass")
    beside = [lambda n=n: write(experiment, "main", {f"notes{n}": "x"}) for n in range(3)]
    head = merge(Moving(experiment, [*beside]))  # type: ignore[arg-type]
    assert content(experiment, head) == {"dataset/table": "2", "notes0": "x", "notes1": "x", "notes2": "x"}

    judged(experiment, "main", "pass")
    write(experiment, "trial", {"dataset/table": "4"})
    audited(experiment, "trial")
    judged(experiment, "trial", "pass")
    unaudited = [lambda: write(experiment, "main", {"dataset/more": "x"})]
    with pytest.raises(GateRefused, match="not audited"):
        merge(Moving(experiment, [*unaudited]))  # type: ignore[arg-type]
    assert content(experiment, "main")["dataset/table"] == "2"


def test_what_goes_around_the_gate_is_seen(experiment: VersionedRepository) -> None:
    judged(experiment, "trial", "pass")
    head = merge(experiment)
    assert standing(experiment, "main", REQUIRED).gated
    experiment.create_branch("quick", "main")
    write(experiment, "quick", {"dataset/more": "x"})
    foreign = experiment.merge("quick", "main").commit.id
    assert not standing(experiment, "main", REQUIRED).gated, "another tool's merge"
    mixed = experiment.revert("main", head, 1).id
    assert content(experiment, "main") == {"dataset/table": "1", "dataset/more": "x"}
    assert not standing(experiment, "main", REQUIRED).gated, "a revert to a state that never was"
    experiment.revert("main", foreign, 1)
    restored = standing(experiment, "main", REQUIRED)
    assert restored.gated and not restored.mergeable, "the first data, as they were audited: their contract only"
    assert [standing(experiment, commit, REQUIRED).gated for commit in (head, foreign, mixed)] == [True, False, False]


@pytest.mark.parametrize("count", [2, 8])
def test_merges_at_once_end_with_every_accepted_change_present_and_judged(
    backend: str, location: str, repository: VersionedRepository, count: int
) -> None:
    write(repository, "main", {"dataset/table": "1"})
    audited(repository, "main")
    repository.create_branch("shared", "main")
    said = processes.run("gated", backend, location, count)
    accepted = [line for lines in said for line in lines]
    assert len(accepted) == count
    found = content(repository, "shared")
    assert found == {"dataset/table": "1", **{f"dataset/p{n}": str(n) for n in range(count)}}
    for commit in repository.log("shared", first_parent=True, limit=count):
        assert standing(repository, commit.id, []).gated
    assert not repository.branches("run-")
