"""Tables that fill the memory, are damaged, or have two readings: rows 15 to 21, 23 and 26."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from rai_assets.data.dataset import Dataset
from rai_assets_tests.hostile import bombs
from rai_assets_tests.hostile.conftest import Case, loan_rows

MEASURED = """
import sys
from rai_assets.cli import main
sys.argv = ["rai", "init", "bomb", "--data", sys.argv[1], "--target", "a"]
try:
    main()
finally:
    # Of this process alone: the usual figure begins with the process that started it.
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_of_init(case: Case, path: Path) -> tuple[str, int]:
    """What `rai init` says of a file that it refuses, and the MiB that its own process took."""
    import subprocess

    command = [sys.executable, "-c", MEASURED, str(path)]
    done = subprocess.run(command, cwd=case.folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 3, done.stderr
    assert not (case.folder / "defs" / "bomb").exists()
    return done.stderr, int(done.stdout.split("VmHWM:")[1].split()[0]) >> 10


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (bombs.dictionary, "decode to 1,638,408,192 bytes"),
        (bombs.fixed_width, "decode to more than 2,048 MiB"),
        (bombs.nothing, "over 500-fold"),
    ],
)
def test_15_a_small_parquet_file_that_decodes_to_very_much(case: Case, make: Callable[[Path], Path], says: str) -> None:
    path = make(case.folder / "bomb.parquet")
    assert path.stat().st_size < 2_000_000
    said, peak = peak_of_init(case, path)
    assert says in said and "bomb.parquet" in said and "Fix: " in said
    assert peak < 250


@pytest.mark.nightly
@pytest.mark.parametrize("make", [bombs.page, bombs.deltas])
def test_15_a_value_that_only_decoding_shows(case: Case, make: Callable[[Path], Path]) -> None:
    """Gigabytes are decoded, in a process that ends at its limit; ours stays small."""
    path = make(case.folder / "bomb.parquet")
    assert path.stat().st_size < 200_000
    said, peak = peak_of_init(case, path)
    assert "decode to more than 2,048 MiB" in said or "the value has" in said or "more bytes" in said
    assert peak < 250


def test_15_a_bomb_under_a_declared_use_case(case: Case) -> None:
    bombs.dictionary(case.place / "loans.parquet")
    case.declare("loans.csv", "loans.parquet")
    case.refused("run loans", "decode to 1,638,408,192 bytes", where="loans.parquet, rows 1 to 8,192")


def _whole() -> bytes:
    rows = pa.table({name: ["1"] * 500 for name in ("age", "income", "sex", "repaid")})
    out = io.BytesIO()
    parquet.write_table(rows, out)
    return out.getvalue()


@pytest.mark.parametrize("data", [b"", _whole()[:-100], b"PAR1" * 5], ids=["empty", "cut", "fake"])
def test_16_damaged_parquet(case: Case, data: bytes) -> None:
    (case.place / "loans.parquet").write_bytes(data)
    case.declare("loans.csv", "loans.parquet")
    case.refused("run loans", "not readable Parquet", where="loans.parquet")


