"""Every declared path goes through one door, and only regular files come out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rai_assets.data.paths import resolve
from rai_assets.errors import InputRefused


def test_relative_and_absolute_paths_name_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    file = tmp_path / "data with blank.csv"
    file.write_text("a\n")
    assert resolve(tmp_path, "data with blank.csv") == file
    assert resolve(tmp_path / "sub", "../data with blank.csv") == file
    assert resolve(Path("/"), str(file)) == file


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("https://example.com/a.csv", "addresses are not read"),
        ("s3://bucket/a.csv", "addresses are not read"),
        ("file:///etc/passwd", "addresses are not read"),
        ("a\0b", "not the name of a file"),
        ("x" * 5000, "not the name of a file"),
        ("x" * 300, "cannot be reached"),
        ("none.csv", "no such file"),
        (".", "not a regular file"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path: Path, path: str, sentence: str) -> None:
    with pytest.raises(InputRefused, match=sentence):
        resolve(tmp_path, path)


def test_a_pipe_a_device_and_a_loop_of_links_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    for name in ("pipe", "/dev/zero", "one"):
        with pytest.raises(InputRefused):
            resolve(tmp_path, name)
