"""Declarations that are bombs, code, or have two readings: row 25; and what is data to Python but not to us: row 27."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from rai_assets.use_case.declaration import load
from rai_assets_tests.hostile.conftest import DECLARATION, SECRET, Case


def bomb(levels: int = 9) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels + 1)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        (bomb(), "aliases (`*name`) are not read", 2),
        ("type: !!python/object/apply:os.system ['touch opened']\n", "the tag", 1),
        ("type: !!python/name:os.environ\n", "the tag", 1),
        (DECLARATION + "  name: other\n", "the key 'name' stands twice", 14),
        (DECLARATION.replace("title: Small loans", "<<: {title: x}"), "the tag", 4),
        ("a: " + "[" * 1000 + "]" * 1000, "nested more than 50 levels", 1),
        (DECLARATION + "x: [", "not valid YAML", 15),
        (DECLARATION.replace("name: loans", "name: loans\x00"), "not valid YAML", 0),
        (DECLARATION.replace("fraction, test: 0.5", "fraction, test: .nan"), "is no number", 7),
        (DECLARATION.replace("Small loans", "x" * 2_000_000), "a declaration has at most", 0),
    ],
    ids=["aliases", "apply", "name", "twice", "merge", "deep", "open", "NUL", "nan", "large"],
)
def test_25_declarations_that_are_not_read(case: Case, text: str, says: str, line: int) -> None:
    (case.place / "defs.yaml").write_text(text)
    for words in ("validate", "run loans"):
        case.refused(words, says, where=f"defs.yaml:{line}" if line else "defs.yaml")
    assert not list(case.folder.rglob("opened"))


def test_25_words_and_numbers_are_those_of_yaml_1_2(case: Case) -> None:
    case.declare('allowed: ["no", "yes"], positive: "yes"', "allowed: [no, yes, 12:30:00, 0o14, 1_000], positive: yes")
    case.declare("allowed: [F, M]", "allowed: [NO, on, ~x, 2024-01-01]")
    declared = load(case.place / "defs.yaml")
    assert declared is not None
    columns = declared.use_case.dataset.columns
    assert columns["repaid"].allowed == ["no", "yes", "12:30:00", "0o14", "1_000"]
    assert columns["sex"].allowed == ["NO", "on", "~x", "2024-01-01"]
    case.declare("allowed: [NO, on", "allowed: [1.10, on")
    case.refused("validate", "put 1.1 in quotes, spelled as in the data", where="defs.yaml:11")


def test_25_a_declaration_in_python_tells_its_line_and_no_secret(case: Case) -> None:
    (case.place / "defs.yaml").unlink()
    code = "import os\nsecret = os.environ['RAI_TEST_CANARY']\nraise SystemExit(0)\n"
    (case.place / "use_case.py").write_text(code)
    assert SECRET not in case.refused("run loans", "SystemExit", where="use_case.py:3")


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch opened",)


def test_27_pickles_and_arrays_are_no_data(case: Case) -> None:
    np.save(case.folder / "a.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    np.savez(case.folder / "a.npz", a=np.array([1, 2]))
    for name in ("a.pkl", "hidden.csv", "hidden.parquet", "plain"):
        (case.folder / name).write_bytes(pickle.dumps(Bomb()))
    for name, says in {
        "a.npy": "arrays without column names",
        "a.npz": "arrays without column names",
        "a.pkl": "pickles run code",
        "hidden.csv": "a pickle",
        "hidden.parquet": "not readable Parquet",
        "plain": "a pickle",
    }.items():
        case.refused(f"init new --data {name} --target a", says, where=name)
    assert not list(case.folder.rglob("opened"))
