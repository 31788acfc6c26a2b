"""Audits with hardly anything to measure (row 42), and work that is ended in the middle (row 43)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from rai_assets_tests.acceptance.conftest import RAI, environment
from rai_assets_tests.hostile.conftest import Case

HEAD = "age,income,sex,repaid"


def numbers(case: Case, *words: str) -> list[dict]:
    done = case.rai("metrics", "loans", *words, "--format", "json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def bring(case: Case, rows: list[str]) -> None:
    (case.place / "loans.csv").write_text("\n".join([HEAD, *rows]) + "\n")


def each_says_why(found: list[dict]) -> None:
    """No number is silently missing, and none is a NaN that was taken for one."""
    assert found
    for number in found:
        assert number["value"] is not None or number["reason"], number


def test_42_a_single_class_and_a_constant_prediction(case: Case) -> None:
    bring(case, [f"{row % 3 - 50},0,{'FM'[row % 2]},no" for row in range(60)])
    done = case.rai("run", "loans")
    if done.code == 3:
        assert "yes" in done.err and "Fix: " in done.err
        return
    assert done.code == 0, done.err
    found = numbers(case)
    each_says_why(found)
    (area,) = (item for item in found if item["definition"] == "roc_auc@1" and not item["group"])
    assert area["value"] is None and area["reason"]


def test_42_groups_of_one_and_of_none(case: Case) -> None:
    """A group of one row has no rate, and a declared group without rows is not invented."""
    case.declare("allowed: [F, M]", "allowed: [F, M, X, Y]")
    bring(case, [f"{row % 9 - 4},{row % 7 - 3},{'FM'[row % 2]},{'yes' if row % 3 else 'no'}" for row in range(60)])
    lines = (case.place / "loans.csv").read_text().splitlines()
    lines[7] = lines[7].replace(",M,", ",X,").replace(",F,", ",X,")
    (case.place / "loans.csv").write_text("\n".join(lines) + "\n")
    done = case.rai("run", "loans")
    assert done.code == 0, done.err
    found = numbers(case, "--split", "test") + numbers(case, "--by", "sex")
    each_says_why(found)
    alone = [item for item in found if item["group"] == {"sex": "X"} and item["definition"] == "selection_rate@1"]
    assert all(item["value"] is None and "5" in item["reason"] for item in alone)
    assert not [item for item in found if item["group"] == {"sex": "Y"} and item["value"] is not None]


@pytest.mark.nightly
def test_42_a_column_without_values(case: Case) -> None:
    case.declare("income: {role: feature, dtype: number}", "income: {role: feature, dtype: number, missing: allowed}")
    bring(case, [f"{row % 9 - 4},,{'FM'[row % 2]},{'yes' if row % 3 else 'no'}" for row in range(60)])
    done = case.rai("run", "loans")
    assert done.code == 3 and "own.onnx: the model answers NaN or infinity on 30 of 30 rows" in done.err, done.err
    case.declare('model: {onnx: {path: own.onnx, classes: ["no", "yes"]}}', "model: {estimator: decision_tree}")
    done = case.rai("run", "loans")
    assert done.code == 0, done.err
    each_says_why(numbers(case))


@pytest.mark.nightly
def test_42_weights_of_nothing(case: Case) -> None:
    case.declare("sex: {role", "weight: {role: weight, dtype: number}\n      sex: {role")
    rows = [f"{row % 9 - 4},1,0,{'FM'[row % 2]},{'yes' if row % 3 else 'no'}" for row in range(60)]
    (case.place / "loans.csv").write_text("\n".join(["age,income,weight,sex,repaid", *rows]) + "\n")
    done = case.rai("run", "loans")
    if done.code == 0:
        each_says_why(numbers(case))
    else:
        assert done.code == 3 and "weight" in done.err and "Fix: " in done.err, done.err


def test_42_no_rows_at_all(case: Case) -> None:
    bring(case, [])
    case.refused("run loans", "the files have no rows", where="loans.csv")


def test_43_a_run_that_is_killed_leaves_the_store_as_it_was_or_as_it_will_be(case: Case) -> None:
    case.declare("model: {onnx", "model: {threshold: 0.6, onnx")
    before = {name: case.repository.resolve(name) for name in case.repository.branches()}
    with (case.folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            [*RAI, "run", "loans"],
            cwd=case.folder,
            env=environment(case.folder),
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        until = time.monotonic() + 120
        while "model ..." not in (case.folder / "errors").read_text() and time.monotonic() < until:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    after = {name: case.repository.resolve(name) for name in case.repository.branches()}
    assert {name: after[name] for name in ("main", "champion")} == {name: before[name] for name in ("main", "champion")}
    done = case.rai("run", "loans")
    assert done.code == 0, done.err
    each_says_why(numbers(case))


@pytest.mark.nightly
def test_43_a_disk_that_is_full_leaves_the_store_as_it_was(case: Case) -> None:
    """The state lies on a file system with a few KiB left."""
    state, disk = case.folder / ".rai", case.folder / "disk"
    disk.mkdir()
    pages = sum(-(-path.stat().st_size // 4096) + 1 for path in state.rglob("*"))
    size = f"size={pages * 4 + 4000}k"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", disk], capture_output=True).returncode:
        pytest.skip("only root can make a small disk")
    try:
        shutil.copytree(state, disk, dirs_exist_ok=True)
        shutil.rmtree(state)
        state.symlink_to(disk)
        fill(disk)
        heads = {name: case.repository.resolve(name) for name in case.repository.branches()}
        bring(case, [f"{row % 9 - 4},{row % 7},{'FM'[row % 2]},{'yes' if row % 3 else 'no'}" for row in range(60)])
        done = case.rai_apart("run", "loans")
        assert done.code not in (0, 1, 2, 3), done.err
        assert "Traceback" not in done.err
        assert "Fix: " in done.err
        assert "disk is full" in done.err or "space" in done.err, done.err
        assert heads == {name: case.repository.resolve(name) for name in heads}
        (disk / "filler").unlink()
        assert case.rai_apart("run", "loans").code == 0
    finally:
        state.unlink(missing_ok=True)
        subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> None:
    """Leave 40 KiB."""
    left = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(b"\1" * max(left - (40 << 10), 0))
