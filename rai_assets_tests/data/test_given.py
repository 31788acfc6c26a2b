"""Data that stand on their own: files that a person gave, tables that another client edited, a person's word."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from rai_assets.data.dataset import CONTRACT, PREFIX, SOURCES, TABLE, Dataset, read_sources
from rai_assets.data.ingest import Ingested, audit_branch, audit_commit, ingest, stands_alone
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.staging import EDITED
from rai_assets.errors import InputRefused, RaiError
from rai_assets.store import ledger
from rai_assets.store.ledger import standing
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets_tests.data.conftest import Declare

COLUMNS: dict[str, Any] = {
    "id": {"role": "identifier", "dtype": "text"},
    "n": {"dtype": "integer", "minimum": 0},
    "x": {"dtype": "number", "missing": "allowed"},
    "c": {"dtype": "category", "missing": "allowed"},
    "b": {"dtype": "boolean"},
    "t": {"role": "timestamp", "dtype": "timestamp"},
    "note": {"role": "ignored"},
    "y": {"role": "target", "dtype": "category", "positive": "yes"},
}
HEADER = "id,n,x,c,b,t,note,y\n"
LINES = (
    "007,1,0.1, a ,true,2024-01-01T00:00Z,p,yes\n"
    "008,2,?,?,false,2024-01-02T00:00+01:00,q,no\n"
    "009,3,1e300,b,1,2024-01-03T12:30:00.5Z,r,yes\n"
)
READING = {"trim": True, "missing": ["?"], "aliases": {"b": {"1": "true"}, "c": {"a": "b", "b": "a"}}}


@pytest.fixture
def declared(declare: Declare) -> DatasetSettings:
    return declare(HEADER + LINES, COLUMNS, **READING)


@pytest.fixture
def published(declared: DatasetSettings, repository: VersionedRepository, tmp_path: Path) -> Ingested:
    found = ingest(declared, tmp_path, repository, "main", run_id="first")
    assert found.accepted
    return found


def edit(repository: VersionedRepository, change: Callable[[pa.Table], pa.Table], branch: str = "main") -> str:
    """Write a branch's table again as another client would: with its own library, straight on the branch."""
    with repository.open(repository.resolve(branch), TABLE) as stream:
        table = change(parquet.read_table(io.BytesIO(stream.read())))
    out = io.BytesIO()
    parquet.write_table(table, out, compression="snappy")
    return repository.commit(branch, ChangeSet().put(TABLE, out.getvalue()), "edited by hand").id


def with_values(name: str, values: list[Any]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.schema.get_field_index(name), name, pa.array(values))


def test_declared_data_are_not_taken_for_given_ones(published: Ingested, repository: VersionedRepository) -> None:
    assert not stands_alone(repository, "main")
    sources = read_sources(repository, "main")
    assert (sources.origin, sources.table) == ("declared", repository.stat("main", TABLE).sha256)
    assert standing(repository, "main", []).gated


def test_stored_rows_read_again_are_the_same_bytes(
    published: Ingested, declared: DatasetSettings, repository: VersionedRepository
) -> None:
    before = repository.stat("main", TABLE).sha256, repository.stat("main", CONTRACT).sha256
    found = audit_branch(declared, repository, "main", run_id="again")
    assert found.accepted
    assert (repository.stat("main", TABLE).sha256, repository.stat("main", CONTRACT).sha256) == before
    given = audit_branch(declared, repository, "main", run_id="third")
    assert not given.changed
    assert read_sources(repository, "main").files == read_sources(repository, published.commit).files


def test_an_edited_table_is_audited_as_it_stands(
    published: Ingested, declared: DatasetSettings, repository: VersionedRepository
) -> None:
    edited = edit(repository, lambda table: with_values("x", [5.0, 6.0])(table.slice(1)))
    assert stands_alone(repository, "main")
    assert not standing(repository, "main", []).gated
    found = audit_branch(declared, repository, "main", run_id="r")
    assert (found.accepted, found.rows) == (True, 2)
    dataset = Dataset(repository, "main")
    assert dataset.table(["id", "x"]).to_pydict() == {"id": ["008", "009"], "x": [5.0, 6.0]}
    assert dataset.row_count == 2
    (source,) = dataset.sources
    assert (source.path, source.sha256) == (EDITED, repository.stat(edited, TABLE).sha256)
    assert standing(repository, "main", []).gated
    assert stands_alone(repository, "main"), "the next run does not bring the declared files back"
    assert not audit_branch(declared, repository, "main", run_id="s").changed


