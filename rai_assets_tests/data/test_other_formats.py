"""Parquet, JSON lines and workbooks; and what is refused because it is none of them."""

from __future__ import annotations

import datetime
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from rai_assets.data.readers import Layout, format_of, read_parts, separator_of
from rai_assets.errors import InputRefused


def read(path: Path, layout: Layout) -> pa.Table:
    return pa.Table.from_batches([part.columns for part in read_parts(path, layout)])


@pytest.mark.parametrize(
    ("path", "found"),
    [("a.csv", "csv"), ("a.CSV.gz", "csv"), ("adult.data.gz", "csv"), ("a.tsv", "csv"), ("a.pq", "parquet"),
     ("x.parquet", "parquet"), ("a.jsonl.gz", "jsonl"), ("a.ndjson", "jsonl"), ("a.xlsx", "excel")],
)  # fmt: skip
def test_the_extension_tells_the_format(path: str, found: str) -> None:
    assert format_of(path) == found


@pytest.mark.parametrize(
    ("path", "fix"),
    [("a.feather", "write the data as Parquet"), ("a.arrow", "write the data as Parquet"), ("a.ipc.gz", "as Parquet"),
     ("a.json", "name the file .jsonl"), ("a.pkl", "CSV or Parquet"), ("a.xls", "save the sheet"), ("a.zip", "unpack"),
     ("a.parquet.gz", "unpack the .gz"), ("a.weird", "declare `format"), ("a", "declare `format")],
)  # fmt: skip
def test_other_extensions_are_refused_with_a_way_out(path: str, fix: str) -> None:
    with pytest.raises(InputRefused) as caught:
        format_of(path)
    assert fix in caught.value.fix


def test_a_declared_format_wins_over_an_unknown_extension_and_not_over_a_refused_one() -> None:
    assert format_of("a.weird", "csv") == "csv"
    with pytest.raises(InputRefused):
        format_of("a.feather", "parquet")


def test_tabs_separate_tsv_unless_declared() -> None:
    assert [separator_of("a.tsv.gz", None), separator_of("a.csv", None), separator_of("a.tsv", ";")] == ["\t", ",", ";"]


