"""Files of every kind, made by code: whole ones of known dimensions, and damaged ones."""

from __future__ import annotations

import io
import math
import struct
import wave
import zlib
from pathlib import Path


def png(width: int = 4, height: int = 3, grey: int = 0) -> bytes:
    """A grey picture, all pixels alike."""
    return png_of(width, height, bytes([grey]) * width * height)


def png_of(width: int, height: int, pixels: bytes) -> bytes:
    """A grey picture, a byte a pixel, row by row."""
    rows = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_bomb() -> bytes:
    """A picture of 10 Gpixel by its header, a few bytes by its content."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")


def jpeg(width: int = 7, height: int = 5) -> bytes:
    """The header of a grey baseline JPEG (ITU T.81) with an empty scan and the mark of the end."""
    frame = struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)
    scan = bytes([1, 1, 0, 0, 63, 0])
    return b"\xff\xd8" + _segment(0xDB, b"\0" + b"\1" * 64) + _segment(0xC0, frame) + _segment(0xDA, scan) + b"\xff\xd9"


def wav(seconds: float = 0.5, rate: int = 8000, channels: int = 1) -> bytes:
    """A tone of 440 Hz in 16 bits."""
    samples = [int(9000 * math.sin(2 * math.pi * 440 * at / rate)) for at in range(int(seconds * rate))]
    target = io.BytesIO()
    with wave.open(target, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"".join(struct.pack("<h", sample) * channels for sample in samples))
    return target.getvalue()


def flac(path: Path, rate: int = 16_000, frames: int = 800) -> None:
    """Half-silent recording written by soundfile."""
    import numpy as np
    import soundfile

    soundfile.write(path, np.zeros((frames, 2)), rate, format="FLAC")


def mp4_shell() -> bytes:
    """The boxes of an MP4 with an empty index: whole from outside, nothing inside."""
    return _box(b"ftyp", b"isom\0\0\2\0isom") + _box(b"mdat", b"\0" * 32) + _box(b"moov", b"")


def mp4(path: Path, width: int = 64, height: int = 48, pictures: int = 10, fps: int = 5) -> None:
    """A grey film written by PyAV."""
    import av
    import numpy as np

    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(pictures):
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 90, np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def _box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + name + data
