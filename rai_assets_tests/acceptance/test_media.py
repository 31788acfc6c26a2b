"""Logged decisions about files: pictures, recordings and texts, from a folder to the audit."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest

from rai_assets.store import results
from rai_assets.store.open import open_repository
from rai_assets.store.results import Result
from rai_assets_tests.acceptance.conftest import Rai
from rai_assets_tests.data.media.making import png_of


def write_labels(path: Path, header: list[str], rows: Iterable[list[object]]) -> None:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def accuracy(tmp_path: Path, name: str, by: str | None = None) -> dict[str, tuple[float | None, int]]:
    """{group: (accuracy, rows)} of the last audit, over all classes."""
    found = _result(tmp_path, name, "evaluation" if by is None else "fairness_audit").numbers
    return {
        item.group.get(str(by), ""): (item.value, item.n)
        for item in found
        if item.definition == "accuracy@1" and not item.coordinates and list(item.group) == ([by] if by else [])
    }


def declare(rai: Rai, tmp_path: Path, name: str, *words: str) -> Path:
    rai("init", name, "--data", "labels.csv", "--media", "files", *words)
    return tmp_path / "defs" / name / "defs.yaml"


def test_recordings_by_speaker(rai: Rai, tmp_path: Path, shared_data: Path) -> None:
    draw = random.Random(1)
    (tmp_path / "files").symlink_to(shared_data / "fsdd" / "wav")
    names = sorted(path.name for path in (shared_data / "fsdd" / "wav").glob("*.wav"))
    rows = []
    for name in names:
        digit, speaker, _ = name.removesuffix(".wav").split("_")
        rows.append([name, digit, speaker, digit if draw.random() < 0.8 else (int(digit) + 1) % 10])
    write_labels(tmp_path / "labels.csv", ["file", "digit", "speaker", "heard"], rows)
    declared = declare(rai, tmp_path, "digits", "--target", "digit", "--prediction", "heard", "--sensitive", "speaker")
    assert "media: {folder: " in declared.read_text()
    assert "file: {role: identifier, dtype: text}" in declared.read_text()
    rai("run", "digits")
    right = {speaker: [row[1] == str(row[3]) for row in rows if row[2] == speaker] for speaker in {r[2] for r in rows}}
    assert accuracy(tmp_path, "digits", "speaker") == {
        speaker: (pytest.approx(sum(hits) / len(hits)), 20) for speaker, hits in right.items()
    }
    facts = _result(tmp_path, "digits", "dataset").facts
    assert facts["media"]["types"] == {"audio/wav": 120}
    rates = next(item for item in facts["columns"] if item["name"] == "media_rate")
    assert rates["missing"] == (0 if find_spec("soundfile") else 120)


def test_texts_by_their_length(rai: Rai, tmp_path: Path, shared_data: Path) -> None:
    rows: list[list[object]] = []
    for source in ("amazon_cells", "imdb", "yelp"):
        lines = (shared_data / "sentiment_sentences" / f"{source}_labelled.txt").read_text().split("\n")
        for at, line in enumerate(filter(None, lines)):
            text, _, label = line.rpartition("\t")
            path = tmp_path / "files" / source / f"{at:04}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, newline="")
            praise = any(word in text.lower() for word in ("good", "great", "love", "best", "excellent", "nice"))
            rows.append([f"{source}/{at:04}.txt", label, int(praise), len(text)])
    assert len(rows) == 3000
    write_labels(tmp_path / "labels.csv", ["file", "label", "praise"], (row[:3] for row in rows))
    declared = declare(rai, tmp_path, "mood", "--target", "label", "--positive", "1", "--prediction", "praise")
    text = declared.read_text()
    grouped = "columns:\n      media_characters: {role: sensitive, dtype: integer, edges: [50], missing: allowed}\n"
    declared.write_text(text.replace("columns:\n", grouped, 1))
    rai("run", "mood")
    found = accuracy(tmp_path, "mood", "media_characters")
    short = [row for row in rows if int(str(row[3])) < 50]
    hits = sum(int(str(row[1])) == row[2] for row in short)
    assert found["[-inf, 50)"] == (pytest.approx(hits / len(short)), len(short))
    facts = _result(tmp_path, "mood", "dataset").facts
    assert facts["media"]["kinds"] == {"text": 3000}
    assert facts["media"]["bytes"] == sum(path.stat().st_size for path in (tmp_path / "files").rglob("*.txt"))


@pytest.mark.nightly  # 10,000 files, three processes
def test_pictures_with_the_class_in_their_folder(rai: Rai, tmp_path: Path, shared_data: Path) -> None:
    source = shared_data / "mnist_t10k"
    labels = gzip.decompress((source / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = gzip.decompress((source / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    rows: list[list[object]] = []
    for at, label in enumerate(labels):
        picture = pixels[at * 784 : (at + 1) * 784]
        path = tmp_path / "files" / str(label) / f"{at:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png_of(28, 28, picture))
        rows.append([f"{label}/{at:05}.png", label, label if sum(picture) > 15_000 else 1])
    write_labels(tmp_path / "labels.csv", ["file", "digit", "seen"], rows)
    declared = declare(rai, tmp_path, "mnist", "--target", "digit", "--prediction", "seen")
    # The same without the column of classes: it is made of the folders' names.
    write_labels(tmp_path / "labels.csv", ["file", "seen"], ([row[0], row[2]] for row in rows))
    declared.write_text(declared.read_text().replace("path: file}", "path: file, label: digit}"))
    rai("run", "mnist")
    right = sum(row[1] == row[2] for row in rows)
    assert accuracy(tmp_path, "mnist") == {"": (pytest.approx(right / 10_000), 10_000)}

    (tmp_path / "files" / "7" / "00000.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    refused = rai("run", "mnist", code=3)
    assert "column 'file': '7/00000.png' ends too early for image/png" in refused.stderr


def _result(tmp_path: Path, name: str, asset: str) -> Result:
    repository = open_repository(tmp_path / ".rai", f"rai-{name}")
    return results.load(repository, repository.resolve("results-main"), asset)
