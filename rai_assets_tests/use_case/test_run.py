"""Running an audit: what is made, what is reused, what is refused, and how it ends."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from filelock import FileLock

from rai_assets.errors import InputRefused, RaiError, UsageError
from rai_assets.store import results
from rai_assets.store.protocol import ChangeSet
from rai_assets.use_case.declaration import Declared, load
from rai_assets.use_case.explaining import explain
from rai_assets.use_case.numbers import select_numbers
from rai_assets.use_case.reading import repository_of
from rai_assets.use_case.run import run
from rai_assets_tests.use_case.conftest import loan_rows

STAGES = ["dataset", "splits", "model", "predictions", "evaluation", "explanations", "fairness_audit", "scorecard"]


def reused(name: str, asset: str) -> str:
    """The results commit that last wrote an asset."""
    repository = repository_of(name)
    return next(commit.id for commit in repository.log("results-main", prefixes=[f"{asset}/"]))


def test_an_audit_makes_every_asset_judges_and_promotes(loans: Declared) -> None:
    outcome = run(loans)
    assert sorted(outcome.made) == sorted(STAGES)
    verdicts = {item["id"]: item["verdict"] for item in outcome.verdicts}
    assert verdicts == {"R1": "pass", "R2": "pass", "R3": "fail"}
    assert outcome.gate == "pass", "R3 is not blocking"
    assert outcome.champion is not None and "no champion" in outcome.champion

    repository = repository_of("loans")
    served = results.load(repository, "champion", "champion")
    audited = results.load(repository, "results-main", "model")
    assert served.files["model.onnx"] == audited.files["model.onnx"]
    assert served.provenance.commit == repository.resolve("main")
    written = [commit for commit in repository.log("results-main") if commit.parents]
    assert {commit.metadata.get("run_id") for commit in written} == {outcome.run_id}, "results and verdicts alike"


def test_every_number_is_pinned_to_data_model_and_formula(audited: Declared) -> None:
    repository = repository_of("loans")
    numbers = select_numbers(audited)
    model = results.load(repository, "results-main", "model").provenance.model
    assert {number.commit for number in numbers} == {repository.resolve("main")}
    assert {number.model for number in numbers} == {None, model}
    addresses = [number.address for number in numbers]
    assert len(set(addresses)) == len(addresses)
    assert all(number.split in (None, "test") for number in numbers)


def test_the_same_inputs_are_not_computed_twice_and_new_data_are(loans: Declared) -> None:
    run(loans)
    before = {asset: reused("loans", asset) for asset in STAGES}
    again = run(loans)
    assert {asset: reused("loans", asset) for asset in STAGES} == before
    assert again.champion == "The challenger is the present champion."

    (loans.folder / "loans.csv").write_text(loan_rows(seed=1))
    run(loans)
    assert all(reused("loans", asset) != before[asset] for asset in STAGES)


def test_a_changed_requirement_changes_the_scorecard_alone(audited: Declared) -> None:
    before = {asset: reused("loans", asset) for asset in STAGES}
    audited.path.write_text(audited.path.read_text().replace("at_least: 0.6", "at_least: 0.61"))
    changed = load(audited.path)
    assert changed is not None
    run(changed)
    moved = [asset for asset in STAGES if reused("loans", asset) != before[asset]]
    assert moved == ["scorecard"]


def test_refused_data_are_kept_for_thirty_days(loans: Declared) -> None:
    run(loans, only=["dataset"])
    repository = repository_of("loans")
    now = time.time
    for name, days in (("run-refused", 31), ("run-lately", 29)):
        repository.create_branch(name, "main")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda days=days: now() - days * 86_400)
            repository.commit(name, ChangeSet().put("refused", name.encode()), "rows that broke a rule")
    run(loans, only=["dataset"])
    assert [name for name in repository.branches() if name.startswith("run-")] == ["run-lately"]


def test_data_that_break_the_contract_are_not_published(audited: Declared) -> None:
    head = repository_of("loans").resolve("main")
    (audited.folder / "loans.csv").write_text(loan_rows() + "mon,-5,F,yes\nmon,12,X,no\n")
    with pytest.raises(InputRefused) as refused:
        run(audited)
    assert "row 401" in str(refused.value) and "row 402" in str(refused.value)
    repository = repository_of("loans")
    assert repository.resolve("main") == head
    (kept,) = [name for name in repository.branches() if name.startswith("run-")]
    assert repository.tree_digest(kept, "dataset/") != repository.tree_digest("main", "dataset/")


def test_a_gate_that_fails_leaves_the_champion(audited: Declared) -> None:
    served = repository_of("loans").resolve("champion")
    audited.path.write_text(audited.path.read_text().replace(", blocking: false", ""))
    stricter = load(audited.path)
    assert stricter is not None
    outcome = run(stricter)
    assert outcome.gate == "fail"
    assert outcome.champion is not None and "gate does not hold" in outcome.champion
    assert repository_of("loans").resolve("champion") == served


def test_a_data_branch_has_results_of_its_own(audited: Declared) -> None:
    repository = repository_of("loans")
    repository.create_branch("trial", "main")
    outcome = run(audited, "trial")
    assert outcome.gate == "pass"
    assert outcome.champion is None, "only main moves the champion"
    assert results.load(repository, "results-trial", "scorecard").provenance.branch == "trial"


def test_the_same_data_at_another_commit_are_not_computed_again(audited: Declared) -> None:
    repository = repository_of("loans")
    first = repository.resolve("main")
    repository.create_branch("trial", "main")
    second = repository.commit("trial", ChangeSet().put("notes.txt", b"beside the data"), "Notes").id
    assert run(audited, "trial").gate == "pass"

    made = {name: results.load(repository, "results-trial", name) for name in STAGES}
    for name, result in made.items():
        known = results.load(repository, "results-main", name)
        place = (result.provenance.branch, result.provenance.commit)
        if name in ("dataset", "scorecard"):
            assert place == ("trial", second), "these speak of the branch"
        else:
            assert result == known and place == ("main", first), "what was read stays named"
            (written,) = repository.log("results-trial", prefixes=[f"{name}/"])
            assert written.metadata["data_commit"] == second
            assert results.load(repository, written.metadata["reused_from"], name) == known
    assert made["scorecard"].facts["verdicts"] != []
    page = made["scorecard"].files["report.html"].decode()
    assert f"evaluation, fairness_audit, explanations were computed at commit {first} of branch main" in page

    number = select_numbers(audited, "trial", definition="accuracy")[0]
    assert (number.branch, number.commit) == ("main", first)
    told = explain(str(number.address))
    assert f"data        commit {first} of branch main: " in told
    assert f"the same data as commit {second} of branch trial: Notes" in told


def test_what_does_not_exist_is_named(loans: Declared) -> None:
    with pytest.raises(RaiError, match="no data branch 'trial'"):
        run(loans, "trial")
    with pytest.raises(UsageError, match="no asset 'fairness'"):
        run(loans, only=["fairness"])


def test_one_asset_alone_reads_what_is_stored(audited: Declared) -> None:
    outcome = run(audited, only=["evaluation"])
    assert outcome.made == ["evaluation"]
    assert outcome.gate is None


def changed(loans: Declared, old: str, new: str) -> Declared:
    loans.path.write_text(loans.path.read_text().replace(old, new))
    again = load(loans.path)
    assert again is not None
    return again


def test_the_verdicts_of_one_model_never_promote_another(audited: Declared) -> None:
    served = repository_of("loans").resolve("champion")
    constant = changed(audited, "logistic_regression}", "logistic_regression, parameters: {C: 1.0e-9}}")
    with pytest.raises(RaiError, match="made from another model"):
        run(constant, only=["model", "scorecard"])
    assert repository_of("loans").resolve("champion") == served
    with pytest.raises(RaiError, match="made from another model"):
        select_numbers(constant)


def test_a_changed_factory_makes_a_new_model(loans: Declared) -> None:
    code = "from sklearn.linear_model import LogisticRegression\ndef make():\n    return LogisticRegression(C={})\n"
    (loans.folder / "own_loans_model.py").write_text(code.format("1.0"))
    own = changed(loans, "estimator: logistic_regression", "factory: 'own_loans_model:make'")
    run(own)
    before = reused("loans", "model")
    run(own)
    assert reused("loans", "model") == before
    (loans.folder / "own_loans_model.py").write_text(code.format("0.01"))
    run(own)
    assert reused("loans", "model") != before


def test_a_supplied_onnx_file_is_audited_and_a_new_file_is_a_new_model(audited: Declared) -> None:
    trained = results.load(repository_of("loans"), "results-main", "model").files["model.onnx"]
    (audited.folder / "own.onnx").write_bytes(trained)
    supplied = changed(audited, "estimator: logistic_regression", "onnx: {path: own.onnx, classes: ['no', 'yes']}")
    outcome = run(supplied)
    assert outcome.gate == "pass"
    stored = results.load(repository_of("loans"), "results-main", "explanations")
    assert "sampled" in stored.notes[0]


def test_a_removed_column_does_not_block_the_promotion(audited: Declared) -> None:
    outcome = run(changed(audited, "weekday: {role: feature", "weekday: {role: ignored"))
    assert outcome.gate == "pass"
    assert outcome.champion is not None and "weekday" in outcome.champion


def test_new_owners_reach_the_report(audited: Declared) -> None:
    run(changed(audited, "team:risk", "team:credit"))
    page = results.load(repository_of("loans"), "results-main", "scorecard").files["report.html"]
    assert b"team:credit" in page and b"team:risk" not in page


@pytest.mark.parametrize("branch", ["../../outside", "a" * 300, "results-main", "run-1", "", "main/x"])
def test_a_branch_name_never_reaches_the_file_system(loans: Declared, workplace: Path, branch: str) -> None:
    with pytest.raises(UsageError, match="no data branch"):
        run(loans, branch)
    assert not list(workplace.glob("**/*outside*"))


def test_a_second_run_at_the_same_time_is_told_so(loans: Declared, workplace: Path) -> None:
    (workplace / ".rai" / "locks").mkdir(parents=True)
    with FileLock(workplace / ".rai" / "locks" / "loans.main.lock"), pytest.raises(RaiError, match="under way"):
        run(loans)
