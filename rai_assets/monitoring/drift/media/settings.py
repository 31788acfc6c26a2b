"""How files of pictures and recordings are found and compared."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rai_assets.data.columns import ColumnName, Strict


class EmbeddingSettings(Strict):
    """An ONNX file that makes a vector of a picture.

    Attributes:
        model: Its path, relative or absolute. One input of shape (pictures, 3, height, width), float32 from
            0 to 1 or uint8; also with the channels last, with one channel or none.
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
