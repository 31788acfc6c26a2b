"""`rai` from a user's folder: what it prints, how it ends, and what it says to a wrong word."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rai_assets_tests.acceptance.conftest import RAI
from rai_assets_tests.store.lakefs_server import free_port
from rai_assets_tests.use_case.conftest import DECLARATION, put_loans


def rai(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RAI, *words], cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `loans` was run; a requirement in it fails."""
    folder = tmp_path_factory.mktemp("work")
    put_loans(folder / "defs", DECLARATION.replace(", blocking: false", ""))
    done = rai(folder, "run", "loans")
    assert done.returncode == 1, done.stderr
    assert "R3  fail" in done.stdout
    assert "Requirements: fail" in done.stdout
    assert "fairness_audit ..." in done.stderr, "progress goes to the other stream"
    return folder


def test_metrics_are_json_objects_with_all_fields(audited: Path) -> None:
    done = rai(audited, "metrics", "loans", "--definition", "selection_rate", "--by", "sex", "--format", "json")
    assert done.returncode == 0, done.stderr
    numbers = json.loads(done.stdout)
    assert {number["group"]["sex"] for number in numbers} == {"F", "M"}
    assert list(numbers[0]) == [
        "definition", "value", "low", "high", "level", "n", "small", "group", "coordinates", "reference", "cohort",
        "split", "unit", "reason", "branch", "commit", "model", "address",
    ]  # fmt: skip
    assert all(number["low"] <= number["value"] <= number["high"] for number in numbers)


def test_metrics_as_table_and_csv_hold_the_same_numbers(audited: Path) -> None:
    words = ("metrics", "loans", "--definition", "accuracy@1")
    rows = list(csv.DictReader(io.StringIO(rai(audited, *words, "--format", "csv").stdout)))
    table = rai(audited, *words).stdout
    assert rows
    for row in rows:
        assert f"{float(row['value']):.6g}" in table


def test_the_training_rows_are_there_on_request(audited: Path) -> None:
    words = ("metrics", "loans", "--definition", "accuracy", "--format", "json")
    audited_rows = json.loads(rai(audited, *words).stdout)
    training = json.loads(rai(audited, *words, "--split", "train").stdout)
    assert {number["split"] for number in audited_rows} == {"test"}
    assert {number["split"] for number in training} == {"train"}


def test_a_number_leads_back_to_its_files(audited: Path) -> None:
    (first, *_) = json.loads(rai(audited, "metrics", "loans", "--definition", "accuracy", "--format", "json").stdout)
    done = rai(audited, "explain-number", first["address"])
    assert done.returncode == 0, done.stderr
    for part in (first["commit"], first["model"], "loans.csv", "(tp + tn)", "sha256"):
        assert part in done.stdout


def test_the_report_is_one_file_and_names_the_commit_of_the_addresses(audited: Path) -> None:
    done = rai(audited, "report", "loans", "--output", "page.html")
    assert done.returncode == 0, done.stderr
    page = (audited / "page.html").read_text()
    assert "Small loans" in page
    (number, *_) = json.loads(rai(audited, "metrics", "loans", "--definition", "accuracy", "--format", "json").stdout)
    assert number["address"].partition("@")[2].partition(":")[0] in page


def test_a_number_of_a_feature_is_explained_with_its_place(audited: Path) -> None:
    words = ("metrics", "loans", "--definition", "demographic_parity_difference", "--format", "json")
    (number, *_) = json.loads(rai(audited, *words).stdout)
    assert number["coordinates"] == {"sensitive": "sex"}
    told = rai(audited, "explain-number", number["address"]).stdout
    (rows,) = [line for line in told.splitlines() if line.startswith("rows")]
    assert "sensitive=sex" in rows and "{" not in rows


def test_a_taken_port_is_refused_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = rai(tmp_path, "dev", "--port", str(port))
    assert done.returncode == 2
    assert f"127.0.0.1:{port}: Address already in use\n  Fix: " in done.stderr
    assert not (tmp_path / ".rai").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says which signals a process ignores")
