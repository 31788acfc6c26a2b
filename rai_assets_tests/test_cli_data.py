"""The commands about data, from a user's folder: what they print, how they end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from rai_assets_tests.use_case.conftest import call, loan_rows, put_loans

Rai = Callable[..., tuple[int, str, str]]


@pytest.fixture
def rai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rai:
    """Run a command in a folder with the use case `loans`; exit code and what it printed to the two streams."""
    put_loans(tmp_path / "defs")
    (tmp_path / "good.csv").write_text(loan_rows(50, seed=2))
    (tmp_path / "bad.csv").write_text(loan_rows(50) + "mon,-5,F,yes\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAI_HOME", str(tmp_path / ".rai"))
    monkeypatch.setenv("RAI_DEFS", str(tmp_path / "defs"))
    monkeypatch.setenv("RAI_USER", "ada")

    return partial(call, monkeypatch, capsys)


def test_files_are_published_refused_and_answered_for(rai: Rai) -> None:
    code, out, _ = rai("ingest", "loans", "good.csv")
    assert code == 0
    assert "50 rows published on main, commit" in out and "Next: rai run loans --branch main" in out
    assert "50 rows are there already on main" in rai("ingest", "loans", "good.csv")[1]

    code, _, err = rai("ingest", "loans", "bad.csv")
    assert code == 3
    assert "bad.csv, row 51 (line 52), column 'income': '-5' is below 0" in err
    (kept,) = [word for word in err.split() if word.startswith("run-")]
    code, out, _ = rai("publish", "loans", "--branch", kept, "--reason", "a refund")
    assert code == 0
    assert "main stands at" in out and "ada let them pass on" in out and out.endswith(": a refund\n")
    assert "400 rows published on main" in rai("ingest", "loans", "--declared")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ingest", "loans"), "either files or --declared"),
        (("ingest", "loans", "good.csv", "--declared"), "either files or --declared"),
        (("ingest", "loans", "good.csv", "--branch", "run-1"), "has no data branch 'run-1'"),
        (("ingest", "loan", "good.csv"), "did you mean loans?"),
        (("publish", "loans"), "Missing option '--reason'"),
        (("publish", "loans", "--branch", "run-../x", "--reason", "why"), "'run-../x' is no"),
        (("publish", "loans", "--branch", "run-none", "--reason", "why"), "run-none"),
        (("publish", "loans", "--reason", "why"), "were not audited yet"),
    ],
)
def test_a_wrong_word_is_told(rai: Rai, words: tuple[str, ...], said: str) -> None:
    code, _, err = rai(*words)
    assert code == 2
    assert said in err and "Traceback" not in err
