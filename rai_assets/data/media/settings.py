"""The declaration of a folder of files that the rows name, and the columns that are made of every file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rai_assets.data.columns import ColumnName, ColumnSettings, DType, Strict


class MediaSettings(Strict):
    """A folder of images, recordings, texts or videos. Every row names one file of it, which is stored with the table.

    Attributes:
        folder: Where the files lie, relative to the declaration's folder or absolute.
        path: The column that names the row's file, as a path inside `folder`.
        label: A column to be made where the class stands in the path: the name of the folder that the file lies in.
    """

    folder: Annotated[str, Field(min_length=1, max_length=4096)]
    path: ColumnName
    label: ColumnName | None = None


def _context(dtype: DType, description: str) -> ColumnSettings:
    return ColumnSettings(role="context", dtype=dtype, missing="allowed", description=description)


FACTS = {
    "media_kind": _context("category", "What the file is: image, audio, video, text or other."),
    "media_type": _context("category", "Media type, told by the file's content."),
    "media_bytes": _context("integer", "Size of the file in bytes."),
    "media_sha256": _context("text", "SHA-256 of the file."),
    "media_width": _context("integer", "Width of an image or a video in pixels."),
    "media_height": _context("integer", "Height of an image or a video in pixels."),
    "media_mode": _context("category", "How an image keeps its colours, e.g. RGB or L (grey)."),
    "media_channels": _context("integer", "Channels of an image or of the sound."),
    "media_seconds": _context("number", "Duration of a recording or a video in seconds."),
    "media_rate": _context("integer", "Samples of the sound per second."),
    "media_frames": _context("integer", "Samples of a recording (each over all channels), pictures of a video."),
    "media_fps": _context("number", "Pictures of a video per second."),
    "media_encoding": _context("category", "Encoding of a text."),
    "media_characters": _context("integer", "Characters of a text."),
    "media_note": _context("category", "Why something is not known of the file, or why it cannot be read."),
    "media_readable": _context("boolean", "Whether the file can be read as what its content and its name say it is."),
}
"""Columns made of every file; a data set with media has them as context unless it declares them otherwise."""