class TestParquet:
    def test_types_and_missing_values_are_kept_and_strings_are_codes(self, tmp_path: Path) -> None:
        table = pa.table({"s": ["00123", None, "b"], "i": [1, None, 2**62], "f": [0.1, None, float("nan")]})
        parquet.write_table(table, tmp_path / "a.parquet")
        found = read(tmp_path / "a.parquet", Layout("parquet"))
        assert pa.types.is_dictionary(found.schema.field("s").type)
        assert found.column("s").to_pylist() == ["00123", None, "b"]
        assert found.column("i").to_pylist() == [1, None, 2**62]

    def test_a_dictionary_bomb_is_refused_before_it_is_decoded(self, tmp_path: Path) -> None:
        # 5 kB that would be 20 GB of text: one long value, two million times.
        codes = pa.array([0] * 100_000, pa.int32())
        column = pa.DictionaryArray.from_arrays(codes, pa.array(["x" * 1_000_000]))
        with parquet.ParquetWriter(tmp_path / "a.parquet", pa.schema([("s", column.type)]), compression="zstd") as out:
            for _ in range(20):
                out.write_table(pa.table({"s": column}))
        assert (tmp_path / "a.parquet").stat().st_size < 50_000
        with pytest.raises(InputRefused, match="decode to") as caught:
            read(tmp_path / "a.parquet", Layout("parquet"))
        assert "rows 1 to 8,192" in caught.value.where

    def test_a_bomb_of_small_values_is_refused_by_its_ratio(self, tmp_path: Path) -> None:
        column = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 10_000]))
        parquet.write_table(pa.table({"s": column}), tmp_path / "a.parquet")
        with pytest.raises(InputRefused, match="-fold"):
            read(tmp_path / "a.parquet", Layout("parquet"))

    def test_many_equal_rows_are_no_bomb(self, tmp_path: Path) -> None:
        column = pa.DictionaryArray.from_arrays(pa.array([0] * 300_000, pa.int32()), pa.array(["United-States"]))
        parquet.write_table(pa.table({"s": column}), tmp_path / "a.parquet")
        assert sum(part.columns.num_rows for part in read_parts(tmp_path / "a.parquet", Layout("parquet"))) == 300_000

    @pytest.mark.parametrize(
        ("column", "sentence"),
        [
            (pa.array([[1]]), "not single values"),
            (pa.array([{"a": 1}]), "not single values"),
            (pa.array([b"\xff"]), "not UTF-8"),
            (pa.array(["a\0"]), "NUL"),
            (pa.array(["x" * (1 << 21)]), "2,097,152 bytes"),
        ],
    )
    def test_what_is_no_plain_value_is_refused(self, tmp_path: Path, column: pa.Array, sentence: str) -> None:
        parquet.write_table(pa.table({"c": column}), tmp_path / "a.parquet")
        with pytest.raises(InputRefused, match=sentence) as caught:
            read(tmp_path / "a.parquet", Layout("parquet"))
        assert "column 'c'" in caught.value.where

    @pytest.mark.parametrize(
        "damage", [lambda b: b"", lambda b: b[:-20], lambda b: b[: len(b) // 2] + b[-8:], lambda b: b"PAR1" * 9]
    )
    def test_a_damaged_file_is_refused(self, tmp_path: Path, damage: Any) -> None:
        parquet.write_table(pa.table({"a": list(range(1000))}), tmp_path / "a.parquet")
        whole = (tmp_path / "a.parquet").read_bytes()
        (tmp_path / "a.parquet").write_bytes(damage(whole))
        with pytest.raises(InputRefused, match="not readable Parquet"):
            read(tmp_path / "a.parquet", Layout("parquet"))


class TestJsonLines:
    def read(self, tmp_path: Path, content: str) -> pa.Table:
        (tmp_path / "a.jsonl").write_text(content)
        return read(tmp_path / "a.jsonl", Layout("jsonl"))

    def test_every_scalar_keeps_its_spelling(self, tmp_path: Path) -> None:
        big = "9" * 5000
        rows = [
            '{"a": "00123", "b": 1.10, "c": true}',
            '{"a": null, "b": 1e400, "c": ""}',
            "",
            f'{{"c": NaN, "b": {big}}}',
        ]
        assert self.read(tmp_path, "\n".join(rows)).to_pydict() == {
            "a": ["00123", None, None],
            "b": ["1.10", "1e400", big],
            "c": ["true", "", "NaN"],
        }

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            ("[1]", "not a JSON object"),
            ('{"a": 1', "not JSON"),
            ('{"a": [1]}', "is a list"),
            ('{"a": {"b": 1}}', "is an object"),
            ('{"a": 1, "a": 2}', "stands twice"),
            ('{"b": 1}', "not among those of the first object"),
            ('{"a": "\\u0000"}', "NUL"),
            ('{"a": "\\ud800"}', "half a character"),
            ('{"a": ' + "[" * 100_000 + "}", "nested too deep|not JSON"),
            ('{"a": "' + "x" * (2 << 20) + '"}', "at most 1,048,576"),
        ],
    )
    def test_a_faulty_line_is_refused_by_number(self, tmp_path: Path, line: str, sentence: str) -> None:
        with pytest.raises(InputRefused, match=sentence) as caught:
            self.read(tmp_path, '{"a": 1}\n\n' + line + "\n")
        assert "a.jsonl, line 3" in caught.value.where

    def test_a_file_without_rows_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputRefused, match="no rows"):
            self.read(tmp_path, "\n\n")

    @settings(max_examples=50)
    @given(
        rows=st.lists(
            st.fixed_dictionaries(
                {
                    "a": st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
                    "b": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
                }
            ),
            min_size=1,
        )
    )
    def test_what_a_writer_writes_comes_back(
        self, tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "round.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), newline="")
        found = read(path, Layout("jsonl")).to_pydict()
        assert found["a"] == [row["a"] for row in rows]
        assert [float(text) for text in found["b"]] == [float(row["b"]) for row in rows]


class TestWorkbooks:
    def write(self, path: Path, rows: list[list[Any]]) -> None:
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)

    def test_values_become_texts_and_empty_cells_are_missing(self, tmp_path: Path) -> None:
        when = datetime.datetime(2024, 5, 31, 12, 30)  # noqa: DTZ001
        self.write(
            tmp_path / "a.xlsx",
            [["a", "b", "c"], ["00123", 1, 0.1], [], [None, when, True], [datetime.date(2024, 1, 2)]],
        )
        found = read(tmp_path / "a.xlsx", Layout("excel"))
        assert found.to_pydict() == {
            "a": ["00123", None, "2024-01-02"],
            "b": ["1", "2024-05-31T12:30:00", None],
            "c": ["0.1", "true", None],
        }

    @pytest.mark.parametrize(
        ("rows", "sentence"),
        [
            ([["a", "b"], [1, 2, 3]], "more than the 2 cells"),
            ([["a", "a"], [1, 2]], "same name"),
            ([], "empty"),
            ([["a"], ["x" * 30_000 + "\u00e9"], ["#DIV/0!"]], "holds the error"),
        ],
    )
    def test_a_faulty_sheet_is_refused(self, tmp_path: Path, rows: list[list[Any]], sentence: str) -> None:
        self.write(tmp_path / "a.xlsx", rows)
        with pytest.raises(InputRefused, match=sentence):
            read(tmp_path / "a.xlsx", Layout("excel"))

    def test_a_file_that_is_no_workbook_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.xlsx").write_bytes(b"a,b\n1,2\n")
        with pytest.raises(InputRefused, match="not a readable workbook"):
            read(tmp_path / "a.xlsx", Layout("excel"))
        with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
            archive.writestr("hello.txt", "no sheets")
        with pytest.raises(InputRefused, match="not a readable workbook"):
            read(tmp_path / "a.xlsx", Layout("excel"))

    def test_an_archive_that_expands_too_much_is_refused_unopened(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
            archive.writestr("[Content_Types].xml", "x")
        data = bytearray((tmp_path / "a.xlsx").read_bytes())
        # The directory entry of the archive says how big the part is when unpacked.
        entry = data.rfind(b"PK\x01\x02")
        data[entry + 24 : entry + 28] = (4_000_000_000).to_bytes(4, "little")
        (tmp_path / "a.xlsx").write_bytes(bytes(data))
        with pytest.raises(InputRefused, match="-fold"):
            read(tmp_path / "a.xlsx", Layout("excel"))
