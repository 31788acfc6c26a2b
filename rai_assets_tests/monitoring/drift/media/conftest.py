"""Handwritten digits as files."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rai_assets_tests.data.media.making import png_of


@dataclass(frozen=True)
class Digits:
    """10,000 digits: pixels of shape (n, 28, 28), 0 black to 255 white, and what they show."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]


@pytest.fixture(scope="session")
def digits(shared_data: Path) -> Digits:
    folder = shared_data / "mnist_t10k"
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    return Digits(np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8))


Unpack = Callable[[str, Iterable[NDArray[np.uint8]]], Path]


@pytest.fixture
def unpack(tmp_path: Path) -> Unpack:
    """Writes pictures as the PNG files of a folder."""

    def written(name: str, pictures: Iterable[NDArray[np.uint8]]) -> Path:
        (tmp_path / name).mkdir()
        for at, picture in enumerate(pictures):
            height, width = picture.shape
            (tmp_path / name / f"{at:05}.png").write_bytes(png_of(width, height, picture.tobytes()))
        return tmp_path / name

    return written
