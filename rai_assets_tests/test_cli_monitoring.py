"""`rai drift` from a user's folder: what it prints, how it ends."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rai_assets_tests.data.media.making import png
from rai_assets_tests.use_case.conftest import call

Rai = Callable[..., tuple[int, str, str]]
KEYS = {"column", "chunk", "method", "definition", "statistic", "p_value", "threshold", "effect", "drifted"}


def visits(n: int, seed: int, older: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": rng.normal(40 + older, 9, n).round(), "city": rng.choice(["Köln", "Łódź", "?"], n)})
    return frame.assign(when=pd.date_range("2024-03-30", periods=n, freq="h"))


@pytest.fixture
def rai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rai:
    """Run a command in a folder with two files; exit code and what it printed to the two streams."""
    visits(480, 1).to_csv(tmp_path / "before.csv", index=False)
    visits(240, 2, older=6).to_csv(tmp_path / "now.csv", index=False)
    monkeypatch.chdir(tmp_path)

    return partial(call, monkeypatch, capsys)


def test_the_table_names_what_drifted_and_by_what(rai: Rai) -> None:
    code, said, _ = rai("drift", "before.csv", "now.csv")
    assert code == 0
    heads, first, *_ = said.splitlines()
    assert heads.split() == ["column", "method", "statistic", "p", "adjusted", "p", "limit", "effect", "drifted"]
    assert first.split()[:2] == ["when", "ks"] or first.split()[:2] == ["age", "ks"]
    assert "Drifted: " in said and "age" in said.split("Drifted: ")[1]


def test_a_p_value_too_small_to_write_is_not_shown_as_nothing(rai: Rai, tmp_path: Path) -> None:
    for name, older in (("young", 0.0), ("old", 400.0)):
        visits(2000, 3, older=older)[["age"]].to_csv(tmp_path / f"{name}.csv", index=False)
    _, said, _ = rai("drift", "young.csv", "old.csv")
    assert "ks      1.00       < 0.0001  < 0.0001    <= 0.0500" in said
    _, said, _ = rai("drift", "young.csv", "old.csv", "--format", "json")
    assert json.loads(said)[0]["p_value"] < 1e-300


def test_json_is_a_list_of_flat_objects(rai: Rai) -> None:
    code, said, _ = rai("drift", "before.csv", "now.csv", "--method", "ks,chi2", "--format", "json")
    rows = json.loads(said)
    assert code == 0
    assert all(KEYS | {"n_reference", "n_current", "reason"} <= row.keys() for row in rows)
    assert not any(isinstance(value, dict | list) for row in rows for value in row.values())
    age = next(row for row in rows if row["column"] == "age")
    assert (age["method"], age["definition"], age["chunk"]) == ("ks", "ks_statistic@1", "all")
    assert age["drifted"] is True and age["n_reference"] == 480 and age["n_current"] == 240


def test_days_by_a_timestamp(rai: Rai) -> None:
    code, said, _ = rai(
        "drift", "before.csv", "now.csv", "--chunks", "daily", "--timestamp", "when", "--format", "json"
    )
    rows = json.loads(said)
    assert code == 0
    assert list(dict.fromkeys(row["chunk"] for row in rows))[:2] == ["2024-03-30", "2024-03-31"]
    assert {row["column"] for row in rows} == {"age", "city"}
    assert {row["null"] for row in rows} == {"larger of 20 blocks of the reference and closed form"}


def test_rules_weights_and_columns(rai: Rai) -> None:
    words = ("--method", "city=l_infinity", "--method", "psi", "--rule", "fixed", "--limit", "psi=0.2,l_infinity=0.5")
    code, said, _ = rai("drift", "before.csv", "now.csv", *words, "--only", "age,city", "--importance", "city=9")
    assert code == 0
    assert "city    l_infinity" in said and "age     psi" in said
    assert "if nothing has changed" in said


def test_columns_that_changed_together_only(rai: Rai, tmp_path: Path) -> None:
    """Incomes and debts as ever, each by itself; but who owes much no longer earns much."""
    rng = np.random.default_rng(0)
    for name, correlation in (("tied", 0.9), ("loose", 0.0)):
        pairs = rng.multivariate_normal([50, 20], [[100, 100 * correlation], [100 * correlation, 100]], 2_000)
        pd.DataFrame(pairs, columns=["income", "debt"]).assign(city="Bern").to_csv(tmp_path / f"{name}.csv")
    asked = ("drift", "tied.csv", "loose.csv", "--only", "income,debt,city", "--together")
    code, said, _ = rai(*asked, "--format", "json")
    assert code == 0
    alarms = {row["method"]: row for row in json.loads(said) if row["drifted"]}
    assert set(alarms) == {"domain_classifier_auc", "reconstruction_error"}
    assert {row["column"] for row in alarms.values()} == {""}
    assert alarms["domain_classifier_auc"]["drivers"] in ("income, debt", "debt, income")
    _, said, _ = rai(*asked)
    assert "(all columns)" in said.splitlines()[1]
    assert "Drifted: (all columns) (2 of " in said


def test_encodings_compression_and_other_formats(rai: Rai, tmp_path: Path) -> None:
    frame = visits(240, 2).drop(columns="when")
    (tmp_path / "now.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False, sep=";").encode("utf-16")))
    frame.to_parquet(tmp_path / "now.parquet")
    frame.to_json(tmp_path / "now.jsonl", orient="records", lines=True)
    found = []
    for name in ("now.csv.gz", "now.parquet", "now.jsonl"):
        code, said, _ = rai("drift", "before.csv", name, "--only", "age,city", "--format", "json")
        assert code == 0
        found.append(json.loads(said))
    assert found[0] == found[1] == found[2]


def test_files_without_a_header_and_marks_of_missing_values(rai: Rai, tmp_path: Path) -> None:
    for name in ("before", "now"):
        pd.read_csv(tmp_path / f"{name}.csv").to_csv(tmp_path / f"{name}.txt", index=False, header=False)
    words = ("--columns", "age,city,when", "--missing", "?", "--only", "age,city", "--format", "json")
    code, said, _ = rai("drift", "before.txt", "now.txt", *words)
    assert code == 0
    assert {(row["column"], row["method"]) for row in json.loads(said)} == {
        ("age", "ks"),
        ("city", "chi_squared"),
        ("city", "missing"),
    }


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("before.csv", "gone.csv"), 3, "gone.csv"),
        (("before.csv", "empty.csv"), 3, "it has no rows"),
        (("before.csv", "other.csv"), 3, "no column in common"),
        (("before.csv", "now.csv", "--method", "guess"), 2, "there is no method 'guess'"),
        (("before.csv", "now.csv", "--chunks", "daily"), 2, "needs `timestamp`"),
        (("before.csv", "now.csv", "--chunks", "weekly", "--timestamp", "when"), 2, "--chunks"),
        (("before.csv", "now.csv", "--chunks", "0"), 2, "--chunks"),
        (("before.csv", "now.csv", "--chunks", "5", "--timestamp", "age"), 3, "holds no times"),
        (
            ("before.csv", "now.csv", "--chunks", "5", "--timestamp", "wen"),
            2,
            "a column 'wen'\n  Fix: did you mean when?",
        ),
        (
            ("before.csv", "now.csv", "--timestamp", "day"),
            2,
            "timestamp: neither before.csv nor now.csv has a column 'day'",
        ),
        (("before.csv", "now.csv", "--method", "aeg=ks"), 2, "has a column 'aeg'\n  Fix: did you mean age?"),
        (("before.csv", "now.csv", "--categorical", "City"), 2, "has a column 'City'\n  Fix: did you mean city?"),
        (("before.csv", "now.csv", "--importance", "age=1,ciyt=2"), 2, "importance: neither before.csv nor now.csv"),
        (("before.csv", "now.csv", "--only", "age,ciyt"), 2, "only: neither before.csv nor now.csv"),
        (("before.csv", "now.csv", "--limit", "psi"), 2, "no NAME=NUMBER"),
        (
            ("now.parquet", "now.parquet", "--columns", "aeg,city"),
            2,
            "columns: neither reference now.parquet nor current",
        ),
        (("feb/now.csv", "now.csv", "--only", "height"), 2, "only: neither reference now.csv nor current now.csv has"),
        (
            ("before.csv", "now.csv", "--rule", "fixed", "--limit", "psi=0.2", "--method", "ks"),
            2,
            "`limits` names psi, by which `methods` compares no column",
        ),
        (("before.csv", "now.csv", "--embedding", "other.csv"), 2, "before.csv: an embedding is one of pictures"),
        (("before.csv", "now.csv", "--columns", "a,b,c"), 2, "looks like column names of its own: 'age', 'city'"),
        (("before.csv", "now.csv", "--level", "2"), 2, "--level"),
        (
            ("before.csv", "now.csv", "--rule", "textbook", "--null", "blocks"),
            2,
            "`null: blocks` says where the p-values of `rule: calibrated` come from; `rule: textbook` has none",
        ),
        (("before.csv", "now.csv", "--deviations", "2"), 2, "`deviations` are those of `rule: reference_chunks`"),
    ],
)
def test_what_cannot_be_done_is_one_clear_word(
    rai: Rai, tmp_path: Path, words: tuple[str, ...], code: int, expected: str
) -> None:
    (tmp_path / "empty.csv").write_text("age,city\n")
    (tmp_path / "other.csv").write_text("height\n1.7\n")
    visits(9, 1).to_parquet(tmp_path / "now.parquet")
    (tmp_path / "feb").mkdir()
    visits(9, 1).drop(columns="city").to_csv(tmp_path / "feb" / "now.csv", index=False)
    ended, said, told = rai("drift", *words)
    assert (ended, said) == (code, "")
    assert expected in told and "Fix: " in told and "Traceback" not in told


def test_two_files_of_one_name_are_told_apart(rai: Rai, tmp_path: Path) -> None:
    (tmp_path / "feb").mkdir()
    visits(90, 1).drop(columns="city").to_csv(tmp_path / "feb" / "now.csv", index=False)
    code, said, _ = rai("drift", "feb/now.csv", "now.csv")
    assert code == 0 and "only current now.csv has it" in said


def test_two_folders_of_pictures(rai: Rai, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_HOME", str(tmp_path / "home"))
    for side, darkest in (("before", 0), ("now", 100)):
        (tmp_path / f"{side}_pictures").mkdir()
        for at in range(60):
            (tmp_path / f"{side}_pictures" / f"{at}.png").write_bytes(png(grey=darkest + 2 * at))
    code, said, _ = rai("drift", "before_pictures", "now_pictures", "--format", "json")
    assert code == 0
    rows = json.loads(said)
    assert {row["column"] for row in rows if row["drifted"]} == {"media_brightness", "media_pixels"}
    (tmp_path / "now_pictures" / "7.png").write_bytes(png()[:40])
    code, _, said = rai("drift", "before_pictures", "now_pictures")
    assert code == 3
    assert "1 of 60 files cannot be compared: '7.png' ends too early for image/png" in said
