"""Files that are not as the contract says: each is refused, or remarked on, in words that name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from rai_assets.keys import UseCaseKeys
from rai_assets.monitoring.batches.accept import Accepted
from rai_assets.monitoring.batches.production import Production
from rai_assets.store.open import open_repository
from rai_assets.store.stage import Stage
from rai_assets.use_case.config import UseCase

KEYS = UseCaseKeys("loans")
COLUMNS = {
    "age": {"role": "context", "dtype": "integer", "missing": "allowed"},
    "city": {"role": "context", "dtype": "category", "allowed": ["Bern", "Zürich"], "missing": "allowed"},
    "risk": {"role": "score", "dtype": "number", "threshold": 0.5},
    "paid": {"role": "target", "dtype": "category", "allowed": ["no", "yes"], "positive": "yes"},
}
GOOD = "age,city,risk\n30,Bern,0.25\n41,Zürich,0.75\n"


def audited(folder: Path, *contents: str | bytes) -> Accepted:
    """What becomes of the last of some files that arrive one after the other."""
    use_case = UseCase.model_validate(
        {
            "name": "loans",
            "dataset": {"files": [{"path": "unused.csv"}], "columns": COLUMNS},
            "production": {"inbox": {"path": "inbox", "settle": 0}},
        }
    )
    assert use_case.production is not None
    (folder / "inbox").mkdir()
    production = Production(KEYS, use_case.dataset, use_case.production, folder, folder / "home")
    repository = open_repository(folder / "home", KEYS.repository)
    for number, content in enumerate(contents):
        data = content.encode() if isinstance(content, str) else content
        (folder / "inbox" / f"b{number}.csv").write_bytes(data)
        with production.arrivals(repository) as ledger:
            production.look(ledger, limit=1)
        stage = Stage.of_batch(KEYS, f"b{number}", repository, f"{number:08d}", lambda *_: None)  # type: ignore[arg-type]
        last = production.audit(stage)
    return last


def said(accepted: Accepted) -> dict[str, str]:
    return {item.rule: item.sentence for item in accepted.findings if not item.passed}


@pytest.mark.parametrize(
    ("content", "rule", "words"),
    [
        ("age,risk\n30,0.25\n", "columns", "column 'city': is not in the file"),
        ("age,city,risk,shoe\n30,Bern,0.25,43\n", "columns", "column 'shoe': is not declared"),
        ("age,city,risk\nold,Bern,0.25\n", "dtypes", "column 'age': 'old' is not a whole number"),
        ("age,city,risk\n30,Genf,0.25\n", "allowed_values", "'Genf' is not among the allowed values"),
        ("age,city,risk,paid\n30,Bern,0.25,later\n", "allowed_values", "'later' is not among the allowed values"),
        (GOOD.encode("latin-1"), "readable", "UTF-8"),
        (GOOD.encode("utf-16"), "readable", "UTF-16"),
        ("age,city,risk\n", "readable", "no rows"),
        ("", "readable", "b0.csv"),
        ("age,city,risk\n30,Bern\n", "readable", "b0.csv"),
        ("age;city;risk\n30;Bern;0.25\n", "columns", "check `separator`"),
        (b"PAR1 not parquet", "readable", "b0.csv"),
        ("age,city,risk\n30,Bern,\n", "missing", "means missing, which is refused here"),
    ],
)
def test_it_is_refused_and_named(tmp_path: Path, content: str | bytes, rule: str, words: str) -> None:
    refused = audited(tmp_path, content)
    assert not refused.published
    assert words in said(refused)[rule]
    assert refused.reason is not None
    assert words in refused.reason


def test_a_batch_of_missing_values_is_refused_and_an_empty_column_is_remarked_on(tmp_path: Path) -> None:
    remarked = audited(tmp_path, "age,city,risk\n,Bern,0.25\n,Bern,0.5\n")
    assert remarked.published
    assert said(remarked) == {"has_values": "No row of this batch has a value of 'age'."}


def test_every_value_missing(tmp_path: Path) -> None:
    refused = audited(tmp_path, "age,city,risk\n,,\n,,\n")
    assert not refused.published
    assert said(refused)["has_values"] == "Every value of the 2 rows is missing."


def test_one_row_is_a_batch(tmp_path: Path) -> None:
    accepted = audited(tmp_path, "age,city,risk\n30,Bern,0.25\n")
    assert accepted.published
    assert said(accepted) == {}


@pytest.mark.parametrize(("rows", "unusual"), [(2, False), (19, False), (21, True)])
def test_ten_times_the_usual_size_is_remarked_on(tmp_path: Path, rows: int, unusual: bool) -> None:
    usual = [GOOD.replace("30", str(number)) for number in range(20, 25)]
    found = audited(tmp_path, *usual, "age,city,risk\n" + "30,Bern,0.25\n" * rows)
    assert found.published
    expected = {"usual_size": f"{rows:,} rows; the middle of 5 batches has 2."} if unusual else {}
    assert said(found) == expected
