"""One file looked at once: digest, size, kind, dimensions, and whether it can be read as what it is."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rai_assets.data.media.headers import Unreadable, read_header
from rai_assets.data.media.kinds import HEAD, Form, cut_short, form_of, kind_of_name

_CHUNK = 1 << 20  # bytes
_OPAQUE = Form("other", "application/octet-stream")
_MOVING = {"audio", "video"}  # what a container of one may hold of the other


@dataclass(frozen=True)
class Facts:
    """What is known of one file: the columns `media_…`, and why it cannot be read; None where a fact is unknown.

    Attributes:
        kind: `image`, `audio`, `video`, `text` or `other`.
        type: Media type, told by the content.
        bytes: Size.
        sha256: Digest of the content, hex.
        width: Of a picture or video, in pixels.
        height: Of a picture or video, in pixels.
        mode: How a picture holds a pixel, in Pillow's words, e.g. `RGB`.
        channels: Values of a pixel, or of a moment of sound.
        seconds: Duration.
        rate: Samples of sound per second.
        frames: Samples of a recording (each over all channels), pictures of a video.
        fps: Pictures per second.
        encoding: Of a text.
        characters: Of a text.
        note: What is not known, and why.
        problem: Why the file cannot be read as what it is.
    """

    kind: str
    type: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    mode: str | None = None
    channels: int | None = None
    seconds: float | None = None
    rate: int | None = None
    frames: int | None = None
    fps: float | None = None
    encoding: str | None = None
    characters: int | None = None
    note: str | None = None
    problem: str | None = None


def examine(path: Path, tell: Callable[[int], None] = lambda _: None) -> Facts:
    """Read a file once from end to end, in constant memory.

    Args:
        path: A regular file.
        tell: Told the number of bytes just read.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as stream:
        chunk = stream.read(_CHUNK)
        form = form_of(chunk[:HEAD], path.name)
        text = _Text(chunk) if form is None else None
        digest, size = hashlib.sha256(), 0
        while chunk:
            digest.update(chunk)
            size += len(chunk)
            tell(len(chunk))
            if text is not None:
                text.add(chunk)
            chunk = stream.read(_CHUNK)
        if text is not None and text.ends():
            found: dict[str, object] = {"encoding": text.encoding, "characters": text.characters}
            form = Form("text", "text/plain")
        else:
            form = form or _OPAQUE
            found = _media(path, form, cut=cut_short(form, stream, size))
    found["problem"] = found.get("problem") or _misnamed(path.name, form)
    return Facts(form.kind, form.type, size, digest.hexdigest(), **found)  # type: ignore[arg-type]


class _Text:
    """Decodes a file while it is read; gives up at the first byte that is no text."""

    def __init__(self, head: bytes) -> None:
        self.encoding = "utf-8"
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self.encoding = "utf-16"
        elif head.startswith(codecs.BOM_UTF8):
            self.encoding = "utf-8-sig"
        self.characters = 0
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder(self.encoding)()

    def add(self, chunk: bytes, *, final: bool = False) -> None:
        if self._decoder is None:
            return
        try:
            decoded = self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            self._decoder = None
            return
        self.characters += len(decoded)
        if "\0" in decoded:
            self._decoder = None

    def ends(self) -> bool:
        """Whether all of it was text."""
        self.add(b"", final=True)
        return self._decoder is not None


def _media(path: Path, form: Form, *, cut: bool) -> dict[str, object]:
    if cut:
        return {"problem": f"ends too early for {form.type}"}
    try:
        return read_header(path, form)
    except Unreadable as error:
        return {"problem": str(error)}


def _misnamed(name: str, form: Form) -> str | None:
    """What is wrong where the name promises another kind of content."""
    promised = kind_of_name(name)
    if promised in (None, form.kind) or {promised, form.kind} == _MOVING:
        return None
    if promised == "text":
        return f"is named like a text and holds {form.type}; texts are read in UTF-8, or in UTF-16 with its mark"
    return f"is named like {promised} and holds {form.type}"
