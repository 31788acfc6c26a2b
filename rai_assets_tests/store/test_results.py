from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_assets.errors import UsageError
from rai_assets.metrics.number import Number
from rai_assets.provenance import Address, Provenance
from rai_assets.store import results
from rai_assets.store.open import first_commit
from rai_assets.store.protocol import InvalidPath, NotFound, VersionedRepository
from rai_assets.store.result_bytes import encode_numbers
from rai_assets.store.results import Result
from rai_assets_tests.store.saying import read, write

PROVENANCE = Provenance("lending", "main", "a" * 40, model="b" * 64, seed=7)


def a_result(**changes: object) -> Result:
    return replace(
        Result(
            asset="fairness_audit",
            provenance=PROVENANCE,
            numbers=[
                Number("selection_rate@1", 0.25, 0.2, 0.3, 0.95, 40, group={"sex": "F"}, split="test", unit="rate"),
                Number("selection_rate@1", None, n=3, group={"sex": "X"}, reason="fewer than 5 rows"),
                Number("selection_rate_ratio@1", 0.0, n=0, small=True, reference={"sex": "M"}, cohort="young"),
                Number("mean_prediction@1", -1.5e-300, coordinates={"sensitive": "race,sex", "class": "é"}),
            ],
            charts={"rates": {"mark": "bar", "data": {"values": [{"x": "<b>", "y": 1.0}]}}, "a": {}},
            tables={"cells": pa.table({"group": ["F", "M"], "n": [3, 4]})},
            notes=["Groups under 5 rows are not shown."],
            files={"model.onnx": b"\x08\x01", "reports/report.html": b"<p>"},
            facts={"verdicts": [{"id": "r1", "verdict": "pass"}], "settings": {"level": 0.95}},
        ),
        **changes,  # type: ignore[arg-type]
    )


def save(repository: VersionedRepository, result: Result, digest: str = "d1", **metadata: str):
    return results.save(repository, "results-main", result, digest, message="audit", metadata=metadata)


def test_a_result_comes_back_as_it_was_saved(repository: VersionedRepository):
    made = save(repository, a_result(), run_id="7")
    loaded = results.load(repository, "results-main", "fairness_audit")
    assert loaded == a_result(numbers=[number.pinned(PROVENANCE) for number in a_result().numbers])
    assert list(loaded.charts) == ["rates", "a"]
    assert made.metadata == {"run_id": "7"}
    assert results.load(repository, made.id, "fairness_audit") == loaded


def test_where_the_parts_lie(repository: VersionedRepository):
    save(repository, a_result())
    folder = "fairness_audit"
    assert list(content_types(repository)) == [
        f"{folder}/charts/a.json",
        f"{folder}/charts/rates.json",
        f"{folder}/files/model.onnx",
        f"{folder}/files/reports/report.html",
        f"{folder}/numbers.json",
        f"{folder}/result.json",
        f"{folder}/tables/cells.parquet",
    ]
    assert content_types(repository)[f"{folder}/files/reports/report.html"] == "text/html"
    assert content_types(repository)[f"{folder}/result.json"] == "application/json"
    head = json.loads(read(repository, "results-main", f"{folder}/result.json"))
    assert head["provenance"] == PROVENANCE.as_json()
    assert head["input_digest"] == "d1"
    numbers = read(repository, "results-main", f"{folder}/numbers.json").splitlines()
    assert numbers[2] == (
        '{"definition":"selection_rate@1","value":null,"n":3,"group":{"sex":"X"},"reason":"fewer than 5 rows"},'
    )


def content_types(repository: VersionedRepository) -> dict[str, str]:
    return {item.path: item.content_type for item in repository.list_objects("results-main")}


def test_the_branch_starts_at_the_first_commit(repository: VersionedRepository):
    write(repository, "main", {"dataset/table.csv": "1"})
    made = save(repository, a_result())
    assert made.parents == (first_commit(repository),)
    assert "dataset/table.csv" not in content_types(repository)


def test_the_same_result_is_not_committed_twice(repository: VersionedRepository):
    first = save(repository, a_result(), run_id="1")
    assert save(repository, a_result(), run_id="2") == first


def test_the_bytes_do_not_depend_on_how_a_table_is_cut(repository: VersionedRepository):
    words = [f"w{number % 13}" for number in range(5000)]
    whole = pa.table({"word": pa.array(words).dictionary_encode(), "n": range(5000)})
    cut = pa.concat_tables([whole.slice(0, 7), whole.slice(7, 2000), whole.slice(2007)])
    first = save(repository, a_result(tables={"t": whole}))
    assert save(repository, a_result(tables={"t": cut})) == first
    assert results.load(repository, first.id, "fairness_audit").tables["t"].equals(whole)


def test_a_new_result_drops_the_parts_of_the_old_one(repository: VersionedRepository):
    save(repository, a_result())
    save(repository, Result("fairness_audit", PROVENANCE), "d2")
    assert list(content_types(repository)) == ["fairness_audit/numbers.json", "fairness_audit/result.json"]
    assert results.load(repository, "results-main", "fairness_audit") == Result("fairness_audit", PROVENANCE)