def test_16_parquet_with_a_flipped_byte_in_every_place(case: Case) -> None:
    """Decoded in a process of its own, so that whatever the decoder does to itself is one sentence for us."""
    from rai_assets.data.readers import Layout, read_parts
    from rai_assets.errors import InputRefused

    whole, path = bytearray(_whole()), case.folder / "flipped.parquet"
    for place in range(40, len(whole), len(whole) // 6):
        damaged = whole.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            for part in read_parts(path, Layout("parquet")):
                part.columns.validate(full=True)
        except InputRefused as refused:
            assert "flipped.parquet" in refused.where


def test_17_arrow_and_feather_files(case: Case) -> None:
    table = pa.table({"a": ["1"]})
    feather.write_feather(table, case.folder / "a.feather")
    with pa.ipc.new_file(case.folder / "a.arrow", table.schema) as file:
        file.write_table(table)
    (case.folder / "hidden.csv").write_bytes((case.folder / "a.arrow").read_bytes())
    for name in ("a.feather", "a.arrow", "hidden.csv"):
        case.refused(f"init new --data {name} --target a", "write the data as Parquet", where=name)


@pytest.mark.parametrize(
    ("text", "says"),
    [("a,b\n1,2,3\n", "the row has 3 fields instead of 2"), ("a,b\n1,2\n3\n", "the row has 1 fields instead of 2")],
)
def test_18_ragged_rows(case: Case, text: str, says: str) -> None:
    (case.folder / "ragged.csv").write_text(text)
    line = len(text.splitlines())
    case.refused("init new --data ragged.csv --target b", says, where=f"ragged.csv, line {line}")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a", "a"], "'a' and 'a'"),
        (["Straße", "STRASSE"], "look the same"),
        (["ﬁne", "fine"], "look the same"),
        (["a", "x" * 10_000], "1 to 200 characters"),
        (["a", "b\u202ec"], "invisible character U+202E"),
        (["a", "b\nc"], "invisible character U+000A"),
        (["a", "b\0c"], "NUL"),
    ],
)
def test_19_column_names_that_people_cannot_tell_apart(case: Case, names: list[str], says: str) -> None:
    with (case.folder / "names.csv").open("w", newline="") as file:
        csv.writer(file).writerows([names, ["1", "2"], ["2", "1"]])
    case.refused("init new --data names.csv --target a", says, where="names.csv")
    if "\0" not in names[1]:
        arrays = [pa.array(["1", "2"]), pa.array(["2", "1"])]
        parquet.write_table(pa.Table.from_arrays(arrays, names=names), case.folder / "names.parquet")
        case.refused("init new --data names.parquet --target a", says, where="names.parquet")


def test_19_strange_names_that_are_only_names(case: Case) -> None:
    names = ["__proto__", "", "constructor", "=1+1", "../x", "a.b", "{{7*7}}", "yes", "null", "1.10", "#"]
    with (case.folder / "names.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [names, *[[str((row + 1) * (place + 2) % 7) for place in range(11)] for row in range(60)]]
        )
    assert case.rai("init", "strange", "--data", "names.csv", "--target", "__proto__").code == 0
    done = case.rai("run", "strange", "--only", "dataset")
    assert done.code == 0, done.err
    stored = stored_table(case, "strange")
    assert stored.column_names == ["__proto__", "unnamed_2", *names[2:]]


def stored_table(case: Case, name: str) -> pa.Table:
    from rai_assets.keys import repository_name
    from rai_assets.store.open import open_repository

    return Dataset(open_repository(case.folder / ".rai", repository_name(name), create=False), "main").table()


def test_20_values_that_other_readers_bend(case: Case) -> None:
    rows = [("00123", str(2**63), "1e400", "NA"), ("00124", "1", "2.5", "null"), ("007", "2", "nan", "NaN")]
    with (case.folder / "odd.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("code", "big", "huge", "country", "y")] + [(*row, i % 2) for i, row in enumerate(rows)]
        )
    declared = """\
type: rai_assets.use_case.component.ResponsibleAIUseCase
attributes:
  name: odd
  dataset:
    files: [{path: ../../odd.csv}]
    columns:
      code: {dtype: category}
      big: {dtype: %s}
      huge: {dtype: %s}
      country: {dtype: category}
      y: {role: target, dtype: integer, positive: 1}
  model: {estimator: logistic_regression}
"""
    place = case.folder / "defs" / "odd" / "defs.yaml"
    place.parent.mkdir()
    place.write_text(declared % ("integer", "number"))
    done = case.rai("run", "odd", "--only", "dataset")
    assert done.code == 3
    assert "a whole number of at most 64 bits" in done.err and "9223372036854775808" in done.err
    assert "a finite number" in done.err and "1e400" in done.err and "row 1 (line 2)" in done.err
    place.write_text(declared % ("category", "category"))
    assert case.rai("run", "odd", "--only", "dataset").code == 0
    table = stored_table(case, "odd")
    assert [tuple(row.values())[:4] for row in table.to_pylist()] == rows


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (loan_rows().encode("utf-16"), "declare `encoding: utf-16`"),
        (loan_rows().replace("F", "É").encode("latin-1"), "`encoding: latin-1`"),
        (loan_rows().replace("F", "\0", 1).encode(), "NUL byte"),
        (loan_rows().replace("F", '"F', 1).encode(), "opened and not closed"),
        (loan_rows().replace("F", "F" * 10_000_000, 1).encode(), "a value has at most 1,048,576"),
        (gzip.compress(b"age,income\n") * 2 + gzip.compress(b"x" * 200_000_000), "gzip"),
    ],
    ids=["utf-16", "latin-1", "NUL", "quote", "10 MB", "gzip"],
)
def test_21_text_in_another_form_than_declared(case: Case, data: bytes, says: str) -> None:
    (case.place / "loans.csv").write_bytes(data)
    case.refused("run loans", says, where="loans.csv")


