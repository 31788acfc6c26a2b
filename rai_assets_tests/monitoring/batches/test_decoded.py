"""What drift makes of the stored files of a batch and of the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.data.dataset import Dataset
from rai_assets.data.ingest import ingest
from rai_assets.data.settings import DatasetSettings
from rai_assets.keys import batch_folder
from rai_assets.monitoring.batches import decoded
from rai_assets.monitoring.batches.batch import NAMED, RECORD, TABLE, Batch, BatchRecord
from rai_assets.monitoring.batches.decoded import Decoding, decoding_of
from rai_assets.monitoring.batches.reference import Reference
from rai_assets.monitoring.drift.media.files import folder_source
from rai_assets.monitoring.drift.media.settings import BatchDriftSettings, MediaSettings
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets_tests.data.media.making import png, png_of, wav

CONTENTS = {
    "a.png": png(40, 30, 51),
    "b.png": png_of(2, 1, bytes([0, 255])),
    "c.png": png_of(16, 16, bytes(range(256))),
}


def silent(*_: object) -> None:
    """No progress is told."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VersionedRepository:
    """A store with a data set and a batch of the same files."""
    monkeypatch.setenv("RAI_HOME", str(tmp_path / ".rai"))
    repository = open_repository(tmp_path / ".rai", "rai-clinic")
    keep(repository, tmp_path, CONTENTS)
    return repository


def keep(repository: VersionedRepository, place: Path, contents: dict[str, bytes]) -> None:
    (place / "pictures").mkdir(exist_ok=True)
    for name, content in contents.items():
        (place / "pictures" / name).write_bytes(content)
    (place / "labels.csv").write_text("\n".join(["file,y", *(f"{name},u" for name in contents), ""]))
    settings = DatasetSettings.model_validate(
        {
            "files": [{"path": "labels.csv"}],
            "media": {"folder": "pictures", "path": "file"},
            "columns": {
                "file": {"role": "identifier", "dtype": "text"},
                "y": {"role": "prediction", "dtype": "category"},
            },
        }
    )
    ingest(settings, place, repository, "main", run_id=f"r{len(contents)}")
    folder = batch_folder("week")
    changes = ChangeSet()
    for name, content in contents.items():
        changes.put(folder + NAMED + name, content)
    with repository.open("main", "dataset/table.parquet") as stream:
        changes.put(folder + TABLE, stream.read())
    columns = Dataset(repository, "main").contract.as_json()
    record = BatchRecord("week", 1, 1, len(contents), (), (), "2026-01-05T00:00:00+00:00", None, columns)
    repository.commit("main", changes.put(folder + RECORD, record.as_json()), "a batch of the same files")


def decoding(place: Path) -> Decoding:
    return Decoding("file", None, place, place / "state")


def of_batch(repository: VersionedRepository, place: Path) -> decoded.Decoded:
    batch = Batch(repository, repository.resolve("main"), "week")
    return decoding(place).of_batch(batch, repository, 0, silent)


def of_reference(repository: VersionedRepository, place: Path) -> decoded.Decoded:
    return decoding(place).of_reference(Reference(repository, Dataset(repository, "main"), None), 0, silent)


def test_the_columns_are_those_of_the_same_files_in_a_folder(repository: VersionedRepository, tmp_path: Path) -> None:
    batch, reference = of_batch(repository, tmp_path), of_reference(repository, tmp_path)
    assert batch.columns.equals(reference.columns)
    assert batch.columns["media_brightness"].to_pylist() == pytest.approx([0.2, 0.5, 0.5])
    assert batch.columns["media_contrast"].to_pylist() == pytest.approx([0, 0.5, np.arange(256).std() / 255])
    there = pa.Table.from_batches(folder_source(tmp_path / "pictures", MediaSettings(), 0, silent).batches)
    assert {name: there[name].to_pylist() for name in batch.columns.column_names} == batch.columns.to_pydict()
    assert set(there.column_names) - set(batch.columns.column_names) == {
        "media_type", "media_width", "media_height", "media_mode",
    }, "facts, which the rows have already"  # fmt: skip


def test_a_damaged_picture_is_a_missing_value_and_named(repository: VersionedRepository, tmp_path: Path) -> None:
    broken = bytearray(CONTENTS["c.png"])
    broken[60] ^= 0xFF
    keep(repository, tmp_path, {**CONTENTS, "d.png": bytes(broken)})
    for found in (
        of_batch(repository, tmp_path),
        of_reference(repository, tmp_path),
        of_reference(repository, tmp_path),
    ):
        assert found.columns["media_brightness"].null_count == found.columns["media_pixels"].null_count == 1
        assert "1 of 4 files cannot be compared: 'd.png' cannot be decoded" in found.notes[-1]


def test_the_reference_is_decoded_once_for_all_runs(
    repository: VersionedRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = of_reference(repository, tmp_path)
    (kept,) = (tmp_path / "state").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(decoded, "Made", None)
        again = of_reference(repository, tmp_path)
        assert again.columns.equals(first.columns) and again.notes == first.notes
    kept.write_bytes(b"PAR1 damaged")
    assert of_reference(repository, tmp_path).columns.equals(first.columns)
    keep(repository, tmp_path, {**CONTENTS, "d.png": png()})
    assert of_reference(repository, tmp_path).columns.num_rows == 4
    (other,) = (tmp_path / "state").iterdir()
    assert other != kept, "what was made of the reference before is gone"


def test_recordings_have_a_level(repository: VersionedRepository, tmp_path: Path) -> None:
    keep(repository, tmp_path, {"a.wav": wav(), "b.txt": b"no sound", **CONTENTS})
    levels = of_batch(repository, tmp_path).columns["media_level"].to_pylist()
    assert levels == [pytest.approx(9000 / 32768 / np.sqrt(2), rel=1e-3), None, None, None, None]


def test_nothing_is_decoded_that_is_not_compared(tmp_path: Path) -> None:
    from rai_assets.data.media.settings import MediaSettings as Declared

    media = Declared(folder="pictures", path="file")
    assert decoding_of(None, BatchDriftSettings(), tmp_path, tmp_path) is None
    assert decoding_of(media, BatchDriftSettings(), tmp_path, tmp_path) is not None
    assert decoding_of(media, BatchDriftSettings(only=["media_width"]), tmp_path, tmp_path) is None
    assert decoding_of(media, BatchDriftSettings(only=["media_level"]), tmp_path, tmp_path) is not None
