"""Folders of pictures and recordings compared: what was planted is found, and what was not is quiet."""

from __future__ import annotations

import csv
import wave
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.errors import InputRefused
from rai_assets.metrics.definitions import DEFINITIONS
from rai_assets.monitoring.drift import DriftResult, DriftRow, DriftSettings, drift
from rai_assets.monitoring.drift.media.files import folder_source
from rai_assets.monitoring.drift.media.settings import MediaSettings
from rai_assets.monitoring.drift.order import blocks_of
from rai_assets_tests.data.media import making
from rai_assets_tests.monitoring.drift.media.conftest import Digits, Unpack


def rows(found: DriftResult, column: str) -> list[DriftRow]:
    return [row for row in found.rows if row.column == column]


def alarmed(found: DriftResult) -> set[str]:
    return {row.column for row in found.drifted}


def test_pictures_of_one_kind_are_quiet(digits: Digits, unpack: Unpack) -> None:
    found = drift(unpack("before", digits.pixels[:600]), unpack("now", digits.pixels[600:1000]))
    assert not found.drifted
    assert [(row.column, row.method) for row in found.rows] == [
        ("media_type", "chi_squared"), ("media_width", "chi_squared"), ("media_height", "chi_squared"),
        ("media_mode", "chi_squared"), ("media_brightness", "ks"), ("media_contrast", "ks"),
        ("media_pixels", "domain_classifier_auc"), ("media_pixels", "reconstruction_error"),
    ]  # fmt: skip
    assert {(row.n_reference, row.n_current) for row in found.rows} == {(600, 400)}
    assert "grey grids of 16 x 16 pixels" in found.notes[-1]
    assert {"media_brightness@1", "media_contrast@1", "media_level@1"} <= set(DEFINITIONS)


def test_brightness_and_contrast_are_those_of_all_pixels(digits: Digits, unpack: Unpack) -> None:
    source = folder_source(unpack("some", digits.pixels[:5]), MediaSettings(), 0, lambda *_: None)
    table = pa.Table.from_batches(list(source.batches))
    shares = digits.pixels[:5].reshape(5, -1) / 255
    np.testing.assert_allclose(table["media_brightness"].to_numpy(), shares.mean(axis=1))
    np.testing.assert_allclose(table["media_contrast"].to_numpy(), shares.std(axis=1))


def test_a_grid_holds_the_means_of_the_pixels(digits: Digits, unpack: Unpack) -> None:
    padded = np.pad(digits.pixels[:5], ((0, 0), (2, 2), (2, 2)))
    source = folder_source(unpack("some", padded), MediaSettings(), 0, lambda *_: None)
    grids = np.stack(next(iter(source.batches)).column("media_pixels").to_pylist())
    means = padded.reshape(5, 16, 2, 16, 2).mean(axis=(2, 4)).reshape(5, 256)
    np.testing.assert_allclose(grids * 255, means, atol=1.01)  # 256 steps, rounded in either direction


def test_a_tenth_brighter_is_found(digits: Digits, unpack: Unpack) -> None:
    brighter = np.minimum(digits.pixels[600:1000] * 1.1, 255).astype(np.uint8)
    found = drift(unpack("before", digits.pixels[:600]), unpack("now", brighter))
    assert alarmed(found) >= {"media_contrast", "media_pixels"}


def test_a_missing_digit_is_found(digits: Digits, unpack: Unpack) -> None:
    now = digits.pixels[2000:4000][digits.labels[2000:4000] != 1]
    found = drift(unpack("before", digits.pixels[:2000]), unpack("now", now))
    assert alarmed(found) >= {"media_brightness", "media_pixels"}


def test_a_share_of_inverted_pictures_is_found(digits: Digits, unpack: Unpack) -> None:
    some = digits.pixels[600:1000].copy()
    some[:20] = 255 - some[:20]
    found = drift(unpack("before", digits.pixels[:600]), unpack("now", some))
    (error,) = [row for row in rows(found, "media_pixels") if row.method == "reconstruction_error"]
    assert error.drifted and error.effect > 0