def test_an_edit_with_other_types_is_read_as_declared(
    published: Ingested, declared: DatasetSettings, repository: VersionedRepository
) -> None:
    def as_texts(table: pa.Table) -> pa.Table:
        table = with_values("n", ["10", "20", "30"])(table)
        return with_values("c", ["a", None, "new"])(table).append_column("note", pa.array(["", "", ""]))

    edit(repository, lambda table: as_texts(table).drop_columns(["note"]))
    assert audit_branch(declared, repository, "main", run_id="r").accepted
    table = Dataset(repository, "main").table(["n", "c"])
    assert table.to_pydict() == {"n": [10, 20, 30], "c": ["a", None, "new"]}
    assert pa.types.is_dictionary(table.schema.field("c").type)


def test_an_edit_that_breaks_the_contract_stays_ungated_and_is_named(
    published: Ingested, declared: DatasetSettings, repository: VersionedRepository
) -> None:
    head = edit(repository, with_values("n", [1, -2, 3]))
    found = audit_branch(declared, repository, "main", run_id="r")
    assert (found.accepted, found.branch) == (False, "run-r")
    assert repository.resolve("main") == head
    (rule,) = [rule for rule in found.rules if not rule.passed]
    assert rule.sentence == f"{TABLE}, row 2, column 'n': '-2' is below 0"
    assert not standing(repository, "main", []).gated
    assert standing(repository, "run-r", []).contract is False


def test_an_edit_elsewhere_under_the_data_is_seen(
    published: Ingested, declared: DatasetSettings, repository: VersionedRepository
) -> None:
    for path in (SOURCES, CONTRACT):
        repository.commit("main", ChangeSet().put(path, b"no JSON"), "spoilt")
        assert not standing(repository, "main", []).gated
        assert audit_branch(declared, repository, "main", run_id="r").accepted
        assert standing(repository, "main", []).gated
    assert Dataset(repository, "main").row_count == 3


def test_what_is_no_table_is_refused(
    published: Ingested, declared: DatasetSettings, repository: VersionedRepository
) -> None:
    repository.commit("main", ChangeSet().put(TABLE, b"id,n\n1,2\n"), "not Parquet")
    with pytest.raises(InputRefused, match="not readable Parquet"):
        audit_branch(declared, repository, "main", run_id="r")


def test_edited_rows_keep_the_splits_of_their_files(
    declare: Declare, repository: VersionedRepository, tmp_path: Path
) -> None:
    (tmp_path / "test.csv").write_text("a\n3\n")
    declared = declare("a\n1\n2\n", {"a": {"dtype": "integer"}})
    files = [{"path": "data.csv", "split": "train"}, {"path": "test.csv", "split": "test"}]
    declared = DatasetSettings.model_validate({**declared.model_dump(exclude_unset=True), "files": files})
    ingest(declared, tmp_path, repository, "main", run_id="r")
    edit(repository, with_values("a", [7, 8, 9]))
    audit_branch(declared, repository, "main", run_id="s")
    assert Dataset(repository, "main").table(split="test").to_pydict() == {"a": [9]}
    edit(repository, lambda table: table.slice(1))
    with pytest.raises(InputRefused, match="does not say which rows are of which split"):
        audit_branch(declared, repository, "main", run_id="t")


def test_an_edit_while_the_audit_reads_is_not_lost(
    published: Ingested, declared: DatasetSettings, repository: VersionedRepository
) -> None:
    edit(repository, with_values("n", [1, 2, 4]))
    others: list[str] = []

    def progress(what: str, done: int, total: int) -> None:
        if not others and what.startswith("hashing"):
            others.append(edit(repository, with_values("n", [1, 2, 5])))

    with pytest.raises(RaiError, match="another run published other data on 'main' meanwhile.*'run-r'"):
        audit_branch(declared, repository, "main", run_id="r", progress=progress)
    assert repository.resolve("main") == others[0]


