"""Data on their way to `main`: brought to a branch, audited, refused with the fix, mitigated, merged."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rai_assets.data.dataset import TABLE, Dataset, read_sources
from rai_assets.errors import InputRefused, UsageError
from rai_assets.progress import Progress
from rai_assets.store.gate import GateRefused
from rai_assets.store.ledger import standing
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets.use_case.declaration import Declared, load
from rai_assets.use_case.explaining import explain
from rai_assets.use_case.numbers import select_numbers
from rai_assets.use_case.publishing import ingest_files, merge, publish
from rai_assets.use_case.reading import repository_of
from rai_assets.use_case.run import run
from rai_assets_tests.use_case.conftest import loan_rows

SILENT = Progress(lambda _: None)


@pytest.fixture(autouse=True)
def ada(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_USER", "ada")


@pytest.fixture
def experiment(loans: Declared) -> VersionedRepository:
    """The use case with its declared data on `main`, and a data branch `trial`."""
    ingest_files(loans, [], "main", SILENT)
    repository = repository_of("loans")
    repository.create_branch("trial", "main")
    return repository


def noisy_rows() -> str:
    """Loans that are repaid or not whatever the income: no model is right."""
    lines = loan_rows(1600).splitlines()
    draw = random.Random(1)
    noisy = [line.rsplit(",", 1)[0] + "," + draw.choice(["yes", "no"]) for line in lines[1:]]
    return "\n".join([lines[0], *noisy]) + "\n"


def given(workplace: Path, rows: str) -> Path:
    path = workplace / "given.csv"
    path.write_text(rows)
    return path


def test_a_data_branch_reaches_main_after_mitigation_only(
    loans: Declared, experiment: VersionedRepository, workplace: Path
) -> None:
    before = experiment.resolve("main")
    ingest_files(loans, [given(workplace, noisy_rows())], "trial", SILENT)
    with pytest.raises(GateRefused, match="not judged") as early:
        merge(loans, "trial")
    assert early.value.fix == "`rai run loans --branch trial`, then merge again"

    assert run(loans, "trial").gate == "fail"
    with pytest.raises(GateRefused) as refused:
        merge(loans, "trial")
    assert "R1 (fail): The accuracy is" in refused.value.what and "R2" not in refused.value.what
    assert "mitigate until `rai run loans --branch trial` ends with Requirements: pass" in refused.value.fix
    assert refused.value.exit_code == 1
    assert experiment.resolve("main") == before

    ingest_files(loans, [given(workplace, loan_rows(seed=2))], "trial", SILENT)
    assert run(loans, "trial").gate == "pass"
    merged = merge(loans, "trial")
    assert experiment.resolve("main") == merged.id
    assert merged.metadata["by"] == "ada"
    assert experiment.tree_digest("main", "dataset/") == experiment.tree_digest("trial", "dataset/")
    assert standing(experiment, "main", loans.requirements).mergeable

    assert run(loans).gate == "pass"
    assert experiment.resolve("main") == merged.id, "the declared files do not take the place of what was merged"
    number = select_numbers(loans)[0]
    assert number.commit == merged.id
    assert number.address is not None and "file        given.csv  sha256" in explain(number.address).replace(
        str(workplace) + "/", ""
    )


def test_a_changed_requirement_takes_the_verdict_away(
    loans: Declared, experiment: VersionedRepository, workplace: Path
) -> None:
    ingest_files(loans, [given(workplace, loan_rows(seed=2))], "trial", SILENT)
    assert run(loans, "trial").gate == "pass"
    loans.path.write_text(loans.path.read_text().replace("at_least: 0.6", "at_least: 0.61"))
    stricter = load(loans.path)
    assert stricter is not None
    with pytest.raises(GateRefused, match="as they are declared now"):
        merge(stricter, "trial")
    run(stricter, "trial")
    merge(stricter, "trial")


def test_a_person_answers_for_a_requirement(loans: Declared, experiment: VersionedRepository, workplace: Path) -> None:
    ingest_files(loans, [given(workplace, noisy_rows())], "trial", SILENT)
    with pytest.raises(UsageError, match="cannot be judged yet") as early:
        publish(loans, "trial", "in a hurry")
    assert early.value.fix == "rai run loans --branch trial"
    run(loans, "trial")
    with pytest.raises(UsageError, match="for a reason"):
        publish(loans, "trial", " ")
    said = publish(loans, "trial", "agreed with the board on 3 May")
    assert "R1 (fail)" in said and "ada let them pass on" in said and "agreed with the board on 3 May" in said

    noted = experiment.get_commit("trial").metadata
    assert (noted["override_by"], noted["override_reason"]) == ("ada", "agreed with the board on 3 May")
    found = standing(experiment, "trial", loans.requirements)
    assert (found.mergeable, found.requirements) == (True, "fail")
    assert found.override is not None and found.override["time"] == noted["override_time"]
    merge(loans, "trial")
    assert standing(experiment, "main", loans.requirements).override == found.override
    with pytest.raises(UsageError, match="nothing stands in the way"):
        publish(loans, "main", "again")


def test_refused_data_are_named_and_a_person_may_publish_them(
    loans: Declared, experiment: VersionedRepository, workplace: Path
) -> None:
    head = experiment.resolve("main")
    with pytest.raises(InputRefused) as refused:
        ingest_files(loans, [given(workplace, loan_rows() + "mon,-5,F,yes\n")], "main", SILENT)
    (kept,) = experiment.branches("run-")
    assert "row 401" in str(refused.value) and f"branch {kept} for 30 days" in refused.value.fix
    assert experiment.resolve("main") == head

    publish(loans, kept, "a refund, see ticket 7")
    assert not experiment.branches("run-")
    assert Dataset(experiment, "main").row_count == 401
    assert experiment.get_commit("main").metadata["override_reason"] == "a refund, see ticket 7"
    assert standing(experiment, "main", []).gated
    outcome = run(loans)
    assert outcome.gate == "pass", "the audit of these data goes on"
    assert Dataset(experiment, "main").row_count == 401


def test_data_edited_on_a_branch_are_audited_where_they_stand(loans: Declared, experiment: VersionedRepository) -> None:
    import io

    from pyarrow import parquet

    half = Dataset(experiment, "trial").table().slice(0, 300)
    out = io.BytesIO()
    parquet.write_table(half, out)
    experiment.commit("trial", ChangeSet().put(TABLE, out.getvalue()), "the first 300")
    with pytest.raises(UsageError, match="not audited yet"):
        publish(loans, "trial", "in a hurry")
    outcome = run(loans, "trial")
    assert Dataset(experiment, "trial").row_count == 300
    assert outcome.gate == "pass"
    merge(loans, "trial")
    assert Dataset(experiment, "main").row_count == 300

    bad = half.set_column(half.schema.get_field_index("sex"), "sex", [["X"] * 300])
    out = io.BytesIO()
    parquet.write_table(bad, out)
    experiment.commit("trial", ChangeSet().put(TABLE, out.getvalue()), "a third group")
    before = experiment.resolve("results-trial")
    with pytest.raises(InputRefused, match="'X' is not among the allowed values"):
        run(loans, "trial")
    assert experiment.tree_digest(before, "evaluation/") == experiment.tree_digest("results-trial", "evaluation/")
    assert not standing(experiment, "trial", []).gated


def test_the_declared_files_come_back_when_asked(
    loans: Declared, experiment: VersionedRepository, workplace: Path
) -> None:
    ingest_files(loans, [given(workplace, loan_rows(100, seed=2))], "trial", SILENT)
    run(loans, "trial", only=["dataset"])
    assert Dataset(experiment, "trial").row_count == 100
    ingest_files(loans, [], "trial", SILENT)
    assert read_sources(experiment, "trial").origin == "declared"
    assert experiment.tree_digest("trial", "dataset/") == experiment.tree_digest("main", "dataset/")


@pytest.mark.parametrize("branch", ["results-main", "nowhere", "champion", "../x"])
def test_only_data_branches_take_data(loans: Declared, workplace: Path, branch: str) -> None:
    path = given(workplace, loan_rows())
    with pytest.raises(UsageError, match="has no data branch"):
        ingest_files(loans, [path], branch, SILENT)
    with pytest.raises(UsageError, match="has no data branch"):
        publish(loans, branch, "why")


def test_files_take_the_places_of_the_declared_ones(loans: Declared, workplace: Path) -> None:
    text = loans.path.read_text().replace("    split: {by: fraction, test: 0.5}\n", "")
    loans.path.write_text(
        text.replace("[{path: loans.csv}]", "[{path: loans.csv, split: train}, {path: loans.csv, split: test}]")
    )
    by_file = load(loans.path)
    assert by_file is not None
    path = given(workplace, loan_rows(50))
    with pytest.raises(UsageError, match="name their splits") as refused:
        ingest_files(by_file, [path], "main", SILENT)
    assert refused.value.fix == "give 2 files, in the declared order"
    ingest_files(by_file, [path, path], "main", SILENT)
    assert Dataset(repository_of("loans"), "main").table(split="test").num_rows == 50