def test_sizes_may_differ(digits: Digits, unpack: Unpack) -> None:
    twice = digits.pixels[600:1000].repeat(2, axis=1).repeat(2, axis=2)
    found = drift(unpack("before", digits.pixels[:600]), unpack("now", twice))
    assert alarmed(found) >= {"media_width", "media_height"}
    assert not rows(found, "media_brightness")[0].drifted
    assert rows(found, "media_pixels")[0].p_value is not None


def table_of(digits: Digits, count: int, unpack: Unpack) -> pa.Table:
    source = folder_source(unpack("all", digits.pixels[:count]), MediaSettings(), 0, lambda *_: None)
    return pa.Table.from_batches(list(source.batches))


def alarm_rate(table: pa.Table, sizes: tuple[int, int], draws: int) -> float:
    """Share of draws of two samples of the same pictures in which anything alarms."""
    rng, alarms = np.random.default_rng(11), 0
    for seed in range(draws):
        drawn = rng.permutation(table.num_rows)[: sum(sizes)]
        sides = (table.take(pa.array(part)) for part in np.split(drawn, [sizes[0]]))
        alarms += bool(drift(*sides, seed=seed).drifted)
    return alarms / draws


def test_few_alarms_without_a_change(digits: Digits, unpack: Unpack) -> None:
    # Eight sums of pixels in place of the grid cost less. 60 draws: 4 standard errors above 5 %; the nightly test is
    # the sharp one.
    table = table_of(digits, 1000, unpack)
    grids = np.stack(table["media_pixels"].to_pylist())
    sums = (grids @ np.random.default_rng(0).normal(size=(256, 8))).astype(np.float32)
    sums_column = pa.FixedSizeListArray.from_arrays(pa.array(sums.ravel()), 8)
    found = alarm_rate(table.drop_columns(["media_pixels"]).append_column("sums", sums_column), (80, 40), 60)
    assert found <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 60)


@pytest.mark.nightly  # a classifier of 256 columns, 2,000 times
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("sizes", [(100, 100), (400, 100)])
def test_false_alarms_stay_within_two_points(digits: Digits, unpack: Unpack, sizes: tuple[int, int]) -> None:
    assert alarm_rate(table_of(digits, 5000, unpack), sizes, 2000) <= 0.07


