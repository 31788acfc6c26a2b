"""One picture at a time: its brightness and contrast, and its pixels at one size."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from rai_assets.data.media.headers import Unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

Colours = Literal["L", "RGB"]
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_NOT_COLOURS = ("I", "F", "LAB")


def decode(path: Path) -> Image:
    """The first picture of a file, grey (`L`) or `RGB`; transparency is left out.

    Args:
        path: A file whose header was examined: it names a picture of a size that may be decoded.

    Raises:
        Unreadable: The file is damaged, or holds no colours.
        ImportError: Pillow is not installed.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's alarms at odd metadata
            with Image.open(path) as image:
                image.load()
                if image.mode in _SIXTEEN_BITS:
                    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
                if image.mode in _NOT_COLOURS:
                    raise Unreadable(f"holds values of mode {image.mode}, which are no colours")
                grey = image.mode in ("1", "L", "LA")
                return image.convert("L" if grey else "RGB")
    except Unreadable:
        raise
    except Exception as error:  # a damaged file can make Pillow raise anything
        said = " ".join(str(error).replace(str(path), "").split())[:120]
        raise Unreadable(f"cannot be decoded: {said or type(error).__name__}") from error


def intensity(image: Image) -> tuple[float, float]:
    """Mean and standard deviation of the grey value over all pixels, 0 black to 1 white."""
    shares = np.array(image.convert("L").histogram(), np.float64)
    shares /= shares.sum()
    values = np.arange(256) / 255
    mean = float(shares @ values)
    return mean, float(np.sqrt(shares @ np.square(values - mean)))


def pixels(image: Image, width: int, height: int, colours: Colours = "L") -> NDArray[np.float32]:
    """The picture at another size, each pixel the mean of those it covers, shape (height, width[, 3]), 0 to 1."""
    from PIL import Image

    resized = image.convert(colours).resize((width, height), Image.Resampling.BOX)
    return np.asarray(resized, np.float32) / 255
