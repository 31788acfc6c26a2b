"""What stands for a whole picture: a grid of its pixels, or the user's own ONNX embedding."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.data.paths import resolve
from rai_assets.errors import InputRefused
from rai_assets.model.sandbox import Sandbox
from rai_assets.model.supplied import parse_model, read_model_file
from rai_assets.monitoring.drift.media.pictures import Colours, pixels
from rai_assets.monitoring.drift.media.settings import EmbeddingSettings

if TYPE_CHECKING:
    from PIL.Image import Image

GRID = 16
"""Pixels of a grid in each direction."""
_AT_ONCE = 32  # pictures that an embedding is given at once
_SHAPE = "export it with one input of shape (pictures, 3, height, width), height and width fixed, float32 or uint8"


class Vectors(Protocol):
    """Makes a vector of every picture.

    Attributes:
        name: Name of the column of vectors.
        at_once: Pictures that are embedded at once.
        words: What the vectors are, in a sentence.
    """

    name: str
    at_once: int
    words: str

    def prepare(self, image: Image) -> NDArray[Any]:
        """A picture at the size that is embedded."""
        ...

    def of(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The vectors of pictures, shape (n, d)."""
        ...

    def close(self) -> None:
        """End what was started for it."""
        ...


class PixelGrid:
    """The pixels themselves, at one size whatever the picture's."""

    name, at_once = "media_pixels", 1
    words = (
        f"Pictures together are compared as grey grids of {GRID} x {GRID} pixels, each the mean of those it covers, "
        "whatever their size."
    )

    def prepare(self, image: Image) -> NDArray[np.float32]:
        """The grid, shape (16, 16)."""
        return pixels(image, GRID, GRID)

    def of(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The grids, row by row, shape (n, 256)."""
        return np.stack(prepared).reshape(len(prepared), -1)

    def close(self) -> None:
        """Nothing was started."""


@dataclass(frozen=True)
class _Input:
    """The one input of an embedding: (pictures, [channels,] height, width[, channels])."""

    name: str
    batch: int
    width: int
    height: int
    colours: Colours
    channels_first: bool
    bytes: bool


class OnnxEmbedding:
    """An ONNX file of the user's, run in the worker for supplied models.

    Pictures are resized to the input's height and width, whatever their proportions; float32 inputs get 0 to 1, uint8
    ones 0 to 255. Further preparation belongs into the graph.

    Args:
        settings: The file, its digest, its output.
        base: The folder that its path starts from.

    Raises:
        InputRefused: There is no such file, it has another digest, or takes no pictures.
    """

    name = "media_embedding"

    def __init__(self, settings: EmbeddingSettings, base: Path) -> None:
        path = resolve(base, settings.model)
        data = read_model_file(path)
        digest = hashlib.sha256(data).hexdigest()
        if digest != settings.sha256:
            raise InputRefused(
                f"its SHA-256 is {digest}, and {settings.sha256} was named",
                where=path.name,
                fix="name the digest of the embedding that is meant; `sha256sum` prints it",
            )
        model = parse_model(data, path.name)
        outputs = [item.name for item in model.graph.output]
        output = settings.output or outputs[0]
        if output not in outputs:
            raise InputRefused(
                f"the embedding has no output {output[:80]!r}",
                where=path.name,
                fix=f"one of {', '.join(outputs)[:200]}",
            )
        self._input = _input_of(model, path.name)
        self.at_once = self._input.batch or _AT_ONCE
        self._where = path.name
        self.words = (
            f"Pictures together are compared by the embedding {path.name} (sha256 {digest[:12]}), which is given "
            f"{self._input.width} x {self._input.height} pixels of each, whatever its size."
        )
        self._sandbox = Sandbox(data, output)

    def prepare(self, image: Image) -> NDArray[Any]:
        """The picture as the input takes it, flat."""
        wanted = self._input
        found = pixels(image, wanted.width, wanted.height, wanted.colours)
        if wanted.channels_first and found.ndim == 3:
            found = found.transpose(2, 0, 1)
        return np.rint(found * 255).astype(np.uint8).ravel() if wanted.bytes else found.ravel()

    def of(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The embeddings, shape (n, d).

        Raises:
            InputRefused: The model failed, took more than its limits, or answered what is no number.
        """
        flat = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(prepared)), len(prepared[0]))
        found = self._sandbox.scores(pa.table({self._input.name: flat})).astype(np.float32)
        if not np.isfinite(found).all():
            raise InputRefused(
                "the embedding of a picture holds what is no finite number",
                where=self._where,
                fix="check it on these pictures in onnxruntime",
            )
        return found

    def close(self) -> None:
        """End the worker."""
        self._sandbox.close()


def _input_of(model: Any, where: str) -> _Input:
    from onnx import TensorProto

    constants = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in constants]
    if len(inputs) != 1:
        raise InputRefused(f"the embedding has {len(inputs)} inputs", where=where, fix=_SHAPE)
    tensor = inputs[0].type.tensor_type
    shape = [dimension.dim_value for dimension in tensor.shape.dim]
    kinds = {TensorProto.FLOAT: False, TensorProto.UINT8: True}
    channels_first = len(shape) == 4 and shape[1] in (1, 3)
    channels = shape[1 if channels_first else 3] if len(shape) == 4 else 1
    sides = shape[2:] if channels_first else shape[1:3]
    if (
        tensor.elem_type not in kinds
        or len(shape) not in (3, 4)
        or shape[0] not in (0, 1)
        or channels not in (1, 3)
        or not all(0 < side <= 4096 for side in sides)
    ):
        words = ", ".join(str(side or "any") for side in shape)
        raise InputRefused(
            f"the embedding takes no pictures: its input has the shape ({words})", where=where, fix=_SHAPE
        )
    colours: Colours = "RGB" if channels == 3 else "L"
    return _Input(inputs[0].name, shape[0], sides[1], sides[0], colours, channels_first, kinds[tensor.elem_type])