def test_damaged_pictures_are_refused_by_name(tmp_path: Path) -> None:
    for side in ("before", "now"):
        (tmp_path / side).mkdir()
        for at in range(3):
            (tmp_path / side / f"{at}.png").write_bytes(making.png(grey=at))
    whole = making.png(300, 300)
    (tmp_path / "now" / "cut.png").write_bytes(whole[: len(whole) // 2])
    pixels = whole.index(b"IDAT") + 4
    (tmp_path / "now" / "garbled.png").write_bytes(whole[:pixels] + b"\x55" * 40 + whole[pixels + 40 :])
    (tmp_path / "now" / "bomb.png").write_bytes(making.png_bomb())
    (tmp_path / "now" / "sound.png").write_bytes(making.wav())
    with pytest.raises(InputRefused) as refused:
        drift(tmp_path / "before", tmp_path / "now")
    said = refused.value.what
    assert said.startswith("4 of 7 files cannot be compared")
    assert "'cut.png' ends too early for image/png" in said
    assert "'garbled.png' cannot be decoded" in said
    assert "'bomb.png' cannot be read as image/png: DecompressionBombError" in said
    assert "'sound.png' is named like image and holds audio/wav" in said


def test_other_files_are_left_out_and_said(tmp_path: Path) -> None:
    for side in ("before", "now"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "a.png").write_bytes(making.png())
        (tmp_path / side / ".hidden").write_text("")
    (tmp_path / "now" / "labels.csv").write_text("a,b\n")
    found = drift(tmp_path / "before", tmp_path / "now")
    assert any(
        "Neither pictures nor recordings, so left out of now: 1 file: 'labels.csv'" in note for note in found.notes
    )
    assert rows(found, "media_pixels")[0].reason == "the reference has 1 row, and at least 20 are needed"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputRefused, match="no pictures or recordings"):
        drift(tmp_path / "empty", tmp_path / "now")


def test_a_table_names_its_pictures(digits: Digits, unpack: Unpack, tmp_path: Path) -> None:
    for side, start in (("before", 0), ("now", 500)):
        unpack(side, np.minimum(digits.pixels[start : start + 300] * (1.2 if start else 1), 255).astype(np.uint8))
        with (tmp_path / f"{side}.csv").open("w", newline="") as file:
            named = [[f"{side}/{at:05}.png" if at else "", digits.labels[start + at]] for at in range(300)]
            csv.writer(file).writerows([["file", "digit"], *named])
    sides = tmp_path / "before.csv", tmp_path / "now.csv"
    found = drift(*sides, media=MediaSettings(column="file"))
    assert not rows(found, "file") and not rows(found, "digit")[0].drifted
    assert rows(found, "media_contrast")[0].drifted
    assert {row.n_current for row in rows(found, "media_pixels")} == {299}
    with pytest.raises(InputRefused, match="no column 'picture' names files"):
        drift(*sides, media=MediaSettings(column="picture"))
    (tmp_path / "now" / "00007.png").unlink()
    with pytest.raises(InputRefused, match="'now/00007.png' is not in the media folder"):
        drift(*sides, media=MediaSettings(column="file"))


def test_pictures_in_order_are_compared_with_blocks_of_the_reference() -> None:
    rng = np.random.default_rng(3)
    # The light of a day goes up and down slowly.
    light = np.sin(np.arange(900) / 30)[:, None] + rng.normal(size=(900, 4)).astype(np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(light.ravel()), 4)
    table = pa.table({"when": np.arange(900).astype("datetime64[h]").astype("datetime64[us]"), "light": vectors})
    shuffled = table.take(pa.array(rng.permutation(900)))
    sides = (shuffled.filter(pa.array(shuffled["when"].to_numpy() < np.datetime64(860, "h"))), table[860:])
    by_blocks, mixed = (drift(*sides, DriftSettings(timestamp="when", null=null)) for null in ("auto", "permutation"))
    assert {blocks_of(row.null) for row in by_blocks.rows} == {21}
    assert not by_blocks.drifted and mixed.drifted


def test_vectors_of_any_table_are_compared_together() -> None:
    rng = np.random.default_rng(4)

    def table(n: int, correlation: float, length: int = 3) -> pa.Table:
        values = rng.normal(size=(n, length)).astype(np.float32)
        values[:, 1] = correlation * values[:, 0] + np.sqrt(1 - correlation**2) * values[:, 1]
        values[0] = np.nan
        return pa.table({"embedding": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), length)})

    found = drift(table(800, 0.9), table(400, -0.9))
    assert alarmed(found) == {"embedding"}
    assert {(row.n_reference, row.n_current) for row in found.rows} == {(799, 399)}
    assert not drift(table(800, 0.9), table(400, 0.9)).drifted
    (row,) = drift(table(50, 0), table(50, 0), DriftSettings(methods=["ks"])).rows
    assert row.reason == "the named methods cannot compare vectors"
    with pytest.raises(InputRefused, match="no column in common"):
        drift(table(50, 0), table(50, 0, length=4))


def test_recordings_by_level_and_length(shared_data: Path, tmp_path: Path) -> None:
    wavs = sorted((shared_data / "fsdd" / "wav").glob("*.wav"))
    for at, path in enumerate(wavs):
        loud = at % 2
        (tmp_path / str(loud)).mkdir(exist_ok=True)
        with wave.open(str(path)) as source, wave.open(str(tmp_path / str(loud) / path.name), "wb") as target:
            target.setparams(source.getparams())
            samples = np.frombuffer(source.readframes(source.getnframes()), np.int16)
            target.writeframes((samples // (1 if loud else 4)).astype(np.int16).tobytes())
    found = drift(tmp_path / "0", tmp_path / "1")
    assert alarmed(found) == {"media_level"}
    assert {row.column for row in found.rows} == {
        "media_type", "media_seconds", "media_rate", "media_channels", "media_level"
    }  # fmt: skip
    (tmp_path / "tone").mkdir()
    (tmp_path / "tone" / "a.wav").write_bytes(making.wav())
    source = folder_source(tmp_path / "tone", MediaSettings(), 0, lambda *_: None)
    (level,) = next(iter(source.batches)).column("media_level").to_pylist()
    assert level == pytest.approx(9000 / 32768 / np.sqrt(2), rel=0.01)