def test_21_another_separator_than_declared(case: Case) -> None:
    """Rows that can be read but break the contract stay on a branch of their own; what is published stands."""
    published = case.repository.resolve("main")
    (case.place / "loans.csv").write_text(loan_rows().replace(",", ";"))
    done = case.rai("run", "loans")
    assert done.code == 3
    assert "the only column found; check `separator`" in done.err and "Fix: " in done.err
    assert case.repository.resolve("main") == published


@pytest.mark.nightly
def test_21_text_in_other_forms_is_found_out_by_init(case: Case) -> None:
    forms = {
        "utf-16": loan_rows().encode("utf-16"),
        "bom": b"\xef\xbb\xbf" + loan_rows().encode(),
        "latin-1": loan_rows().replace("F", "É").encode("latin-1"),
        "semicolons": loan_rows().replace(",", ";").encode(),
    }
    expected = list(csv.reader(io.StringIO(loan_rows())))[1:]
    for name, data in forms.items():
        (case.folder / "forms.csv").write_bytes(data)
        assert case.rai("init", f"form_{len(name)}", "--data", "forms.csv", "--target", "repaid").code == 0
        done = case.rai("run", f"form_{len(name)}", "--only", "dataset")
        assert done.code == 0, done.err
        stored = stored_table(case, f"form_{len(name)}").to_pylist()
        assert [(row["age"], row["repaid"]) for row in stored] == [(float(row[0]), row[3]) for row in expected]
        assert {row["sex"] for row in stored} == ({"É", "M"} if name == "latin-1" else {"F", "M"})


@pytest.mark.parametrize(
    ("make", "says"), [(bombs.workbook, "500-fold"), (bombs.many_parts, "20,000 parts")], ids=["bomb", "parts"]
)
def test_23_workbooks_that_are_bombs(case: Case, make: Callable[[Path], Path], says: str) -> None:
    make(case.folder / "book.xlsx")
    case.refused("init new --data book.xlsx --target a", says, where="book.xlsx")


def test_23_a_gzip_bomb(case: Case) -> None:
    bomb = gzip.compress(b"a,b\n") + 150 * gzip.compress(b"1,2\n" * 250_000)
    (case.folder / "bomb.csv.gz").write_bytes(bomb)
    case.refused("init new --data bomb.csv.gz --target a", "-fold", where="bomb.csv.gz")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "not JSON: nested too deep"),
        ('{"a": {"b": 1}}', "is an object"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ('{"a": "\\ud800"}', "half a character"),
    ],
    ids=["deep", "nested", "twice", "surrogate"],
)
def test_26_json_that_is_no_row(case: Case, line: str, says: str) -> None:
    (case.folder / "rows.jsonl").write_text('{"a": 1}\n' + line + "\n")
    case.refused("init new --data rows.jsonl --target a", says, where="rows.jsonl, line 2")


def test_26_numbers_that_json_or_python_cannot_hold(case: Case) -> None:
    lines = [json.dumps({"age": 1, "income": 2, "sex": "F", "repaid": "yes"})] * 30
    for text in ("NaN", "Infinity", "-Infinity", "9" * 5000):
        (case.place / "loans.jsonl").write_text("\n".join([*lines, lines[0].replace("1", text, 1)]))
        case.declare("path: loans", "path: loans") if text != "NaN" else case.declare("loans.csv", "loans.jsonl")
        done = case.rai("run", "loans")
        assert done.code == 3, done.err
        assert f"{text[:20]}" in done.err and "a finite number" in done.err and "row 31" in done.err
        assert len(done.err) < 2000
