"""How the rows stand in a file, told by its first lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from rai_assets.data.inference import Wishes, infer
from rai_assets.data.sniffing import read_names
from rai_assets.errors import InputRefused, UsageError
from rai_assets_tests.data.conftest import look, rows


def test_a_header_is_known_by_the_columns_that_the_user_names(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="columns 1 and 2 have the same name or look the same: 'a' and 'a'"):
        look(tmp_path, rows("a,a,y", "1,2,0", "3,4,1"), target="y")
    found, _ = look(tmp_path, rows("2019,2020,y", "1,2,0", "3,4,1"), target="y")
    assert list(found.columns) == ["2019", "2020", "y"]
    with pytest.raises(UsageError, match="no column 'x'") as refused:
        look(tmp_path, rows("1,2,0", "3,4,1"), target="x")
    assert "the first line looks like data" in refused.value.fix


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        ("a;b\n1,5;2\n", ";"),
        ("a\tb\nx y\tz\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("A11 6\nA12 48\n", " "),
        ("a,b\n1,2\n", ","),
    ],
)
def test_separators_are_found(tmp_path: Path, content: str, separator: str) -> None:
    assert look(tmp_path, content)[0].separator == separator


def test_names_come_as_a_list_or_a_file_and_have_to_fit(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("age\n\nmarital-status\n")
    assert read_names(str(tmp_path / "names.txt")) == ["age", "marital-status"]
    assert read_names("a, b") == ["a", "b"]
    found, _ = look(tmp_path, "1,x\n", columns="a,b")
    assert (found.header, list(found.columns)) == (False, ["a", "b"])
    found, _ = look(tmp_path, "a,b\n1,x\n", columns="a,b")
    assert found.header
    with pytest.raises(UsageError, match="not all of --columns: 'a' in place of 'a2'"):
        look(tmp_path, "a,a,b\n1,2,3\n", columns="a,a2,b")
    with pytest.raises(
        UsageError, match="looks like column names of its own: 'age', 'city'\n  Fix: leave --columns out"
    ):
        look(tmp_path, "age,city\n31,Bern\n?,Basel\n", columns="years,town")
    found, _ = look(tmp_path, "?,Bern\n31,Basel\n", columns="years,town")
    assert not found.header, "a value that is missing is no name"
    with pytest.raises(UsageError, match="3 column names and 2 fields"):
        look(tmp_path, "1,x\n", columns="a,b,c")
    with pytest.raises(UsageError, match="no column names"):
        read_names(" , ")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_encodings_are_found(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("straße,n\nÄ,1\n€,2\n".encode(encoding))
    found, guesses = infer([path], base=tmp_path, wishes=Wishes())
    assert (found.encoding, found.columns["straße"].allowed) == (encoding, ["Ä", "€"])
    assert any(encoding in guess or "UTF-16" in guess for guess in guesses) == (encoding != "utf-8")
