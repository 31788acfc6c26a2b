"""A file is told by its content; dimensions come from the header; what cannot be read says why."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from rai_assets.data.media.examine import Facts, examine
from rai_assets.data.media.headers import MAX_PIXELS, Unreadable, _refuse_bombs
from rai_assets_tests.data.media import making


def looked_at(tmp_path: Path, name: str, content: bytes) -> Facts:
    (tmp_path / name).write_bytes(content)
    return examine(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "kind", "media_type"),
    [
        (making.png(), "image", "image/png"),
        (making.jpeg(), "image", "image/jpeg"),
        (b"GIF89a" + bytes(20), "image", "image/gif"),
        (making.wav(), "audio", "audio/wav"),
        (b"fLaC" + bytes(40), "audio", "audio/flac"),
        (b"ID3\4" + bytes(40), "audio", "audio/mpeg"),
        (b"OggS" + bytes(24) + b"\x01vorbis" + bytes(40), "audio", "audio/ogg"),
        (b"OggS" + bytes(24) + b"\x80theora" + bytes(40), "video", "video/ogg"),
        (making.mp4_shell(), "video", "video/mp4"),
        (making.mp4_shell().replace(b"isom\0", b"M4A \0", 1), "audio", "audio/mp4"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x84webm", "video", "video/webm"),
        (b"%PDF-1.7\n%\xe2\xe3", "other", "application/pdf"),
        ("Grüße, 世界".encode(), "text", "text/plain"),
        (b"\0\1\2\3", "other", "application/octet-stream"),
        (b"BM is how this text begins, and no bitmap", "text", "text/plain"),
        (b"\xff\xfb\0 is how many a file begins, and no sound", "other", "application/octet-stream"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_content_tells_what_a_file_is(tmp_path: Path, content: bytes, kind: str, media_type: str) -> None:
    found = looked_at(tmp_path, "file", content)
    assert (found.kind, found.type, found.bytes) == (kind, media_type, len(content))
    assert found.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("content", "encoding", "characters"),
    [
        (b"", "utf-8", 0),
        ("naïve 🙂\n".encode(), "utf-8", 8),
        ("naïve".encode("utf-8-sig"), "utf-8-sig", 5),
        ("naïve".encode("utf-16"), "utf-16", 5),
        (("x" + "é" * 2_000_000).encode(), "utf-8", 2_000_001),  # characters that lie across the pieces read at once
    ],
)
def test_text(tmp_path: Path, content: bytes, encoding: str, characters: int) -> None:
    found = looked_at(tmp_path, "a.txt", content)
    assert (found.kind, found.encoding, found.characters, found.problem) == ("text", encoding, characters, None)


def test_dimensions_of_images(tmp_path: Path) -> None:
    for content, size in ((making.png(4, 3), (4, 3)), (making.jpeg(7, 5), (7, 5))):
        found = looked_at(tmp_path, "image", content)
        assert ((found.width, found.height), found.mode, found.channels, found.note) == (size, "L", 1, None)


def test_durations_of_recordings(tmp_path: Path) -> None:
    found = looked_at(tmp_path, "a.wav", making.wav(0.5, 8000, 2))
    assert (found.seconds, found.rate, found.channels, found.frames) == (0.5, 8000, 2, 4000)
    making.flac(tmp_path / "a.flac", 16_000, 800)
    found = examine(tmp_path / "a.flac")
    assert (found.type, found.seconds, found.rate, found.channels) == ("audio/flac", 0.05, 16_000, 2)


def test_dimensions_of_videos(tmp_path: Path) -> None:
    making.mp4(tmp_path / "a.mp4", 64, 48, 10, 5)
    found = examine(tmp_path / "a.mp4")
    assert (found.type, found.width, found.height, found.frames, found.fps) == ("video/mp4", 64, 48, 10, 5.0)
    assert found.seconds == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("module", "name", "content"),
    [
        ("PIL", "a.png", making.png()),
        ("soundfile", "a.wav", making.wav()),
        ("av", "a.mp4", making.mp4_shell()),
    ],
)
def test_without_its_library_a_file_is_good_and_a_note_says_what_is_missing(
    module: str, name: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    found = looked_at(tmp_path, name, content)
    assert found.problem is None
    assert (found.width, found.seconds) == (None, None)
    assert found.note is not None
    assert found.note.endswith("is not installed: pip install 'rai_assets[media]'")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.png", making.png(40, 40)[:-20], "ends too early for image/png"),
        ("a.jpg", making.jpeg()[:-2], "ends too early for image/jpeg"),
        ("a.wav", making.wav()[:-100], "ends too early for audio/wav"),
        ("a.mp4", making.mp4_shell()[:-4], "ends too early for video/mp4"),
        ("a.mp4", making.mp4_shell().replace(b"moov", b"free"), "ends too early for video/mp4"),
        ("a.png", b"<html>not found</html>", "is named like image and holds text/plain"),
        ("a.mp4", b"", "is named like video and holds text/plain"),
        ("a.txt", "Grüße".encode("latin-1"), "named like a text and holds application/octet-stream; texts are read in"),
        ("a.wav", making.png(), "is named like audio and holds image/png"),
        ("a.mp3", b"\xff\xfb\0 is how a sound begins", "cannot be read as audio/mpeg"),
    ],
)
def test_damaged_and_misnamed_files_say_what_is_wrong(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    found = looked_at(tmp_path, name, content)
    assert said in (found.problem or "")
    assert found.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.wav", making.wav()[:24] + b"\0" * 4 + making.wav()[28:], "cannot be read as audio/wav"),  # 0 Hz
        ("a.wav", making.wav()[:22] + b"\0" * 2 + making.wav()[24:], "cannot be read as audio/wav"),  # no channel
        ("a.mp4", making.mp4_shell(), "has neither pictures nor sound"),
        ("a.jpg", b"", "is named like image and holds text/plain"),
        ("a.wav", b"", "is named like audio and holds text/plain"),
    ],
)
def test_headers_that_lie_are_a_problem(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    assert said in (looked_at(tmp_path, name, content).problem or "")


def test_a_damaged_header_is_a_problem_and_never_an_error(tmp_path: Path) -> None:
    whole = making.png(30, 20)
    for at in range(8, 60):
        for value in (0x00, 0xFF):
            looked_at(tmp_path, "a.png", whole[:at] + bytes([value]) + whole[at + 1 :])
    found = looked_at(tmp_path, "a.png", whole[:12] + b"XXXX" + whole[16:])
    assert (found.problem or "").startswith("cannot be read as image/png: ")


def test_a_decompression_bomb_is_told_by_its_header(tmp_path: Path) -> None:
    found = looked_at(tmp_path, "a.png", making.png_bomb())
    assert found.problem is not None
    assert "10,000,000,000 pixels" in found.problem or "DecompressionBomb" in found.problem


def test_limits() -> None:
    _refuse_bombs({"width": MAX_PIXELS, "height": 1, "seconds": 86_400.0})
    for found in ({"width": MAX_PIXELS, "height": 2}, {"seconds": 86_401.0}):
        with pytest.raises(Unreadable):
            _refuse_bombs(found)


def test_a_film_may_be_named_as_sound_and_the_other_way_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("av", "soundfile"):
        monkeypatch.setitem(sys.modules, module, None)
    assert looked_at(tmp_path, "a.m4a", making.mp4_shell()).problem is None
    assert looked_at(tmp_path, "a.ogv", b"OggS" + bytes(24) + b"\x01vorbis").problem is None
