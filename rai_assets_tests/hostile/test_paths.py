"""Names that are paths, and paths that lead elsewhere: row 34; nothing outside the folder is touched or read."""

from __future__ import annotations

import json
import os

import pytest

from rai_assets_tests.hostile.conftest import Case

CLIMBING = [
    "../../secret",
    "%2e%2e%2fsecret",
    "%252e%252e/secret",
    "..\\secret",
    "C:\\secret",
    "x" * 5000,
    "/etc/passwd",
]


@pytest.mark.parametrize("name", CLIMBING)
def test_34_names_of_use_cases_branches_and_addresses(case: Case, name: str) -> None:
    above = sorted(item.name for item in case.folder.parent.iterdir())
    case.refused(f"init {name} --data defs/loans/loans.csv --target repaid", "is no name of a use case", code=2)
    case.refused(f"run {name}", "there is no use case", code=2)
    case.refused(f"run loans --branch {name}", "no data branch", code=2)
    for address in (f"{name}@{'a' * 40}:evaluation#accuracy@1", f"loans@{name}:evaluation#accuracy@1"):
        before = case.state()
        done = case.rai("explain-number", address)
        assert done.code in (2, 4) and "Traceback" not in done.err and len(done.err) < 12_000
        assert case.state() == before
    assert sorted(item.name for item in case.folder.parent.iterdir()) == above


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "..\\secret", "sub/../../secret"])
def test_34_a_model_outside_its_folder(case: Case, path: str) -> None:
    case.declare("path: own.onnx", f"path: {json.dumps(path)}")
    says = "there is no such model file" if "\\" in path else "outside the use case's folder"
    case.refused("run loans", says)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
def test_34_a_model_whose_path_is_none(case: Case, path: str) -> None:
    case.declare("path: own.onnx", f"path: {json.dumps(path)}")
    case.refused("run loans", "not the name of a model file")


def test_34_a_linked_folder_does_not_lead_out(case: Case) -> None:
    (case.folder / "elsewhere").mkdir()
    (case.place / "own.onnx").rename(case.folder / "elsewhere" / "own.onnx")
    (case.place / "sub").symlink_to(case.folder / "elsewhere")
    case.declare("path: own.onnx", "path: sub/own.onnx")
    case.refused("run loans", "outside the use case's folder")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("file:///etc/passwd", "addresses are not read"),
        ("http://169.254.169.254/latest", "addresses are not read"),
        ("s3://bucket/key.csv", "addresses are not read"),
        ("nowhere.csv", "there is no such file"),
        ("a\0b.csv", "not the name of a file"),
        (".", "not a regular file"),
        ("pipe.csv", "not a regular file"),
        ("circle.csv", "cannot be reached"),
        ("n" * 300 + ".csv", "cannot be reached"),
    ],
    ids=["file", "http", "s3", "nowhere", "NUL", "folder", "pipe", "circle", "long"],
)
def test_34_data_that_is_no_file(case: Case, path: str, says: str) -> None:
    os.mkfifo(case.place / "pipe.csv")
    (case.place / "circle.csv").symlink_to("circle.csv")
    case.declare("path: loans.csv", f"path: {json.dumps(path)}, split: test")
    case.declare("files: [", "files: [{path: loans.csv, split: train}, ")
    case.declare("    split: {by: fraction, test: 0.5}\n", "")
    case.declare("    columns:", "    format: csv\n    columns:")
    try:
        case.refused("run loans", says)
    finally:
        (case.place / "pipe.csv").unlink()


def test_34_a_device_is_no_data(case: Case) -> None:
    case.refused("init new --data /dev/zero --target a", "not a regular file", where="/dev/zero")
    case.refused("init new --data /proc/self/environ --target a", where="environ")
