"""What `rai init` reads off files: seen things are declared, guesses are said, and the result reads the same files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from rai_assets.data.dataset import Dataset
from rai_assets.data.inference import Wishes, infer
from rai_assets.data.ingest import Ingested, ingest
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import InputRefused, UsageError
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.data.conftest import look, rows

Store = Callable[[DatasetSettings], Ingested]


def test_adult_as_uci_ships_it(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "adult"
    found, guesses = infer(
        [folder / "adult.data.gz"],
        [folder / "adult.test.gz"],
        base=tmp_path,
        wishes=Wishes(target="income", sensitive=("sex", "age")),
        columns=str(folder / "columns.txt"),
    )
    assert (found.header, found.separator, found.comment, found.trim, found.missing) == (
        False,
        ",",
        "|",
        True,
        ["", "?"],
    )
    assert found.aliases == {"income": {"<=50K.": "<=50K", ">50K.": ">50K"}}
    assert [file.split for file in found.files] == ["train", "test"]
    income, age = found.columns["income"], found.columns["age"]
    assert (income.role, income.allowed, income.positive) == ("target", ["<=50K", ">50K"], ">50K")
    assert (age.role, age.edges) == ("sensitive", [30, 35, 50])
    assert found.columns["workclass"].missing == "allowed"
    assert found.columns["sex"].missing == "refused"
    assert "'>50K' is the positive value of income; --positive names another" in guesses
    assert "age is cut into groups at 30, 35, 50; if its numbers are codes, declare dtype category" in guesses

    repository = open_repository(tmp_path / "home", "rai-adult")
    ingested = ingest(found, tmp_path, repository, "main", run_id="r")
    assert ingested.accepted
    dataset = Dataset(repository, "main")
    assert (dataset.table(split="train").num_rows, dataset.table(split="test").num_rows) == (32_561, 16_281)
    target = dataset.table(["income"], "test").column("income").to_pylist()
    assert target.count(">50K") == 3846


@pytest.mark.parametrize(
    ("folder", "files", "wishes", "task", "rows"),
    [
        ("german", ["german.csv"], {"target": "Class", "positive": "1", "sensitive": ("Sex", "Age")}, "binary", 1000),
        ("german", ["german.data"], {"target": "column_21", "sensitive": ("column_9",)}, "binary", 1000),
        ("compas", ["compas_for_aequitas.csv"],
         {"target": "label_value", "score": "score", "threshold": 0.5, "sensitive": ("race", "sex")}, "binary", 7214),
        ("bank", ["bank-additional-full.csv.gz"], {"target": "y", "sensitive": ("age", "marital")}, "binary", 41_188),
        ("ricci", ["ricci_race.csv"], {"target": "Promoted", "sensitive": ("Race",)}, "binary", 118),
        ("student", ["student_mat_new.csv", "student_por_new.csv"], {"target": "class"}, "binary", 1044),
        ("taiwan_credit", ["credit-card-clients.csv.gz"],
         {"target": "default payment", "sensitive": ("SEX", "AGE")}, "binary", 30_000),
        ("law_school", ["law_school_clean.csv.gz"], {"target": "pass_bar", "positive": "1"}, "binary", 20_798),
        ("law_school", ["law_school_clean.csv.gz"], {"target": "zfygpa", "sensitive": ("male",)}, "regression", 20_798),
        ("insurance", ["insurance.csv"], {"target": "charges", "sensitive": ("sex", "age")}, "regression", 1338),
        ("titanic", ["titanic_reference.csv"], {"target": "Survived", "sensitive": ("Sex", "Age")}, "binary", 891),
    ],
)  # fmt: skip
def test_real_data_are_read_by_what_was_inferred(
    shared_data: Path, tmp_path: Path, folder: str, files: list[str], wishes: dict[str, Any], task: str, rows: int
) -> None:
    paths = [shared_data / folder / file for file in files]
    found, _ = infer(paths, base=tmp_path, wishes=Wishes(**wishes))
    repository = open_repository(tmp_path / "home", "rai-real")
    ingested = ingest(found, tmp_path, repository, "main", run_id="r")
    assert ingested.accepted, [rule.sentence for rule in ingested.rules]
    dataset = Dataset(repository, "main")
    assert (dataset.contract.task, dataset.row_count) == (task, rows)
    assert set(dataset.contract.sensitive) == set(wishes.get("sensitive", ()))


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("path", "wishes", "rows"),
    [
        ("diabetes130/diabetic_data.csv.gz",
         {"target": "readmitted", "positive": "<30", "sensitive": ("race",)}, 101_766),
        ("acs_employment_ma/employment_MA_analysis.csv.gz",
         {"prediction": "prediction", "score": "predicted_probability", "sensitive": ("SEX", "RAC1P")}, 208_892),
    ],
)  # fmt: skip
def test_big_real_data_are_read_by_what_was_inferred(
    shared_data: Path, tmp_path: Path, path: str, wishes: dict[str, Any], rows: int
) -> None:
    found, _ = infer([shared_data / path], base=tmp_path, wishes=Wishes(**wishes))
    ingested = ingest(found, tmp_path, open_repository(tmp_path / "home", "rai-big"), "main", run_id="r")
    assert ingested.accepted
    assert ingested.rows == rows


def test_types_are_told_by_all_rows_not_by_the_first(tmp_path: Path) -> None:
    found, _ = look(tmp_path, rows("a,b,c", *["1,1,x"] * 5000, "2,1.5,y"))
    assert {name: column.dtype for name, column in found.columns.items()} == {
        "a": "integer", "b": "number", "c": "category",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["00123", "00124"], "category"),
        (["9223372036854775808", "1"], "category"),
        (["inf", "-inf"], "category"),
        (["true", "False"], "boolean"),
        (["yes", "no"], "category"),
        (["2024-05-31", "2024-06-01"], "timestamp"),
        (["1.10", "12"], "number"),
        (["12:30", "13:00"], "category"),
    ],
)
def test_what_would_change_a_value_is_not_declared(tmp_path: Path, values: list[str], dtype: str) -> None:
    found, _ = look(tmp_path, rows("a,b", *(f"{value},x" for value in values)))
    assert found.columns["a"].dtype == dtype


def test_marks_of_missing_values_are_declared_where_numbers_would_be_lost_and_said(tmp_path: Path) -> None:
    found, guesses = look(tmp_path, rows("a,b", "1,x", "NA,y", "2,"))
    assert found.missing == ["", "NA"]
    assert (found.columns["a"].dtype, found.columns["a"].missing) == ("integer", "allowed")
    assert found.columns["b"].missing == "allowed"
    assert "'NA' means a missing value (in a)" in guesses


def test_a_mark_that_is_a_value_elsewhere_is_missing_in_its_own_column_only(tmp_path: Path) -> None:
    found, guesses = look(tmp_path, rows("age,country", "30,NA", "NA,DE", "40,NA"))
    assert found.missing == [""]
    assert found.aliases == {"age": {"NA": ""}}
    assert found.columns["country"].allowed == ["DE", "NA"]
    assert "is a value like others in country" in guesses


def test_marks_in_texts_stay_values_but_for_the_question_mark(tmp_path: Path) -> None:
    found, _ = look(tmp_path, rows("a,b", "None,?", "Norm,x"))
    assert found.columns["a"].allowed == ["None", "Norm"]
    assert found.missing == ["", "?"]


def test_identifiers_times_and_free_text_are_found_and_said(tmp_path: Path) -> None:
    lines = [f"{at},u{at},2024-01-{at % 28 + 1:02},{'word ' * 3}{at},{at % 3}" for at in range(200)]
    found, guesses = look(tmp_path, rows("id,userId,day,note,kind_id", *lines))
    roles = {name: column.roles for name, column in found.columns.items()}
    assert roles == {
        "id": ("identifier",), "userId": ("identifier",), "day": ("timestamp",), "note": ("ignored",),
        "kind_id": ("feature",),
    }  # fmt: skip
    assert "note is free text" in guesses


def test_numbers_that_are_not_finite_are_counted_and_their_column_stays_a_number(tmp_path: Path) -> None:
    values = ["1", "2", "3", "4", "5", "inf", "1e400", "-inf"]
    found, said = look(tmp_path, rows("a,b", *(f"{value},x" for value in values)))
    assert found.columns["a"].dtype == "number"
    assert (
        "a has 3 values that are no finite number, which the contract refuses: first 'inf' on line 7 of data0.csv"
        in said
    )
    found, said = look(tmp_path, rows("a", "1.5", "2"), rows("a", "3", "Infinity"))
    assert found.columns["a"].dtype == "number"
    assert (
        "a has 1 value that is no finite number, which the contract refuses: first 'Infinity' on line 3 of data1.csv"
        in said
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["1,5", "-1.234,50"], "x is text: its values, like '-1.234,50', look like numbers with a decimal comma"),
        (["31.12.2020", "1.1.2021"], "x is text: its values, like '1.1.2021', look like dates"),
        (["12/31/20", "1/1/21"], "look like dates; those like 2024-05-31 are read"),
        (["1,5", "none at all"], None),
        (["2020-12-31", "2021-01-01"], None),
        (["1.5", "2"], None),
    ],
)
def test_numbers_and_dates_in_a_form_that_is_not_read_are_said(
    tmp_path: Path, values: list[str], said: str | None
) -> None:
    _, guesses = look(tmp_path, rows("x;y", *(f"{value};a" for value in values)))
    assert said in guesses if said else "look like" not in guesses


def test_files_have_to_be_alike(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="the columns are not those of data0.csv: 'b', 'c'"):
        look(tmp_path, "a,b\n1,2\n", "a,c\n1,2\n")
    with pytest.raises(InputRefused, match="separator ';'"):
        look(tmp_path, "a,b\n1,2\n", "a;b\n1;2\n")
    with pytest.raises(InputRefused, match="no such file"):
        infer([tmp_path / "none.csv"], base=tmp_path, wishes=Wishes())
    with pytest.raises(InputRefused, match="have no rows"):
        look(tmp_path, "a,b\n")


def test_texts_of_a_typed_file_stay_texts(tmp_path: Path) -> None:
    table = pa.table(
        {"zip": ["00123", "1"], "n": ["1", "2"], "i": [1, 2], "f": [1.5, float("nan")], "b": [True, False]}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    found, _ = infer([tmp_path / "a.parquet"], base=tmp_path, wishes=Wishes())
    assert {name: column.dtype for name, column in found.columns.items()} == {
        "zip": "category", "n": "category", "i": "integer", "f": "number", "b": "boolean",
    }  # fmt: skip
    assert found.missing == ["", "nan"]


def test_files_near_the_declaration_are_named_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    near, _ = infer([tmp_path / "a.csv"], base=tmp_path / "defs" / "x", wishes=Wishes())
    far, _ = infer([tmp_path / "a.csv"], base=tmp_path / "a" / "b" / "c" / "d", wishes=Wishes())
    assert near.files[0].path == "../../a.csv"
    assert far.files[0].path == str(tmp_path / "a.csv")


cells = st.text(alphabet="aA019.-?eNn ", max_size=4)


@settings(max_examples=25)
@given(
    table=st.integers(2, 3).flatmap(lambda width: st.lists(st.tuples(*[cells] * width), min_size=2, max_size=15)),
    sensitive=st.booleans(),
)
def test_what_is_inferred_reads_every_row_or_says_why_not(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, ...]], sensitive: bool
) -> None:
    folder = tmp_path_factory.mktemp("inferred")
    names = [f"c{at}" for at in range(len(table[0]))]
    (folder / "a.csv").write_text("\n".join(",".join(row) for row in [tuple(names), *table]) + "\n")
    try:
        found, _ = infer([folder / "a.csv"], base=folder, wishes=Wishes(sensitive=("c0",) if sensitive else ()))
    except UsageError as refused:
        assert "has no values" in refused.what or "no column can be used" in refused.what
        return
    repository: VersionedRepository = open_repository(folder / "home", "rai-x")
    ingested = ingest(found, folder, repository, "main", run_id="r")
    assert ingested.accepted, [rule.sentence for rule in ingested.rules]
    assert ingested.rows == len(table)
