"""Delimited text: every value comes out as it stands there, or the file is refused with line, cause and fix."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_assets.data.readers import Layout, read_parts
from rai_assets.data.readers.records import blocks
from rai_assets.errors import InputRefused


def rows_of(path: Path, layout: Layout) -> list[tuple[str, ...]]:
    return [row for part in read_parts(path, layout) for row in zip(*part.columns.to_pydict().values(), strict=True)]


def read(
    tmp_path: Path, content: str | bytes, layout: Layout | None = None, name: str = "a.csv"
) -> list[tuple[str, ...]]:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return rows_of(path, layout or Layout("csv"))


def test_nothing_is_coerced(tmp_path: Path) -> None:
    cells = ["00123", "9223372036854775808", "1e400", "NA", "null", "NaN", "", " x ", "TRUE", "0x1F"]
    content = "a,b\n" + "".join(f"{cell},1\n" for cell in cells)
    assert [row[0] for row in read(tmp_path, content)] == cells


def test_quotes_line_ends_blank_lines_and_the_last_line(tmp_path: Path) -> None:
    content = 'a,b\r\n\r\n"x, ""y""\r\nz",2\r\n,\r\n\n3,4'
    assert read(tmp_path, content) == [('x, "y"\r\nz', "2"), ("", ""), ("3", "4")]


def test_lines_are_counted_through_comments_blank_lines_and_quoted_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('# one\na,b\n\n"1\n2",x\n# six, with "a quote\n\n3,y\n4,z\n')
    (part,) = read_parts(path, Layout("csv", comment="#"))
    assert part.columns.to_pydict() == {"a": ["1\n2", "3", "4"], "b": ["x", "y", "z"]}
    assert [part.line_of(row) for row in range(3)] == [4, 8, 9]


def test_a_comment_sign_inside_a_quoted_field_is_text(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,b\n"x\n#y",1\n#z\n', Layout("csv", comment="#")) == [("x\n#y", "1")]


def test_blanks_beside_quotes_are_dropped_where_values_are_trimmed(tmp_path: Path) -> None:
    content = '"a" , "b"\n"x, "" y" ,\t"2" \n'
    assert read(tmp_path, content, Layout("csv", trim=True)) == [('x, " y', "2")]
    with pytest.raises(InputRefused, match="need `trim: true`"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "where", "cause"),
    [
        ("a,b\n1,2\n1,2,3\n", "line 3", "3 fields instead of 2"),
        ("a,b\n\n1\n", "line 3", "1 fields instead of 2"),
        ('a,b\n1,2\n3,"4\n5,6\n', "line 3", "opened and not closed"),
        ('a,b\n1,"2\n3,"4"\n', "line 2", "opened and not closed"),
        ('a,b\n1,2"3"\n', "line 2", "inside a field"),
        ('a,b\n1,"2"3\n', "line 2", "inside a field"),
        ("a,b\n1,\0\n", "line 2", "NUL"),
        (b"a,b\n1,caf\xe9\n", "line 2", "0xE9 is not UTF-8"),
        ("a,b\n1,2\r3,4\n", "line 2", "carriage return"),
        ("a,a\n1,2\n", "a.csv", "columns 1 and 2 have the same name"),
        ("Age,age \n1,2\n", "a.csv", "look the same"),
        ("a,b\u202e\n1,2\n", "a.csv", "U\\+202E"),
        (f"a,{'b' * 10_001}\n1,2\n", "a.csv", "1 to 200 characters"),
        ("", "a.csv", "empty"),
        ("\n\n", "a.csv", "no header"),
        ("a,b\n1," + "x" * (2 << 20) + "\n", "line 2", "2,097,152 bytes"),
        ("a,b\n1," + "x" * (21 << 20) + "\n", "line 2", "a row has more than"),
        (b"PAR1....", "a.csv", "a Parquet file"),
        (b"\x1f\x8b....", "a.csv", "compressed by gzip"),
        ("a,b\n1,2\n".encode("utf-16"), "a.csv", "UTF-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "line 1", "NUL"),
    ],
)
def test_a_faulty_file_is_refused_with_its_line_and_cause(
    tmp_path: Path, content: str | bytes, where: str, cause: str
) -> None:
    with pytest.raises(InputRefused, match=cause) as caught:
        read(tmp_path, content)
    assert where in caught.value.where


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le"])
def test_declared_encodings(tmp_path: Path, encoding: str) -> None:
    content = "naïve;Größe\nÆ;1\n".encode(encoding)
    layout = Layout("csv", separator=";", encoding="utf-8" if encoding == "utf-8-sig" else encoding)
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    (part,) = read_parts(path, layout)
    assert part.columns.to_pydict() == {"naïve": ["Æ"], "Größe": ["1"]}


def test_a_wrong_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="not text in the encoding utf-16"):
        read(tmp_path, b"a,b\n1,2\n1", Layout("csv", encoding="utf-16"))


def test_gzip_in_several_members_and_damaged_gzip(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n")
    assert read(tmp_path, packed, name="a.csv.gz") == [("1", "2"), ("3", "4")]
    for damaged in (packed[:-3], b"a,b\n1,2\n", packed[:20] + b"xx" + packed[22:]):
        with pytest.raises(InputRefused, match="cannot be decompressed"):
            read(tmp_path, damaged, name="a.csv.gz")


def test_a_gzip_bomb_is_refused_early(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n") + 100 * gzip.compress(b"x" * 999_998 + b",1\n"))
    assert path.stat().st_size < 130_000
    with pytest.raises(InputRefused, match="-fold"):
        for _ in read_parts(path, Layout("csv")):
            pass


def test_names_without_a_header_and_a_column_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,2\n")
    for names, expected in ((("x", "y"), ["x", "y"]), (None, ["column_1", "column_2"])):
        (part,) = read_parts(path, Layout("csv", header=False, names=names))
        assert part.columns.schema.names == expected
    path.write_text(",b\n0,1\n")
    (part,) = read_parts(path, Layout("csv"))
    assert part.columns.schema.names == ["unnamed_1", "b"]
    with pytest.raises(InputRefused, match="2 fields instead of 3"):
        rows_of(path, Layout("csv", header=False, names=("x", "y", "z")))


# Anything that a CSV file can hold; a NUL and half a character cannot be in one.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
tables = st.integers(2, 4).flatmap(lambda width: st.lists(st.tuples(*[texts] * width), min_size=1, max_size=12))


@settings(max_examples=80)
@given(rows=tables, separator=st.sampled_from(",;\t| "), end=st.sampled_from(["\n", "\r\n"]), quoting=st.booleans())
def test_what_a_writer_writes_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], separator: str, end: str, quoting: bool
) -> None:
    # Python's writer leaves a carriage return unquoted where lines end in a line feed only.
    lone = any("\r" in cell for row in rows for cell in row)
    style = csv.QUOTE_ALL if quoting or lone else csv.QUOTE_MINIMAL
    text = StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=style).writerows(rows)
    path = tmp_path_factory.getbasetemp() / "round-trip.csv"
    # A byte order mark at the very beginning of a file belongs to the encoding, not to the text.
    path.write_bytes(("\ufeff" + text.getvalue()).encode())
    names = tuple(f"c{at}" for at in range(len(rows[0])))
    assert rows_of(path, Layout("csv", header=False, names=names, separator=separator)) == rows


@settings(max_examples=80)
@given(content=st.text(alphabet='ab,"\n\r #', max_size=60))
def test_any_text_is_either_read_as_python_reads_it_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content.encode())
    try:
        rows = rows_of(path, Layout("csv", header=False, names=("x", "y")))
    except InputRefused as refused:
        assert refused.where.startswith("any.csv")
        assert refused.what
    else:
        assert [list(row) for row in rows] == [
            row for row in csv.reader(StringIO(content, newline=""), strict=True) if row
        ]


@settings(max_examples=60)
@given(rows=tables, cuts=st.lists(st.integers(0, 400), max_size=8))
def test_blocks_do_not_depend_on_how_the_bytes_arrive(rows: list[tuple[str, ...]], cuts: list[int]) -> None:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    data = text.getvalue().encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})

    def pieces() -> Iterator[bytes]:
        yield from (data[start:end] for start, end in pairwise(places))

    found = list(blocks(pieces(), ",", None, "x", trim=False))
    assert b"".join(block.data for block in found).removesuffix(b"\n") == data.removesuffix(b"\n")
    lines = 1
    for block in found:
        assert block.first_line == lines
        assert block.data.endswith(b"\n")
        lines += block.data.count(b"\n")
