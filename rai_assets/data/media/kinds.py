"""What a file is, told by how it begins, and whether the end that its kind must have is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO, Literal

Kind = Literal["image", "audio", "video", "text", "other"]
HEAD = 4096  # bytes that are enough to tell
_TAIL = 65_536  # bytes at the end among which the mark of a picture's end is looked for
_UNSAID = 0x7FFFF000  # a RIFF size from here on was written before the size was known
_BOXES = 10_000


@dataclass(frozen=True)
class Form:
    """A file format.

    Attributes:
        kind: What such a file is to people.
        type: Media type.
        reader: Who reads its header: `pillow`, `soundfile`, FFmpeg's name of the format, or empty for nobody.
        sure: False where files of any kind may begin so by chance: then the name has to say the same.
    """

    kind: Kind
    type: str
    reader: str = ""
    sure: bool = True


_FORMS = [
    (rb"\x89PNG\r\n\x1a\n", Form("image", "image/png", "pillow")),
    (rb"\xff\xd8\xff", Form("image", "image/jpeg", "pillow")),
    (rb"GIF8[79]a", Form("image", "image/gif", "pillow")),
    (rb"BM.{4}\0{4}", Form("image", "image/bmp", "pillow")),
    (rb"II\*\0|MM\0\*", Form("image", "image/tiff", "pillow")),
    (rb"RIFF.{4}WEBP", Form("image", "image/webp", "pillow")),
    (rb".{4}ftypavi[fs]", Form("image", "image/avif", "pillow")),
    (rb".{4}ftyp(hei[cxms]|mif1)", Form("image", "image/heic")),
    (rb"RIFF.{4}WAVE", Form("audio", "audio/wav", "soundfile")),
    (rb"fLaC", Form("audio", "audio/flac", "soundfile")),
    (rb"OggS.{24,280}?\x80theora", Form("video", "video/ogg", "ogg")),
    (rb"OggS", Form("audio", "audio/ogg", "soundfile")),
    (rb"ID3", Form("audio", "audio/mpeg", "soundfile")),
    (rb"\xff[\xf2\xf3\xfa\xfb]", Form("audio", "audio/mpeg", "soundfile", sure=False)),
    (rb"FORM.{4}AIF[FC]", Form("audio", "audio/aiff", "soundfile")),
    (rb".{4}ftypM4[AB] ", Form("audio", "audio/mp4", "mp4")),
    (rb".{4}ftypqt  ", Form("video", "video/quicktime", "mov")),
    (rb".{4}ftyp", Form("video", "video/mp4", "mp4")),
    (rb"\x1aE\xdf\xa3.{0,60}webm", Form("video", "video/webm", "matroska")),
    (rb"\x1aE\xdf\xa3", Form("video", "video/x-matroska", "matroska")),
    (rb"RIFF.{4}AVI ", Form("video", "video/x-msvideo", "avi")),
    (rb"\0\0\x01\xba", Form("video", "video/mpeg", "mpeg")),
    (rb"%PDF-", Form("other", "application/pdf")),
    (rb"PK\x03\x04", Form("other", "application/zip")),
    (rb"\x1f\x8b", Form("other", "application/gzip")),
]
_PATTERNS = [(re.compile(pattern, re.DOTALL), form) for pattern, form in _FORMS]

_NAMED: dict[Kind, str] = {
    "image": "png jpg jpeg gif bmp tif tiff webp avif heic",
    "audio": "wav flac ogg oga opus mp3 aif aiff m4a",
    "video": "mp4 m4v mov webm mkv avi mpg mpeg ogv",
    "text": "txt md csv tsv json jsonl html xml",
}
_BY_EXTENSION = {f".{extension}": kind for kind, extensions in _NAMED.items() for extension in extensions.split()}


def form_of(head: bytes, name: str) -> Form | None:
    """The format of a file that begins so; None where nothing tells, as with a text."""
    found = (form for pattern, form in _PATTERNS if pattern.match(head))
    return next((form for form in found if form.sure or form.kind == kind_of_name(name)), None)


def kind_of_name(name: str) -> Kind | None:
    """What the extension says that a file is; None for one that says nothing."""
    return _BY_EXTENSION.get(PurePath(name).suffix.lower())


def cut_short(form: Form, stream: BinaryIO, size: int) -> bool:
    """Whether a file ends before its format lets it end, as far as that can be seen without decoding it.

    Args:
        form: Its format.
        stream: The open file.
        size: Its bytes.
    """
    if form.type in ("image/png", "image/jpeg"):
        stream.seek(max(size - _TAIL, 0))
        return (b"IEND" if form.type == "image/png" else b"\xff\xd9") not in stream.read(_TAIL)
    if form.type in ("audio/wav", "image/webp", "video/x-msvideo"):
        stream.seek(4)
        declared = int.from_bytes(stream.read(4), "little")
        return size < declared + 8 and declared < _UNSAID
    if form.reader in ("mp4", "mov"):
        return not _whole_boxes(stream, size)
    return False


def _whole_boxes(stream: BinaryIO, size: int) -> bool:
    """Whether the boxes that an MP4 is made of fill it exactly, and its index is among them (ISO/IEC 14496-12, 4.2)."""
    at = 0
    names: set[bytes] = set()
    while at < size and len(names) < _BOXES:
        stream.seek(at)
        header = stream.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:], "big")
        elif length == 0:
            length = size - at
        if len(header) < 8 or length < 8:
            return False
        names.add(header[4:8])
        at += length
    return at == size and b"moov" in names
