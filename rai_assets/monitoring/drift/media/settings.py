"""How files of pictures and recordings are found and compared."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from rai_assets.data.columns import ColumnName, Strict
from rai_assets.monitoring.drift.settings import DriftSettings


class EmbeddingSettings(Strict):
    """An ONNX file that makes a vector of a picture.

    Attributes:
        model: Its path, absolute or relative: to the declaration's folder, for `rai drift` to the one it is run in. One
            input of shape (pictures, 3, height, width), float32 from 0 to 1 or uint8; also with the channels last, with
            one channel or none.
        sha256: Digest of the file, hex: another file is refused.
        output: The output with the vectors, shape (pictures, numbers); the first if left out.
    """

    model: Annotated[str, Field(min_length=1, max_length=4096)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    output: str | None = None


class MediaSettings(Strict):
    """How pictures and recordings are compared.

    Attributes:
        column: The column of a table that names the files, as paths from the table's folder on.
        embedding: What stands for a whole picture; a grid of its pixels if left out.
    """

    column: ColumnName | None = None
    embedding: EmbeddingSettings | None = None


class BatchDriftSettings(DriftSettings):
    """How the columns of a batch are compared with the reference.

    Attributes:
        embedding: What stands for a whole picture where rows name pictures; a grid of its pixels if left out.
    """

    embedding: EmbeddingSettings | None = None

    @field_validator("missing")
    @classmethod
    def _of_the_data(cls, missing: list[str]) -> list[str]:
        if missing:
            raise ValueError("batches are read as the data set is: write it there, `dataset: {missing: [...]}`")
        return missing

    @property
    def decoded(self) -> tuple[str, ...]:
        """The columns that are made of decoded pictures and recordings."""
        vectors = "media_pixels" if self.embedding is None else "media_embedding"
        return "media_brightness", "media_contrast", "media_level", vectors
