"""Pictures in production, by the commands that people have: real digits, the same ones brighter, and damaged ones."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rai_assets.store import results
from rai_assets.store.results import Result
from rai_assets.use_case.reading import repository_of
from rai_assets_tests.data.media.making import png_of
from rai_assets_tests.monitoring.batches.conftest import Rai
from rai_assets_tests.monitoring.drift.media.test_embedding import embedding

DIGITS = """\
type: rai_assets.use_case.component.ResponsibleAIUseCase
attributes:
  name: digits
  dataset:
    files: [{path: digits.csv}]
    media: {folder: pictures, path: file}
    columns:
      file: {role: identifier, dtype: text}
      ink: {dtype: number}
      left: {dtype: number}
      digit: {role: target, dtype: category, allowed: [even, odd], positive: even}
  model: {estimator: logistic_regression}
  production: {inbox: {path: inbox, settle: 0}}
"""


@pytest.fixture(scope="module")
def shown() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """1,797 digits of 8 x 8 pixels, 0 to 240, in an order that has nothing to do with who wrote them."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    return (found.images[order] * 15).astype(np.uint8), found.target[order]


class Desk:
    """Where people put pictures, and the tables that name them."""

    def __init__(self, place: Path, shown: tuple[NDArray[np.uint8], NDArray[np.int64]]) -> None:
        self.place, (self.pixels, self.digits) = place, shown

    def put(self, folder: Path, table: Path, rows: Sequence[int], brighter: int = 0, *, labels: bool = False) -> None:
        header = ["file", "ink", "left", *(["digit"] if labels else [])]
        lines = []
        for row in rows:
            picture = self.pixels[row]
            name = f"{table.stem}/{row:04}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(
                png_of(8, 8, np.minimum(picture.astype(int) + brighter, 255).astype(np.uint8).tobytes())
            )
            digit = ["odd" if self.digits[row] % 2 else "even"] if labels else []
            lines.append([name, round(float(picture.mean()), 2), round(float(picture[:, :4].mean()), 2), *digit])
        with table.open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *lines])

    def arrive(self, key: str, rows: Sequence[int], brighter: int = 0) -> None:
        self.put(self.place / "inbox", self.place / "inbox" / f"{key}.csv", rows, brighter)


def found(batch: str, asset: str = "drift") -> Result:
    return results.load(repository_of("digits"), "results-production", asset, folder=f"batches/{batch}/")


def drifted(batch: str) -> set[str]:
    return {str(row["column"]) for row in found(batch).facts["rows"] if row["drifted"]}


def statistic(batch: str, column: str) -> float:
    return next(float(row["statistic"]) for row in found(batch).facts["rows"] if row["column"] == column)


# A model, and every question of two batches.
def test_brighter_pictures_are_found_others_are_quiet_and_damaged_ones_refused(
    rai: Rai, tmp_path: Path, shown: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    place = tmp_path / "defs" / "digits"
    desk = Desk(place, shown)
    (place / "inbox").mkdir(parents=True)
    (place / "defs.yaml").write_text(DIGITS)
    desk.put(place / "pictures", place / "digits.csv", range(600), labels=True)
    rai("run", "digits")

    desk.arrive("calm", range(600, 750))
    desk.arrive("bright", range(750, 900), brighter=60)
    for at, key in enumerate(("missing", "cut", "outside")):
        desk.arrive(key, range(900 + 4 * at, 904 + 4 * at))
    (place / "inbox" / "missing" / "0901.png").unlink()
    whole = (place / "inbox" / "cut" / "0905.png").read_bytes()
    (place / "inbox" / "cut" / "0905.png").write_bytes(whole[:-20])
    table = place / "inbox" / "outside.csv"
    table.write_text(table.read_text().replace("outside/0909.png", "../pictures/digits/0001.png"))
    assert rai("backfill", "digits", code=3).startswith("2 batches accepted, 0 were there, 3 in quarantine")

    said = rai("batches", "digits", "--format", "json")
    assert "'missing/0901.png' is not in the inbox" in said
    assert "'cut/0905.png' ends too early for image/png" in said
    assert "'../pictures/digits/0001.png' is no path inside the media folder" in said

    assert drifted("calm") == set()
    # The same digits by what was written down of them; the pictures tell.
    assert drifted("bright") >= {"media_pixels", "media_brightness"}
    assert not drifted("bright") & {"ink", "left", "score of the model", "media_width"}
    reference = results.load(repository_of("digits"), "results-main", "splits").facts["splits"]["test"]
    assert {row["n_reference"] for row in found("bright").facts["rows"] if row["column"] == "media_brightness"} == {
        reference
    }
    assert any("16 x 16" in note for note in found("calm").notes)
    scores = found("calm", "batch_predictions").tables["predictions"]
    assert scores.num_rows == 150, "scored by the champion, as any batch"

    # The picture that was missing comes, and the embedding takes the place of the pixels.
    desk.arrive("missing", range(900, 904))
    pinned = embedding(place / "encoder.onnx", ["n", 1, 8, 8], weights=6).embedding
    assert pinned is not None
    named = f"drift: {{only: [media_embedding], embedding: {{model: encoder.onnx, sha256: {pinned.sha256}}}}}"
    (place / "defs.yaml").write_text(DIGITS.replace("settle: 0}}", f"settle: 0}}, {named}}}"))
    assert rai("backfill", "digits", "--again", code=3).startswith("1 batch accepted, 2 were there, 2 in quarantine")
    assert {row["column"] for row in found("calm").facts["rows"] if row["drifted"] is not None} >= {"media_embedding"}
    assert "media_embedding" in drifted("bright") and "media_embedding" not in drifted("calm")
    assert any("encoder.onnx (sha256" in note for note in found("calm").notes)