def test_results_of_other_assets_stay(repository: VersionedRepository):
    save(repository, a_result(asset="fairness"))
    save(repository, a_result())
    save(repository, a_result(asset="evaluation"))
    write(repository, "results-main", {"ledger/note": "no result", "top": "1"})
    assert results.assets(repository, "results-main") == ["evaluation", "fairness", "fairness_audit"]
    assert results.load(repository, "results-main", "fairness").asset == "fairness"


def test_a_result_is_found_by_the_digest_of_its_inputs(repository: VersionedRepository):
    assert results.find(repository, "results-main", "fairness_audit", "d1") is None
    first = save(repository, a_result(), "d1")
    assert results.find(repository, "results-main", "fairness_audit", "d1") == first
    assert results.find(repository, "results-main", "fairness_audit", "d2") is None
    assert results.find(repository, "results-main", "evaluation", "d1") is None
    second = save(repository, a_result(), "d2")
    assert results.find(repository, "results-main", "fairness_audit", "d1") is None
    assert results.find(repository, "results-main", "fairness_audit", "d2") == second


def test_addresses_name_the_commit_and_read_back(repository: VersionedRepository):
    made = save(repository, a_result())
    save(repository, a_result(asset="evaluation"))
    numbers = results.addressed_numbers(repository, made.id, "fairness_audit")
    assert numbers[0].address == f"lending@{made.id}:fairness_audit#selection_rate@1[sex=F,.split=test]"
    for number in numbers:
        address = Address.parse(str(number.address))
        assert (address.use_case, address.commit, address.asset) == ("lending", made.id, "fairness_audit")
        assert number.commit == PROVENANCE.commit
    at_head = results.addressed_numbers(repository, "results-main", "fairness_audit")
    assert Address.parse(str(at_head[0].address)).commit == repository.resolve("results-main")


def test_what_is_not_there(repository: VersionedRepository):
    with pytest.raises(NotFound):
        results.load(repository, "results-main", "fairness_audit")
    save(repository, a_result())
    for call in (results.load, results.addressed_numbers):
        with pytest.raises(NotFound, match="evaluation"):
            call(repository, "results-main", "evaluation")


@pytest.mark.parametrize("asset", ["Fairness", "a/b", "a-b", "a1", "", "../x"])
def test_a_name_that_cannot_stand_in_an_address_is_refused(repository: VersionedRepository, asset: str):
    with pytest.raises(UsageError):
        save(repository, a_result(asset=asset))


@pytest.mark.parametrize("name", ["../../x", "a//b", "a\n", ""])
def test_a_part_cannot_leave_its_folder(repository: VersionedRepository, name: str):
    for part in ({"files": {name: b""}}, {"charts": {f"{name}/": {}}}):
        with pytest.raises(InvalidPath):
            save(repository, a_result(**part))
    assert "results-main" not in repository.branches()


def test_numpy_scalars_are_written_as_numbers(repository: VersionedRepository):
    save(repository, a_result(numbers=[Number("x@1", np.float64(0.5), n=np.int64(3))], facts={"n": np.int32(4)}))
    loaded = results.load(repository, "results-main", "fairness_audit")
    assert (loaded.numbers[0].value, loaded.numbers[0].n, loaded.facts) == (0.5, 3, {"n": 4})


def test_nan_is_refused_rather_than_stored(repository: VersionedRepository):
    with pytest.raises(ValueError, match="JSON compliant"):
        save(repository, a_result(facts={"x": float("nan")}))


def test_ten_thousand_numbers_are_quick(repository: VersionedRepository):
    numbers = [
        Number("false_positive_rate@1", 0.5, 0.4, 0.6, 0.95, 100, group={"race": "A", "sex": str(index)}, split="test")
        for index in range(10_000)
    ]
    began = time.perf_counter()
    made = save(repository, a_result(numbers=numbers))
    saved = time.perf_counter()
    assert len(results.addressed_numbers(repository, made.id, "fairness_audit")) == 10_000
    loaded = time.perf_counter()
    assert results.find(repository, "results-main", "fairness_audit", "d1") == made
    found = time.perf_counter()
    assert saved - began < 5
    assert loaded - saved < 5
    assert found - loaded < 0.1


TEXT = st.text(max_size=8)
NUMBERS = st.builds(
    Number,
    st.just("x@1"),
    st.floats(allow_nan=False, allow_infinity=False),
    low=st.none() | st.floats(-1, 0),
    n=st.none() | st.integers(0, 10**12),
    small=st.booleans(),
    group=st.dictionaries(TEXT, TEXT, max_size=2),
    reference=st.none() | st.dictionaries(TEXT, TEXT, max_size=1),
    cohort=st.none() | TEXT,
    unit=TEXT,
)


@settings(max_examples=150)
@given(st.lists(NUMBERS, max_size=3))
def test_any_number_comes_back_bit_for_bit(numbers: list[Number]):
    stored = encode_numbers(numbers)
    loaded = [Number.from_json(value) for value in json.loads(stored)]
    assert repr(loaded) == repr(numbers)
