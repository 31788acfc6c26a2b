"""A small audited use case that every bad input is brought to, and what must hold after each: words, code, traces."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rai_assets.cli import main
from rai_assets.keys import repository_name
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.acceptance.conftest import RAI, environment
from rai_assets_tests.model import supplied_models as supplied

SECRET = "canary-71c0a5d2e9"  # in the environment and in files beside the model: it must turn up nowhere else
SECRET_FILES = ("secret", "defs/loans/secret")

DECLARATION = """\
type: rai_assets.use_case.component.ResponsibleAIUseCase
attributes:
  name: loans
  title: Small loans
  dataset:
    files: [{path: loans.csv}]
    split: {by: fraction, test: 0.5}
    columns:
      age: {role: feature, dtype: number}
      income: {role: feature, dtype: number}
      sex: {role: sensitive, dtype: category, allowed: [F, M]}
      repaid: {role: target, dtype: category, allowed: ["no", "yes"], positive: "yes"}
  model: {onnx: {path: own.onnx, classes: ["no", "yes"]}}
"""


def loan_rows(n: int = 60, seed: int = 0) -> str:
    draw = random.Random(seed)
    lines = ["age,income,sex,repaid"]
    for _ in range(n):
        age, income = draw.gauss(0, 10), draw.gauss(0, 10)
        repaid = "yes" if age + income + draw.gauss(0, 5) > 0 else "no"
        lines.append(f"{age:.2f},{income:.2f},{draw.choice('FM')},{repaid}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Ended:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


@dataclass
class Case:
    """A folder with the audited use case `loans`, and its user."""

    folder: Path
    said: list[str] = field(default_factory=list)

    @property
    def place(self) -> Path:
        """The folder of the declaration, its data and its model."""
        return self.folder / "defs" / "loans"

    @property
    def repository(self) -> VersionedRepository:
        return open_repository(self.folder / ".rai", repository_name("loans"), create=False)

    def declare(self, old: str, new: str) -> None:
        """Change a part of the declaration."""
        text = (self.place / "defs.yaml").read_text()
        assert old in text
        (self.place / "defs.yaml").write_text(text.replace(old, new))

    def rai(self, *words: str | Path) -> Ended:
        """Call `rai` in this process."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["rai", *map(str, words)])
            with pytest.raises(SystemExit) as ended:
                main()
        return self._heard(Ended(int(ended.value.code or 0), out.getvalue(), err.getvalue()))

    def rai_apart(self, *words: str | Path) -> Ended:
        """Call `rai` in a process of its own."""
        command = [*RAI, *map(str, words)]
        settings = environment(self.folder)
        done = subprocess.run(command, cwd=self.folder, env=settings, capture_output=True, text=True, timeout=300)
        return self._heard(Ended(done.returncode, done.stdout, done.stderr))

    def refused(self, words: str, *says: str, code: int = 3, where: str = "") -> str:
        """Call `rai` and see it refuse: these words, a place, a fix, this code, and nothing written."""
        before = self.state()
        done = self.rai(*words.split())
        message = done.err[done.err.rfind("\nrai: ") + 1 :]
        assert done.code == code, done.err
        for part in (*says, where, "Fix: "):
            assert part in message, message
        assert "Traceback" not in done.err
        assert "Error:" not in message, "a class of Python is no word for people"
        assert len(message) < 3000, "a message is read by people"
        assert self.state() == before
        return message

    def state(self) -> dict[str, str]:
        """Every file of the user and of the store with its digest, and the head of every branch."""
        files = {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.folder.rglob("*")
            if path.is_file()
            and not path.is_symlink()
            and not {"dagster", "locks", "__pycache__"} & set(path.relative_to(self.folder).parts)
        }
        heads = {name: self.repository.resolve(name) for name in self.repository.branches()}
        return files | heads

    def secret_places(self) -> list[str]:
        """Where the canary turned up: files of any kind, also compressed ones, and what was printed."""
        found = []
        for path in self.folder.rglob("*"):
            name = str(path.relative_to(self.folder))
            if path.is_file() and not path.is_symlink() and name not in SECRET_FILES:
                data = path.read_bytes()
                if SECRET.encode() in data or SECRET.encode() in _unpacked(data):
                    found.append(name)
        return found + [text for text in self.said if SECRET in text]

    def _heard(self, done: Ended) -> Ended:
        self.said += [done.out, done.err]
        return done


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return b""


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that every test gets a copy of."""
    case = Case(tmp_path_factory.mktemp("audited"))
    case.place.mkdir(parents=True)
    (case.place / "defs.yaml").write_text(DECLARATION)
    (case.place / "loans.csv").write_text(loan_rows())
    (case.place / "own.onnx").write_bytes(supplied.logistic().SerializeToString())
    for name in SECRET_FILES:
        (case.folder / name).write_text(SECRET)
    with pytest.MonkeyPatch.context() as patch:
        at_home(case.folder, patch)
        done = case.rai("run", "loans")
    assert done.code == 0, done.err
    return case.folder


@pytest.fixture
def case(audited: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """The audited use case; at the end of the test the canary is looked for everywhere."""
    folder = tmp_path / "work"
    shutil.copytree(audited, folder)
    at_home(folder, monkeypatch)
    case = Case(folder)
    yield case
    assert case.secret_places() == []


def at_home(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Work in a folder, with its own state, and the canary in the environment."""
    patch.chdir(folder)
    patch.setenv("RAI_HOME", str(folder / ".rai"))
    patch.setenv("DAGSTER_HOME", str(folder / ".rai" / "dagster"))
    patch.delenv("RAI_DEFS", raising=False)
    patch.setenv("RAI_TEST_CANARY", SECRET)
