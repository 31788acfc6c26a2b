"""Rows become one table, checked before it is published: the same rows the same bytes, the same data no commit."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from rai_assets.data.dataset import Dataset
from rai_assets.data.ingest import Ingested, ingest
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.table_file import ROW_GROUP, TableWriter
from rai_assets.errors import InputRefused, UsageError
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets_tests.data.conftest import COLUMNS, GOOD, Declare, data_branches

Store = Callable[[DatasetSettings], Ingested]


def test_accepted_data_are_on_the_branch_and_nothing_else_is_left(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    found = store(declare(GOOD, COLUMNS))
    assert found.accepted
    assert found.changed
    assert data_branches(repository) == {"main": found.commit}
    assert repository.get_commit(found.commit).metadata["rules"] == "3 of 3 hold"
    dataset = Dataset(repository, "main")
    assert (dataset.commit, dataset.version, dataset.row_count) == (found.commit, found.version, found.rows)
    assert dataset.table().to_pydict() == {"a": [1, 2, 3], "c": ["x", None, "y"]}
    assert [(source.path, source.rows, len(source.sha256)) for source in dataset.sources] == [("data.csv", 3, 64)]
    assert dataset.schema_summary()[1] == {"name": "c", "dtype": "category", "roles": ["feature"], "description": ""}


def test_the_same_files_again_make_no_commit(declare: Declare, store: Store, repository: VersionedRepository) -> None:
    declared = declare(GOOD, COLUMNS)
    first, again = store(declared), store(declared)
    assert again.accepted
    assert not again.changed
    assert (again.commit, again.version) == (first.commit, first.version)
    assert len(list(repository.log("main"))) == 3


def test_rejected_data_stay_on_the_run_branch(declare: Declare, store: Store, repository: VersionedRepository) -> None:
    before = store(declare(GOOD, COLUMNS))
    found = store(declare("a,c\n1,x\nzwei,y\n", COLUMNS))
    assert not found.accepted
    assert data_branches(repository) == {"main": before.commit, "run-t1": found.commit}
    assert found.branch == "run-t1"
    assert repository.get_commit(found.commit).metadata["failed_rules"] == "dtypes"
    assert Dataset(repository, found.commit).table().to_pydict() == {"a": [1, None], "c": ["x", "y"]}


def test_an_unreadable_file_leaves_no_trace(declare: Declare, store: Store, repository: VersionedRepository) -> None:
    for content in ("a,c\n1,x,2\n", "a,c\n"):
        with pytest.raises(InputRefused):
            store(declare(content, COLUMNS))
    assert list(data_branches(repository)) == ["main"]


def test_a_run_that_is_tried_again_replaces_its_own_branch(
    declare: Declare, tmp_path: Path, repository: VersionedRepository
) -> None:
    bad = ingest(declare("a,c\nx,y\n", COLUMNS), tmp_path, repository, "main", run_id="r")
    good = ingest(declare(GOOD, COLUMNS), tmp_path, repository, "main", run_id="r")
    assert (bad.accepted, good.accepted) == (False, True)
    assert list(data_branches(repository)) == ["main"]


def test_other_files_on_the_branch_survive(declare: Declare, store: Store, repository: VersionedRepository) -> None:
    repository.commit("main", ChangeSet().put("notes.txt", b"hello").put("dataset/old.bin", b"x"), "other")
    store(declare(GOOD, COLUMNS))
    assert sorted(item.path for item in repository.list_objects("main")) == [
        "dataset/contract.json", "dataset/sources.json", "dataset/table.parquet", "notes.txt",
    ]  # fmt: skip


def test_progress_is_told_in_bytes_of_each_file(
    declare: Declare, tmp_path: Path, repository: VersionedRepository
) -> None:
    told: list[tuple[str, int, int]] = []
    ingest(declare(GOOD, COLUMNS), tmp_path, repository, "main", run_id="r", progress=lambda *it: told.append(it))
    assert ("reading data.csv", len(GOOD), len(GOOD)) in told
    assert ("hashing data.csv", len(GOOD), len(GOOD)) in told


def test_labels_and_offsets_found_in_the_data_are_part_of_the_contract(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    columns = {
        "y": {"role": "target", "dtype": "category", "positive": "ja"},
        "t": {"role": "timestamp", "dtype": "timestamp"},
    }
    store(declare("y,t\nnein,2024-01-01T00:00Z\nja,2024-01-02T00:00+01:00\n", columns))
    dataset = Dataset(repository, "main")
    assert dataset.contract.classes == ("nein", "ja")
    assert dataset.table().schema.field("t").type == pa.timestamp("us", "UTC")
    with repository.open("main", "dataset/contract.json") as stream:
        assert json.load(stream)["labels"] == ["ja", "nein"]


def test_unknown_columns_and_splits_are_refused(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    store(declare(GOOD, COLUMNS))
    dataset = Dataset(repository, "main")
    with pytest.raises(UsageError, match="no column 'z'"):
        dataset.table(["z"])
    with pytest.raises(UsageError, match="no split 'tst'"):
        dataset.table(split="tst")


def test_names_with_dots_select_only_themselves(
    declare: Declare, store: Store, repository: VersionedRepository
) -> None:
    columns = {name: {"dtype": "integer"} for name in ("emp", "emp.var", "emp.var.rate")}
    store(declare("emp,emp.var,emp.var.rate\n1,2,3\n", columns))
    dataset = Dataset(repository, "main")
    assert dataset.table(["emp.var"]).to_pydict() == {"emp.var": [2]}
    assert dataset.table(["emp"]).to_pydict() == {"emp": [1]}
    assert [batch.to_pydict() for batch in dataset.batches(["emp"])] == [{"emp": [1]}]


@settings(max_examples=25)
@given(
    values=st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=60),
    cuts=st.lists(st.integers(1, 59), max_size=6),
)
def test_the_stored_bytes_depend_on_the_rows_only(
    tmp_path_factory: pytest.TempPathFactory, values: list[str | None], cuts: list[int]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    schema = pa.schema([("c", pa.dictionary(pa.int32(), pa.string())), ("n", pa.int64())])
    places = sorted({0, len(values), *(cut for cut in cuts if cut < len(values))})
    pieces = [
        pa.RecordBatch.from_arrays(
            [pa.array(values[start:end], pa.string()).dictionary_encode(), pa.array(range(start, end))], schema=schema
        )
        for start, end in pairwise(places)
    ]
    # A dictionary with values that do not occur, as a filter leaves it.
    unused = pa.DictionaryArray.from_arrays(
        pa.array([{"a": 3, "b": 2, "c": 1, None: None}[value] for value in values], pa.int32()),
        pa.array(["zzz", "c", "b", "a"]),
    )
    whole = pa.RecordBatch.from_arrays([unused, pa.array(range(len(values)))], schema=schema)
    for name, batches in (("pieces", pieces), ("whole", [whole])):
        with TableWriter(folder / name, schema) as writer:
            for batch in batches:
                writer.write(batch)
    assert (folder / "pieces").read_bytes() == (folder / "whole").read_bytes()
    assert parquet.read_table(folder / "whole").column("c").to_pylist() == values


def test_row_groups_have_one_size(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64())])
    with TableWriter(tmp_path / "t", schema) as writer:
        for start in range(0, 300_000, 50_000):
            writer.write(pa.RecordBatch.from_arrays([pa.array(range(start, start + 50_000))], schema=schema))
    metadata = parquet.ParquetFile(tmp_path / "t").metadata
    assert [metadata.row_group(at).num_rows for at in range(3)] == [ROW_GROUP, ROW_GROUP, 300_000 - 2 * ROW_GROUP]