def test_the_pages_can_be_ended_when_a_script_started_them(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [*RAI, "dev", "--port", str(free_port())],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    facts = Path(f"/proc/{server.pid}")
    try:
        until = time.monotonic() + 60
        while b"dagster" not in (facts / "cmdline").read_bytes():
            assert time.monotonic() < until
            time.sleep(0.02)
        (ignored,) = re.findall(r"^SigIgn:\s*(\w+)", (facts / "status").read_text(), re.MULTILINE)
        assert not int(ignored, 16) >> signal.SIGINT - 1 & 1
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_list_and_validate(audited: Path) -> None:
    use_case, main = rai(audited, "list").stdout.splitlines()
    assert use_case.startswith("loans  no champion  (")
    assert main.endswith("  audited  requirements: fail  head: gated")
    assert "loans is valid" in rai(audited, "validate").stdout


def test_doctor_finds_nothing_missing(audited: Path) -> None:
    done = rai(audited, "doctor")
    assert done.returncode == 0, done.stdout
    assert "free disk" in done.stdout


def test_doctor_says_what_is_for_one_host(tmp_path: Path) -> None:
    said = rai(tmp_path, "doctor").stdout
    assert "embedded, in" in said and "for one host (several share a lakeFS server)" in said
    assert "SQLite, in" in said and "for one host (several share PostgreSQL)" in said

    settings = tmp_path / ".rai" / "dagster" / "dagster.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("storage: {postgres: {postgres_url: {env: DAGSTER_POSTGRES_URL}}}\n")
    assert f"Dagster's records: PostgreSQL, as {settings} says" in rai(tmp_path, "doctor").stdout
    settings.write_text("storage: [")
    done = rai(tmp_path, "doctor")
    assert done.returncode == 4 and f"{settings}: Dagster's settings cannot be read" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", "laons"), 2, "there is no use case 'laons'"),
        (("metrics", "laons"), 2, "did you mean loans?"),
        (("metrics", "zzz"), 2, "there are loans"),
        (("run",), 2, "Missing argument 'NAME'"),
        (("metrics", "loans", "--by", "age"), 2, "Fix: --by takes one of: sex"),
        (("metrics", "loans", "--by", "SEX"), 2, "did you mean sex? --by takes one of: sex"),
        (("metrics", "loans", "--definition", "accuracy", "--by", "sxe"), 2, "did you mean sex?"),
        (("metrics", "loans", "--definition", "additivity_residual", "--by", "sex"), 2, "leave out --by"),
        (("metrics", "loans", "--definition", "accuracy@2"), 2, "there is accuracy@1"),
        (("metrics", "loans", "--definition", "ACCURACY"), 2, "did you mean accuracy, "),
        (("metrics", "loans", "--definition", "acuracy"), 2, "did you mean accuracy, "),
        (("metrics", "loans", "--definition", "false_positiv_rat*"), 2, "did you mean false_positive_rate"),
        (("metrics", "loans", "--definition", "xyzzy"), 2, "without --definition shows what there is"),
        (("metrics", "loans", "--format", "xml"), 2, "xml"),
        (("dev", "--port", "99999"), 2, "--port"),
        (
            ("report", "loans", "--from", "2026-02-30"),
            2,
            "'--from': '2026-02-30' does not match the formats 'YYYY-MM-DD'",
        ),
        (("metrics", "loans", "--batch", "b", "--branch", "trial"), 2, "--batch and --branch are two places"),
        (("report", "loans", "--production", "--branch", "trial"), 2, "--production and --branch are two places"),
        (("metrics", "loans", "--split", "tset"), 2, "did you mean test? splits: test, train"),
        (("explain-number", "loans"), 2, "is not the address of a number"),
        (("explain-number", "loans@abcdef12:evaluation#accuracy@1"), 2, "abcdef12"),
        (("report", "loans", "--branch", "trial"), 2, "loans has no data branch 'trial'"),
        (("init", "Bad Name", "--data", "x.csv", "--target", "y"), 2, "Bad Name"),
        (("init", "other", "--data", "nowhere.csv", "--target", "y"), 3, "nowhere.csv"),
        (("init", "other", "--data", "defs/loans/loans.csv"), 2, "a model needs the column of the true outcome"),
        (("init", "loans", "--data", "defs/loans/loans.csv", "--target", "repaid"), 2, "exists"),
    ],
)
def test_a_wrong_word_gets_a_sentence_and_a_code(audited: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = rai(audited, *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_teaches(tmp_path: Path) -> None:
    assert "Exit codes" in rai(tmp_path, "--help").stdout
    assert "Example: rai init adult" in " ".join(rai(tmp_path, "init", "--help").stdout.split())
