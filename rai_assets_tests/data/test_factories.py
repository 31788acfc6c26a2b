"""A source that a function makes is read like a file, and what goes wrong in it is named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from rai_assets.data.dataset import Dataset
from rai_assets.data.ingest import ingest
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import DeclarationError, InputRefused
from rai_assets.store.open import open_repository

MODULE = """
import pyarrow as pa

def rows(n, label="a"):
    return pa.table({"x": list(range(n)), "y": [label] * n})

def nothing():
    return None
"""


def declared(factory: str, **parameters: object) -> DatasetSettings:
    return DatasetSettings.model_validate(
        {
            "files": [{"factory": factory, "parameters": parameters}],
            "columns": {"x": {"dtype": "integer"}, "y": {"role": "prediction", "dtype": "category", "positive": "a"}},
        }
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "made_here.py").write_text(MODULE)
    return tmp_path


def test_the_table_is_published_under_the_factorys_name(folder: Path) -> None:
    repository = open_repository(folder / ".rai", "rai-made")
    done = ingest(declared("made_here:rows", n=3), folder, repository, "main", run_id="1")
    dataset = Dataset(repository, done.commit)
    assert dataset.table()["x"].to_pylist() == [0, 1, 2]
    assert [source.path for source in dataset.sources] == ["made_here:rows"]
    again = ingest(declared("made_here:rows", n=3), folder, repository, "main", run_id="2")
    assert again.commit == done.commit, "the same parameters give the same data version"


@pytest.mark.parametrize(
    ("factory", "parameters", "kind", "said"),
    [
        ("nowhere_at_all:rows", {}, DeclarationError, "nowhere_at_all"),
        ("made_here:columns", {}, DeclarationError, "columns"),
        ("made_here:rows", {"m": 3}, DeclarationError, "m"),
        ("made_here:nothing", {}, InputRefused, "NoneType, not an Arrow table"),
    ],
)
def test_what_cannot_be_called_is_refused(
    folder: Path, factory: str, parameters: dict, kind: type[Exception], said: str
) -> None:
    repository = open_repository(folder / ".rai", "rai-made")
    with pytest.raises(kind, match=said):
        ingest(declared(factory, **parameters), folder, repository, "main", run_id="1")
    assert list(repository.branches()) == ["main"]


@pytest.mark.parametrize(
    "source",
    [{}, {"path": "a.csv", "factory": "m:f"}, {"factory": "m.f"}, {"path": "a.csv", "parameters": {"n": 1}}],
)
def test_a_source_is_either_a_file_or_a_factory(source: dict) -> None:
    with pytest.raises(ValidationError):
        DatasetSettings.model_validate({"files": [source], "columns": {"x": {"dtype": "integer"}}})


def test_arrow_is_what_the_demo_returns() -> None:
    from rai_assets.defs.lending.generator import generate

    assert isinstance(generate(10), pa.Table)
