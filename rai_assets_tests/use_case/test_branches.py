"""Data branches from the command line: made, compared, merged through the gate, taken back, deleted."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from rai_assets.progress import Progress
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets.use_case.branch_states import states
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.publishing import ingest_files
from rai_assets.use_case.reading import repository_of
from rai_assets_tests.use_case.conftest import Rai, loan_rows


@pytest.fixture
def store(loans: Declared) -> VersionedRepository:
    """The repository of `loans` with the declared data published on `main`, not audited further."""
    ingest_files(loans, [], "main", Progress(print))
    return repository_of("loans")


def other_rows(workplace: Path, n: int = 400, seed: int = 1) -> Path:
    path = workplace / f"other{n}_{seed}.csv"
    path.write_text(loan_rows(n, seed))
    return path


def test_a_branch_is_made_listed_and_deleted(rai: Rai, store: VersionedRepository) -> None:
    head = store.resolve("main")
    assert f"trial starts at {head[:12]}" in rai("branch", "create", "loans", "trial")
    main, trial = json.loads(rai("branch", "list", "loans", "--format", "json"))
    assert (main["branch"], trial["branch"]) == ("main", "trial")
    assert trial["head"] == head
    words = (trial["audited"], trial["requirements"], trial["gated"], trial["override"])
    assert words == (False, "not judged", True, None), "its data keep their contract"
    assert f"trial  {head[:12]}  not audited  requirements: not judged  head: gated\n" in rai("list")

    said = rai("branch", "delete", "loans", "trial")
    assert f"rai branch create loans trial --from {head}" in said
    assert list(store.branches("trial")) == []
    rai("branch", "create", "loans", "trial", "--from", head)
    assert store.resolve("trial") == head


@pytest.mark.parametrize("name", ["champion", "production", "run-1", "tx-1", "results-main"])
def test_reserved_names_are_no_data_branches(rai: Rai, store: VersionedRepository, name: str) -> None:
    before = store.branches()
    for words in (("branch", "create", "loans", name), ("branch", "delete", "loans", name)):
        assert "is a name that the product keeps for itself" in rai(*words, code=2)
    assert store.branches() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("branch", "create", "loans", "a/b"), "is no branch name"),
        (("branch", "create", "loans", "main"), "rai branch list loans"),
        (("branch", "create", "loans", "trial", "--from", "nowhere"), "there is no branch, tag or commit 'nowhere'"),
        (("branch", "create", "loans", "trial", "--from", "mian"), "did you mean main? there are main, v0.9"),
        (("branch", "delete", "loans", "main"), "the branch that all others come from"),
        (("branch", "delete", "loans", "trail"), "loans has no data branch 'trail'\n  Fix: there are main\n"),
        (("branch", "delete", "loans", "Mian"), "did you mean main?"),
        (("branch", "list", "laons"), "did you mean loans?"),
        (("run", "loans", "--branch", "mian"), "did you mean main?"),
        (("run", "loans", "--only", "evalution"), "did you mean evaluation, "),
        (("ingest", "loans", "x.csv", "--branch", "mian"), "did you mean main?"),
        (("publish", "loans", "--branch", "mian", "--reason", "why"), "did you mean main?"),
        (("metrics", "loans", "--branch", "nowhere"), "has no data branch 'nowhere'\n  Fix: there are main\n"),
        (("metrics", "loans", "--branch", "results-main"), "did you mean main? there are main"),
        (("report", "loans", "--branch", "mian"), "did you mean main?"),
        (("diff", "loans", "main", "nowhere"), "there are main, v0.9"),
        (("diff", "loans", "v0.8", "main"), "did you mean v0.9?"),
        (("merge", "loans", "nowhere"), "there are main"),
        (("merge", "loans", "main", "champion"), "there are main"),
        (("merge", "loans", "main", "main"), "'main' cannot be merged into itself\n  Fix: name two branches"),
        (("log", "loans", "--branch", "nowhere"), "there are main, v0.9"),
        (("tag", "create", "loans", "main"), "main"),
        (("tag", "create", "loans", "v1", "nowhere"), "there are main, v0.9"),
        (("tag", "delete", "loans", "v1"), "there are v0.9"),
        (("tag", "delete", "loans", "v.09"), "did you mean v0.9?"),
        (("checkout-file", "loans", "nowhere", "dataset/table.parquet"), "there are main, v0.9"),
        (("revert", "loans", "main", "--branch", "champion"), "loans has no champion yet"),
        (("revert", "loans", "main", "--branch", "mian"), "did you mean main?"),
        (("gc", "laons"), "did you mean loans?"),
        (("store", "verify", "laons"), "did you mean loans?"),
        (("explain-number", "laons@abcdef12:evaluation#accuracy@1"), "did you mean loans?"),
        (("checkout-file", "loans", "main", "dataset/tabel.parquet"), "there are dataset/table.parquet"),
        (("revert", "loans", "main", "--branch", "results-main"), "is a name that the product keeps for itself"),
        (("revert", "loans", "nowhere"), "nowhere"),
    ],
)
def test_wrong_words_are_refused_with_the_right_ones(
    rai: Rai, store: VersionedRepository, words: tuple[str, ...], said: str
) -> None:
    store.create_tag("v0.9", "main")
    assert said in rai(*words, code=2)


def test_a_use_case_that_was_not_run_says_so(rai: Rai) -> None:
    for words in (
        ("branch", "list", "loans"),
        ("gc", "loans"),
        ("explain-number", "loans@ab12cd34:evaluation#accuracy@1"),
    ):
        assert "Fix: rai run loans\n" in rai(*words, code=4)
    assert "loans  not run yet" in rai("list")


def test_a_branch_that_a_run_is_at_work_on_stays(rai: Rai, workplace: Path, store: VersionedRepository) -> None:
    store.create_branch("trial", "main")
    (workplace / ".rai" / "locks").mkdir(exist_ok=True)
    with FileLock(workplace / ".rai" / "locks" / "loans.trial.lock"):
        assert "is under way" in rai("branch", "delete", "loans", "trial", code=4)
    assert "trial" in store.branches()


def test_diff_shows_objects_columns_rows_and_distributions(
    rai: Rai, workplace: Path, store: VersionedRepository
) -> None:
    store.create_branch("trial", "main")
    assert "nothing differs" in rai("diff", "loans", "main", "trial")
    rai("ingest", "loans", other_rows(workplace, 300), "--branch", "trial")
    found = json.loads(rai("diff", "loans", "main", "trial", "--format", "json"))
    kinds = {item["path"]: item["kind"] for item in found["objects"]}
    assert kinds["dataset/table.parquet"] == "changed"
    assert found["conflicts"] == []
    rows = found["table"]["rows"]
    assert (rows["before"], rows["after"]) == (400, 300)
    assert rows["removed"] - rows["added"] == 100
    income = next(item for item in found["table"]["columns"] if item["name"] == "income")
    assert income["measure"] == "Kolmogorov-Smirnov"
    assert 0 < income["distance"] < 0.5
    assert income["before"]["n"] == 400

    text = rai("diff", "loans", "main", "trial")
    assert "changed  dataset/table.parquet" in text
    assert "rows     400 -> 300" in text
    assert "whole rows compared: no identifier is declared" in text
    assert "(KS)" in text and "(TV)" in text


def test_only_what_was_audited_and_passed_reaches_main(rai: Rai, workplace: Path, audited: Declared) -> None:
    repository = repository_of("loans")
    rai("branch", "create", "loans", "trial")
    rai("ingest", "loans", other_rows(workplace), "--branch", "trial")
    before = repository.resolve("main")
    refused = rai("merge", "loans", "trial", code=1)
    assert "`rai run loans --branch trial`, then merge again" in refused
    assert repository.resolve("main") == before

    rai("run", "loans", "--branch", "trial")
    assert [(state.name, state.audited, state.requirements) for state in states(audited)] == [
        ("main", True, "pass"),
        ("trial", True, "pass"),
    ]
    assert "Merge 'trial' into 'main'" in rai("merge", "loans", "trial")
    digest = repository.tree_digest("trial", "dataset/")
    assert repository.tree_digest("main", "dataset/") == digest
    merged = repository.resolve("main")
    assert rai("merge", "loans", "trial") == "", "nothing to merge, which is no fault"
    assert repository.resolve("main") == merged
    main = next(state for state in states(audited) if state.name == "main")
    assert (main.audited, main.requirements) == (False, "pass"), "its own last audit was of other data"

    # Its verdicts outlive the branch, and so do its commits.
    with dg.DagsterInstance.from_config(str(workplace / ".rai" / "dagster")) as instance:
        assert sorted(instance.get_dynamic_partitions("loans_branch")) == ["main", "trial"]
        head = repository.resolve("trial")
        rai("branch", "delete", "loans", "trial")
        assert instance.get_dynamic_partitions("loans_branch") == ["main"]
    assert "results-trial" not in repository.branches()
    assert repository.get_commit(head).id == head
    assert states(audited)[0].standing.mergeable


def test_the_verdicts_of_a_deleted_branch_stay_with_those_that_hold_its_data(
    rai: Rai, workplace: Path, store: VersionedRepository, loans: Declared
) -> None:
    rai("branch", "create", "loans", "first")
    rai("ingest", "loans", other_rows(workplace), "--branch", "first")
    rai("branch", "create", "loans", "second", "--from", "first")
    rai("branch", "delete", "loans", "first")
    assert [(state.name, state.standing.gated) for state in states(loans)] == [("main", True), ("second", True)]


def test_a_conflict_names_the_paths_and_a_side_can_win(rai: Rai, workplace: Path, store: VersionedRepository) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        rai("branch", "create", "loans", name)
        rai("ingest", "loans", other_rows(workplace, seed=seed), "--branch", name)
    sentence = "both sides changed 2 objects differently: dataset/sources.json, dataset/table.parquet"
    assert f"conflict {sentence}" in rai("diff", "loans", "one", "two")
    said = rai("merge", "loans", "two", "one", code=4)
    assert sentence in said and "Fix: " in said
    rai("merge", "loans", "two", "one", "--strategy", "source-wins")
    assert store.tree_digest("one", "dataset/") == store.tree_digest("two", "dataset/")


def test_log_and_tags(rai: Rai, store: VersionedRepository) -> None:
    commits = json.loads(rai("log", "loans", "--format", "json"))
    assert commits[0]["commit"] == store.resolve("main")
    assert commits[0]["metadata"]["use_case"] == "loans"
    assert commits[-1]["message"] == "Repository created"
    text = rai("log", "loans", "--limit", "2").splitlines()
    assert len(text) == 2
    assert text[0].startswith(store.resolve("main")[:12])

    assert rai("tag", "list", "loans") == ""
    rai("tag", "create", "loans", "v1.0")
    assert json.loads(rai("tag", "list", "loans", "--format", "json")) == {"v1.0": store.resolve("main")}
    assert "v1.0" in rai("tag", "create", "loans", "v1.0", code=2)
    assert rai("log", "loans", "--branch", "v1.0", "--limit", "1").split()[0] == store.resolve("main")[:12]
    rai("tag", "delete", "loans", "v1.0")
    assert store.tags() == {}


def test_a_file_of_any_commit_is_copied_out(rai: Rai, workplace: Path, store: VersionedRepository) -> None:
    assert "Wrote table.parquet" in rai("checkout-file", "loans", "main", "dataset/table.parquet")
    assert pq.read_table(workplace / "table.parquet").num_rows == 400
    assert "--output FILE" in rai("checkout-file", "loans", "main", "dataset/table.parquet", code=2)
    (workplace / "there").mkdir()
    rai("checkout-file", "loans", store.resolve("main"), "dataset/contract.json", "--output", "there")
    assert json.loads((workplace / "there" / "contract.json").read_text())["columns"]


def test_what_a_revert_brings_back_stands_as_it_stood(
    rai: Rai, workplace: Path, store: VersionedRepository, loans: Declared
) -> None:
    before = store.tree_digest("main", "dataset/")
    rai("ingest", "loans", other_rows(workplace))
    merged = store.resolve("main")
    said = rai("revert", "loans", merged)
    assert "head: gated. These data keep their contract" in said
    assert store.tree_digest("main", "dataset/") == before
    head = store.resolve("main")
    assert rai("revert", "loans", merged) == "", "it is undone already, which is no fault"
    assert store.resolve("main") == head


def test_data_that_went_around_the_gate_are_shown(rai: Rai, store: VersionedRepository, loans: Declared) -> None:
    store.commit("main", ChangeSet().put("dataset/more.txt", b"by hand"), "By another client")
    (main,) = states(loans)
    assert (main.audited, main.standing.gated) == (False, False)
    ungated = "not audited  requirements: not judged  head: ungated. These data were not audited.\n"
    assert ungated in rai("branch", "list", "loans")
    assert ungated in rai("list")


def test_a_verdict_is_shown_for_the_requirements_declared_now_and_with_a_persons_word(
    rai: Rai, audited: Declared, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "audited  requirements: pass  head: gated\n" in rai("branch", "list", "loans")
    declared = audited.path.read_text()
    audited.path.write_text(declared + "    - {id: R4, text: Better, definition: accuracy, at_least: 0.999}\n")
    assert "audited  requirements: not judged  head: gated\n" in rai("branch", "list", "loans")

    rai("run", "loans", code=1)
    assert "audited  requirements: fail  head: gated\n" in rai("branch", "list", "loans")
    monkeypatch.setenv("RAI_USER", "ada")
    rai("publish", "loans", "--reason", "for a\nmonth")
    (main,) = json.loads(rai("branch", "list", "loans", "--format", "json"))
    assert (main["requirements"], main["override"]["by"], main["override"]["of"]) == ("fail", "ada", ["requirements"])
    day = main["override"]["time"][:10]
    shown = f"requirements: fail  head: overridden (requirements) by ada on {day}: for a\ufffdmonth\n"
    assert shown in rai("list")

    audited.path.write_text(declared)
    assert "requirements: not judged  head: gated\n" in rai("list"), "verdict and word were for other requirements"
    audited.path.write_text(declared.partition("  requirements:")[0])
    assert "requirements: none declared  head: gated\n" in rai("list")
