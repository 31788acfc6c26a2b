"""Dimensions and durations from the headers of media files; pictures and sound are never decoded.

Pillow, soundfile and PyAV come with the extra `media`. Where one is absent the file is still good: a note says what is
not known of it, and how to get it.
"""

from __future__ import annotations

import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

from rai_assets.data.media.kinds import Form

MAX_PIXELS = 89_478_485  # of one picture: Pillow's limit, a quarter of a GiB in RGB
MAX_SECONDS = 24 * 3600
_PACKAGES = {"pillow": "Pillow", "soundfile": "soundfile"}
_PROBE = {"probesize": "1000000", "analyzeduration": "0"}


class Unreadable(ValueError):
    """A file is not what it begins as, or too big; the text says why."""


def read_header(path: Path, form: Form) -> dict[str, Any]:
    """What a media file says of itself, by the names of the columns without `media_`.

    Args:
        path: The file.
        form: Its format, told by its content.

    Returns:
        Width, height, mode, channels, seconds, rate, frames, fps as far as the format has them; or only a `note`.

    Raises:
        Unreadable: The header is damaged, or the content is above `MAX_PIXELS` or `MAX_SECONDS`.
    """
    if not form.reader:
        return {"note": f"{form.type} has no dimensions here"} if form.kind != "other" else {}
    read = {"pillow": _image, "soundfile": _sound}.get(form.reader, _video)
    try:
        found = read(path, form)
    except ImportError:
        package = _PACKAGES.get(form.reader, "PyAV")
        return {"note": f"{package} is not installed: pip install 'rai_assets[media]'"}
    except Unreadable:
        raise
    except Exception as error:  # a damaged file can make these libraries raise anything
        said = " ".join(str(error).replace(str(path), "").split())[:120]
        raise Unreadable(f"cannot be read as {form.type}: {type(error).__name__} {said}".rstrip()) from error
    _refuse_bombs(found)
    return found


def readers() -> str:
    """The installed libraries and their versions: what another set of them might tell otherwise."""
    return " ".join(f"{name} {_version(name)}" for name in ("pillow", "soundfile", "av"))


def _image(path: Path, form: Form) -> dict[str, Any]:
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow's own alarms at big sizes and odd metadata; the limit here is told in our words.
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            return {"width": image.width, "height": image.height, "mode": image.mode, "channels": len(image.getbands())}


def _sound(path: Path, form: Form) -> dict[str, Any]:
    try:
        import soundfile
    except OSError as error:  # the package is there, its library is not
        raise ImportError from error
    found = soundfile.info(str(path))
    return {
        "channels": found.channels,
        "rate": found.samplerate,
        "frames": found.frames,
        "seconds": found.frames / found.samplerate,
    }


def _video(path: Path, form: Form) -> dict[str, Any]:
    import av

    # The format is given, so that no playlist can make the library open other files or addresses.
    with av.open(str(path), format=form.reader, options=_PROBE, metadata_errors="replace") as container:
        if not container.streams.video and not container.streams.audio:
            raise Unreadable("has neither pictures nor sound")
        found: dict[str, Any] = {}
        if container.duration:
            found["seconds"] = container.duration / av.time_base
        for picture in container.streams.video[:1]:
            found |= {"width": picture.width, "height": picture.height, "frames": picture.frames or None}
            found["fps"] = float(picture.average_rate) if picture.average_rate else None
        for sound in container.streams.audio[:1]:
            found |= {"channels": sound.channels, "rate": sound.rate}
        return found


def _refuse_bombs(found: dict[str, Any]) -> None:
    pixels = (found.get("width") or 0) * (found.get("height") or 0)
    if pixels > MAX_PIXELS:
        raise Unreadable(f"has {pixels:,} pixels, more than {MAX_PIXELS:,}: it may be made to exhaust memory")
    if (found.get("seconds") or 0) > MAX_SECONDS:
        raise Unreadable(f"lasts {found['seconds']:,.0f} s, more than {MAX_SECONDS:,}")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "-"