def test_a_persons_word_lets_these_very_data_pass(
    published: Ingested, declared: DatasetSettings, repository: VersionedRepository, tmp_path: Path
) -> None:
    (tmp_path / "data.csv").write_text(HEADER + LINES + "010,-4,1,a,true,2024-01-04T00:00Z,s,no\n")
    refused = ingest(declared, tmp_path, repository, "main", run_id="r")
    assert not refused.accepted
    word = {"by": "ada", "reason": "a refund", "time": datetime.now(UTC).isoformat(), "of": ["contract"]}
    ledger.record(repository, "main", refused.version, "override", word)
    passed = ingest(declared, tmp_path, repository, "main", run_id="s")
    assert (passed.accepted, passed.version) == (True, refused.version)
    assert [rule.rule for rule in passed.rules if not rule.passed] == ["ranges"]
    found = standing(repository, "main", [])
    assert (found.gated, found.contract) == (True, False)
    assert "ada let them pass on" in found.sentence and "a refund" in found.sentence

    (tmp_path / "data.csv").write_text(HEADER + LINES + "010,-5,1,a,true,2024-01-04T00:00Z,s,no\n")
    assert not ingest(declared, tmp_path, repository, "main", run_id="t").accepted


def test_a_commit_can_be_audited_without_moving_anything(
    published: Ingested, declared: DatasetSettings, repository: VersionedRepository
) -> None:
    head = edit(repository, with_values("n", [1, 2, 4]))
    rules = audit_commit(declared, repository, head, "main", run_id="r")
    assert all(rule.passed for rule in rules)
    assert repository.resolve("main") == head
    assert standing(repository, head, []).gated


def test_sources_written_before_data_could_be_given_are_read(
    published: Ingested, repository: VersionedRepository
) -> None:
    repository.commit("main", ChangeSet().put(SOURCES, b'[{"path": "a", "sha256": "0", "rows": 3, "split": null}]'), "")
    assert not stands_alone(repository, "main")
    assert Dataset(repository, "main").row_count == 3


_everybody: Any = None  # where the processes wait for each other


def _meet(barrier: Any) -> None:
    global _everybody
    _everybody = barrier


def _bring(home: str, settings: DatasetSettings, folder: str, number: int, same: bool) -> str:
    repository = open_repository(Path(home), "rai-data")
    _everybody.wait(60)
    try:
        return ingest(
            settings, Path(folder) / str(0 if same else number), repository, "main", run_id=f"p{number}"
        ).commit
    except RaiError as error:
        return str(error)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("count", [2, 8])
def test_ingests_at_once_are_published_whole_or_refused(
    declare: Declare, repository: VersionedRepository, tmp_path: Path, count: int, same: bool
) -> None:
    settings = declare("a\n0\n", {"a": {"dtype": "integer"}})
    for number in range(count):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "data.csv").write_text(f"a\n{number}\n")
    home = str(tmp_path / "home")
    spawn = get_context("spawn")
    with spawn.Pool(count, _meet, [spawn.Barrier(count)]) as pool:
        said = pool.starmap(_bring, [(home, settings, str(tmp_path), n, same) for n in range(count)], chunksize=1)
    refused = [text for text in said if "another run published other data" in text]
    accepted = [text for text in said if text not in refused]
    history = [commit.id for commit in repository.log("main")]
    assert accepted and set(accepted) <= set(history), "every accepted change is there"
    assert all(standing(repository, commit, []).gated for commit in accepted)
    assert standing(repository, "main", []).gated
    (last,) = Dataset(repository, "main").table().to_pydict()["a"]
    assert said[0 if same else last] == repository.resolve("main")
    assert len(repository.branches("run-")) == len(refused), "what was refused is left to be looked at"
    assert not same or not refused
    assert repository.tree_digest("main", PREFIX) == Dataset(repository, "main").version
