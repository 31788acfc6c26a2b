"""A small use case in a folder of its own, with its own state."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rai_assets.cli import main
from rai_assets.use_case.declaration import Declared, load
from rai_assets.use_case.run import run
from rai_assets_tests.monitoring.alerts.sinks import Sink

Rai = Callable[..., str]

DECLARATION = """\
type: rai_assets.use_case.component.ResponsibleAIUseCase
attributes:
  name: loans
  title: Small loans
  description: Who gets a small loan.
  owners: ["team:risk", "ada@example.com"]
  dataset:
    files: [{path: loans.csv}]
    split: {by: fraction, test: 0.5}
    columns:
      weekday: {role: feature, dtype: category}
      income: {role: feature, dtype: number, minimum: 0}
      sex: {role: sensitive, dtype: category, allowed: [F, M]}
      repaid: {role: target, dtype: category, allowed: ["no", "yes"], positive: "yes"}
  model: {estimator: logistic_regression}
  requirements:
    - {id: R1, text: Mostly right, definition: accuracy, at_least: 0.6}
    - {id: R2, text: No gap, definition: demographic_parity_difference, sensitive: [sex], at_most: 0.9}
    - {id: R3, text: Never wrong, definition: accuracy, at_least: 0.999, blocking: false}
"""


VALID = """\
type: rai_assets.use_case.component.ResponsibleAIUseCase
attributes:
  name: loans
  owners: ["team:risk"]
  dataset:
    files: [{path: loans.csv}]
    columns:
      income: {role: feature, dtype: number}
      sex: {role: sensitive, dtype: category}
      repaid: {role: target, dtype: category, positive: "yes"}
  model: {estimator: logistic_regression}
  requirements:
    - {id: R1, text: "No gap", definition: demographic_parity_difference, sensitive: [sex], at_most: 0.1}
"""
"""The smallest declaration with a requirement; its lines are counted in tests of refusals."""


def loan_rows(n: int = 400, seed: int = 0, mean: float = 50) -> str:
    draw = random.Random(seed)
    lines = ["weekday,income,sex,repaid"]
    for _ in range(n):
        income = draw.gauss(mean, 15)
        repaid = "yes" if income + draw.gauss(0, 8) > 48 else "no"
        lines.append(f"{draw.choice(['mon', 'tue', 'sat'])},{max(income, 0):.2f},{draw.choice('FM')},{repaid}")
    return "\n".join(lines) + "\n"


def write(folder: Path, text: str, name: str = "loans") -> Path:
    """Write a declaration into a folder of declarations; returns its file."""
    path = folder / name / "defs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def put_loans(definitions: Path, declaration: str = DECLARATION) -> Path:
    """Write the use case `loans` and its data into a folder of declarations; returns the use case's own."""
    place = definitions / "loans"
    place.mkdir(parents=True)
    (place / "defs.yaml").write_text(declaration)
    (place / "loans.csv").write_text(loan_rows())
    return place


def call(patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """Call `rai` in this process; exit code and what it printed to the two streams."""
    capsys.readouterr()
    patch.setattr(sys, "argv", ["rai", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def enter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a user's folder: use cases are found in `defs/`, state goes to `.rai`."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RAI_HOME", str(folder / ".rai"))
    monkeypatch.setenv("RAI_DEFS", str(folder / "defs"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def audit_loans(folder: Path, declaration: str = DECLARATION) -> None:
    """Write `loans` into a user's folder, and audit it for the first time."""
    with pytest.MonkeyPatch.context() as patch:
        place = put_loans(folder / "defs", declaration)
        enter(folder, patch)
        declared = load(place / "defs.yaml")
        assert declared is not None
        assert run(declared).champion is not None
        patch.setenv("DAGSTER_HOME", "")


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with one use case in `defs/`; state goes to `.rai` beside it."""
    put_loans(tmp_path / "defs")
    enter(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture
def loans(workplace: Path) -> Declared:
    declared = load(workplace / "defs" / "loans" / "defs.yaml")
    assert declared is not None
    return declared


@pytest.fixture(scope="session")
def first_audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state that the first audit of `loans` leaves."""
    folder = tmp_path_factory.mktemp("first_audit")
    audit_loans(folder)
    return folder / ".rai"


@pytest.fixture
def audited(loans: Declared, workplace: Path, first_audit: Path) -> Declared:
    """`loans` after its first audit, of which every test has a copy."""
    shutil.copytree(first_audit, workplace / ".rai")
    return loans


@pytest.fixture
def rai(loans: Declared, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rai:
    """Calls `rai` in this process; returns what it said, if it ended with the expected code."""

    def called(*words: str | Path, code: int = 0) -> str:
        ended, out, err = call(monkeypatch, capsys, *words)
        assert ended == code, out + err
        return err if code else out

    return called


@pytest.fixture
def told(loans: Declared, sink: Sink) -> Declared:
    """The use case, with alerts that go to the sink."""
    from rai_assets_tests.use_case.alerts import LOGGED, ROWS  # with Dagster, which most tests here do without

    (loans.folder / "logged.csv").write_text(ROWS)
    loans.path.write_text(LOGGED.format(url=sink.url))
    declared = load(loans.path)
    assert declared is not None
    return declared
