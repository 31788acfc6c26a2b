"""How loud a recording is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rai_assets.data.media.headers import Unreadable

_AT_ONCE = 1 << 16  # samples that are decoded at once


def level(path: Path) -> float:
    """Root of the mean squared amplitude over all samples and channels, 0 silence to 1 full scale; 0 without samples.

    Raises:
        Unreadable: The file is damaged.
        ImportError: soundfile is not installed.
    """
    try:
        import soundfile
    except OSError as error:  # the package is there, its library is not
        raise ImportError from error
    total, samples = 0.0, 0
    try:
        with soundfile.SoundFile(str(path)) as file:
            while len(block := file.read(_AT_ONCE, dtype="float64")):
                total += float(np.square(block).sum())
                samples += block.size
    except Exception as error:  # a damaged file can make the library raise anything
        said = " ".join(str(error).replace(str(path), "").split())[:120]
        raise Unreadable(f"cannot be decoded: {said or type(error).__name__}") from error
    return float(np.sqrt(total / samples)) if samples else 0.0
